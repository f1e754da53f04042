package conversationmgr

import (
	"context"

	"parley"
	"parley/rest/api"
)

func fromAuthentication(in *AuthenticationInput) (parley.Authentication, error) {
	a := parley.Authentication{Base: fromBase(in.Name, in.Description, in.Active)}
	oauth2 := in.Type == "oauth2"
	switch {
	case oauth2 && in.Oauth2 == nil:
		return a, &parley.Error{Kind: parley.Invalid, Reason: parley.Missing, Field: "oauth2", Msg: "is required for the type oauth2"}
	case !oauth2 && in.BasicAuth == nil:
		return a, &parley.Error{Kind: parley.Invalid, Reason: parley.Missing, Field: "basicAuth", Msg: "is required for the type basic"}
	case oauth2 && in.BasicAuth != nil:
		return a, &parley.Error{Kind: parley.Invalid, Reason: parley.BadValue, Field: "basicAuth", Msg: "does not belong to the type oauth2"}
	case !oauth2 && in.Oauth2 != nil:
		return a, &parley.Error{Kind: parley.Invalid, Reason: parley.BadValue, Field: "oauth2", Msg: "does not belong to the type basic"}
	case oauth2:
		a.OAuth2 = &parley.TokenRecipe{URL: in.Oauth2.TokenRequestUrl, Method: string(api.Value(in.Oauth2.Method)), Headers: fromHeaders(in.Oauth2.Headers),
			Payload: api.Value(in.Oauth2.Payload), TokenPath: in.Oauth2.AccessTokenPath}
	default:
		a.Basic = &parley.BasicAuth{Username: in.BasicAuth.Username, Password: in.BasicAuth.Password}
	}
	return a, nil
}

func toAuthentication(a parley.Authentication) Authentication {
	out := Authentication{Id: a.ID.String(), Name: a.Name, Description: api.Some(a.Description), Active: a.Active, Created: Time(a.Created), Modified: Time(a.Modified)}
	if a.Basic != nil {
		out.Type, out.BasicAuth = "basic", &BasicAuth{Username: a.Basic.Username, Password: a.Basic.Password}
	}
	if o := a.OAuth2; o != nil {
		out.Type, out.Oauth2 = "oauth2", &TokenRecipe{TokenRequestUrl: o.URL, Method: api.Some(TokenRecipeMethod(o.Method)), Headers: toHeaders(o.Headers),
			Payload: api.Some(o.Payload), AccessTokenPath: o.TokenPath}
	}
	return out
}

// CreateAuthentication makes one.
func (s *Surface) CreateAuthentication(ctx context.Context, r CreateAuthenticationRequestObject) (CreateAuthenticationResponseObject, error) {
	a, err := fromAuthentication(r.Body)
	if err != nil {
		return nil, err
	}
	id, err := s.directory.Authentications.Create(ctx, tenant(ctx), a)
	return CreateAuthentication201JSONResponse{Id: id.String()}, err
}

// GetAllAuthentication lists them.
func (s *Surface) GetAllAuthentication(ctx context.Context, r GetAllAuthenticationRequestObject) (GetAllAuthenticationResponseObject, error) {
	page, info, err := paged(ctx, s.directory.Authentications, r.Params.Pagenum, r.Params.Pagesize)
	return GetAllAuthentication200JSONResponse{PaginationInfo: info, Authentication: api.List(page, toAuthentication)}, err
}

// GetAuthentication reads one.
func (s *Surface) GetAuthentication(ctx context.Context, r GetAuthenticationRequestObject) (GetAuthenticationResponseObject, error) {
	a, err := find(ctx, s.directory.Authentications, r.Id)
	return GetAuthentication200JSONResponse(toAuthentication(a)), err
}

// UpdateAuthentication replaces one.
func (s *Surface) UpdateAuthentication(ctx context.Context, r UpdateAuthenticationRequestObject) (UpdateAuthenticationResponseObject, error) {
	a, err := fromAuthentication(r.Body)
	return UpdateAuthentication204Response{}, replace(ctx, s.directory.Authentications, r.Id, a, err)
}

// DeleteAuthentication removes one.
func (s *Surface) DeleteAuthentication(ctx context.Context, r DeleteAuthenticationRequestObject) (DeleteAuthenticationResponseObject, error) {
	return DeleteAuthentication204Response{}, remove(ctx, s.directory.Authentications, r.Id)
}
