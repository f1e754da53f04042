package ws_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"parley"
	"parley/hub"
	"parley/ws"
)

func TestRefusedSessionsSayWhy(t *testing.T) {
	s := newSite(t, func(c *ws.Config) { c.MaxFrame = 4096 })
	page := func(origin string) http.Header { return http.Header{"Origin": {origin}} }
	connect := func(token string) string { return `{"id":"1","connect":{"token":"` + token + `"}}` }
	for _, test := range []struct {
		what   string
		header http.Header
		frames []string
		want   websocket.StatusCode
	}{
		{"no token that is good", nil, []string{connect("nobody")}, 4401},
		{"a client without an application", nil, []string{connect("unbound")}, 4403},
		{"something else before connect", nil, []string{`{"id":"1","ping":{}}`}, 4400},
		{"no JSON", nil, []string{"hello"}, 4400},
		{"two operations in one object", nil, []string{`{"id":"1","ping":{},"connect":{}}`}, 4400},
		{"connect twice", nil, []string{connect("anna"), connect("anna")}, 4400},
		{"a page from elsewhere", page("https://evil.example"), []string{connect("anna")}, 1008},
		{"an agent's token in a page from elsewhere", page("https://shop.example.org"), []string{connect("dana")}, 1008},
		{"a huge frame", nil, []string{connect("anna"), `{"id":"2","ping":{}}` + strings.Repeat(" ", 5000)}, 1009},
		{"an expired token", nil, []string{connect("brief")}, 4410},
	} {
		c := s.dial(test.header)
		for _, f := range test.frames {
			c.send(f)
		}
		if got := c.closed(); got != test.want {
			t.Errorf("%s ends with %d, want %d", test.what, got, test.want)
		}
	}
	allowed := s.dial(page("https://shop.example.org"))
	allowed.send(connect("anna"))
	if o, err := allowed.next(); err != nil || o["ok"] == nil {
		t.Errorf("a page of an allowed origin = %v, %v", o, err)
	}
}

// A client that does not read is closed and told to come back; nobody waits for it, and it has everything after resume.
func TestSlowClientIsClosedAndLosesNothing(t *testing.T) {
	s := newSite(t, func(c *ws.Config) { c.QueueLen = 16 })
	anna, _ := s.connect("anna")
	id := anna.ask("open", map[string]any{"message": text("m1")})["conversation"]
	conversation, err := parley.ParseID[parley.Conversation](id.(string))
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 30_000)
	const n = 800 // 24 MB: more than the socket's buffers and the queue hold
	for range n {
		_, err := s.hub.Post(t.Context(), hub.PostRequest{Speaker: parley.Speaker{Tenant: parley.DefaultTenant}, Drafts: []parley.Draft{
			{Conversation: conversation, Type: parley.TypeText, Sender: parley.CustomAgent, Body: parley.Body{Content: &parley.Content{Text: long}}}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	deadline := time.After(30 * time.Second)
	for s.server.Sessions() > 0 {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-deadline:
			t.Fatal("a client that reads nothing is still there")
		}
	}
	back, _ := s.connect("anna", map[string]any{"conversation": id, "after": 1})
	for i := range n {
		if m := back.message(); m.Seq != int64(i+2) {
			t.Fatalf("message %d has seq %d", i, m.Seq)
		}
	}
}

func TestDrainSaysGoodbye(t *testing.T) {
	s := newSite(t, nil)
	anna, _ := s.connect("anna")
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.server.Drain(t.Context())
	}()
	o, err := anna.next()
	if err != nil || o["goodbye"] == nil {
		t.Errorf("drain says %v, %v; want goodbye", o, err)
	}
	if code := anna.closed(); code != 1012 {
		t.Errorf("drain ends with %d, want 1012", code)
	}
	<-done
}

// Every close code is in the table once, with what the client should do, and the protocol's document says so.
func TestCloseCodes(t *testing.T) {
	seen := map[websocket.StatusCode]bool{}
	var comeBack, newToken, stay []string
	for _, c := range ws.CloseCodes() {
		if seen[c.Code] || c.Meaning == "" || c.Name == "" {
			t.Errorf("close code %+v is there twice, or says nothing", c)
		}
		seen[c.Code] = true
		if c.NewToken && c.ComeBack {
			t.Errorf("%d: come back at once, or with a new token?", c.Code)
		}
		what := fmt.Sprintf("%d (%s)", c.Code, c.Name)
		switch {
		case c.ComeBack:
			comeBack = append(comeBack, what)
		case c.NewToken:
			newToken = append(newToken, what)
		default:
			stay = append(stay, what)
		}
	}
	want := fmt.Sprintf("Close codes. Come back, with jitter, and resume: %s. Come back with a new token: %s. Do not come back by yourself: %s.",
		strings.Join(comeBack, ", "), strings.Join(newToken, ", "), strings.Join(stay, ", "))
	if !strings.Contains(string(ws.Document), want) {
		t.Errorf("asyncapi.yaml does not say %q", want)
	}
}
