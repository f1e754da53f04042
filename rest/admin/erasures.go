package admin

import (
	"context"

	"parley"
	"parley/erasure"
	"parley/rest/api"
)

func toErasure(e parley.Erasure) Erasure {
	r := &e.Removed
	return Erasure{Id: e.ID.String(), At: Time(e.At), Conversations: e.Conversations, Users: e.Users, Removed: ErasedParts{Messages: r.Messages, Attachments: r.Attachments,
		Customers: r.Customers, Turns: r.Turns, Refused: r.Refused, Attempts: r.Attempts, Insights: r.Insights, Opinions: r.Opinions,
		Sessions: r.Sessions, Profiles: r.Profiles, Events: r.Events, Jobs: r.Jobs}}
}

// maxEarlier is how many receipts of the same person an answer names.
const maxEarlier = 10

// ErasePerson removes a person. The audit log does not learn who it was.
func (s *Surface) ErasePerson(ctx context.Context, r ErasePersonRequestObject) (ErasePersonResponseObject, error) {
	tenant, err := s.tenantFor(ctx, r.Params.EnvironmentId)
	if err != nil {
		return nil, err
	}
	var earlier []parley.Erasure
	if err := s.record.View(ctx, func(tx parley.Tx) (err error) {
		earlier, _, err = tx.Erasures(ctx, tenant, erasure.PersonOf(tenant, r.Body.Address), 0, maxEarlier)
		return err
	}); err != nil {
		return nil, err
	}
	dry := api.Value(r.Body.DryRun)
	receipt, err := s.eraser.Erase(ctx, tenant, r.Body.Address, dry)
	if err != nil {
		return nil, err
	}
	out := toErasure(receipt)
	out.Earlier = api.SomeList(api.List(earlier, func(e parley.Erasure) ID { return e.ID.String() }))
	if dry {
		return ErasePerson200JSONResponse(out), nil
	}
	return ErasePerson200JSONResponse(out), s.deliveries.Note(ctx, actor(ctx), tenant, "persons.erase", receipt.ID.String(), map[string]any{"conversations": receipt.Conversations, "removed": receipt.Removed})
}

// ListErasures lists receipts.
func (s *Surface) ListErasures(ctx context.Context, r ListErasuresRequestObject) (ListErasuresResponseObject, error) {
	tenant, err := s.tenantFor(ctx, r.Params.EnvironmentId)
	if err != nil {
		return nil, err
	}
	info := pageInfo(r.Params.Pagenum, r.Params.Pagesize)
	var page []parley.Erasure
	err = s.record.View(ctx, func(tx parley.Tx) (err error) {
		page, info.Count, err = tx.Erasures(ctx, tenant, nil, (info.Pagenum-1)*info.Pagesize, info.Pagesize)
		return err
	})
	return ListErasures200JSONResponse{PaginationInfo: info, Erasure: append([]Erasure{}, api.List(page, toErasure)...)}, err
}
