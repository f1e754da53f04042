package api

import (
	"context"
	"net/http"
	"strings"

	"parley"
	"parley/tokens"
)

// A Verifier says what the bearer of a token may do. Its errors have Kind Unauthenticated or Internal.
type Verifier interface {
	Verify(ctx context.Context, token string) (tokens.Grant, error)
}

// Bearer is the token in the Authorization header. The scheme has no case and any blanks may follow it: real clients
// send two (reference 1.2). Unauthenticated/Missing if the header is absent or garbled.
func Bearer(r *http.Request) (string, error) {
	values := r.Header.Values("Authorization")
	if len(values) == 0 {
		return "", &parley.Error{Kind: parley.Unauthenticated, Reason: parley.Missing, Msg: "the Authorization header is absent"}
	}
	fields := strings.Fields(values[0])
	if len(values) > 1 || len(fields) != 2 || !strings.EqualFold(fields[0], "Bearer") {
		return "", &parley.Error{Kind: parley.Unauthenticated, Reason: parley.Missing, Msg: "the Authorization header is not of the form: Bearer <token>"}
	}
	return fields[1], nil
}

// Authorize is what the bearer of a request may do, if that includes one of the scopes; none given = any good token.
func Authorize(r *http.Request, v Verifier, scopes ...string) (tokens.Grant, error) {
	token, err := Bearer(r)
	if err != nil {
		return tokens.Grant{}, err
	}
	grant, err := v.Verify(r.Context(), token)
	if err != nil {
		return tokens.Grant{}, err
	}
	if len(scopes) > 0 && !grant.Has(scopes...) {
		return tokens.Grant{}, &parley.Error{Kind: parley.Forbidden, Reason: parley.ScopeLacking, Msg: "the token needs the scope " + strings.Join(scopes, " or ")}
	}
	return grant, nil
}

type grantKey struct{}

// WithGrant puts a grant into a context. It is the one domain value that travels so: the generated handlers of a surface
// take nothing but a context and the request's own members.
func WithGrant(ctx context.Context, g tokens.Grant) context.Context {
	return context.WithValue(ctx, grantKey{}, g)
}

// GrantOf is the grant of a request whose Authorization was checked. It panics if that was forgotten: a handler that
// went on with an empty grant would belong to no tenant.
func GrantOf(ctx context.Context) tokens.Grant { return ctx.Value(grantKey{}).(tokens.Grant) }
