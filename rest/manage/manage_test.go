package manage_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"parley"
	"parley/directory"
	"parley/ident"
	"parley/insight"
	"parley/rest"
	"parley/rest/manage"
	"parley/rest/resttest"
	"parley/store"
	"parley/store/storetest"
	"parley/tokens"
)

// A stage is the surface on a real store with a detector at work, over real HTTP.
type stage struct {
	*resttest.Caller
	t              *testing.T
	store          *store.Store
	tokens         *tokens.Tokens
	administration *directory.Administration
}

// noHub has no conversation that goes on.
type noHub struct{}

func (noHub) End(context.Context, parley.TenantID, parley.ConversationID, string) error { return nil }

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{t: t, store: storetest.Open(t)}
	s.tokens = tokens.New(tokens.Config{Issuer: "https://hub.example"}, s.store)
	s.administration = directory.NewAdministration(directory.Config{}, s.store, s.tokens.Forget)
	detector := insight.NewDetector(insight.Config{Record: s.store, Logger: slog.New(slog.DiscardHandler)})
	running, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- detector.Run(running) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("detector: %v", err)
		}
	})
	router := rest.NewRouter()
	manage.New(s.tokens, insight.NewVocabularies(s.store, nil, nil), noHub{}).Register(router)
	server := httptest.NewServer(rest.Handler(rest.Config{}, router))
	t.Cleanup(server.Close)
	s.Caller = resttest.NewCaller(t, server.URL, "", manage.Document)
	s.Refuses(func(_ int, body []byte) (string, bool) {
		var p map[string]any
		err := json.Unmarshal(body, &p)
		message, ok := p["message"].(string)
		delete(p, "message")
		return message, err == nil && ok && message != "" && len(p) == 0
	})
	return s
}

// token makes a key of the tenant and gets a token for it.
func (s *stage) key(tenant parley.TenantID) (id, secret, token string) {
	s.t.Helper()
	k, secret, err := s.administration.CreateKey(s.t.Context(), directory.Administrator(parley.DefaultTenant), parley.APIClient{Kind: parley.KeyManage, Tenant: tenant})
	if err != nil {
		s.t.Fatal(err)
	}
	if token, _, err = s.tokens.Issue(s.t.Context(), &k, k.Scopes); err != nil {
		s.t.Fatal(err)
	}
	return k.PublicID, secret, token
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
	unfit, _, err := s.administration.CreateClient(s.t.Context(), everywhere, parley.APIClient{Scopes: []string{parley.ScopeRead}})
	if err != nil {
		s.t.Fatal(err)
	}
	vars := map[string]string{"$x128": strings.Repeat("x", 128), "$x129": strings.Repeat("x", 129), "$w128": strings.Repeat("é", 128), "$nobody": "1234567890123456"}
	if vars["$unfit"], _, err = s.tokens.Issue(s.t.Context(), &unfit, unfit.Scopes); err != nil {
		s.t.Fatal(err)
	}
	again := parley.Job{ID: ident.New[parley.Job](), Tenant: parley.DefaultTenant, Kind: parley.JobRange, Status: parley.JobCompleted, Created: time.Now(), Finished: time.Now()}
	if err := s.store.Update(s.t.Context(), func(tx parley.Tx) error { return tx.InsertJob(s.t.Context(), again) }); err != nil {
		s.t.Fatal(err)
	}
	vars["$range"] = again.ID.String()
	vars["$appId"], vars["$appSecret"], vars["$all"] = s.key(parley.DefaultTenant)
	_, _, vars["$other"] = s.key(other.ID)
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
			vars := s.vars()
			for part := range strings.SplitSeq(string(text), "\n# Once $job is over:\n") {
				if vars["$job"] != "" {
					s.finish(vars)
				}
				s.Play(part, vars)
			}
		})
	}
}

// finish waits until the job is completed, and forgets it.
func (s *stage) finish(vars map[string]string) {
	s.t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		_, body := s.Do("GET", "/v1/job/"+vars["$job"], "", "Authorization", "Bearer "+vars["$all"])
		if strings.Contains(body, `"completed"`) {
			delete(vars, "$job")
			return
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-deadline:
			s.t.Fatalf("waited in vain for a job: %s", body)
		}
	}
}

// Router and document know the same operations.
func TestDocumentHasEveryRoute(t *testing.T) {
	router := mux.NewRouter()
	manage.New(nil, nil, nil).Register(router)
	routes := resttest.Routes(t, router, "")
	doc := resttest.Document(t, manage.Document)
	if err := doc.Validate(t.Context()); err != nil {
		t.Error(err)
	}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			if !routes[method+" "+path] {
				t.Errorf("%s has no route", op.OperationID)
			}
			delete(routes, method+" "+path)
		}
	}
	for route := range routes {
		t.Errorf("%s is not in the document", route)
	}
}

// The examples, which people copy, are accepted.
func TestExamplesWork(t *testing.T) {
	s := newStage(t)
	vars := s.vars()
	for path, item := range resttest.Document(t, manage.Document).Paths.Map() {
		op := item.Post
		if op == nil || path == "/oauth2/token:generate" {
			continue
		}
		example := op.RequestBody.Value.Content.Get("application/json").Example
		if err := op.RequestBody.Value.Content.Get("application/json").Schema.Value.VisitJSON(example); err != nil {
			t.Errorf("%s: the example: %v", op.OperationID, err)
		}
		body, err := json.Marshal(example)
		if err != nil {
			t.Fatal(err)
		}
		// The same thing again is refused, since its name is taken.
		if res, text := s.Do("POST", strings.Replace(path, "{id}", "1", 1), string(body), "Authorization", "Bearer "+vars["$all"]); res.StatusCode/100 != 2 && res.StatusCode != http.StatusConflict {
			t.Errorf("%s with its example answered %d %s", op.OperationID, res.StatusCode, text)
		}
	}
}

// A key is good for a token of a day, in either header.
func TestTokens(t *testing.T) {
	s := newStage(t)
	vars := s.vars()
	s.Play(`
POST /oauth2/token:generate
Authorization: -
{"type":"application","appId":"$appId","appSecret":"$appSecret"}
-> 200 {"accessToken":"$token","expiresIn":86400}

GET /v1/manage/trackers
Authorization: Bearer  $token
-> 200 {"trackers":[]}

GET /v1/manage/trackers
Authorization: -
X-Api-Key: $token
-> 200 {"trackers":[]}
`, vars)
	if err := s.administration.RevokeKey(t.Context(), directory.Administrator(parley.DefaultTenant), vars["$appId"]); err != nil {
		t.Fatal(err)
	}
	s.Play(`
GET /v1/manage/trackers
Authorization: Bearer $token
-> 401

POST /oauth2/token:generate
Authorization: -
{"type":"application","appId":"$appId","appSecret":"$appSecret"}
-> 401
`, vars)
	// An OAuth2 client will do as well, if it has the scope.
	for scope, want := range map[string]string{parley.ScopeUnderstanding: "200", parley.ScopeRead: "401"} {
		client, secret, err := s.administration.CreateClient(t.Context(), directory.Administrator(parley.DefaultTenant), parley.APIClient{Scopes: []string{scope}})
		if err != nil {
			t.Fatal(err)
		}
		s.Play(`
POST /oauth2/token:generate
Authorization: -
{"type":"application","appId":"$client","appSecret":"$secret"}
-> `+want+"\n", map[string]string{"$client": client.PublicID, "$secret": secret})
	}
}

// Every operation needs a token, and one with the scope.
func TestEveryOperationIsGuarded(t *testing.T) {
	s := newStage(t)
	vars := s.vars()
	for path, item := range resttest.Document(t, manage.Document).Paths.Map() {
		for method, op := range item.Operations() {
			if len(*op.Security) == 0 {
				continue
			}
			for authorization, want := range map[string]int{"": 401, "Bearer x": 401, "Basic x": 401, "Bearer " + vars["$unfit"]: 403} {
				if res, _ := s.Do(method, strings.Replace(path, "{id}", "1", 1), "", "Authorization", authorization); res.StatusCode != want {
					t.Errorf("%s with %.9q answered %d, want %d", op.OperationID, authorization, res.StatusCode, want)
				}
			}
		}
	}
}

// Nobody else's (guarantee G8): what another environment has is answered like what is not there.
func TestOtherEnvironmentsThingsAreUnknown(t *testing.T) {
	s := newStage(t)
	vars := s.vars()
	s.Play(`
POST /v1/manage/tracker
{"name":"a","vocabulary":["hello"]}
-> 200 {"tracker":{"id":"$tracker"}}

POST /v1/manage/entity
{"type":"a","subType":"b","values":["c"]}
-> 201 {"entity":{"id":"$entity"}}

POST /v1/manage/group
{"name":"a","criteria":"conversation.type==meeting"}
-> 201 {"group":{"id":"$group"}}

PATCH /v1/manage/settings
[{"op":"add","path":"/redaction/default","value":false}]
-> 200

POST /v1/process/text
{"messages":[{"payload":{"content":"hello c"}}]}
-> 201 {"conversationId":"$conversation","jobId":"$job"}
`, vars)
	ids := map[string]string{"tracker": "$tracker", "trackers": "$tracker", "entity": "$entity", "entities": "$entity", "group": "$group", "groups": "$group",
		"conversations": "$conversation", "text": "$conversation", "job": "$job"}
	bodies := map[string]string{"PATCH": `[{"op":"replace","path":"/name","value":"mine"}]`, "PUT": `{"name":"mine","vocabulary":["mine"],"type":"mine","subType":"mine","category":"Custom",
		"values":["mine"],"criteria":"conversation.type==mine","metadata":{"mine":"mine"},"messages":[{"payload":{"content":"mine"}}]}`}
	tried := 0
	for path, item := range resttest.Document(t, manage.Document).Paths.Map() {
		for method, op := range item.Operations() {
			before, _, ok := strings.Cut(path, "/{id}")
			if !ok || method == "POST" {
				continue
			}
			tried++
			kind := before[strings.LastIndexByte(before, '/')+1:]
			res, body := s.Do(method, strings.Replace(path, "{id}", vars[ids[kind]], 1), bodies[method], "Authorization", "Bearer "+vars["$other"])
			if res.StatusCode != http.StatusNotFound {
				t.Errorf("%s of another environment's answered %d %s", op.OperationID, res.StatusCode, body)
			}
		}
	}
	if tried != 30 {
		t.Errorf("%d operations tried", tried)
	}
	s.Play(`
GET /v1/manage/trackers
Authorization: Bearer $other
-> 200 {"trackers":[]}

GET /v1/manage/entities
Authorization: Bearer $other
-> 200 {"entities":[]}

GET /v1/manage/groups
Authorization: Bearer $other
-> 200 {"groups":[]}

GET /v1/manage/settings
Authorization: Bearer $other
-> 200 {"settings":"$absent"}

GET /v1/conversations
Authorization: Bearer $other
-> 200 {"conversations":[]}

DELETE /v1/manage/entities?subType=b
Authorization: Bearer $other
-> 404

POST /v1/process/text
Authorization: Bearer $other
{"messages":[{"payload":{"content":"hello"}}],"trackers":[{"id":"$tracker"}]}
-> 400

# The names of one are free in the other.
POST /v1/manage/tracker
Authorization: Bearer $other
{"name":"a","vocabulary":["hello"]}
-> 200

GET /v1/manage/tracker/$tracker
-> 200 {"tracker":{"name":"a"}}

GET /v1/conversations/$conversation
-> 200 {"metadata":{"mine":"$absent"}}
`, vars)
}

// A body that is too large is refused, on every operation that takes one.
func TestOversizedBodies(t *testing.T) {
	s := newStage(t)
	auth := []string{"Authorization", "Bearer " + s.vars()["$all"]}
	s.Play(`POST /v1/manage/tracker
{"name":"a","vocabulary":["b"]}
-> 200 {"tracker":{"id":"$tracker"}}

POST /v1/manage/entity
{"type":"a","subType":"b","values":["c"]}
-> 201 {"entity":{"id":"$entity"}}

POST /v1/manage/group
{"name":"a","criteria":"conversation.type==meeting"}
-> 201 {"group":{"id":"$group"}}

POST /v1/process/text
{"messages":[{"payload":{"content":"x"}}]}
-> 201 {"conversationId":"$conversation"}
`, map[string]string{"$all": strings.TrimPrefix(auth[1], "Bearer ")})
	big := `{"name":"` + strings.Repeat("x", 1<<20) + `"}`
	huge := `{"name":"` + strings.Repeat("x", 16<<20) + `"}`
	ids := map[string]string{}
	for kind, list := range map[string]string{"tracker": "/v1/manage/trackers", "entity": "/v1/manage/entities", "group": "/v1/manage/groups", "conversation": "/v1/conversations"} {
		_, body := s.Do("GET", list, "", auth...)
		var answer map[string][]struct{ ID string }
		if err := json.Unmarshal([]byte(body), &answer); err != nil {
			t.Fatal(err)
		}
		for _, all := range answer {
			ids[kind] = all[0].ID
		}
	}
	for path, item := range resttest.Document(t, manage.Document).Paths.Map() {
		for method, op := range item.Operations() {
			if op.RequestBody == nil {
				continue
			}
			body, id := big, ids["conversation"]
			for kind, of := range map[string]string{"tracker": "/tracker", "entity": "/entit", "group": "/group"} {
				if strings.Contains(path, of) {
					id = ids[kind]
				}
			}
			if strings.Contains(path, "/process/") {
				body = huge
			}
			if res, text := s.Do(method, strings.Replace(path, "{id}", id, 1), body, auth...); res.StatusCode != http.StatusRequestEntityTooLarge {
				t.Errorf("%s answered %d %.200s", op.OperationID, res.StatusCode, text)
			}
		}
	}
}

// The limits of an account and of a tracker (reference 3.2).
func TestLimits(t *testing.T) {
	s := newStage(t)
	auth := []string{"Authorization", "Bearer " + s.vars()["$all"]}
	trackers := func(from, n int) string {
		all := make([]string, n)
		for i := range all {
			all[i] = fmt.Sprintf(`{"name":"tracker %d","vocabulary":["phrase %d"]}`, from+i, from+i)
		}
		return "[" + strings.Join(all, ",") + "]"
	}
	phrases := func(n int) string {
		all := make([]string, n)
		for i := range all {
			all[i] = fmt.Sprintf(`"phrase %d"`, i)
		}
		return "[" + strings.Join(all, ",") + "]"
	}
	for i, call := range []struct {
		path, body string
		want       int
	}{
		{"/v1/manage/tracker", `{"name":"long","vocabulary":` + phrases(1001) + `}`, 400},
		{"/v1/manage/tracker", `{"name":"long","vocabulary":` + phrases(1000) + `}`, 200},
		{"/v1/manage/entity", `{"type":"long","subType":"long","values":` + phrases(1001) + `}`, 400},
		{"/v1/manage/entity", `{"type":"long","subType":"long","values":` + phrases(1000) + `}`, 201},
		{"/v1/manage/trackers", trackers(0, 500), 400},
		{"/v1/manage/trackers", trackers(0, 499), 200},
		{"/v1/manage/tracker", `{"name":"one more","vocabulary":["x"]}`, 400},
	} {
		if res, text := s.Do("POST", call.path, call.body, auth...); res.StatusCode != call.want {
			t.Errorf("call %d answered %d %.200s, want %d", i, res.StatusCode, text, call.want)
		}
	}
	_, text := s.Do("GET", "/v1/manage/trackers", "", auth...)
	if n := strings.Count(text, `"createdOn"`); n != 500 {
		t.Errorf("%d trackers are listed, want 500", n)
	}
}

func TestChangedContractHasNewVersion(t *testing.T) {
	resttest.Golden(t, manage.Document, "testdata/contract.sum")
}

// Our own failure tells nothing.
func TestStoreFailureTellsNothing(t *testing.T) {
	s := newStage(t)
	vars := s.vars()
	failing := insight.NewVocabularies(failing{s.store}, nil, nil)
	router := rest.NewRouter()
	manage.New(s.tokens, failing, noHub{}).Register(router)
	server := httptest.NewServer(router)
	t.Cleanup(server.Close)
	res, body := s.Do("GET", server.URL+"/v1/manage/trackers", "", "Authorization", "Bearer "+vars["$all"])
	if res.StatusCode != http.StatusInternalServerError || strings.Contains(body, "planted") {
		t.Errorf("answered %d %s", res.StatusCode, body)
	}
}

type failing struct{ insight.Record }

func (failing) View(context.Context, func(parley.Tx) error) error { return errors.New("planted") }
