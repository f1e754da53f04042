package conversationmgr

import (
	"context"

	"parley"
	"parley/rest/api"
)

func fromAccount(in *AccountInput) (parley.Account, error) {
	var r refs
	chat := in.ChatConfigurations
	a := parley.Account{Base: fromBase(in.Name, in.Description, in.Active), Address: in.Address,
		Channel:            id[parley.Channel](&r, in.Channel.Id, "channel.id"),
		Orchestration:      id[parley.Orchestration](&r, chat.Orchestration.Id, "chatConfigurations.orchestration.id"),
		TimeoutMinutes:     api.Value(chat.Timeout),
		DefaultLanguage:    api.Value(chat.DefaultLanguage),
		Unavailable:        parley.Unavailability(api.Value(chat.OnAgentUnavailability)),
		LogoutWithOpen:     api.Value(chat.AllowLogoutWithOpenChats),
		QueueIfUnavailable: api.Value(chat.AllowQueueTransferOnAgentUnavailability),
		Options:            fromPairs(in.Options),
	}
	if chat.EntryPoint != nil {
		a.EntryPoint = chat.EntryPoint.Id
	}
	if c := in.CaseManagement; c != nil {
		a.CaseManagement, a.SameCaseMinutes, a.CopyAttributes = true, api.Value(c.SameCaseDuration), api.Value(c.CopyCustomAttributes)
	}
	return a, r.err
}

func toAccount(a parley.Account) Account {
	unavailable := ChatConfigurationsOnAgentUnavailability(a.Unavailable)
	out := Account{Id: a.ID.String(), Name: a.Name, Description: api.Some(a.Description), Active: a.Active, Created: Time(a.Created), Modified: Time(a.Modified),
		Address: a.Address, Channel: reference(a.Channel), Options: toPairs(a.Options),
		ChatConfigurations: ChatConfigurations{Timeout: &a.TimeoutMinutes, DefaultLanguage: &a.DefaultLanguage, OnAgentUnavailability: &unavailable,
			AllowLogoutWithOpenChats: &a.LogoutWithOpen, AllowQueueTransferOnAgentUnavailability: &a.QueueIfUnavailable, Orchestration: reference(a.Orchestration)}}
	if a.EntryPoint != "" {
		out.ChatConfigurations.EntryPoint = &EntryPoint{Id: a.EntryPoint}
	}
	if a.CaseManagement {
		out.CaseManagement = &CaseManagement{SameCaseDuration: api.Some(a.SameCaseMinutes), CopyCustomAttributes: &a.CopyAttributes}
	}
	return out
}

// CreateAccount makes one.
func (s *Surface) CreateAccount(ctx context.Context, r CreateAccountRequestObject) (CreateAccountResponseObject, error) {
	a, err := fromAccount(r.Body)
	if err != nil {
		return nil, err
	}
	id, err := s.directory.Accounts.Create(ctx, tenant(ctx), a)
	return CreateAccount201JSONResponse{Id: id.String()}, err
}

// GetAllAccounts lists them.
func (s *Surface) GetAllAccounts(ctx context.Context, r GetAllAccountsRequestObject) (GetAllAccountsResponseObject, error) {
	page, info, err := paged(ctx, s.directory.Accounts, r.Params.Pagenum, r.Params.Pagesize)
	return GetAllAccounts200JSONResponse{PaginationInfo: info, Account: api.List(page, toAccount)}, err
}

// GetAccount reads one.
func (s *Surface) GetAccount(ctx context.Context, r GetAccountRequestObject) (GetAccountResponseObject, error) {
	a, err := find(ctx, s.directory.Accounts, r.Id)
	return GetAccount200JSONResponse(toAccount(a)), err
}

// UpdateAccount replaces one.
func (s *Surface) UpdateAccount(ctx context.Context, r UpdateAccountRequestObject) (UpdateAccountResponseObject, error) {
	a, err := fromAccount(r.Body)
	return UpdateAccount204Response{}, replace(ctx, s.directory.Accounts, r.Id, a, err)
}

// DeleteAccount ends its open conversations and removes it.
func (s *Surface) DeleteAccount(ctx context.Context, r DeleteAccountRequestObject) (DeleteAccountResponseObject, error) {
	return DeleteAccount204Response{}, remove(ctx, s.directory.Accounts, r.Id)
}
