package ws_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley"
	"parley/ws"
)

// shown is how far each party is known to have a conversation, once it is as wanted.
func (s *site) shown(id any, want map[int]int64) map[int]int64 {
	s.t.Helper()
	conversation, err := parley.ParseID[parley.Conversation](id.(string))
	if err != nil {
		s.t.Fatal(err)
	}
	late := time.After(10 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		got := map[int]int64{}
		err := s.store.View(s.t.Context(), func(tx parley.Tx) error {
			marks, err := tx.Shown(s.t.Context(), parley.DefaultTenant, conversation, 0, 100)
			for _, m := range marks {
				got[m.Slot] = m.Seq
			}
			return err
		})
		if err != nil {
			s.t.Fatal(err)
		}
		ready := len(got) >= len(want)
		for slot, seq := range want {
			ready = ready && got[slot] >= seq
		}
		if ready {
			return got
		}
		select {
		case <-tick.C:
		case <-late:
			return got
		}
	}
}

// A client that answers a heartbeat has what came before it; one that reads, or resumes, has what it names. One that is silent has nothing.
func TestShownIsWhatClientsHave(t *testing.T) {
	s := newSite(t, func(c *ws.Config) { c.Heartbeat = 50 * time.Millisecond })
	anna, _ := s.connect("anna")
	id := anna.ask("open", map[string]any{"message": text("m1")})["conversation"]
	anna.ask("post", in(id, text("m2")))
	agent, _ := s.connect("dana")
	agent.ask("subscribe", map[string]any{"conversation": id, "after": 0})
	agent.heartbeats = true
	for range 3 { // the first may be from before the messages, and the next on its way by then
		for agent.object("heartbeat")["last"].(map[string]any)[id.(string)] != 2.0 {
			agent.send(`{"heartbeat":{}}`)
		}
		agent.send(`{"heartbeat":{}}`)
	}
	want := map[int]int64{1: 2}
	if diff := cmp.Diff(want, s.shown(id, want)); diff != "" {
		t.Errorf("after an answered heartbeat (-want +got):\n%s", diff)
	}
	anna.ask("read", map[string]any{"conversation": id, "seq": 1})
	anna.conn.CloseNow()
	want = map[int]int64{0: 1, 1: 2}
	if diff := cmp.Diff(want, s.shown(id, want)); diff != "" {
		t.Errorf("after a session ended that had read (-want +got):\n%s", diff)
	}
	back, _ := s.connect("anna", map[string]any{"conversation": id, "after": 2})
	back.conn.CloseNow()
	want = map[int]int64{0: 2, 1: 2}
	if diff := cmp.Diff(want, s.shown(id, want)); diff != "" {
		t.Errorf("after it resumed (-want +got):\n%s", diff)
	}
}
