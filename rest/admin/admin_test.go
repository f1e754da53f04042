package admin_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/gorilla/mux"

	"parley"
	"parley/bots"
	"parley/directory"
	"parley/dispatch"
	"parley/ident"
	"parley/insight"
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
	directory      *directory.Directory
	dispatch       *dispatch.Dispatcher
	understanding  *insight.Vocabularies
}

// configured is the hub of a directory without conversations.
type configured struct{ dispatch *dispatch.Dispatcher }

func (configured) EndAccount(context.Context, parley.TenantID, parley.AccountID) error { return nil }
func (c configured) ConfigChanged(context.Context, parley.TenantID)                    { c.dispatch.Forget() }

func newStage(t *testing.T) *stage {
	t.Helper()
	return newStageOn(t, storetest.Open(t))
}

func newStageOn(t *testing.T, on *store.Store) *stage {
	t.Helper()
	s := &stage{t: t, store: on}
	s.tokens = tokens.New(tokens.Config{Issuer: "https://hub.example"}, s.store)
	s.administration = directory.NewAdministration(directory.Config{}, s.store, s.tokens.Forget)
	router := rest.NewRouter()
	s.dispatch = dispatch.New(dispatch.Config{Store: s.store, Work: true, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Sweep: 20 * time.Millisecond,
		Logger: slog.New(slog.DiscardHandler)})
	s.understanding = insight.NewVocabularies(s.store, nil, nil)
	detector := insight.NewDetector(insight.Config{Record: s.store, Logger: slog.New(slog.DiscardHandler)})
	running, stop := context.WithCancel(context.Background())
	var parts sync.WaitGroup
	parts.Go(func() { _ = s.dispatch.Run(running) }) // both end with the context
	parts.Go(func() { _ = detector.Run(running) })
	t.Cleanup(func() {
		stop()
		parts.Wait()
	})
	s.directory = directory.New(directory.Config{PlainHTTP: true, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, s.store, configured{s.dispatch})
	admin.New(admin.Deps{Administration: s.administration, Receivers: s.directory.Receivers(), Callbacks: s.dispatch, Understanding: s.understanding, Verifier: s.tokens,
		Bots: directory.NewBots(directory.Config{PlainHTTP: true, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, s.store, configured{s.dispatch}), Runner: s.runner(), Record: s.store,
		Deliveries: directory.NewDeliveries(directory.Config{}, s.store, s.store, configured{s.dispatch})}).Register(router)
	server := httptest.NewServer(rest.Handler(rest.Config{}, router))
	t.Cleanup(server.Close)
	s.Caller = resttest.NewCaller(t, server.URL, admin.BasePath, admin.Document)
	return s
}

// parrot says what it is told, but to "fail" and "leave".
type parrot struct{}

func (parrot) Turn(_ context.Context, t *bots.Turn, _ func(string)) (parley.BotReply, error) {
	if t.Text == "fail" {
		return parley.BotReply{}, &bots.Failure{Why: parley.FailureBot, Problem: "it failed"}
	}
	return parley.BotReply{Answers: []parley.BotAnswer{{Type: parley.AnswerText, Text: t.Input.Code + t.Text + " " + t.Client.Locale}}, End: t.Text == "leave",
		NLP: &parley.NLPResult{Type: parley.NLPIntent, Name: "parrot", Score: 0.75}}, nil
}

// runner runs parrots for bots with rules.
func (s *stage) runner() *bots.Runner {
	return bots.New(bots.Config{Store: s.store, Logger: slog.New(slog.DiscardHandler), Connectors: map[parley.Connector]bots.Factory{
		parley.ConnectorRules: func(*parley.ClientApplication) bots.Connector { return parrot{} }}})
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

// key makes a key of the default environment and returns its id.
func (s *stage) key() string {
	s.t.Helper()
	k, _, err := s.administration.CreateKey(s.t.Context(), directory.Administrator(parley.DefaultTenant), parley.APIClient{Kind: parley.KeyManage})
	if err != nil {
		s.t.Fatal(err)
	}
	return k.PublicID
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
	vars["$all"], vars["$allID"] = s.token(parley.DefaultTenant, parley.ScopeAdmin)
	vars["$reader"], vars["$readerID"] = s.token(parley.DefaultTenant, parley.ScopeRead)
	vars["$otherAdmin"], _ = s.token(other.ID, parley.ScopeAdmin)
	s.fails(vars)
	s.understands(vars)
	return vars
}

// understands makes a tracker that hits the conversation of fails, a run over it, and a bot.
func (s *stage) understands(vars map[string]string) {
	s.t.Helper()
	trackers, err := insight.Trackers{Vocabularies: s.understanding}.Create(s.t.Context(), parley.DefaultTenant, []parley.Tracker{{Name: "Messages", Vocabulary: []string{"message 2"}}}, false)
	if err != nil {
		s.t.Fatal(err)
	}
	run, err := insight.Runs{Vocabularies: s.understanding}.Start(s.t.Context(), parley.DefaultTenant, insight.Run{})
	if err != nil {
		s.t.Fatal(err)
	}
	rex, channel, err := directory.NewBots(directory.Config{}, s.store, configured{s.dispatch}).Create(s.t.Context(), parley.DefaultTenant,
		directory.Bot{Name: "Rex", Active: true, Settings: parley.BotSettings{Connector: parley.ConnectorRules}})
	if err != nil {
		s.t.Fatal(err)
	}
	vars["$rex"], vars["$rexChannel"] = rex.ID.String(), channel.String()
	vars["$tracker"], vars["$run"] = trackers[0].Number.String(), run.ID.String()
}

// fails makes a bot whose receiver refuses the first of three messages of a conversation for good.
func (s *stage) fails(vars map[string]string) {
	s.t.Helper()
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if strings.Contains(string(body), "message 1\"") {
			w.WriteHeader(http.StatusUnprocessableEntity)
			_, _ = io.WriteString(w, "cannot read this") // shown as the answer
		}
	}))
	s.t.Cleanup(receiver.Close)
	app, err := s.directory.Applications.Create(s.t.Context(), parley.DefaultTenant, parley.ClientApplication{Base: parley.Base{Name: "bot", Active: true},
		Roles: []parley.ApplicationRole{{Name: parley.CustomBot, Version: "v3", Callback: receiver.URL, NotificationEmail: "x@example.org",
			Headers: []parley.NameValue{{Name: "X-Key", Value: "planted"}}}, {Name: parley.BusinessNotification, Version: "v3", Callback: receiver.URL, NotificationEmail: "x@example.org"}}})
	if err != nil {
		s.t.Fatal(err)
	}
	step := storetest.Start("")
	step.Conversation.State.Parties[1].Application = app
	step.Messages[0].Body.Trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	second := storetest.Say(step.Conversation, parley.Customer, "", 2)
	third := storetest.Say(second.Conversation, parley.Customer, "", 2)
	for _, c := range storetest.MustCommit(s.t, s.store, step, second, third) {
		s.dispatch.Wake(c)
	}
	vars["$bot"], vars["$conversation"], vars["$message"] = app.String(), step.Conversation.ID.String(), step.Messages[0].ID.String()
	vars["$dead"] = ident.Delivery(step.Messages[0].ID, app, parley.CustomBot).String()
	vars["$receiver"] = receiver.URL
	deadline := time.After(20 * time.Second)
	for {
		h, err := s.store.Healths(s.t.Context(), parley.DefaultTenant)
		if err != nil {
			s.t.Fatal(err)
		}
		if len(h) == 1 && h[0].Dead == 1 && h[0].Owing == 0 {
			return
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-deadline:
			s.t.Fatalf("waited in vain for the deliveries: %+v", h)
		}
	}
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
	admin.New(admin.Deps{}).Register(router)
	routes := resttest.Routes(t, router, admin.BasePath)
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
		"/trackers/{id}": vars["$tracker"], "/environments/{id}/widget-secret": vars["$default"], "/environments/{id}/operations-secret": vars["$default"], "/clients/{id}": vars["$readerID"], "/keys/{id}": s.key()}
	for path := range resttest.Document(t, admin.Document).Paths.Map() {
		switch {
		case strings.HasPrefix(path, "/clientapplications/{id}"):
			there[path] = vars["$bot"]
		case strings.HasPrefix(path, "/deadletters/{id}"):
			there[path] = vars["$dead"]
		case strings.HasPrefix(path, "/conversations/{id}"):
			there[path] = vars["$conversation"]
		case strings.HasPrefix(path, "/bots/{id}"):
			there[path] = vars["$rex"]
		case strings.HasPrefix(path, "/detection/runs/{id}"):
			there[path] = vars["$run"]
		}
	}
	rex, err := parley.ParseID[parley.ClientApplication](vars["$rex"])
	if err != nil {
		t.Fatal(err)
	}
	err = s.store.Update(t.Context(), func(tx parley.Tx) error {
		_, err := tx.SaveFlow(t.Context(), parley.FlowVersion{Tenant: parley.DefaultTenant, Bot: rex, Source: []byte("theirs")}, 2)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	before, err := s.administration.Environment(t.Context(), directory.Administrator(parley.DefaultTenant), parley.DefaultTenant)
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, within := range []string{"", "?environmentId=" + parley.DefaultTenant.String()} {
		for path, item := range resttest.Document(t, admin.Document).Paths.Map() {
			for method, op := range item.Operations() {
				if !strings.Contains(path, "{id}") || within != "" && !hasEnvironment(op, item) {
					continue
				}
				tried++
				body := ""
				if method == "PATCH" {
					body = `{"name":"mine"}`
				}
				switch op.OperationID {
				case "updateReceiver":
					body = `{"lanePolicy":"block"}`
				case "disableReceiver":
					body = `{"reason":"mine"}`
				case "testReceiver":
					body = `{"role":"custom_bot"}`
				case "createBotChannel":
					body = `{"name":"mine","type":"mine"}`
				case "testBot":
					body = `{}`
				case "saveFlow":
					body = `{"source":"name: Mine\nlanguages: [en]\nfallback: sorry\nsteps:\n- {id: sorry, answers: [{text: Pardon.}]}\n"}`
				case "updateTracker":
					body = `{"label":"mine"}`
				}
				ask := func(id string) (int, string) {
					res, text := s.Do(method, strings.NewReplacer("{id}", id, "{role}", "custom_bot", "{version}", "draft", "{channel}", vars["$rexChannel"]).Replace(path)+within, body, "Authorization", "Bearer "+vars["$otherAdmin"])
					return res.StatusCode, text
				}
				status, text := ask(there[path])
				if wantStatus, want := ask(vars["$nobody"]); status != wantStatus || text != want || status != 404 && status != 403 {
					t.Errorf("%s of what is there answered %d %s, of what is not %d %s", op.OperationID, status, text, wantStatus, want)
				}
			}
		}
	}
	if tried != 72 {
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

// hasEnvironment says whether an operation can be asked about another environment.
func hasEnvironment(op *openapi3.Operation, item *openapi3.PathItem) bool {
	return op.Parameters.GetByInAndName("query", "environmentId") != nil || item.Parameters.GetByInAndName("query", "environmentId") != nil
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

// A key lasts as long as it says, and no token outlasts it.
func TestKeysEnd(t *testing.T) {
	s := newStage(t)
	as := directory.Administrator(parley.DefaultTenant)
	k, secret, err := s.administration.CreateKey(t.Context(), as, parley.APIClient{Kind: parley.KeyManage, Expires: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	_, expires, err := s.tokens.IssueFor(t.Context(), &k, k.Scopes, tokens.MaxLifetime)
	if err != nil || expires.After(k.Expires) {
		t.Errorf("a token until %s for a key until %s, %v", expires, k.Expires, err)
	}
	for _, at := range []struct {
		now  time.Time
		want parley.Kind
	}{{time.Now(), parley.Internal}, {k.Expires.Add(time.Second), parley.Unauthenticated}} {
		later := tokens.New(tokens.Config{Issuer: "https://hub.example", Now: func() time.Time { return at.now }}, s.store)
		_, err := later.Authenticate(t.Context(), k.PublicID, secret)
		if (err == nil) != (at.want == parley.Internal) || err != nil && parley.KindOf(err) != at.want {
			t.Errorf("at %s Authenticate = %v", at.now, err)
		}
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
