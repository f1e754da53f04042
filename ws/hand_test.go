package ws

import (
	"strings"
	"testing"
	"testing/synctest"

	"parley"
)

// A delivery whose body cannot be rendered fails by itself: its session goes on, and can be ended.
func TestDeliveryThatCannotBeRendered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newPiped(nil)
		c, p := s.connect(t)
		c.mu.Lock()
		c.takes = map[string]chan parley.Answer{}
		c.mu.Unlock()
		func() {
			defer func() {
				if r := recover(); r != nil { // as the worker of a lane does
					t.Errorf("a delivery that cannot be rendered panics: %.100v", r)
				}
			}()
			deep := strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001)
			if _, err := c.hand(t.Context(), parley.Handed{Delivery: "d", Body: []byte(deep)}); err == nil {
				t.Error("a delivery that cannot be rendered was handed over")
			}
		}()
		if !c.mu.TryLock() {
			t.Fatal("the session is locked for ever")
		}
		c.mu.Unlock()
		p.in <- []byte(`{"id":"2","ping":{}}`)
		if got := p.frame(); got != `{"id":"2","ok":{}}` {
			t.Errorf("afterwards ping = %s", got)
		}
		p.CloseNow()
		s.Drain(t.Context())
	})
}
