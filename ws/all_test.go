package ws_test

import "testing"

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
