package parley_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// layers says which packages of ours each may import, besides the root; its files' tests may import anything. Arrows
// point down only. A package that is not listed may not exist without its place here.
var layers = map[string]string{
	"parley": "",
	// Leaves: the root's vocabulary made useful, with nothing above or beside them.
	"parley/ident": "", "parley/markup": "", "parley/wire": "ident markup", "parley/configs": "",
	// A leaf too: the rule of which addresses may be reached, for who configures them and for who connects.
	"parley/egress": "",
	// And another: how calls are signed, for who makes them and for who checks them.
	"parley/signing": "",
	"parley/tokens":  "ident", "parley/directory": "egress flow ident tokens", "parley/assets": "ident tokens hub",
	"parley/lead": "ident", "parley/hub": "ident lead markup",
	"parley/store": "ident store/keyset", "parley/store/keyset": "", "parley/store/live": "", "parley/store/blob": "", "parley/store/storetest": "ident store store/keyset",
	// Detection, and the language of groups.
	"parley/insight/criteria": "", "parley/insight/text": "", "parley/insight/text/genvectors": "", "parley/insight/text/detection": "insight/text", "parley/insight/entity": "markup", "parley/insight/embed": "egress", "parley/insight/feed": "", "parley/insight/figures": "insight/feed lead", "parley/insight/notify": "egress ident lead signing", "parley/insight": "egress ident insight/criteria insight/entity insight/feed insight/text lead markup",
	"parley/history": "ident", "parley/erasure": "ident", "parley/retention": "lead",
	"parley/bots": "egress hub markup", "parley/bots/webhook": "bots egress ident signing", "parley/bots/rules": "bots flow", "parley/bots/llm": "bots egress markup", "parley/bots/judge": "bots bots/llm markup", "parley/flow": "insight/entity insight/text", "parley/dispatch": "egress ident internal/fair internal/stack signing wire", "parley/dispatch/asynqueue": "",
	"parley/ws": "hub ident internal/stack tokens wire", "parley/ws/gencodes": "ws",
	// A program of ours at the other end of a session: it judges answers and reads close codes by the hub's own tables.
	"parley/forward":     "dispatch signing ws",
	"parley/notice":      "dispatch ident internal/fair signing",
	"parley/conformance": "dispatch ident signing wire", // it plays the hub before a receiver
	"parley/rest":        "ident rest/api tokens", "parley/rest/api": "tokens ident wire", "parley/rest/docs": "rest/api rest", "parley/rest/contract": "rest/api rest tokens",
	"parley/rest/conversationmgr": "assets directory hub ident rest rest/api rest/contract tokens wire",
	"parley/rest/oauth":           "rest rest/api tokens",
	"parley/rest/admin":           "bots directory dispatch erasure flow history ident insight insight/figures rest rest/api rest/contract tokens",
	"parley/rest/widget":          "directory rest rest/api rest/contract",
	"parley/rest/manage":          "insight rest rest/api tokens",
	"parley/rest/broker":          "hub ident rest rest/api tokens",
	"parley/rest/analytics":       "directory ident insight/figures rest rest/api",
	"parley/rest/agentapi":        "assets directory hub ident markup rest rest/api",
	"parley/rest/resttest":        "rest/api",
	"parley/web":                  "",
	"parley/examples/echobot":     "examples/echobot/echobot", "parley/examples/echobot/echobot": "", "parley/examples/receiver": "", "parley/examples": "", "parley/examples/flows": "",
	"parley/bench": "insight/criteria insight/figures internal/loopback", "parley/internal/loopback": "", "parley/internal/stack": "", "parley/internal/fair": "",
	// The crash campaign looks at the hub from outside, as its clients do, and reads the record past it.
	"parley/chaos": "internal/loopback store store/keyset store/storetest", "parley/chaos/campaign": "chaos",
	"parley/cmd/parley": "*",
}

// users says which packages may use a library, and why nobody else may.
var users = []struct{ library, by, why string }{
	{"database/sql", "parley/store parley/store/storetest", "what is true is decided in one place"},
	{"github.com/uptrace/bun", "parley/store", "what is true is decided in one place"},
	{"github.com/jackc/pgx", "parley/store parley/store/storetest", "what is true is decided in one place"},
	{"modernc.org/sqlite", "parley/store", "what is true is decided in one place"},
	{"github.com/hashicorp/golang-lru", "parley/store", "a connection decides what it keeps compiled"},
	{"github.com/redis/go-redis", "parley/store/live", "Redis is never the record"},
	{"github.com/alicebob/miniredis", "parley/store/live", "Redis is never the record"},
	{"github.com/hibiken/asynq", "parley/dispatch/asynqueue parley/bench", "a queue wakes, it does not decide; bench measures a bare one"},
	{"github.com/coder/websocket", "parley/ws parley/bench parley/chaos parley/forward", "one writer per connection is kept in one place"},
	{"github.com/wneessen/go-mail", "parley/notice", "who sends mail also keeps its credentials out of logs"},
	{"github.com/standard-webhooks/standard-webhooks", "parley/signing parley/examples/receiver", "every call is signed in one way"},
	{"github.com/coregx/ahocorasick", "parley/insight/text", "phrases are found in one way"},
	{"github.com/blevesearch/snowballstem", "parley/insight/text", "stems are made in one way"},
	{"github.com/clipperhouse/uax29", "parley/insight/text", "where a word ends is decided in one place"},
	{"gonum.org/v1/gonum", "parley/insight/text", "matrices are for what is learned from examples"},
	{"github.com/nyaruka/phonenumbers", "parley/insight/entity", "entities are found in one way"},
	{"github.com/DataDog/sketches-go", "parley/insight/figures", "quantiles are added up in one way"},
	{"github.com/axiomhq/hyperloglog", "parley/insight/figures", "people are told apart in one way"},
	{"github.com/openai/openai-go", "parley/bots/llm parley/insight/embed", "who asks a model also keeps its key out of errors"},
	{"gocloud.dev", "parley/store/blob", "whoever opens a bucket also decides what is in it"},
	{"github.com/gorilla/mux", "parley/rest parley/rest/api parley/rest/docs parley/rest/contract parley/rest/conversationmgr parley/rest/oauth parley/rest/admin parley/rest/widget parley/rest/manage parley/rest/broker parley/rest/agentapi parley/rest/analytics parley/rest/resttest parley/cmd/parley", "routes belong to surfaces"},
	{"net/http", "parley/dispatch parley/egress parley/ws parley/rest parley/rest/api parley/rest/docs parley/rest/contract parley/rest/conversationmgr parley/rest/oauth parley/rest/admin parley/rest/widget parley/rest/manage parley/rest/broker parley/rest/agentapi parley/rest/analytics parley/rest/resttest parley/cmd/parley parley/tokens parley/bench parley/chaos parley/examples parley/examples/echobot parley/examples/echobot/echobot parley/examples/receiver parley/forward parley/conformance parley/notice parley/signing parley/bots/webhook parley/bots/llm parley/insight/embed parley/insight/notify", "rules must be testable without a request"},
}

type goPackage struct {
	ImportPath string
	Imports    []string
}

func TestArrowsPointDown(t *testing.T) {
	packages := list(t)
	for _, p := range packages {
		allowed, known := layers[p.ImportPath]
		if !known {
			t.Errorf("%s has no place in layers", p.ImportPath)
			continue
		}
		for _, imported := range p.Imports {
			name, ours := strings.CutPrefix(imported, "parley/")
			if !ours || allowed == "*" {
				continue
			}
			if !contains(allowed, name) {
				t.Errorf("%s imports %s, which is beside or above it", p.ImportPath, imported)
			}
		}
		if p.ImportPath == "parley" {
			for _, imported := range p.Imports {
				if first, _, _ := strings.Cut(imported, "/"); strings.Contains(first, ".") || first == "parley" {
					t.Errorf("the root imports %s, but it is vocabulary on the standard library alone", imported)
				}
			}
		}
	}
}

func TestLibrariesHaveOneUser(t *testing.T) {
	for _, p := range list(t) {
		for _, imported := range p.Imports {
			for _, u := range users {
				if (imported == u.library || strings.HasPrefix(imported, u.library+"/")) && !contains(u.by, p.ImportPath) {
					t.Errorf("%s imports %s: %s", p.ImportPath, imported, u.why)
				}
			}
		}
	}
}

func contains(list, name string) bool {
	for _, n := range strings.Fields(list) {
		if n == name {
			return true
		}
	}
	return false
}

func list(t *testing.T) []goPackage {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []goPackage
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}
