package conversationmgr

import (
	"context"

	"parley"
	"parley/rest/api"
)

func fromAuthentication(in *AuthenticationInput) (parley.Authentication, error) {
	a := parley.Authentication{Base: fromBase(in.Name, in.Description, in.Active)}
	variants := []struct {
		member, of string
		there      bool
	}{{"oauth2", "oauth2", in.Oauth2 != nil}, {"basicAuth", "basic", in.BasicAuth != nil}, {"tls", "tls", in.Tls != nil}}
	for _, v := range variants {
		if v.of == string(in.Type) && !v.there {
			return a, &parley.Error{Kind: parley.Invalid, Reason: parley.Missing, Field: v.member, Msg: "is required for the type " + v.of}
		}
	}
	for _, v := range variants[:2] { // tls goes with each of them
		if v.of != string(in.Type) && v.there {
			return a, &parley.Error{Kind: parley.Invalid, Reason: parley.BadValue, Field: v.member, Msg: "does not belong to the type " + string(in.Type)}
		}
	}
	if o := in.Oauth2; o != nil {
		a.OAuth2 = &parley.TokenRecipe{URL: o.TokenRequestUrl, Method: string(api.Value(o.Method)), Headers: fromHeaders(o.Headers),
			Payload: api.Value(o.Payload), TokenPath: o.AccessTokenPath}
	}
	if b := in.BasicAuth; b != nil {
		a.Basic = &parley.BasicAuth{Username: b.Username, Password: b.Password}
	}
	if t := in.Tls; t != nil {
		a.TLS = &parley.TLSIdentity{Certificate: api.Value(t.Certificate), Key: api.Value(t.PrivateKey), Authorities: api.Value(t.CertificateAuthorities)}
	}
	return a, nil
}

func toAuthentication(a parley.Authentication) Authentication {
	out := Authentication{Id: a.ID.String(), Name: a.Name, Description: api.Some(a.Description), Active: a.Active, Created: Time(a.Created), Modified: Time(a.Modified)}
	if t := a.TLS; t != nil {
		out.Type, out.Tls = "tls", &TLSIdentity{Certificate: api.Some(t.Certificate), PrivateKey: api.Some(t.Key), CertificateAuthorities: api.Some(t.Authorities)}
	}
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
