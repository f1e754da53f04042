package conversationmgr

import (
	"context"

	"parley"
	"parley/rest/api"
)

func fromApplication(in *ClientApplicationInput) (parley.ClientApplication, error) {
	a := parley.ClientApplication{Base: fromBase(in.Name, in.Description, in.Active)}
	var r refs
	for i, role := range in.Roles {
		out := parley.ApplicationRole{Name: parley.Role(role.Name), Version: string(role.Version), Callback: role.Callback,
			NotificationEmail: role.NotificationEmail, Headers: fromHeaders(role.Headers)}
		if role.Authentication != nil {
			out.Authentication = id[parley.Authentication](&r, role.Authentication.Id, "roles[%d].authentication.id", i)
		}
		a.Roles = append(a.Roles, out)
	}
	return a, r.err
}

func toApplication(a parley.ClientApplication) ClientApplication {
	out := ClientApplication{Id: a.ID.String(), Name: a.Name, Description: api.Some(a.Description), Active: a.Active, Created: Time(a.Created), Modified: Time(a.Modified)}
	out.Roles = api.List(a.Roles, func(r parley.ApplicationRole) Role {
		role := Role{Name: RoleName(r.Name), Version: RoleVersion(r.Version), Callback: api.Some(r.Callback), NotificationEmail: api.Some(r.NotificationEmail), Headers: toHeaders(r.Headers)}
		if !r.Authentication.IsZero() {
			role.Authentication = api.Some(reference(r.Authentication))
		}
		return role
	})
	return out
}

// CreateClientApplication makes one. It answers an id only: no client id or secret comes with it (reference 3).
func (s *Surface) CreateClientApplication(ctx context.Context, r CreateClientApplicationRequestObject) (CreateClientApplicationResponseObject, error) {
	a, err := fromApplication(r.Body)
	if err != nil {
		return nil, err
	}
	s.warnOfVersions(ctx, a)
	id, err := s.directory.Applications.Create(ctx, tenant(ctx), a)
	return CreateClientApplication201JSONResponse{Id: id.String()}, err
}

// GetAllClientApplication lists them.
func (s *Surface) GetAllClientApplication(ctx context.Context, r GetAllClientApplicationRequestObject) (GetAllClientApplicationResponseObject, error) {
	page, info, err := paged(ctx, s.directory.Applications, r.Params.Pagenum, r.Params.Pagesize)
	return GetAllClientApplication200JSONResponse{PaginationInfo: info, ClientApplication: api.List(page, toApplication)}, err
}

// GetClientApplication reads one.
func (s *Surface) GetClientApplication(ctx context.Context, r GetClientApplicationRequestObject) (GetClientApplicationResponseObject, error) {
	a, err := find(ctx, s.directory.Applications, r.Id)
	return GetClientApplication200JSONResponse(toApplication(a)), err
}

// UpdateClientApplication replaces one.
func (s *Surface) UpdateClientApplication(ctx context.Context, r UpdateClientApplicationRequestObject) (UpdateClientApplicationResponseObject, error) {
	a, err := fromApplication(r.Body)
	if err == nil {
		s.warnOfVersions(ctx, a)
	}
	return UpdateClientApplication204Response{}, replace(ctx, s.directory.Applications, r.Id, a, err)
}

// DeleteClientApplication removes one.
func (s *Surface) DeleteClientApplication(ctx context.Context, r DeleteClientApplicationRequestObject) (DeleteClientApplicationResponseObject, error) {
	return DeleteClientApplication204Response{}, remove(ctx, s.directory.Applications, r.Id)
}

// warnOfVersions tells the log of roles that ask for v1: its payload is not documented, they get the v3 shape (reference 3).
func (s *Surface) warnOfVersions(ctx context.Context, a parley.ClientApplication) {
	for _, r := range a.Roles {
		if r.Version == "v1" {
			s.log.WarnContext(ctx, "callback of version v1 gets the v3 shape", "tenant", tenant(ctx).String(), "role", string(r.Name))
		}
	}
}
