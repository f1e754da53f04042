package admin

import (
	"context"

	"parley"
	"parley/rest/api"
)

func toClient(c parley.APIClient) Client {
	return Client{Id: c.PublicID, EnvironmentId: c.Tenant.String(), Name: c.Name, Scopes: api.List(c.Scopes, func(s string) Scope { return Scope(s) }),
		ApplicationId: api.Some(c.Application.String()), Roles: api.SomeList(api.List(c.Roles, func(r parley.Role) Role { return Role(r) })),
		Created: Time(c.Created), Modified: Time(c.Modified)}
}

func fromScopes(all []Scope) []string {
	return api.List(all, func(s Scope) string { return string(s) })
}

func fromRoles(all []Role) []parley.Role {
	return api.List(all, func(r Role) parley.Role { return parley.Role(r) })
}

// application reads an applicationId; "" is none.
func application(id string) (parley.ApplicationID, error) {
	if id == "" {
		return parley.ApplicationID{}, nil
	}
	parsed, err := parley.ParseID[parley.ClientApplication](id)
	if err != nil {
		return parsed, &parley.Error{Kind: parley.Invalid, Reason: parley.BadReference, Field: "applicationId", Msg: "there is no client application of that id in the environment"}
	}
	return parsed, nil
}

// CreateClient makes one; its secret is in this answer and nowhere else.
func (s *Surface) CreateClient(ctx context.Context, r CreateClientRequestObject) (CreateClientResponseObject, error) {
	c := parley.APIClient{Name: r.Body.Name, Scopes: fromScopes(r.Body.Scopes), Roles: fromRoles(api.Value(r.Body.Roles))}
	var err error
	if r.Body.EnvironmentId != nil {
		if c.Tenant, err = parley.ParseID[parley.Tenant](*r.Body.EnvironmentId); err != nil {
			return nil, &parley.Error{Kind: parley.Invalid, Reason: parley.BadReference, Field: "environmentId", Msg: "there is no environment of that id"}
		}
	}
	if c.Application, err = application(api.Value(r.Body.ApplicationId)); err != nil {
		return nil, err
	}
	made, secret, err := s.administration.CreateClient(ctx, as(ctx), c)
	return CreateClient201JSONResponse{Id: made.PublicID, Secret: secret}, err
}

// ListClients lists those of one environment.
func (s *Surface) ListClients(ctx context.Context, r ListClientsRequestObject) (ListClientsResponseObject, error) {
	var tenant parley.TenantID
	if r.Params.EnvironmentId != nil {
		var err error
		if tenant, err = parley.ParseID[parley.Tenant](*r.Params.EnvironmentId); err != nil {
			return nil, &api.Refusal{Code: api.ParameterValue, Key: "environmentId", Msg: "environmentId must be a UUID of 36 characters"}
		}
	}
	info := pageInfo(r.Params.Pagenum, r.Params.Pagesize)
	page, count, err := s.administration.Clients(ctx, as(ctx), tenant, (info.Pagenum-1)*info.Pagesize, info.Pagesize)
	info.Count = count
	return ListClients200JSONResponse{PaginationInfo: info, Client: api.List(page, toClient)}, err
}

// GetClient reads one.
func (s *Surface) GetClient(ctx context.Context, r GetClientRequestObject) (GetClientResponseObject, error) {
	c, err := s.administration.Client(ctx, as(ctx), r.Id)
	return GetClient200JSONResponse(toClient(c)), err
}

// UpdateClient changes what the body names.
func (s *Surface) UpdateClient(ctx context.Context, r UpdateClientRequestObject) (UpdateClientResponseObject, error) {
	app, err := application(api.Value(r.Body.ApplicationId))
	if err != nil {
		return nil, err
	}
	return UpdateClient204Response{}, s.administration.ChangeClient(ctx, as(ctx), r.Id, func(c *parley.APIClient) {
		c.Name = api.Or(r.Body.Name, c.Name)
		if r.Body.Scopes != nil {
			c.Scopes = fromScopes(*r.Body.Scopes)
		}
		if r.Body.ApplicationId != nil {
			c.Application = app
		}
		if r.Body.Roles != nil {
			c.Roles = fromRoles(*r.Body.Roles)
		}
	})
}

// DeleteClient revokes one.
func (s *Surface) DeleteClient(ctx context.Context, r DeleteClientRequestObject) (DeleteClientResponseObject, error) {
	return DeleteClient204Response{}, s.administration.RevokeClient(ctx, as(ctx), r.Id)
}
