package figures_test

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"parley"
	"parley/insight/figures"
	"parley/store/storetest"
)

// What is said counts within five seconds (reference/analytics.md 1), by the clock of a counter that runs as the hub runs it, also when nothing was
// said for a while.
func TestSaidCountsWithinFiveSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &ground{now: time.Now(), store: storetest.Open(t, storetest.Clock(time.Now))}
		w := g.world(t)
		counter := figures.NewCounter(figures.Config{Record: w.store, Logger: slog.New(slog.DiscardHandler)})
		ctx, end := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = counter.Run(ctx)
		}()
		k := w.begin("web_chat", "en", 0, false, "", parley.Campaign{})
		for said := 1; said <= 3; said++ {
			<-time.After(time.Minute) // nothing is said
			w.now = time.Now()
			w.says(k, parley.Customer, parley.Body{Content: &parley.Content{Text: "Where is my order?"}})
			for w.counted(k) < said && time.Since(w.now) < time.Minute {
				<-time.After(10 * time.Millisecond)
			}
			if took := time.Since(w.now); took > 5*time.Second {
				t.Errorf("message %d counts after %v, want 5 s at most", said, took)
			}
		}
		end()
		<-ended
		if err := w.store.Close(); err != nil {
			t.Error(err)
		}
	})
}

// counted is how many messages of the customer's count.
func (w *world) counted(k *talk) (n int) {
	w.t.Helper()
	if err := w.store.View(w.t.Context(), func(tx parley.Tx) error {
		visits, err := tx.VisitsOf(w.t.Context(), w.tenant.ID, k.state.ID)
		for _, v := range visits {
			n += v.Facts.User
		}
		return err
	}); err != nil {
		w.t.Fatal(err)
	}
	return n
}
