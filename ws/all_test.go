package ws_test

import (
	"fmt"
	"testing"
)

// Who follows everything hears from then on: of conversations that the list names what is said behind the seq that it names, of those that
// begin later everything. What was before is history, or is asked for by name.
func TestFollowingAllBeginsWithTheList(t *testing.T) {
	s := newSite(t, nil)
	anna, _ := s.connect("anna")
	old := anna.ask("open", map[string]any{"message": text("m1")})["conversation"]
	const n = 20
	for i := 2; i <= n; i++ {
		anna.ask("post", in(old, text(fmt.Sprint("m", i))))
	}
	agent, _ := s.connect("dana")
	for range 2 { // asking again changes nothing
		list := agent.ask("subscribe", map[string]any{"all": true})["conversations"].([]any)
		if len(list) != 1 || list[0].(map[string]any)["seq"] != float64(n) {
			t.Fatalf("the list is %v", list)
		}
	}
	anna.ask("post", in(old, text("more")))
	if m := agent.message(); m.Seq != n+1 || m.Prev != n {
		t.Errorf("the first message is %+v, want %d, behind %d", m, n+1, n)
	}
	bert, _ := s.connect("bert")
	young := bert.ask("open", map[string]any{"message": text("b1")})["conversation"]
	bert.ask("post", in(young, text("b2")))
	for seq := int64(1); seq <= 2; seq++ {
		if m := agent.message(); m.Conversation != young || m.Seq != seq || m.Prev != seq-1 {
			t.Errorf("of the new conversation comes %+v, want %d", m, seq)
		}
	}
	agent.ask("subscribe", map[string]any{"conversation": old, "after": 0})
	for seq := int64(1); seq <= n+1; seq++ {
		if m := agent.message(); m.Conversation != old || m.Seq != seq {
			t.Fatalf("by name comes %+v, want %d", m, seq)
		}
	}
}

// Nothing is missed, nothing twice, whatever is said while the list is made.
func TestFollowingAllWhileThingsAreSaid(t *testing.T) {
	s := newSite(t, nil)
	anna, _ := s.connect("anna")
	id := anna.ask("open", map[string]any{"message": text("m1")})["conversation"]
	for round := range 60 {
		agent := s.dial(nil)
		agent.ask("connect", map[string]any{"token": "dana"})
		said := make(chan struct{})
		go func() {
			defer close(said)
			for i := range 5 {
				anna.ask("post", in(id, text(fmt.Sprint(round, ".", i))))
			}
		}()
		list := agent.ask("subscribe", map[string]any{"all": true})["conversations"].([]any)
		last := int64(list[0].(map[string]any)["seq"].(float64))
		<-said
		anna.ask("post", in(id, text(fmt.Sprint(round, " is over"))))
		for {
			m := agent.message()
			if m.Seq != last+1 || m.Prev != last {
				t.Fatalf("round %d: after %d comes %+v", round, last, m)
			}
			if last = m.Seq; m.Message.Content.Text == fmt.Sprint(round, " is over") {
				break
			}
		}
		agent.conn.CloseNow()
	}
}

// Who follows everything may ask for the list again, as pages do, and hears what is said as before.
func TestFollowingAllTwice(t *testing.T) {
	s := newSite(t, nil)
	agent, _ := s.connect("dana")
	for range 3 {
		agent.ask("subscribe", map[string]any{"all": true})
	}
	anna, _ := s.connect("anna")
	id := anna.ask("open", map[string]any{"message": text("m1")})["conversation"]
	if m := agent.message(); m.Conversation != id || m.Seq != 1 {
		t.Errorf("the agent sees %+v", m)
	}
}

// Who could not be given the list hears nothing until it was.
func TestFollowingAllWithoutAList(t *testing.T) {
	s := newSite(t, nil)
	anna, _ := s.connect("anna")
	id := anna.ask("open", map[string]any{"message": text("m1")})["conversation"]
	anna.ask("post", in(id, text("m2")))
	agent, _ := s.connect("dana")
	s.away.Store(true)
	if code := agent.refused("subscribe", map[string]any{"all": true}); code[:3] != "500" {
		t.Errorf("subscribe while the store is away = %s", code)
	}
	s.away.Store(false)
	anna.ask("post", in(id, text("m3")))
	agent.ask("ping", map[string]any{})
	if len(agent.in) > 0 {
		t.Errorf("who follows nothing hears %v", agent.in)
	}
	agent.ask("subscribe", map[string]any{"all": true})
	anna.ask("post", in(id, text("m4")))
	if m := agent.message(); m.Seq != 4 || m.Prev != 3 {
		t.Errorf("after the list comes %+v, want 4", m)
	}
}
