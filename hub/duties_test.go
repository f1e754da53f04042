package hub_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"parley"
	"parley/hub"
	"parley/store/storetest"
)

// A crowd is a store that counts how many read at the same time.
type crowd struct {
	parley.Store
	mu           sync.Mutex
	inside, most int
}

func (c *crowd) View(ctx context.Context, fn func(parley.Tx) error) error {
	c.mu.Lock()
	c.inside++
	c.most = max(c.most, c.inside)
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		c.inside--
		c.mu.Unlock()
	}()
	return c.Store.View(ctx, fn)
}

// Many conversations have their deadline in the same second. All end, and at no time do so many of them read that nobody else could.
func TestDeadlinesTogetherLeaveRoomForOthers(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		w := newWorld(t, open(t))
		started := make([]parley.ConversationID, 200)
		for i := range started {
			started[i] = w.start()
		}
		w.later(time.Hour)
		c := &crowd{Store: w.store}
		hub.New(hub.Config{Store: c, Clock: w.now}).Remind(t.Context()) // it has none of them in memory
		if c.most > hub.RemindAtOnce {
			t.Errorf("%d read at the same time, want %d at most", c.most, hub.RemindAtOnce)
		}
		for _, id := range started {
			if status := w.conversation(id).Status; status != parley.Ended {
				t.Fatalf("conversation %s is %s an hour after anything was said, want it ended", id, status)
			}
		}
	})
}
