package ws_test

import (
	"fmt"
	"testing"

	"parley"
	"parley/store/storetest"
)

// Outcomes may come in any order and from whoever has the delivery, once; what a session was not handed it cannot settle, and a
// wrong outcome settles nothing.
func TestOutcomesAreTold(t *testing.T) {
	s, _ := newBotSite(t)
	const lanes = 4
	ids := make([]string, lanes)
	for i := range ids {
		token := fmt.Sprint("customer", i)
		g := s.grants["anna"]
		g.Speaker.Contact = token
		s.grant(token, g)
		c, _ := s.connect(token)
		ids[i] = c.ask("open", map[string]any{"message": text("one")})["conversation"].(string)
	}
	first, _ := s.connect("bot")
	first.ask("take", map[string]any{"atOnce": lanes})
	var handedOver []handed
	for range lanes {
		handedOver = append(handedOver, first.delivery())
	}
	second, _ := s.connect("bot") // finds nothing: everything is with the first
	second.ask("take", map[string]any{})
	outcome := func(h handed, what string) map[string]any { return map[string]any{"delivery": h.ID, "outcome": what} }
	for i := len(handedOver) - 1; i >= 0; i-- { // the last one first
		h := handedOver[i]
		if code := second.refused("outcome", outcome(h, "delivered")); code != "404-101" {
			t.Errorf("an outcome of what another session has = %s", code)
		}
		if code := first.refused("outcome", outcome(h, "eaten")); code != "400-152" {
			t.Errorf("an outcome that does not exist = %s", code)
		}
		first.ask("outcome", outcome(h, "delivered"))
		if code := first.refused("outcome", outcome(h, "retry")); code != "404-101" {
			t.Errorf("another outcome = %s", code)
		}
	}
	for _, id := range ids { // nothing of all that stopped a lane
		s.say(id, "two")
	}
	first.conn.CloseNow()
	for range lanes {
		h := second.delivery()
		if h.text() != "two" || h.Seq != 2 {
			t.Errorf("the second session is handed %+v", h)
		}
		second.ask("outcome", outcome(h, "delivered"))
	}
	for _, id := range ids {
		conversation, err := parley.ParseID[parley.Conversation](id)
		if err != nil {
			t.Fatal(err)
		}
		storetest.Check(t, s.store, parley.DefaultTenant, conversation)
	}
}
