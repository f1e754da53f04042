package admin

import (
	"context"

	"parley"
	"parley/rest/api"
	"parley/rest/contract"
)

func toEnvironment(t parley.Tenant) Environment {
	return Environment{Id: t.ID.String(), OrganisationId: t.Organisation.String(), Name: t.Name, RequireBearer: t.RequireBearer, OperationsUrl: api.Some(t.OperationsURL),
		Created: Time(t.Created), Modified: Time(t.Modified)}
}

// CreateEnvironment makes one; its secrets are in this answer and nowhere else.
func (s *Surface) CreateEnvironment(ctx context.Context, r CreateEnvironmentRequestObject) (CreateEnvironmentResponseObject, error) {
	organisation, err := parley.ParseID[parley.Organisation](r.Body.OrganisationId)
	if err != nil {
		return nil, &parley.Error{Kind: parley.Invalid, Reason: parley.BadReference, Field: "organisationId", Msg: "there is no organisation of that id"}
	}
	t, err := s.administration.CreateEnvironment(ctx, as(ctx), parley.Tenant{Organisation: organisation, Name: r.Body.Name, RequireBearer: api.Value(r.Body.RequireBearer),
		OperationsURL: api.Value(r.Body.OperationsUrl)})
	return CreateEnvironment201JSONResponse{Id: t.ID.String(), WidgetSecret: t.WidgetSecret, OperationsSecret: api.Some(t.OperationsSecret)}, err
}

// ListEnvironments lists them.
func (s *Surface) ListEnvironments(ctx context.Context, r ListEnvironmentsRequestObject) (ListEnvironmentsResponseObject, error) {
	all, err := s.administration.Environments(ctx, as(ctx))
	info := pageInfo(r.Params.Pagenum, r.Params.Pagesize)
	page := cut(all, &info)
	return ListEnvironments200JSONResponse{PaginationInfo: info, Environment: api.List(page, toEnvironment)}, err
}

// GetEnvironment reads one.
func (s *Surface) GetEnvironment(ctx context.Context, r GetEnvironmentRequestObject) (GetEnvironmentResponseObject, error) {
	id, err := contract.IDIn[parley.Tenant](r.Id)
	if err != nil {
		return nil, err
	}
	t, err := s.administration.Environment(ctx, as(ctx), id)
	return GetEnvironment200JSONResponse(toEnvironment(t)), err
}

// UpdateEnvironment changes one.
func (s *Surface) UpdateEnvironment(ctx context.Context, r UpdateEnvironmentRequestObject) (UpdateEnvironmentResponseObject, error) {
	id, err := contract.IDIn[parley.Tenant](r.Id)
	if err != nil {
		return nil, err
	}
	return UpdateEnvironment204Response{}, s.administration.ChangeEnvironment(ctx, as(ctx), id, func(t *parley.Tenant) {
		t.Name = api.Or(r.Body.Name, t.Name)
		t.RequireBearer = api.Or(r.Body.RequireBearer, t.RequireBearer)
		t.OperationsURL = api.Or(r.Body.OperationsUrl, t.OperationsURL)
	})
}

// DeleteEnvironment removes one that is empty.
func (s *Surface) DeleteEnvironment(ctx context.Context, r DeleteEnvironmentRequestObject) (DeleteEnvironmentResponseObject, error) {
	id, err := contract.IDIn[parley.Tenant](r.Id)
	if err != nil {
		return nil, err
	}
	return DeleteEnvironment204Response{}, s.administration.DeleteEnvironment(ctx, as(ctx), id)
}

// RenewWidgetSecret makes a new one.
func (s *Surface) RenewWidgetSecret(ctx context.Context, r RenewWidgetSecretRequestObject) (RenewWidgetSecretResponseObject, error) {
	id, err := contract.IDIn[parley.Tenant](r.Id)
	if err != nil {
		return nil, err
	}
	secret, err := s.administration.RenewWidgetSecret(ctx, as(ctx), id)
	return RenewWidgetSecret201JSONResponse{WidgetSecret: secret}, err
}

// RenewOperationsSecret makes a new one.
func (s *Surface) RenewOperationsSecret(ctx context.Context, r RenewOperationsSecretRequestObject) (RenewOperationsSecretResponseObject, error) {
	id, err := contract.IDIn[parley.Tenant](r.Id)
	if err != nil {
		return nil, err
	}
	secret, err := s.administration.RenewOperationsSecret(ctx, as(ctx), id)
	return RenewOperationsSecret201JSONResponse{OperationsSecret: secret}, err
}
