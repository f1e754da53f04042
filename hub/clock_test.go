package hub_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"parley"
	"parley/hub"
	"parley/store/storetest"
)

// Clocks are set. Whatever the jump, two hubs on one store end an idle conversation once, none before its time by the clock
// as it is now, and what is said meanwhile is stored in order.
func TestTimersOverClockJumps(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		w := newWorld(t, open(t))
		other := hub.New(hub.Config{Store: w.store, Clock: w.now})
		remind := func() {
			var wg sync.WaitGroup
			for _, h := range []*hub.Hub{w.hub, other, w.hub, other} {
				wg.Go(func() { h.Remind(t.Context()) })
			}
			wg.Wait()
		}
		ends := func(id parley.ConversationID) (n int) {
			for _, line := range w.log(id) {
				if strings.Contains(line, string(parley.TypeConversationEnd)) {
					n++
				}
			}
			return n
		}
		before := w.start()
		w.later(-2 * time.Hour)
		behind := w.start()
		w.say(before, parley.CustomBot, parley.TypeText)
		w.say(behind, parley.CustomBot, parley.TypeText)
		remind()
		for name, id := range map[string]parley.ConversationID{"from before the jump": before, "from behind": behind} {
			if n := ends(id); n != 0 {
				t.Errorf("the conversation %s ended although nobody was idle", name)
			}
		}
		w.later(29 * time.Minute)
		remind()
		if n := ends(behind); n != 0 {
			t.Error("ended a minute before its time")
		}
		w.later(2*time.Hour + 365*24*time.Hour)
		remind()
		remind()
		for name, id := range map[string]parley.ConversationID{"from before the jump": before, "from behind": behind} {
			if n := ends(id); n != 1 {
				t.Errorf("after a year the conversation %s was ended %d times", name, n)
			}
			storetest.Check(t, w.store, w.tenant, id)
		}
	})
}
