// Package oauth is the token endpoint (RFC 6749, client credentials only) with its metadata (RFC 8414) and keys
// (RFC 7517). Its errors have OAuth's shape, which clients test for a member "error" (reference 1.3).
package oauth

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/gorilla/mux"

	"parley"
	"parley/rest"
	"parley/rest/api"
	"parley/tokens"
)

// An Authority makes tokens for clients that prove who they are; [tokens.Tokens] is one.
type Authority interface {
	Authenticate(ctx context.Context, publicID, secret string) (parley.APIClient, error)
	Issue(ctx context.Context, client *parley.APIClient, scopes []string) (token string, expires time.Time, err error)
	KeySet(ctx context.Context) (jose.JSONWebKeySet, error)
	Issuer() string
}

// Surface answers the OAuth paths. Safe for concurrent use.
type Surface struct {
	authority Authority
	now       func() time.Time
}

// New returns the surface of an authority.
func New(a Authority) *Surface { return &Surface{authority: a, now: time.Now} }

// maxRequest is in bytes: a token request has some 200.
const maxRequest = 16 << 10

// Register adds the routes. The token endpoint has two paths, for clients that expect either (reference 1.3).
func (s *Surface) Register(root *mux.Router) {
	endpoint := rest.LimitBody(maxRequest)(http.HandlerFunc(s.token))
	root.Path("/oauth2/token").Methods(http.MethodPost).Handler(endpoint)
	root.Path("/oauth2/v2.0/token").Methods(http.MethodPost).Handler(endpoint)
	root.Path("/.well-known/jwks.json").Methods(http.MethodGet).HandlerFunc(s.keys)
	root.Path("/.well-known/oauth-authorization-server").Methods(http.MethodGet).HandlerFunc(s.metadata)
}

// granted is the answer to a good request.
type granted struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int64  `json:"expires_in"` // seconds
	Scope       string `json:"scope"`
}

func (s *Surface) token(w http.ResponseWriter, r *http.Request) {
	answer, err := s.grant(r)
	if err != nil {
		writeError(w, r, err)
		return
	}
	w.Header().Set("Pragma", "no-cache") // RFC 6749 section 5.1
	api.WriteJSON(w, http.StatusOK, answer)
}

func (s *Surface) grant(r *http.Request) (granted, error) {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/x-www-form-urlencoded" {
		return granted{}, refuse("invalid_request", "the body must be application/x-www-form-urlencoded")
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return granted{}, refuse("invalid_request", "the body is too large, or ended before its time")
	}
	request, err := parse(string(body), r.Header.Get("Authorization"))
	if err != nil {
		return granted{}, err
	}
	client, err := s.authenticate(r.Context(), request.credentials)
	if err != nil {
		return granted{}, err
	}
	scopes, err := tokens.Granted(&client, request.scope)
	if err != nil {
		return granted{}, refuse("invalid_scope", "the client does not have a requested scope")
	}
	token, expires, err := s.authority.Issue(r.Context(), &client, scopes)
	if err != nil {
		return granted{}, err
	}
	return granted{token, "Bearer", int64(expires.Sub(s.now()).Round(time.Second) / time.Second), strings.Join(scopes, " ")}, nil
}

// authenticate tries each reading of the credentials.
func (s *Surface) authenticate(ctx context.Context, readings []credential) (client parley.APIClient, err error) {
	for _, c := range readings {
		client, err = s.authority.Authenticate(ctx, c.id, c.secret)
		if err == nil || parley.KindOf(err) != parley.Unauthenticated {
			return client, err
		}
	}
	return client, refuse("invalid_client", "the client is unknown, or its secret is wrong")
}

func (s *Surface) keys(w http.ResponseWriter, r *http.Request) {
	set, err := s.authority.KeySet(r.Context())
	if err != nil {
		writeError(w, r, err)
		return
	}
	// Shorter than the minute a new key rests before it signs (package tokens), so that caches know it by then.
	w.Header().Set("Cache-Control", "public, max-age=30")
	api.WriteJSON(w, http.StatusOK, set)
}

// metadata is RFC 8414 section 2. There are no response types because there is no authorization endpoint.
func (s *Surface) metadata(w http.ResponseWriter, _ *http.Request) {
	issuer := s.authority.Issuer()
	w.Header().Set("Cache-Control", "public, max-age=300")
	api.WriteJSON(w, http.StatusOK, map[string]any{
		"issuer":                                issuer,
		"token_endpoint":                        issuer + "/oauth2/token",
		"jwks_uri":                              issuer + "/.well-known/jwks.json",
		"grant_types_supported":                 []string{grantType},
		"response_types_supported":              []string{},
		"token_endpoint_auth_methods_supported": []string{"client_secret_post", "client_secret_basic"},
		"scopes_supported":                      parley.Scopes(),
	})
}

// A refusal is an error in OAuth's words (RFC 6749 section 5.2).
type refusal struct {
	Name        string `json:"error"`
	Description string `json:"error_description"`
}

func (e *refusal) Error() string { return e.Name + ": " + e.Description }

func refuse(name, description string) error { return &refusal{name, description} }

func writeError(w http.ResponseWriter, r *http.Request, err error) {
	api.NoteError(r.Context(), err)
	status := http.StatusBadRequest
	e, ok := errors.AsType[*refusal](err)
	switch {
	case !ok:
		status, e = http.StatusInternalServerError, &refusal{"server_error", "internal error"}
	case e.Name == "invalid_client":
		status = http.StatusUnauthorized
		w.Header().Set("WWW-Authenticate", "Basic")
	}
	api.WriteJSON(w, status, e)
}
