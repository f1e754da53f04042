package hub_test

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"

	"parley"
	"parley/hub"
	"parley/store/storetest"
)

// A watched store counts what is read of it.
type watched struct {
	parley.Store
	begun, open atomic.Int64
}

// View implements parley.Store.
func (w *watched) View(ctx context.Context, fn func(parley.Tx) error) error {
	w.begun.Add(1)
	w.open.Add(1)
	defer w.open.Add(-1)
	return w.Store.View(ctx, fn)
}

// Posts may be made while Run ends and after it: each is taken or answered Busy, and once Run has returned nobody reads for
// them. Under the race detector this also shows that the last workers and the wait for them do not meet.
func TestPostsMayMeetTheEndOfTheHub(t *testing.T) {
	store := &watched{Store: storetest.Open(t)}
	w := newWorld(t, store)
	ids := make([]parley.ConversationID, 9)
	for i := range ids {
		ids[i] = w.start()
	}
	last := ids[len(ids)-1] // never in the memory of a hub that ends
	taken := map[parley.ConversationID]int{}
	var mu sync.Mutex // guards taken
	life := func() {
		w.hub = hub.New(hub.Config{Store: store, Clock: w.now, Logger: slog.New(slog.DiscardHandler)})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = w.hub.Run(ctx)
		}()
		var posters sync.WaitGroup
		for first := range 4 {
			posters.Go(func() {
				for _, id := range []parley.ConversationID{ids[first], ids[first+4]} {
					_, err := w.try(id, parley.Customer, parley.TypeText)
					cancel()
					switch {
					case err == nil:
						mu.Lock()
						taken[id]++
						mu.Unlock()
					case parley.KindOf(err) != parley.Busy:
						t.Errorf("post = %v, want it taken or Busy", err)
					}
				}
			})
		}
		<-ended
		begun, open := store.begun.Load(), store.open.Load()
		posters.Wait()
		if _, err := w.try(last, parley.Customer, parley.TypeText); err == nil || parley.KindOf(err) != parley.Busy {
			t.Fatalf("post after the end = %v, want Busy", err)
		}
		if now := store.begun.Load(); open != 0 || now != begun {
			t.Fatalf("after Run had returned %d reads went on and %d began, want none", open, now-begun)
		}
	}
	for range 20 {
		life()
	}
	for _, id := range ids {
		if n := len(storetest.Messages(t, w.store, id)); n != 1+taken[id] {
			t.Errorf("conversation %s has %d messages, want its first and the %d that were taken", id, n, taken[id])
		}
		storetest.Check(t, w.store, w.tenant, id)
	}
}

// A conversation that is in memory goes on after Run, as the record does.
func TestWhatIsInMemoryOutlivesRun(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	id := w.start()
	w.say(id, parley.Customer, parley.TypeText) // the plan is in memory, too
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.hub.Run(ctx); err == nil {
		t.Error("Run = nil, want what ended it")
	}
	if p := w.say(id, parley.Customer, parley.TypeText); p.Seq != 3 {
		t.Errorf("post after Run has Seq %d, want 3", p.Seq)
	}
	storetest.Check(t, w.store, w.tenant, id)
}
