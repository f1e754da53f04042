package ws_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"parley"
	"parley/hub"
	"parley/store/live"
	"parley/ws"
)

// openLive opens live state that ends with the test.
func openLive(t *testing.T) parley.Live {
	t.Helper()
	l, err := live.Open(t.Context(), live.Config{URL: live.Auto, Server: "none", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// object is the next object of that kind; others are passed over.
func (c *client) object(kind string) map[string]any {
	c.t.Helper()
	for {
		o, err := c.next()
		if err != nil {
			c.t.Fatalf("waiting for %s: %v", kind, err)
		}
		if o[kind] == nil {
			continue
		}
		var in map[string]any
		if err := json.Unmarshal(o[kind], &in); err != nil {
			c.t.Fatal(err)
		}
		return in
	}
}

// What one party has read the other hears, now and when it comes back; a mark never goes back.
func TestReadIsToldToTheOthers(t *testing.T) {
	s := newSite(t, nil)
	anna, _ := s.connect("anna")
	id := anna.ask("open", map[string]any{"message": text("m1")})["conversation"]
	anna.ask("post", in(id, text("m2")))
	agent, _ := s.connect("dana")
	agent.ask("subscribe", map[string]any{"conversation": id, "after": 0})
	agent.ask("read", map[string]any{"conversation": id, "seq": 2})
	if r := anna.object("receipt"); r["role"] != "custom_agent" || r["read"] != 2.0 || r["conversation"] != id {
		t.Errorf("customer hears %v, want that the agent has read up to 2", r)
	}
	agent.ask("read", map[string]any{"conversation": id, "seq": 1})
	agent.ask("read", map[string]any{"conversation": id, "seq": 2})
	agent.ask("post", in(id, text("m3"))) // comes after whatever those were told as
	for told := false; !told; {
		o, err := anna.next()
		if err != nil {
			t.Fatal(err)
		}
		if o["receipt"] != nil {
			t.Errorf("what is no news is told: %s", o["receipt"])
		}
		told = o["message"] != nil
	}
	back, _ := s.connect("anna", map[string]any{"conversation": id, "after": 2})
	if r := back.object("receipt"); r["read"] != 2.0 {
		t.Errorf("after resume the customer hears %v, want 2 still", r)
	}
	for _, seq := range []int{0, -1, 4} {
		if code := agent.refused("read", map[string]any{"conversation": id, "seq": seq}); code != "400-152" {
			t.Errorf("read up to %d = %s, want 400-152", seq, code)
		}
	}
	bert, _ := s.connect("bert")
	if code := bert.refused("read", map[string]any{"conversation": id, "seq": 1}); code != "400-630" {
		t.Errorf("read of a stranger = %s, want that the conversation is unknown", code)
	}
}

// A mark of typing ends by itself although the one who typed never said so.
func TestTypingCannotStick(t *testing.T) {
	s := newSite(t, nil)
	anna, _ := s.connect("anna")
	id := anna.ask("open", map[string]any{"message": text("m1")})["conversation"]
	agent, _ := s.connect("dana")
	agent.ask("subscribe", map[string]any{"conversation": id, "after": 1})
	for on := false; !on; { // what begins while the session still reads what it missed is not told, only its end
		anna.ask("typing", map[string]any{"conversation": id, "on": true})
		on = agent.object("typing")["on"].(bool)
	}
	if y := agent.object("typing"); y["on"] != false || y["role"] != "customer" {
		t.Errorf("agent hears %v, want the end of typing", y)
	}
}

// A customer who waits for an agent hears of her place, each time that it changes, and when it is her turn.
func TestQueuePlaceIsTold(t *testing.T) {
	s := newSite(t, nil)
	s.unavailable(parley.RetainAndRetry)
	if _, err := s.hub.Post(t.Context(), hub.PostRequest{Speaker: parley.Speaker{Tenant: parley.DefaultTenant}, Surface: "test",
		Drafts: []parley.Draft{{Type: parley.TypeAgentUnavailable, Sender: parley.CustomAgent}}}); err != nil {
		t.Fatal(err)
	}
	bert, _ := s.connect("bert")
	first := bert.ask("open", map[string]any{"message": text("b1")})["conversation"]
	anna, _ := s.connect("anna")
	second := anna.ask("open", map[string]any{"message": text("a1")})["conversation"]
	if q := bert.object("queue"); q["position"] != 1.0 || q["conversation"] != first {
		t.Errorf("the first one hears %v, want position 1", q)
	}
	if q := anna.object("queue"); q["position"] != 2.0 {
		t.Errorf("the second one hears %v, want position 2", q)
	}
	again, _ := s.connect("anna", map[string]any{"conversation": second, "after": 1})
	if q := again.object("queue"); q["position"] != 2.0 {
		t.Errorf("who resumes hears %v, want position 2", q)
	}
	bert.ask("post", in(first, map[string]any{"type": map[string]string{"value": "conversation.end"}}))
	if q := anna.object("queue"); q["position"] != 1.0 {
		t.Errorf("when the first one has gone the second hears %v, want position 1", q)
	}
	agent, _ := s.connect("dana")
	agent.ask("post", in(second, map[string]any{"type": map[string]string{"value": "agent.join"}, "content": map[string]any{"json": map[string]string{"agentName": "Dana"}}}))
	if q := anna.object("queue"); q["position"] != 0.0 {
		t.Errorf("when the agent came the customer hears %v, want position 0", q)
	}
}

// A session is warned before its token ends, goes on with a new one, and with nobody else's.
func TestTokenIsRenewedInBand(t *testing.T) {
	s := newSite(t, nil)
	short := s.grants["anna"]
	short.Expires = time.Now().Add(1500 * time.Millisecond)
	s.grant("short", short)
	anna, _ := s.connect("short")
	anna.object("expiring")
	if code := anna.refused("refresh", map[string]any{"token": "bert"}); code != "403-603" {
		t.Errorf("refresh with another customer's token = %s", code)
	}
	if code := anna.refused("refresh", map[string]any{"token": "nobody"}); code != "401-101" {
		t.Errorf("refresh with a token that is not good = %s", code)
	}
	if ok := anna.ask("refresh", map[string]any{"token": "anna"}); ok["expires"] != s.grants["anna"].Expires.UTC().Format(time.RFC3339) {
		t.Errorf("refresh = %v", ok)
	}
	// The old token's time is over before the agent has answered this many times.
	for time.Now().Before(short.Expires.Add(200 * time.Millisecond)) {
		anna.ask("ping", map[string]any{})
	}
}

// A token that is good no more ends the session at the next heartbeat, not only when its time is over.
func TestRevokedClientIsEnded(t *testing.T) {
	s := newSite(t, func(c *ws.Config) { c.Heartbeat = 20 * time.Millisecond })
	agent, _ := s.connect("dana")
	s.revoke("dana")
	if code := agent.closed(); code != 4401 {
		t.Errorf("a revoked client's session ends with %d, want 4401", code)
	}
}

// One customer has so many sessions and not more; others are not concerned.
func TestSessionsOfOneCustomerAreBounded(t *testing.T) {
	live := openLive(t)
	s := newSite(t, func(c *ws.Config) { c.PerCustomer, c.Live = 2, live })
	s.connect("anna")
	s.connect("anna")
	third := s.dial(nil)
	third.send(`{"id":"1","connect":{"token":"anna"}}`)
	if code := third.closed(); code != 4409 {
		t.Errorf("the third session ends with %d, want 4409", code)
	}
	s.connect("bert")
	for range 3 {
		s.connect("dana")
	}
}

// Agents hear when the customer comes; leaving is told after a while, unless she is back.
func TestPresenceOfTheCustomer(t *testing.T) {
	live := openLive(t)
	s := newSite(t, func(c *ws.Config) { c.Live = live })
	anna, _ := s.connect("anna")
	id := anna.ask("open", map[string]any{"message": text("m1")})["conversation"]
	agent, _ := s.connect("dana")
	agent.ask("subscribe", map[string]any{"conversation": id, "after": 1})
	if p := agent.object("presence"); p["active"] != true || p["role"] != "customer" {
		t.Errorf("who subscribes hears %v, want that the customer is there", p)
	}
	anna.conn.CloseNow()
	if p := agent.object("presence"); p["active"] != false {
		t.Errorf("agent hears %v, want that the customer has gone", p)
	}
	s.connect("anna", map[string]any{"conversation": id, "after": 1})
	if p := agent.object("presence"); p["active"] != true {
		t.Errorf("agent hears %v, want that the customer is back", p)
	}
}

// What is marked redact reaches the other side, now and after a drop, as a callback would show it; only the past is masked.
func TestRedactedTextIsMaskedInHistoryOnly(t *testing.T) {
	s := newSite(t, nil)
	anna, _ := s.connect("anna")
	id := anna.ask("open", map[string]any{"message": text("m1")})["conversation"]
	agent, _ := s.connect("dana")
	agent.ask("subscribe", map[string]any{"conversation": id, "after": 1})
	secret := text("my number is 42")
	secret["content"] = map[string]any{"text": "my number is 42", "redact": true}
	anna.ask("post", in(id, secret))
	if m := agent.message(); m.Message.Content.Text != "my number is 42" {
		t.Errorf("the agent sees %+v", m)
	}
	back, _ := s.connect("dana", map[string]any{"conversation": id, "after": 1})
	if m := back.message(); m.Message.Content.Text != "my number is 42" {
		t.Errorf("after a drop the agent sees %+v", m)
	}
	page := agent.ask("history", map[string]any{"conversation": id, "after": 1})
	if got := page["messages"].([]any)[0].(map[string]any)["message"].(map[string]any)["content"].(map[string]any)["text"]; got != "***" {
		t.Errorf("history shows %v, want it masked", got)
	}
}

// A request that is no WebSocket is told so in the shape of every other error.
func TestPlainRequestsAreToldAsJSON(t *testing.T) {
	s := newSite(t, nil)
	res, err := http.Get(s.http.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var body struct{ Code, DeveloperMessage string }
	if err := json.NewDecoder(res.Body).Decode(&body); err != nil || res.StatusCode != http.StatusUpgradeRequired || body.Code != "426-001" {
		t.Errorf("GET = %d %+v, %v", res.StatusCode, body, err)
	}
}
