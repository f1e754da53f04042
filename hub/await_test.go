package hub_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"parley"
	"parley/hub"
	"parley/store/storetest"
)

// A gatedStore lets readers in one by one once it is closed, and counts those that are in it.
type gatedStore struct {
	parley.Store
	gate chan struct{}

	mu                 sync.Mutex
	closed             bool
	done, inside, most int
}

func (g *gatedStore) View(ctx context.Context, fn func(parley.Tx) error) error {
	g.mu.Lock()
	g.inside++
	closed := g.closed
	if closed {
		g.most = max(g.most, g.inside)
	}
	g.mu.Unlock()
	defer func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.inside--
		g.done++
	}()
	if closed {
		<-g.gate
	}
	return g.Store.View(ctx, fn)
}

// reached waits until so many have read, and so many read.
func (g *gatedStore) reached(t *testing.T, done, inside int) {
	t.Helper()
	tick, late := time.NewTicker(time.Millisecond), time.After(20*time.Second)
	defer tick.Stop()
	for {
		g.mu.Lock()
		is := g.done >= done && g.inside >= inside
		g.mu.Unlock()
		if is {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("waited in vain for those who read")
		}
	}
}

// When hints were lost those who wait for turns read the record a few at a time, and all hear what became of theirs.
func TestThoseWhoWaitLookAFewAtATime(t *testing.T) {
	const waiting = 300
	w := newWorld(t, storetest.Open(t), oneBot)
	w.runsBots()
	gated := &gatedStore{Store: w.store, gate: make(chan struct{})}
	other := hub.New(hub.Config{Store: gated, Clock: w.now, Logger: slog.New(slog.DiscardHandler)}) // hears nothing of the first
	id := w.start()
	var all sync.WaitGroup
	for range waiting {
		all.Go(func() {
			if got, err := other.AwaitTurn(t.Context(), w.tenant, id, 1); err != nil || got.Status != parley.TurnAnswered {
				t.Errorf("the turn is %+v, %v; want it answered", got, err)
			}
		})
	}
	gated.reached(t, waiting, 0)
	gated.mu.Lock()
	gated.closed = true
	gated.mu.Unlock()
	if err := w.reply(id, 1, nil, "Hello"); err != nil {
		t.Fatal(err)
	}
	other.DoubtTurns()
	gated.reached(t, waiting, hub.LookAtOnce)
	for range waiting / 2 { // whoever is not bounded comes in while these leave
		gated.gate <- struct{}{}
	}
	close(gated.gate)
	all.Wait()
	if gated.most != hub.LookAtOnce {
		t.Errorf("%d read at the same time, want %d", gated.most, hub.LookAtOnce)
	}
}

// Whoever has waited for as long as may be looks once more: who closed the turn may have told nobody.
func TestWhoeverWaitedLongEnoughLooksOnceMore(t *testing.T) {
	w := newWorld(t, storetest.Open(t), oneBot)
	w.runsBots()
	gated := &gatedStore{Store: w.store}
	other := hub.New(hub.Config{Store: gated, Clock: w.now, Logger: slog.New(slog.DiscardHandler)}) // hears nothing of the first
	id := w.start()
	for _, test := range []struct {
		why  error
		want parley.TurnStatus
	}{{context.Canceled, parley.TurnOpen}, {context.DeadlineExceeded, parley.TurnAnswered}} {
		question := w.say(id, parley.Customer, parley.TypeText)
		ctx, end := context.WithCancelCause(t.Context())
		defer end(nil)
		var all sync.WaitGroup
		before := gated.done
		all.Go(func() {
			got, err := other.AwaitTurn(ctx, w.tenant, id, question.Seq)
			if got.Status != test.want || (err == nil) != (test.want == parley.TurnAnswered) {
				t.Errorf("%v: the turn is %+v, %v", test.why, got, err)
			}
		})
		gated.reached(t, before+1, 0)
		if err := w.reply(id, question.Seq, nil, "Hello"); err != nil {
			t.Fatal(err)
		}
		end(test.why)
		all.Wait()
	}
}
