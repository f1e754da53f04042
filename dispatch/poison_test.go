package dispatch

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"testing/synctest"

	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"parley"
	"parley/ident"
	"parley/store"
	"parley/store/storetest"
)

// A message that makes the hub panic when it is rendered costs its own lane time: the process lives, what was delivered before it is not
// repeated, other lanes of the receiver go on, nothing counts against it, and once the bug is mended everything comes, in order.
func TestMessageThatCannotBeRendered(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) {
		var c clock
		s, app := open(t, storetest.Clock(c.now)), ident.New[parley.ClientApplication]()
		r := newReceiver(t, nil)
		application(t, s, app, r.URL, nil)
		var mended atomic.Bool
		var panics atomic.Int64
		d := start(t, s, func(config *Config) {
			config.Clock, config.Sweep, config.Logger = c.now, 10*time.Millisecond, slog.New(slog.DiscardHandler)
			config.AssetURL = func(parley.TenantID, parley.AssetID) string {
				if !mended.Load() {
					panics.Add(1)
					panic("planted")
				}
				return "https://hub.example/asset"
			}
		})
		first := storetest.Start("")
		first.Conversation.State.Parties[1].Application = app
		poisoned := storetest.Say(first.Conversation, parley.Customer, "", 2)
		poisoned.Messages[0].Body.Attachments = []parley.Attachment{{Asset: ident.New[parley.Asset]()}}
		third := storetest.Say(poisoned.Conversation, parley.Customer, "", 2)
		for _, done := range storetest.MustCommit(t, s, first, poisoned, third) {
			d.Wake(done)
		}
		waitFor(t, "the panic", func() bool { return panics.Load() == 1 && d.pool.idle() })
		_, wake := says(t, s, 2, app)
		d.Wake(parley.Committed{Wake: wake})
		waitFor(t, "the other lane", func() bool { return len(r.got()) == 3 })
		for again := int64(2); again < 4; again++ {
			c.set(time.Duration(again) * time.Minute)
			waitFor(t, "another try", func() bool { return panics.Load() >= again && d.pool.idle() })
		}
		mended.Store(true)
		c.set(time.Hour)
		waitFor(t, "the rest", func() bool { return states(t, s, first.Conversation.ID).Acked[1] == 3 })
		if got := texts(r); !slices.Equal(got, []string{"1", "1", "2", "2", "3"}) {
			t.Errorf("came in the order %s, want each once", strings.Join(got, " "))
		}
		if n := attempts(t, s, first.Conversation.ID); n != 3 {
			t.Errorf("%d attempts in the record, want 3", n)
		}
		if all, err := s.Healths(t.Context(), parley.DefaultTenant); err != nil || len(all) != 1 || !all[0].Failing.IsZero() || all[0].Dead != 0 {
			t.Errorf("health = %+v, %v", all, err)
		}
	})
}

// While it cannot be rendered it is tried ever less often, up to every five minutes, for as long as it takes; operators see that. Then it comes.
func TestMessageThatCannotBeRenderedBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, app := storetest.Open(t), ident.New[parley.ClientApplication]()
		application(t, s, app, "https://bot.example/", nil)
		var mended atomic.Bool
		var panics, came atomic.Int64
		const sweep = 10 * time.Second
		d := New(Config{Store: s, Work: true, Sweep: sweep, Schedule: []time.Duration{time.Second}, Logger: slog.New(slog.DiscardHandler), AssetURL: func(parley.TenantID, parley.AssetID) string {
			if !mended.Load() {
				panics.Add(1)
				panic("planted")
			}
			return "https://hub.example/asset"
		}})
		d.sender.clients.common.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
			came.Add(1)
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(&bytes.Buffer{}), Request: r}, nil
		})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = d.Run(ctx) // ends with the context
		}()
		pass := func(by time.Duration) {
			select {
			case <-time.After(by):
			case <-done:
			}
		}
		step := storetest.Start("")
		step.Conversation.State.Parties[1].Application = app
		step.Messages[0].Body.Attachments = []parley.Attachment{{Asset: ident.New[parley.Asset]()}}
		d.Wake(storetest.MustCommit(t, s, step)[0])
		pass(time.Hour)
		hour := panics.Load()
		if hour < 12 || hour > 25 {
			t.Errorf("tried %d times in the first hour, want a few quickly and then one every five minutes", hour)
		}
		pass(6 * time.Hour) // longer than the schedule
		if n := panics.Load() - hour; n < 6*11 || n > 6*13 {
			t.Errorf("tried %d times in the six hours after, want one every five minutes", n)
		}
		if n := testutil.ToFloat64(d.metrics.faults.WithLabelValues("request")); n != float64(panics.Load()) {
			t.Errorf("operators see %v faults, want %d", n, panics.Load())
		}
		mended.Store(true)
		pass(ourFaultLongest + overdueBy + sweep)
		if came.Load() != 1 || states(t, s, step.Conversation.ID).Acked[1] != 1 {
			t.Errorf("%d came after the bug was mended, want the message", came.Load())
		}
		stop()
		<-done
	})
}
