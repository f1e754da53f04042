package ws_test

import (
	"testing"
	"time"

	"parley"
	"parley/hub"
	"parley/ws"
)

// A node that dies cannot say that its customers have left. Agents hear of it all the same; of a customer who said that she is there
// without having a session, they hear nothing else.
func TestCustomersOfADeadNodeAreGone(t *testing.T) {
	live := openLive(t)
	s := newSite(t, func(c *ws.Config) { c.Live, c.Heartbeat = live, 100*time.Millisecond })
	anna, _ := s.connect("anna")
	id := anna.ask("open", map[string]any{"message": text("m1")})["conversation"]
	const lease = 300 * time.Millisecond // three heartbeats, as sessions have
	key := parley.DefaultTenant.String() + ":" + s.account.ID.String() + ":anna"
	if err := live.Join(t.Context(), key, "of a node that dies", lease); err != nil {
		t.Fatal(err)
	}
	dead := time.Now().Add(lease)
	agent, _ := s.connect("dana")
	agent.ask("subscribe", map[string]any{"conversation": id, "after": 1})
	if p := agent.object("presence"); p["active"] != true {
		t.Errorf("who subscribes hears %v, want that the customer is there", p)
	}
	anna.conn.CloseNow() // the other session is there still
	if p := agent.object("presence"); p["active"] != false || p["role"] != "customer" || time.Now().Before(dead) {
		t.Errorf("agent hears %v, want that the customer has gone when the node was dead", p)
	}

	conversation, err := parley.ParseID[parley.Conversation](id.(string))
	if err != nil {
		t.Fatal(err)
	}
	say := func(kind parley.MessageType) {
		t.Helper()
		if _, err := s.hub.Post(t.Context(), hub.PostRequest{Speaker: parley.Speaker{Tenant: parley.DefaultTenant}, Surface: "test",
			Drafts: []parley.Draft{{Conversation: conversation, Type: kind, Sender: parley.Customer}}}); err != nil {
			t.Fatal(err)
		}
	}
	say(parley.TypeCustomerActive)
	if p := agent.object("presence"); p["active"] != true {
		t.Errorf("agent hears %v, want what the customer says", p)
	}
	agent.heartbeats = true
	for range 5 {
		if o, err := agent.next(); err != nil || o["heartbeat"] == nil {
			t.Errorf("agent hears %v, %v; want heartbeats alone", o, err)
		}
	}
}
