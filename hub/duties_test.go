package hub_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"parley"
	"parley/hub"
	"parley/store"
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

// How long it takes to end conversations that become idle together, on a node that has none of them in memory. With -benchtime 10000x it ends so
// many at once; the time is that of each.
func BenchmarkIdleConversationsEnd(b *testing.B) {
	for name, open := range map[string]func(testing.TB, ...storetest.Option) *store.Store{"sqlite": storetest.Open, "postgres": storetest.OpenPostgres} {
		b.Run(name, func(b *testing.B) {
			w := newWorld(b, open(b))
			var starts sync.WaitGroup
			const together = 32
			for first := range together {
				starts.Go(func() {
					for i := first; i < b.N; i += together {
						w.start()
					}
				})
			}
			starts.Wait()
			w.later(time.Hour)
			h := hub.New(hub.Config{Store: w.store, Clock: w.now, Dispatcher: w, Logger: slog.New(slog.DiscardHandler)})
			b.ResetTimer()
			h.Remind(b.Context())
			b.StopTimer()
			var open map[parley.OwnerKind]int
			if err := w.store.View(b.Context(), func(tx parley.Tx) (err error) {
				open, err = tx.OpenByOwner(b.Context())
				return err
			}); err != nil || len(open) > 0 {
				b.Errorf("an hour after anything was said these are open: %v, %v", open, err)
			}
		})
	}
}
