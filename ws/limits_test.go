package ws_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"parley"
	"parley/hub"
	"parley/ident"
	"parley/ws"
)

// begin makes an open conversation of somebody.
func (s *site) begin(contact string) string {
	s.t.Helper()
	posted, err := s.hub.Post(s.t.Context(), hub.PostRequest{Speaker: parley.Speaker{Tenant: parley.DefaultTenant}, Surface: "test", Drafts: []parley.Draft{{
		Type: parley.TypeText, Sender: parley.Customer, ChannelType: "web_chat", Address: "site",
		Customer: &parley.CustomerData{Name: contact, Contacts: []parley.Contact{{Type: "web", Address: contact}}},
		Body:     parley.Body{MessageID: "first", Content: &parley.Content{Text: "hello"}}}}})
	if err != nil {
		s.t.Fatal(err)
	}
	return posted[0].Conversation.String()
}

// A session follows a hundred conversations by name, in connect and later together; those that it follows it may ask for again.
func TestFollowedConversationsAreBounded(t *testing.T) {
	s := newSite(t, nil)
	const most = 100
	ids := make([]string, most+1)
	resume := make([]any, most+1)
	for i := range ids {
		ids[i] = s.begin(fmt.Sprint("visitor", i))
		resume[i] = map[string]any{"conversation": ids[i], "after": 1}
	}
	agent, ok := s.connect("dana", resume[:most]...)
	if got := len(ok["resumed"].([]any)); got != most {
		t.Fatalf("%d of %d conversations are resumed: %v", got, most, ok["refused"])
	}
	if code := agent.refused("subscribe", resume[most]); code != "429-001" {
		t.Errorf("one conversation more = %s, want 429-001", code)
	}
	agent.ask("subscribe", resume[0])
	agent.ask("history", map[string]any{"conversation": ids[most]}) // reading is not following

	all, _ := s.connect("dana")
	all.ask("subscribe", map[string]any{"all": true}) // then there is no bound: what is named is followed anyway
	for i := range ids {
		all.ask("subscribe", resume[i])
	}
}

// Positions that make no sense are told, or end the session; others beside them are resumed.
func TestResumePositions(t *testing.T) {
	s := newSite(t, nil)
	id, other := s.begin("visitor"), s.begin("another")
	elsewhere := s.grants["dana"]
	elsewhere.Tenant = ident.New[parley.Tenant]()
	elsewhere.Speaker.Tenant = elsewhere.Tenant
	s.grant("elsewhere", elsewhere)
	at := func(id string, after any) string {
		text, err := json.Marshal(map[string]any{"conversation": id, "after": after})
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	unknown := ident.New[parley.Conversation]().String()
	for _, test := range []struct{ what, token, resume, want string }{
		{"ahead of the end", "dana", "[" + at(id, 1000) + "]", `[{id 1 1}] []`},
		{"before the beginning", "dana", "[" + at(id, -5) + "]", `[{id 0 1}] []`},
		{"without after", "dana", `[{"conversation":"` + id + `"}]`, `[{id 0 1}] []`},
		{"null", "dana", "null", `[] []`},
		{"a null position", "dana", "[null]", `[] [{ 400-630}]`},
		{"unknown, and known", "dana", "[" + at(unknown, 1) + "," + at(id, 1) + "]", `[{id 1 1}] [{unknown 400-630}]`},
		{"of another tenant", "elsewhere", "[" + at(id, 0) + "]", `[] [{id 400-630}]`},
		{"of another customer", "anna", "[" + at(id, 0) + "]", `[] [{id 400-630}]`},
		{"the same twice", "dana", "[" + at(id, 0) + "," + at(other, 0) + "," + at(id, 1) + "]", "4400"},
		{"no list", "dana", at(id, 0), "4400"},
		{"no id", "dana", "[" + at("x", 0) + "]", "4400"},
		{"after a fraction", "dana", "[" + at(id, 1.5) + "]", "4400"},
		{"after more than a number holds", "dana", `[{"conversation":"` + id + `","after":9223372036854775808}]`, "4400"},
		{"too many", "dana", "[" + strings.Repeat(at(id, 0)+",", 100) + at(other, 0) + "]", "4400"},
	} {
		c := s.dial(nil)
		c.send(`{"id":"1","connect":{"token":"` + test.token + `","resume":` + test.resume + `}}`)
		var got string
		if o, err := c.next(); err != nil {
			got = fmt.Sprint(int(statusOf(err)))
		} else {
			var ok struct {
				Resumed []struct {
					Conversation string
					After, Seq   int64
				}
				Refused []struct{ Conversation, Code string }
			}
			if err := json.Unmarshal(o["ok"], &ok); err != nil {
				t.Fatalf("%s: %s, %v", test.what, o["error"], err)
			}
			got = strings.NewReplacer(id, "id", unknown, "unknown").Replace(fmt.Sprint(ok.Resumed, ok.Refused))
		}
		if got != test.want {
			t.Errorf("resume %s = %s, want %s", test.what, got, test.want)
		}
		c.conn.CloseNow()
	}
}

// Of more posts than may be in flight those beyond are refused, and none is lost or stored out of turn: the client posts them again.
func TestPostsInFlightAreBounded(t *testing.T) {
	s := newSite(t, func(c *ws.Config) { c.InFlight = 4 })
	anna, _ := s.connect("anna")
	id := anna.ask("open", map[string]any{"message": text("m0")})["conversation"]
	const n = 60
	waiting := map[string]bool{}
	for i := range n {
		waiting[fmt.Sprint("m", i)] = true
	}
	refused := 0
	for len(waiting) > 0 {
		var frame strings.Builder
		for name := range waiting {
			body, err := json.Marshal(in(id, text(name)))
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&frame, `{"id":"%s","post":%s}`+"\n", name, body)
		}
		anna.send(frame.String())
		for range len(waiting) {
			o, err := anna.next()
			if err != nil {
				t.Fatal(err)
			}
			var name string
			if err := json.Unmarshal(o["id"], &name); err != nil {
				t.Fatalf("%v: %v", o, err)
			}
			switch {
			case o["ok"] != nil:
				delete(waiting, name)
			case strings.Contains(string(o["error"]), "429-001"):
				refused++
			default:
				t.Fatalf("post = %s", o["error"])
			}
		}
	}
	if refused == 0 {
		t.Errorf("none of %d posts at once was refused", n)
	}
	page := anna.ask("history", map[string]any{"conversation": id, "limit": 100})
	if got := len(page["messages"].([]any)); got != n { // m0 was the first
		t.Errorf("%d messages are stored, want %d", got, n)
	}
}

// Marks of reading wait for the record as posts do, and count as they do.
func TestReadsInFlightAreBounded(t *testing.T) {
	const n, most = 60, 4
	s := newSite(t, func(c *ws.Config) { c.InFlight = most })
	anna, _ := s.connect("anna")
	id := anna.ask("open", map[string]any{"message": text("m1")})["conversation"]
	s.writes.Lock()
	write := sync.OnceFunc(s.writes.Unlock)
	defer write()
	anna.send(strings.Repeat(fmt.Sprintf(`{"id":"r","read":{"conversation":"%s","seq":1}}`+"\n", id), n))
	for i := range n {
		if i == n-most { // the others wait
			write()
		}
		o, err := anna.next()
		if err != nil {
			t.Fatal(err)
		}
		if refused := strings.Contains(string(o["error"]), "429-001"); refused != (i < n-most) || !refused && o["ok"] == nil {
			t.Fatalf("answer %d of %d marks at once = %v", i, n, o)
		}
	}
	for range 10 { // none of them still counts
		anna.ask("read", map[string]any{"conversation": id, "seq": 1})
		anna.ask("typing", map[string]any{"conversation": id, "on": true})
	}
}
