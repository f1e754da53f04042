package admin_test

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gorilla/mux"

	"parley"
	"parley/directory"
	"parley/ident"
	"parley/rest"
	"parley/rest/admin"
	"parley/rest/resttest"
	"parley/store"
	"parley/store/storetest"
	"parley/tokens"
)

// A stage is the surface on a real store, over real HTTP.
type stage struct {
	*resttest.Caller
	t              *testing.T
	store          *store.Store
	tokens         *tokens.Tokens
	administration *directory.Administration
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{t: t, store: storetest.Open(t)}
	s.tokens = tokens.New(tokens.Config{Issuer: "https://hub.example"}, s.store)
	s.administration = directory.NewAdministration(directory.Config{}, s.store, s.tokens.Forget)
	router := rest.NewRouter()
	admin.New(s.administration, s.tokens).Register(router)
	server := httptest.NewServer(rest.Handler(rest.Config{}, router))
	t.Cleanup(server.Close)
	s.Caller = resttest.NewCaller(t, server.URL, admin.BasePath, admin.Document)
	return s
}

// token makes a client with the scopes and returns a token of it, and its id.
func (s *stage) token(tenant parley.TenantID, scopes ...string) (token, id string) {
	s.t.Helper()
	c, _, err := s.administration.CreateClient(s.t.Context(), directory.Administrator(tenant), parley.APIClient{Scopes: scopes})
	if err != nil {
		s.t.Fatal(err)
	}
	if token, _, err = s.tokens.Issue(s.t.Context(), &c, scopes); err != nil {
		s.t.Fatal(err)
	}
	return token, c.PublicID
}

func (s *stage) vars() map[string]string {
	s.t.Helper()
	everywhere := directory.Administrator(parley.DefaultTenant)
	organisation, err := s.administration.CreateOrganisation(s.t.Context(), everywhere, "Other")
	if err != nil {
		s.t.Fatal(err)
	}
	other, err := s.administration.CreateEnvironment(s.t.Context(), everywhere, parley.Tenant{Organisation: organisation, Name: "other"})
	if err != nil {
		s.t.Fatal(err)
	}
	vars := map[string]string{"$default": parley.DefaultTenant.String(), "$other": other.ID.String(), "$nobody": ident.New[parley.Tenant]().String(),
		"$console": parley.ConsoleApplication.String()}
	vars["$all"], _ = s.token(parley.DefaultTenant, parley.ScopeAdmin)
	vars["$reader"], vars["$readerID"] = s.token(parley.DefaultTenant, parley.ScopeRead)
	vars["$otherAdmin"], _ = s.token(other.ID, parley.ScopeAdmin)
	return vars
}

func TestDialogues(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no dialogues: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s := newStage(t)
			s.Play(string(text), s.vars())
		})
	}
}

// Router and document know the same operations.
func TestDocumentHasEveryRoute(t *testing.T) {
	router := mux.NewRouter()
	admin.New(nil, nil).Register(router)
	routes := map[string]bool{}
	err := router.Walk(func(route *mux.Route, _ *mux.Router, _ []*mux.Route) error {
		path, err := route.GetPathTemplate()
		methods, _ := route.GetMethods()
		for _, m := range methods {
			routes[m+" "+strings.TrimPrefix(path, admin.BasePath)] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	doc := resttest.Document(t, admin.Document)
	if err := doc.Validate(t.Context()); err != nil {
		t.Error(err)
	}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			if !routes[method+" "+path] {
				t.Errorf("%s has no route", op.OperationID)
			}
			if len(*op.Security) != 1 {
				t.Errorf("%s needs no scope", op.OperationID)
			}
			delete(routes, method+" "+path)
		}
	}
	for route := range routes {
		t.Errorf("%s is not in the document", route)
	}
}

// Nobody else's (guarantee G8): an administrator of another environment gets, for every operation on what is there, the
// answer that what is not there gets, and changes nothing.
func TestOtherEnvironmentsThingsAreUnknown(t *testing.T) {
	s := newStage(t)
	vars := s.vars()
	there := map[string]string{"/organisations/{id}": parley.DefaultOrganisation.String(), "/environments/{id}": vars["$default"],
		"/environments/{id}/widget-secret": vars["$default"], "/environments/{id}/operations-secret": vars["$default"], "/clients/{id}": vars["$readerID"]}
	before, err := s.administration.Environment(t.Context(), directory.Administrator(parley.DefaultTenant), parley.DefaultTenant)
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for path, item := range resttest.Document(t, admin.Document).Paths.Map() {
		for method, op := range item.Operations() {
			if !strings.Contains(path, "{id}") {
				continue
			}
			tried++
			body := ""
			if method == "PATCH" {
				body = `{"name":"mine"}`
			}
			ask := func(id string) (int, string) {
				res, text := s.Do(method, strings.Replace(path, "{id}", id, 1), body, "Authorization", "Bearer "+vars["$otherAdmin"])
				return res.StatusCode, text
			}
			status, text := ask(there[path])
			if wantStatus, want := ask(vars["$nobody"]); status != wantStatus || text != want || status != 404 && status != 403 {
				t.Errorf("%s of what is there answered %d %s, of what is not %d %s", op.OperationID, status, text, wantStatus, want)
			}
		}
	}
	if tried != 11 {
		t.Errorf("%d operations tried", tried)
	}
	after, err := s.administration.Environment(t.Context(), directory.Administrator(parley.DefaultTenant), parley.DefaultTenant)
	if err != nil || after != before {
		t.Errorf("the environment is %+v, %v; it was %+v", after, err, before)
	}
	s.Play(`
GET /clients/$readerID
-> 200

GET /organisations
-> 200 {"organisation":[{"name":"$_"},{"name":"Other"}]}
`, vars)
}

// What create answers works at the token endpoint's door, until the client is revoked.
func TestSecretWorksUntilRevoked(t *testing.T) {
	s := newStage(t)
	vars := s.vars()
	s.Play(`
POST /clients
{"name":"CRM","scopes":["app.conversation.conversationmgr.read"]}
-> 201 {"id":"$id","secret":"$secret"}
`, vars)
	c, err := s.tokens.Authenticate(t.Context(), vars["$id"], vars["$secret"])
	if err != nil {
		t.Fatalf("Authenticate: %v", err)
	}
	token, _, err := s.tokens.Issue(t.Context(), &c, c.Scopes)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.tokens.Verify(t.Context(), token); err != nil {
		t.Fatalf("Verify: %v", err)
	}
	s.Play("DELETE /clients/$id\n-> 204", vars)
	if _, err := s.tokens.Verify(t.Context(), token); parley.KindOf(err) != parley.Unauthenticated {
		t.Errorf("after revocation Verify = %v", err)
	}
	if _, err := s.tokens.Authenticate(t.Context(), vars["$id"], vars["$secret"]); parley.KindOf(err) != parley.Unauthenticated {
		t.Errorf("after revocation Authenticate = %v", err)
	}
}

// The bootstrap client is made once, kept, and follows the secret it is started with.
func TestBootstrap(t *testing.T) {
	s := newStage(t)
	for _, secret := range []string{"first", "first", "second"} {
		if err := s.administration.Bootstrap(t.Context(), "ops", secret); err != nil {
			t.Fatalf("Bootstrap: %v", err)
		}
		c, err := s.tokens.Authenticate(t.Context(), "ops", secret)
		if err != nil || c.Tenant != parley.DefaultTenant || len(c.Scopes) != len(parley.Scopes()) {
			t.Errorf("after Bootstrap with %q: %+v, %v", secret, c, err)
		}
	}
	if _, err := s.tokens.Authenticate(t.Context(), "ops", "first"); err == nil {
		t.Error("the old secret still works")
	}
	if err := s.administration.RevokeClient(t.Context(), directory.Administrator(parley.DefaultTenant), "ops"); err != nil {
		t.Fatal(err)
	}
	if err := s.administration.Bootstrap(t.Context(), "ops", "second"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.tokens.Authenticate(t.Context(), "ops", "second"); err != nil {
		t.Errorf("started again, the operator is locked out: %v", err)
	}
}

func TestChangedContractHasNewVersion(t *testing.T) {
	resttest.Golden(t, admin.Document, "testdata/contract.sum")
}
