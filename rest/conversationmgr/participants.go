package conversationmgr

import (
	"context"

	"parley"
	"parley/rest/api"
)

func fromParticipant(in *ParticipantInput) (parley.Participant, error) {
	var r refs
	p := parley.Participant{Base: fromBase(in.Name, in.Description, in.Active), Type: parley.Role(in.Type),
		Application: id[parley.ClientApplication](&r, in.Application.Id, "application.id"), Options: fromPairs(in.Options)}
	if in.Intents != nil {
		for _, i := range in.Intents.Intent {
			p.Intents = append(p.Intents, parley.Intent{Value: i.Value, DisplayValue: i.DisplayValue})
		}
	}
	return p, r.err
}

func toParticipant(p parley.Participant) Participant {
	out := Participant{Id: p.ID.String(), Name: p.Name, Description: api.Some(p.Description), Active: p.Active, Created: Time(p.Created), Modified: Time(p.Modified),
		Type: ParticipantType(p.Type), Application: reference(p.Application), Options: toPairs(p.Options)}
	if p.Intents != nil {
		out.Intents = &Intents{Intent: api.List(p.Intents, func(i parley.Intent) Intent { return Intent{Value: i.Value, DisplayValue: i.DisplayValue} })}
	}
	return out
}

// CreateParticipant makes one.
func (s *Surface) CreateParticipant(ctx context.Context, r CreateParticipantRequestObject) (CreateParticipantResponseObject, error) {
	p, err := fromParticipant(r.Body)
	if err != nil {
		return nil, err
	}
	id, err := s.directory.Participants.Create(ctx, tenant(ctx), p)
	return CreateParticipant201JSONResponse{Id: id.String()}, err
}

// GetAllParticipant lists them.
func (s *Surface) GetAllParticipant(ctx context.Context, r GetAllParticipantRequestObject) (GetAllParticipantResponseObject, error) {
	page, info, err := paged(ctx, s.directory.Participants, r.Params.Pagenum, r.Params.Pagesize)
	return GetAllParticipant200JSONResponse{PaginationInfo: info, Participant: api.List(page, toParticipant)}, err
}

// GetParticipant reads one.
func (s *Surface) GetParticipant(ctx context.Context, r GetParticipantRequestObject) (GetParticipantResponseObject, error) {
	p, err := find(ctx, s.directory.Participants, r.Id)
	return GetParticipant200JSONResponse(toParticipant(p)), err
}

// UpdateParticipant replaces one.
func (s *Surface) UpdateParticipant(ctx context.Context, r UpdateParticipantRequestObject) (UpdateParticipantResponseObject, error) {
	p, err := fromParticipant(r.Body)
	return UpdateParticipant204Response{}, replace(ctx, s.directory.Participants, r.Id, p, err)
}

// DeleteParticipant removes one.
func (s *Surface) DeleteParticipant(ctx context.Context, r DeleteParticipantRequestObject) (DeleteParticipantResponseObject, error) {
	return DeleteParticipant204Response{}, remove(ctx, s.directory.Participants, r.Id)
}
