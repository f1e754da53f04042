package conversationmgr_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"parley"
	"parley/assets"
	"parley/directory"
	"parley/hub"
	"parley/ident"
	"parley/rest"
	"parley/rest/api"
	"parley/rest/conversationmgr"
	"parley/store"
	"parley/store/blob"
	"parley/store/storetest"
	"parley/tokens"
)

// A stage is the surface on real parts, over real HTTP: store, directory, files, tokens and hub. Callbacks are not sent.
type stage struct {
	t      *testing.T
	store  *store.Store
	tokens *tokens.Tokens
	url    string // with BasePath
	client *http.Client
	codes  map[string]bool // seen in answers
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{t: t, store: storetest.Open(t), codes: map[string]bool{}}
	s.tokens = tokens.New(tokens.Config{Issuer: "https://hub.example"}, s.store)
	h := hub.New(hub.Config{Store: s.store, Logger: slog.New(slog.DiscardHandler)})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("hub: %v", err)
		}
	})
	bucket, err := blob.OpenDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { bucket.Close() })

	router := rest.NewRouter()
	server := httptest.NewServer(rest.Handler(rest.Config{}, router))
	t.Cleanup(server.Close)
	s.url = server.URL + conversationmgr.BasePath
	files := assets.New(assets.Config{URL: s.url + "/assets"}, s.store, bucket, s.tokens)
	conversationmgr.New(conversationmgr.Deps{
		Hub: h, Directory: directory.New(directory.Config{}, s.store, h), Assets: files, Verifier: s.tokens,
	}).Register(router)
	s.client = &http.Client{Transport: &documented{t: t, router: documentRouter(t, server.URL), codes: s.codes}}
	return s
}

// token makes a client with the scopes and returns a token of it.
func (s *stage) token(tenant parley.TenantID, scopes ...string) string {
	s.t.Helper()
	c := parley.APIClient{ID: ident.New[parley.APIClient](), Tenant: tenant, Scopes: scopes, SecretHash: tokens.HashSecret(tokens.NewSecret())}
	c.PublicID = c.ID.String()
	if err := s.store.Update(s.t.Context(), func(tx parley.Tx) error { return tx.InsertClient(s.t.Context(), c) }); err != nil {
		s.t.Fatal(err)
	}
	token, _, err := s.tokens.Issue(s.t.Context(), &c, scopes)
	if err != nil {
		s.t.Fatal(err)
	}
	return token
}

func allScopes() []string {
	return []string{parley.ScopeRead, parley.ScopeManage, parley.ScopeInteractionRead, parley.ScopeInteractionManage}
}

// tenant makes another tenant.
func (s *stage) tenant() parley.TenantID {
	s.t.Helper()
	n := parley.Tenant{ID: ident.New[parley.Tenant](), Organisation: parley.DefaultOrganisation, Name: "other"}
	if err := s.store.Update(s.t.Context(), func(tx parley.Tx) error { return tx.InsertTenant(s.t.Context(), n) }); err != nil {
		s.t.Fatal(err)
	}
	return n.ID
}

// do makes a request; target is a path below BasePath, or a URL. headers come in pairs.
func (s *stage) do(method, target, body string, headers ...string) (*http.Response, string) {
	s.t.Helper()
	if !strings.HasPrefix(target, "http") {
		target = s.url + target
	}
	r, err := http.NewRequestWithContext(s.t.Context(), method, target, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i+1] == "" {
			r.Header.Del(headers[i])
		} else {
			r.Header[http.CanonicalHeaderKey(headers[i])] = []string{headers[i+1]} // Set would trim nothing, but say so
		}
	}
	res, err := s.client.Do(r)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, target, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, target, err)
	}
	return res, string(text)
}

// document loads the contract.
func document(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(conversationmgr.Document)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func documentRouter(t *testing.T, server string) routers.Router {
	t.Helper()
	doc := document(t)
	doc.Servers = openapi3.Servers{{URL: server + conversationmgr.BasePath}}
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	return router
}

// A documented transport fails the test when an answer is not as the document says. Every test of the package uses it.
type documented struct {
	t      *testing.T
	router routers.Router
	codes  map[string]bool
}

func (d *documented) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil {
		return nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	if res.StatusCode >= 400 {
		d.checkError(r, res, body)
	}
	route, params, err := d.router.FindRoute(r)
	if err != nil || r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/assets/upload") {
		return res, nil // an unknown path or method, or the second verb of an upload, of which the text speaks
	}
	input := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, Route: route, PathParams: params},
		Status:                 res.StatusCode, Header: res.Header,
		Options: &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true, ExcludeResponseBody: route.Operation.OperationID == "downloadAsset" && res.StatusCode == 200},
	}
	input.SetBodyBytes(body)
	if err := openapi3filter.ValidateResponse(r.Context(), input); err != nil {
		d.t.Errorf("%s %s answered %d %s, which is not as documented: %v", r.Method, r.URL.Path, res.StatusCode, body, err)
	}
	return res, nil
}

// checkError says what holds for every refusal, also where the document has no operation.
func (d *documented) checkError(r *http.Request, res *http.Response, body []byte) {
	var e api.Body
	if err := unmarshal(body, &e); err != nil || api.Code(e.Code).Status() != res.StatusCode || e.DeveloperMessage == "" || res.Header.Get("Content-Type") != "application/json" {
		d.t.Errorf("%s %s answered %d %s (%s), which is no error body", r.Method, r.URL.Path, res.StatusCode, body, res.Header.Get("Content-Type"))
	}
	d.codes[e.Code] = true
}
