package ws_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"go.yaml.in/yaml/v3"

	"parley"
	"parley/hub"
	"parley/rest/resttest"
	"parley/ws"
)

// A contract is asyncapi.yaml as far as the tests read it.
type contract struct {
	Operations map[string]struct {
		Messages []struct {
			Ref string `yaml:"$ref"`
		}
	}
	Components struct {
		Messages map[string]struct {
			Payload struct {
				Ref string `yaml:"$ref"`
			}
			Examples []struct {
				Name    string
				Payload map[string]any
			}
		}
		Schemas map[string]any
	}

	used map[string]bool   // examples that a dialogue had
	ids  map[string]string // what stands in an example for what came
}

func readContract(t *testing.T) *contract {
	t.Helper()
	c := &contract{used: map[string]bool{}, ids: map[string]string{}}
	if err := yaml.Unmarshal(ws.Document, c); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *contract) example(t *testing.T, name string) map[string]any {
	t.Helper()
	message, which, _ := strings.Cut(name, "/")
	for _, e := range c.Components.Messages[message].Examples {
		if e.Name == which {
			c.used[name] = true
			return e.Payload
		}
	}
	t.Fatalf("asyncapi.yaml has no example %s", name)
	return nil
}

var uuid = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// real is an example with the ids that came before in place of its own.
func (c *contract) real(v any) any {
	switch v := v.(type) {
	case string:
		if id, ok := c.ids[v]; ok {
			return id
		}
	case map[string]any:
		out := map[string]any{}
		for k, member := range v {
			out[k] = c.real(member)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = c.real(v[i])
		}
		return out
	}
	return v
}

// differs says where what came is not what the example shows: ids stand for ids, times for times, … for anything.
func (c *contract) differs(path string, example, got any) string {
	switch want := example.(type) {
	case map[string]any:
		is, ok := got.(map[string]any)
		if !ok {
			return fmt.Sprintf("%s is %v, want an object", path, got)
		}
		for _, k := range slices.Sorted(maps.Keys(is)) {
			if _, known := want[k]; !known {
				return fmt.Sprintf("%s has %s besides: %v", path, k, is[k])
			}
		}
		for _, k := range slices.Sorted(maps.Keys(want)) {
			if _, there := is[k]; !there {
				return fmt.Sprintf("%s lacks %s", path, k)
			}
			if d := c.differs(path+"."+k, want[k], is[k]); d != "" {
				return d
			}
		}
		return ""
	case []any:
		is, ok := got.([]any)
		if !ok || len(is) != len(want) {
			return fmt.Sprintf("%s is %v, want %v", path, got, want)
		}
		for i := range want {
			if d := c.differs(fmt.Sprintf("%s[%d]", path, i), want[i], is[i]); d != "" {
				return d
			}
		}
		return ""
	case string:
		is, ok := got.(string)
		switch _, err := time.Parse(time.RFC3339, want); {
		case want == "…":
			return ""
		case !ok:
			return fmt.Sprintf("%s is %v, want a string", path, got)
		case err == nil:
			if _, err := time.Parse(time.RFC3339, is); err == nil {
				return ""
			}
		case uuid.MatchString(want) && uuid.MatchString(is):
			if before, known := c.ids[want]; known && before != is {
				return fmt.Sprintf("%s is %s, was %s before", path, is, before)
			}
			c.ids[want] = is
			return ""
		}
	}
	if path == "goodbye.after" {
		return "" // at random
	}
	if fmt.Sprint(example) != fmt.Sprint(got) {
		return fmt.Sprintf("%s is %v, want %v", path, got, example)
	}
	return ""
}

// A dialogue is what the sessions of one site say and hear, line by line: "anna → open/start", "anna ← ok/opened".
func (c *contract) dialogue(t *testing.T, connect func(who string) *client, lines ...string) {
	t.Helper()
	clients := map[string]*client{}
	for _, line := range lines {
		who, what, _ := strings.Cut(line, " ")
		direction, name, _ := strings.Cut(what, " ")
		example := c.example(t, name)
		if clients[who] == nil {
			clients[who] = connect(who)
		}
		if direction == "→" {
			text, err := json.Marshal(c.real(example))
			if err != nil {
				t.Fatal(err)
			}
			clients[who].send(string(text))
			continue
		}
		kind := ""
		for k := range example {
			if k != "id" {
				kind = k
			}
		}
		for {
			o, err := clients[who].next()
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			if o[kind] == nil || example["id"] != nil && string(o["id"]) != fmt.Sprintf("%q", example["id"]) {
				if o["error"] != nil {
					t.Fatalf("%s: but error %s", line, o["error"])
				}
				continue // something else that goes on at the same time
			}
			got := map[string]any{}
			for k, v := range o {
				var member any
				if err := json.Unmarshal(v, &member); err != nil {
					t.Fatal(err)
				}
				got[k] = member
			}
			for k, v := range example {
				if d := c.differs(k, v, got[k]); d != "" {
					t.Errorf("%s: %s", line, d)
				}
			}
			break
		}
	}
}

// The examples of the document are what client and server say.
func TestDocumentIsTrue(t *testing.T) {
	c := readContract(t)
	named := func(s *site, token, name string, from string) {
		g := s.grants[from]
		g.Name = name
		s.grant(token, g)
	}

	live := openLive(t)
	s := newSite(t, func(w *ws.Config) { w.Live = live })
	named(s, "token-of-anna", "Anna", "anna")
	named(s, "token-of-dana", "", "dana")
	dial := func(string) *client { return s.dial(nil) }
	c.dialogue(t, dial,
		"anna → connect/customer", "anna ← ok/connected",
		"anna → open/start", "anna ← ok/opened",
		"dana → connect/agent", "dana ← ok/connectedAgent",
		"dana → subscribe/one", "dana ← ok/subscribed", "dana ← presence/there", "dana ← message/first",
		"dana → post/join", "dana ← ok/joined", "anna ← message/join",
		"dana → post/text", "dana ← ok/posted", "anna ← message/answer",
		"anna → history/page", "anna ← ok/page",
		"anna → typing/on", "anna ← ok/typed", "dana ← typingMark/customer",
		"anna → read/all", "anna ← ok/read", "dana ← receipt/customer",
		"anna → refresh/token", "anna ← ok/refreshed",
		"anna → pulse/pulse", "anna → ping/ping", "anna ← ok/pong",
		"dana → subscribe/all", "dana ← ok/followed",
		"later → connect/again", "later ← ok/resumed",
	)
	named(s, "token-of-anna", "Anna", "anna")
	c.dialogue(t, func(string) *client {
		agent := s.dial(nil)
		agent.send(`{"id":"1","connect":{"token":"token-of-dana"}}`)
		return agent
	}, "dana → post/unknown", "dana ← error/enum")

	short := s.grants["token-of-anna"]
	short.Expires = time.Now().Add(time.Second)
	s.grant("short", short)
	c.dialogue(t, func(string) *client { anna, _ := s.connect("short"); return anna }, "anna ← expiring/soon")

	s.unavailable(parley.RetainAndRetry)
	if _, err := s.hub.Post(t.Context(), hub.PostRequest{Speaker: parley.Speaker{Tenant: parley.DefaultTenant}, Surface: "test",
		Drafts: []parley.Draft{{Type: parley.TypeAgentUnavailable, Sender: parley.CustomAgent}}}); err != nil {
		t.Fatal(err)
	}
	c.dialogue(t, func(string) *client {
		bert, _ := s.connect("bert")
		bert.ask("open", map[string]any{"message": text("b1")})
		return bert
	}, "bert ← queue/next")

	heard, hear := context.WithCancel(t.Context())
	defer hear()
	c.dialogue(t, func(string) *client {
		anna, _ := s.connect("anna")
		at, err := parley.ParseID[parley.Conversation](c.ids["0190f3c8-0000-7000-8000-000000000001"])
		if err != nil {
			t.Fatal(err)
		}
		anna.ask("subscribe", map[string]any{"conversation": at.String()})
		go func() { // a session that still reads what it missed is not told of answers that grow
			tick := time.NewTicker(100 * time.Millisecond)
			defer tick.Stop()
			for heard.Err() == nil {
				s.hub.Partial(&parley.Conversation{ID: at, Tenant: parley.DefaultTenant}, 3, "Your parcel is on")
				<-tick.C
			}
		}()
		return anna
	}, "anna ← partial/half")
	hear()

	c.dialogue(t, func(string) *client {
		anna, _ := s.connect("anna")
		go s.server.Drain(t.Context())
		return anna
	}, "anna ← goodbye/restart")

	b, _ := newBotSite(t)
	b.grant("token-of-the-bot", b.grants["bot"])
	anna, _ := b.connect("anna")
	anna.ask("open", map[string]any{"message": text("m1")})
	c.dialogue(t, func(string) *client { return b.dial(nil) },
		"bot → connect/bot", "bot ← ok/connectedBot",
		"bot → take/bot", "bot ← ok/taking", "bot ← delivery/first",
		"bot → outcome/delivered", "bot ← ok/settled",
		"bot → outcome/twice", "bot ← error/late",
	)

	g := newSite(t, func(w *ws.Config) { w.Heartbeat = 20 * time.Millisecond })
	g.forgetMessages(t, c)
	beating := g.dial(nil)
	beating.heartbeats = true
	beating.send(`{"id":"1","connect":{"token":"anna"}}`)
	c.dialogue(t, func(string) *client { return beating }, "anna ← heartbeat/beat")

	for name, m := range c.Components.Messages {
		for _, e := range m.Examples {
			if !c.used[name+"/"+e.Name] {
				t.Errorf("example %s of message %s is in no dialogue", e.Name, name)
			}
		}
	}
}

// Messages that retention has taken are told as a gap.
func (s *site) forgetMessages(t *testing.T, c *contract) {
	t.Helper()
	anna, _ := s.connect("anna")
	id := anna.ask("open", map[string]any{"message": text("m1")})["conversation"]
	for i := 2; i <= 40; i++ {
		anna.ask("post", in(id, text(fmt.Sprint("m", i))))
	}
	s.forget(3, 40)
	back, _ := s.connect("anna", map[string]any{"conversation": id, "after": 3})
	delete(c.ids, "0190f3c8-0000-7000-8000-000000000001") // another site's
	c.dialogue(t, func(string) *client { return back }, "back ← gap/retention")
	if m := back.message(); m.Seq != 40 {
		t.Errorf("after the gap comes %+v, want 40", m)
	}
}

func TestChangedContractHasNewVersion(t *testing.T) {
	resttest.Golden(t, ws.Document, "testdata/contract.sum")
}

// Every message is in one operation, and every example is as its schema says.
func TestDocumentIsWhole(t *testing.T) {
	c := readContract(t)
	listed := map[string]bool{}
	for _, op := range c.Operations {
		for _, m := range op.Messages {
			listed[m.Ref[strings.LastIndexByte(m.Ref, '/')+1:]] = true
		}
	}
	text, err := json.Marshal(map[string]any{"openapi": "3.0.3", "info": map[string]string{"title": "x", "version": "1"}, "paths": map[string]any{},
		"components": map[string]any{"schemas": c.Components.Schemas}})
	if err != nil {
		t.Fatal(err)
	}
	schemas, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		t.Fatal(err)
	}
	for name, m := range c.Components.Messages {
		if !listed[name] || len(m.Examples) == 0 {
			t.Errorf("message %s is in no operation, or has no example", name)
		}
		schema := schemas.Components.Schemas[m.Payload.Ref[strings.LastIndexByte(m.Payload.Ref, '/')+1:]]
		if schema == nil {
			t.Fatalf("message %s has no schema", name)
		}
		for _, e := range m.Examples {
			plain, err := json.Marshal(e.Payload)
			if err != nil {
				t.Fatal(err)
			}
			var v any
			if err := json.Unmarshal(plain, &v); err != nil {
				t.Fatal(err)
			}
			if err := schema.Value.VisitJSON(v); err != nil {
				t.Errorf("%s/%s: %v", name, e.Name, err)
			}
		}
	}
}
