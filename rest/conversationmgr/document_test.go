package conversationmgr_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/gorilla/mux"

	"parley"
	"parley/directory"
	"parley/hub"
	"parley/rest"
	"parley/rest/api"
	"parley/rest/conversationmgr"
	"parley/rest/resttest"
)

// Router and document know the same operations.
func TestDocumentHasEveryRoute(t *testing.T) {
	router := mux.NewRouter()
	conversationmgr.New(conversationmgr.Deps{Directory: directory.New(directory.Config{}, nil, nil)}).Register(router)
	routes := resttest.Routes(t, router, conversationmgr.BasePath)
	delete(routes, "PUT /assets/upload") // the document says in words that PUT works as well
	operations := 0
	for path, item := range resttest.Document(t, conversationmgr.Document).Paths.Map() {
		for method := range item.Operations() {
			operations++
			if !routes[method+" "+path] {
				t.Errorf("%s %s has no route", method, path)
			}
			delete(routes, method+" "+path)
		}
	}
	for route := range routes {
		t.Errorf("%s is not in the document", route)
	}
	if operations != 37 {
		t.Errorf("%d operations, want the 35 of the reference and the two of signed links", operations)
	}
}

// The scopes are those of reference section 1.3, with its oddity.
func TestScopes(t *testing.T) {
	for path, item := range resttest.Document(t, conversationmgr.Document).Paths.Map() {
		for method, op := range item.Operations() {
			var want []string
			switch {
			case path == "/assets/upload" || path == "/assets/download":
			case strings.HasPrefix(path, "/assets"), strings.HasPrefix(path, "/conversations"):
				if want = []string{parley.ScopeInteractionManage}; method == http.MethodGet {
					want = []string{parley.ScopeInteractionRead, parley.ScopeInteractionManage}
				}
			default:
				if want = []string{parley.ScopeManage}; method == http.MethodGet && op.OperationID != "getAllAuthentication" {
					want = []string{parley.ScopeRead, parley.ScopeManage}
				}
			}
			var got []string
			for _, alternative := range *op.Security {
				for _, scopes := range alternative {
					got = append(got, scopes...)
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s allows %v, want %v", op.OperationID, got, want)
			}
		}
	}
}

// The examples, which people copy, are as the schemas say.
func TestExamplesAreValid(t *testing.T) {
	seen := 0
	check := func(what string, content openapi3.Content) {
		for _, media := range content {
			examples := map[string]any{}
			if media.Example != nil {
				examples[""] = media.Example
			}
			for name, e := range media.Examples {
				examples[name] = e.Value.Value
			}
			for name, e := range examples {
				seen++
				if err := media.Schema.Value.VisitJSON(e); err != nil {
					t.Errorf("%s, example %q: %v", what, name, err)
				}
			}
		}
	}
	doc := resttest.Document(t, conversationmgr.Document)
	for _, item := range doc.Paths.Map() {
		for _, op := range item.Operations() {
			if op.RequestBody != nil {
				check(op.OperationID, op.RequestBody.Value.Content)
			}
			for status, response := range op.Responses.Map() {
				check(op.OperationID+" "+status, response.Value.Content)
			}
		}
	}
	if seen < 100 {
		t.Errorf("%d examples were found", seen)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Errorf("the document: %v", err)
	}
}

func TestEnumsAreThoseOfTheVocabulary(t *testing.T) {
	schemas := resttest.Document(t, conversationmgr.Document).Components.Schemas
	var types []parley.MessageType
	for _, v := range schemas["MessageType"].Value.Enum {
		types = append(types, parley.MessageType(v.(string)))
	}
	if !slices.Equal(types, parley.MessageTypes()) {
		t.Errorf("message types %v", types)
	}
	var roles []parley.Role
	for _, v := range schemas["RoleInput"].Value.Properties["name"].Value.Enum {
		roles = append(roles, parley.Role(v.(string)))
	}
	slices.Sort(roles)
	if want := slices.Sorted(slices.Values(parley.Roles())); !slices.Equal(roles, want) {
		t.Errorf("roles %v, want %v", roles, want)
	}
}

// Every code of the reference is met in some dialogue; those that are not have their reason here.
func TestEveryCodeIsProduced(t *testing.T) {
	unmet := map[api.Code]string{
		api.Conflict:      "nothing of this API; see reference 1.5",
		api.TooMany:       "a hub whose queue is full; see TestTroubleOfTheHub",
		api.InternalError: "a store that fails; see TestStoreFailureTellsNothing",
	}
	s := newStage(t)
	for _, file := range []string{"messages", "configuration", "lists", "refusals", "restrictions", "assets"} {
		one := newStage(t)
		vars := one.vars()
		if text := read(t, "testdata/"+file+".txt"); strings.HasPrefix(text, "# After setup.txt.") {
			one.Play(read(t, "testdata/setup.txt"), vars)
			one.Play(text, vars)
		} else {
			one.Play(text, vars)
		}
		maps.Copy(s.Codes, one.Codes)
	}
	for _, code := range api.Codes() {
		if _, ok := unmet[code]; !ok && !s.Codes[string(code)] {
			t.Errorf("no dialogue produces %s", code)
		}
		if s.Codes[string(code)] && unmet[code] != "" {
			t.Errorf("%s is produced, although %s", code, unmet[code])
		}
	}
}

// A store that fails is answered 500-100 and nothing else.
func TestStoreFailureTellsNothing(t *testing.T) {
	s := newStage(t)
	vars := s.vars()
	if res, _ := s.Do("GET", "/accounts", "", "Authorization", "Bearer "+vars["$all"]); res.StatusCode != 200 {
		t.Fatalf("before: %d", res.StatusCode)
	}
	s.store.Close()
	res, body := s.Do("GET", "/accounts", "", "Authorization", "Bearer "+vars["$all"])
	if want := `{"code":"500-100","developerMessage":"internal error"}`; res.StatusCode != 500 || body != want {
		t.Errorf("answered %d %s, want %s", res.StatusCode, body, want)
	}
}

// A troubled is a hub that fails in one way.
type troubled struct{ err error }

func (h troubled) Post(context.Context, hub.PostRequest) ([]hub.Posted, error) { return nil, h.err }

func (h troubled) Ended(context.Context, parley.TenantID, parley.ConversationID) (c parley.Conversation, m []parley.Message, s parley.DeliveryStates, err error) {
	return c, m, s, h.err
}

// What goes wrong behind the surface has its code, and of our own faults nothing else is told.
func TestTroubleOfTheHub(t *testing.T) {
	for name, test := range map[string]struct {
		err   error
		code  api.Code
		after string // Retry-After
	}{
		"full":       {&parley.Error{Kind: parley.Busy, Msg: "too many messages of this conversation are waiting"}, api.TooMany, "1"},
		"overtaken":  {&parley.Error{Kind: parley.Busy, Err: &parley.Error{Kind: parley.Conflict}}, api.TooMany, "1"},
		"broken":     {errors.New("pq: planted"), api.InternalError, ""},
		"impatience": {fmt.Errorf("post: %w", context.DeadlineExceeded), api.TooMany, "1"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			router := rest.NewRouter()
			conversationmgr.New(conversationmgr.Deps{Hub: troubled{test.err}, Directory: directory.New(directory.Config{}, s.store, nil), Verifier: s.tokens}).Register(router)
			server := httptest.NewServer(rest.Handler(rest.Config{}, router))
			t.Cleanup(server.Close)
			c := resttest.NewCaller(t, server.URL, conversationmgr.BasePath, conversationmgr.Document)
			for _, call := range [][3]string{
				{"POST", "/conversations/messages", `{"messages":{"message":[{"type":{"value":"text"},"content":{"text":"x"},"sender":{"type":"customer"},"conversation":{"id":"` + s.vars()["$nobody"] + `"}}]}}`},
				{"GET", "/conversations/" + s.vars()["$nobody"], ""},
			} {
				res, body := c.Do(call[0], call[1], call[2], "Authorization", "Bearer "+s.vars()["$all"])
				if res.StatusCode != test.code.Status() || !strings.Contains(body, `"code":"`+string(test.code)+`"`) || strings.Contains(body, "planted") || res.Header.Get("Retry-After") != test.after {
					t.Errorf("%s answered %d %s after %q, want %s", call[0], res.StatusCode, body, res.Header.Get("Retry-After"), test.code)
				}
			}
		})
	}
}

// Nobody else's (guarantee G8): every operation with the id of another tenant's object is answered as if there were none.
func TestOtherTenantsObjectsAreUnknown(t *testing.T) {
	s := newStage(t)
	vars := s.vars()
	s.Play(read(t, "testdata/setup.txt"), vars)
	s.Play(`
POST /conversations/messages
{"messages":{"message":[{"messageId":"m1","type":{"value":"text"},"content":{"text":"Hello"},"sender":{"type":"customer"},
 "conversation":{"account":{"address":"+15550100","channel":{"type":"sms"}},"customer":{"contacts":{"contact":[{"type":"phone","address":"+2"}]}}}}]}}
-> 202 {"messages":{"message":[{"conversation":{"id":"$conversation"}}]}}

POST /assets
{"channel":{"type":"sms"},"sender":{"type":"customer"},"name":"note.txt","size":5}
-> 200 {"id":"$asset"}
`, vars)
	ids := map[string]string{"/authentications/{id}": "$auth", "/clientapplications/{id}": "$bot", "/participants/{id}": "$ada", "/channels/{id}": "$sms",
		"/orchestrations/{id}": "$orchestration", "/accounts/{id}": "$account", "/assets/{id}": "$asset", "/conversations/{id}": "$conversation"}
	other := []string{"Authorization", "Bearer " + vars["$other"]}
	tried := 0
	for path, item := range resttest.Document(t, conversationmgr.Document).Paths.Map() {
		for method, op := range item.Operations() {
			if !strings.Contains(path, "{id}") {
				continue
			}
			tried++
			res, body := s.Do(method, strings.Replace(path, "{id}", vars[ids[path]], 1), "", other...)
			if res.StatusCode != 404 || !strings.Contains(body, `"404-101"`) {
				t.Errorf("%s of another tenant's object answered %d %s", op.OperationID, res.StatusCode, body)
			}
		}
	}
	if tried != 21 {
		t.Errorf("%d operations tried", tried)
	}
	// Operations without an id in the path see an empty tenant, and cannot refer to what is not theirs.
	s.Play(`
GET /accounts
Authorization: Bearer $other
-> 200 {"account":[]}

GET /authentications
Authorization: Bearer $other
-> 200 {"authentication":[]}

GET /participants
Authorization: Bearer $other
-> 200 {"participant":[]}

GET /orchestrations
Authorization: Bearer $other
-> 200 {"orchestration":[]}

GET /channels
Authorization: Bearer $other
-> 200 {"channel":[{"type":"web_chat"}]}

POST /participants
Authorization: Bearer $other
{"name":"x","type":"custom_bot","application":{"id":"$bot"}}
-> 400 {"code":"400-602"}

POST /clientapplications
Authorization: Bearer $other
{"name":"x","roles":[{"name":"custom_bot","version":"v3","callback":"https://a.example/","notificationEmail":"a@b","authentication":{"id":"$auth"}}]}
-> 400 {"code":"400-602"}

POST /orchestrations
Authorization: Bearer $other
{"name":"x","applications":{"agentConfiguration":{"agents":[{"id":"$agent"}]}}}
-> 400 {"code":"400-602"}

POST /accounts
Authorization: Bearer $other
{"name":"x","address":"1","channel":{"id":"$sms"},"chatConfigurations":{"orchestration":{"id":"$orchestration"}}}
-> 400 {"code":"400-602"}

POST /assets
Authorization: Bearer $other
{"channel":{"type":"sms"},"sender":{"type":"customer"},"name":"note.txt","size":5}
-> 400 {"code":"400-602"}

POST /conversations/messages
Authorization: Bearer $other
{"messages":{"message":[{"type":{"value":"text"},"content":{"text":"x"},"sender":{"type":"custom_bot"},"conversation":{"id":"$conversation"}}]}}
-> 400 {"code":"400-630"}

POST /conversations/messages
Authorization: Bearer $other
{"messages":{"message":[{"type":{"value":"text"},"content":{"text":"x"},"sender":{"type":"customer"},
 "conversation":{"account":{"address":"+15550100","channel":{"type":"sms"}},"customer":{"contacts":{"contact":[{"type":"phone","address":"+2"}]}}}}]}}
-> 400 {"code":"400-604"}

# The names of one tenant are free in the other.
POST /channels
Authorization: Bearer $other
{"type":"sms","displayName":"SMS","icon":"x"}
-> 201
`, vars)
}

// An oversized body is refused, on every operation that takes one.
func TestOversizedBodies(t *testing.T) {
	s := newStage(t)
	auth := []string{"Authorization", "Bearer " + s.vars()["$all"]}
	big := `{"name":"` + strings.Repeat("x", 1<<20) + `"}`
	for path, item := range resttest.Document(t, conversationmgr.Document).Paths.Map() {
		for method, op := range item.Operations() {
			if method != http.MethodPost || op.OperationID == "uploadAsset" {
				continue
			}
			res, body := s.Do(method, path, big, auth...)
			if res.StatusCode != 400 || !strings.Contains(body, `"400-152"`) || !strings.Contains(body, `"key":"body"`) {
				t.Errorf("%s answered %d %.200s", op.OperationID, res.StatusCode, body)
			}
		}
	}
}

// Files are handed out as attachments that no browser runs.
func TestDownloadsAreHarmless(t *testing.T) {
	s := newStage(t)
	vars := s.vars()
	s.Play(read(t, "testdata/setup.txt"), vars)
	for name, want := range map[string]string{"a.html": "application/octet-stream", "a.svg": "application/octet-stream", "a.png": "image/png", "a b\".txt": "text/plain", "a.xhtml": "application/octet-stream", "none": "application/octet-stream"} {
		delete(vars, "$upload")
		delete(vars, "$download")
		delete(vars, "$asset")
		quoted := strings.ReplaceAll(name, `"`, `\"`)
		s.Play(`
POST /assets
{"channel":{"type":"sms"},"sender":{"type":"customer"},"name":"`+quoted+`","size":5}
-> 200 {"id":"$asset","contentUrl":"$upload"}

POST $upload
Content-Type: -
12345
-> 200

GET /assets/$asset
-> 200 {"contentUrl":"$download"}
`, vars)
		res, body := s.Do("GET", vars["$download"], "")
		h := res.Header
		if body != "12345" || h.Get("Content-Type") != want || h.Get("X-Content-Type-Options") != "nosniff" || !strings.HasPrefix(h.Get("Content-Disposition"), "attachment") ||
			!strings.Contains(h.Get("Content-Security-Policy"), "sandbox") || h.Get("Content-Length") != "5" {
			t.Errorf("%s is handed out as %v", name, h)
		}
	}
}

func TestChangedContractHasNewVersion(t *testing.T) {
	resttest.Golden(t, conversationmgr.Document, "testdata/contract.sum")
}
