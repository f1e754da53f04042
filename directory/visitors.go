package directory

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"parley"
	"parley/ident"
	"parley/tokens"
)

// A Credential makes and reads the tokens of customers; [tokens.Tokens] does.
type Credential interface {
	IssueCustomer(ctx context.Context, tenant parley.TenantID, account parley.AccountID, contact, name string) (token string, expires time.Time, err error)
	VerifyRenewal(ctx context.Context, token string) (tokens.Grant, error)
	VerifyVisitor(tenant *parley.Tenant, identity string) (tokens.Visitor, error)
}

// Visitors decides who may chat through the widget, and as whom. It is safe for concurrent use.
type Visitors struct {
	records    Records
	credential Credential
	host       string // of the hub's public URL
}

// NewVisitors returns the rules for a hub at that public URL.
func NewVisitors(publicURL string, records Records, c Credential) *Visitors {
	v := &Visitors{records: records, credential: c}
	if u, err := url.Parse(publicURL); err == nil {
		v.host = u.Host
	}
	return v
}

// A Visit asks for a session.
type Visit struct {
	Tenant      parley.TenantID // zero means the default tenant
	ChannelType string
	Address     string
	Name        string // as the visitor gave it; a signed identity's own name goes before it
	Identity    string // signed by the site (see [tokens.Tokens.VerifyVisitor]); "" = anonymous
	Renew       string // instead of all of the above: a token that was issued before
	Origin      string // of the page, as the browser says; "" = no browser
	Host        string // that the page's request went to
}

// An Admission is a session: a token for the WebSocket, with the time of its end.
type Admission struct {
	Token   string
	Expires time.Time
}

// Admit gives a visitor a session. Errors: Invalid/NoAccount if there is no such active account, or customers do not
// reach it by the widget; Forbidden/ActorNotAllowed if the page's origin is not allowed, or an anonymous visitor is
// not; Unauthenticated for an identity or a token that is not good.
func (v *Visitors) Admit(ctx context.Context, visit Visit) (Admission, error) {
	if visit.Renew != "" {
		return v.readmit(ctx, visit)
	}
	if visit.Tenant.IsZero() {
		visit.Tenant = parley.DefaultTenant
	}
	var tenant parley.Tenant
	var account parley.Account
	err := v.records.View(ctx, func(tx parley.Tx) (err error) {
		if tenant, err = tx.Tenant(ctx, visit.Tenant); err != nil {
			return err
		}
		if account, err = tx.AccountByAddress(ctx, visit.Tenant, visit.ChannelType, visit.Address); err != nil {
			return err
		}
		return byWidget(ctx, tx, &account)
	})
	if err != nil {
		return Admission{}, noAccount(err)
	}
	if !v.allowed(&account, visit) {
		return Admission{}, errOrigin
	}
	who := tokens.Visitor{Contact: "anonymous:" + ident.New[Visit]().String(), Name: visit.Name}
	if visit.Identity != "" {
		if who, err = v.credential.VerifyVisitor(&tenant, visit.Identity); err != nil {
			return Admission{}, err
		}
		if who.Name == "" {
			who.Name = visit.Name
		}
	} else if account.Option(parley.OptionAnonymous) != "true" {
		return Admission{}, &parley.Error{Kind: parley.Forbidden, Reason: parley.ActorNotAllowed, Field: "identity", Msg: "is required: the account does not allow anonymous visitors"}
	}
	return v.issue(ctx, visit.Tenant, account.ID, who.Contact, who.Name)
}

// readmit gives a visitor who comes back a new token for the same contact on the same account.
func (v *Visitors) readmit(ctx context.Context, visit Visit) (Admission, error) {
	grant, err := v.credential.VerifyRenewal(ctx, visit.Renew)
	if err != nil {
		return Admission{}, err
	}
	var account parley.Account
	err = v.records.View(ctx, func(tx parley.Tx) (err error) {
		if account, err = tx.Accounts().Find(ctx, grant.Tenant, grant.Speaker.Account); err != nil {
			return err
		}
		if !account.Active {
			return &parley.Error{Kind: parley.NotFound}
		}
		return byWidget(ctx, tx, &account)
	})
	if err != nil {
		return Admission{}, noAccount(err)
	}
	if !v.allowed(&account, visit) {
		return Admission{}, errOrigin
	}
	return v.issue(ctx, grant.Tenant, account.ID, grant.Speaker.Contact, grant.Name)
}

func (v *Visitors) issue(ctx context.Context, tenant parley.TenantID, account parley.AccountID, contact, name string) (Admission, error) {
	token, expires, err := v.credential.IssueCustomer(ctx, tenant, account, contact, name)
	if err != nil {
		return Admission{}, fmt.Errorf("admit visitor: %w", err)
	}
	return Admission{token, expires}, nil
}

// byWidget is NotFound unless customers reach the account by the widget: on other channels they have a program of their
// own, which vouches for them.
func byWidget(ctx context.Context, tx parley.Tx, a *parley.Account) error {
	c, err := tx.Channels().Find(ctx, a.Tenant, a.Channel)
	if err == nil && !c.BuiltIn {
		err = &parley.Error{Kind: parley.NotFound}
	}
	return err
}

func noAccount(err error) error {
	if parley.KindOf(err) != parley.NotFound {
		return fmt.Errorf("find the visitor's account: %w", err)
	}
	return &parley.Error{Kind: parley.Invalid, Reason: parley.NoAccount, Field: "account", Msg: "there is no active account of that channel type and address", Err: err}
}

var errOrigin = &parley.Error{Kind: parley.Forbidden, Reason: parley.ActorNotAllowed, Field: "Origin", Msg: "is not one of the account's allowed origins"}

func (v *Visitors) allowed(a *parley.Account, visit Visit) bool {
	return OriginAllowed(a, visit.Origin, visit.Host, v.host)
}

// OriginAllowed says whether a page of that origin may hold the account's widget: it is listed in the account's options,
// or is the hub's own, by one of its hosts. No origin means no browser, which nobody has to protect from itself.
func OriginAllowed(a *parley.Account, origin string, hosts ...string) bool {
	if origin == "" {
		return true
	}
	for listed := range strings.FieldsSeq(a.Option(parley.OptionAllowedOrigins)) {
		if strings.EqualFold(strings.TrimSuffix(listed, "/"), origin) {
			return true
		}
	}
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" {
		return false // "null" too, the origin of sandboxed pages and of files
	}
	for _, host := range hosts {
		if host != "" && strings.EqualFold(u.Host, host) {
			return true
		}
	}
	return false
}
