package dispatch

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"parley"
	"parley/ident"
	"parley/store/storetest"
)

// The usual schedule in full, over days of time that does not pass: each retry comes when it is due, the first within a
// second, whether a timer of this process or the sweeper finds it; after the last one the delivery is dead. At the longest
// waits that jitter gives.
func TestScheduleOverDays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, app := storetest.Open(t), ident.New[parley.ClientApplication]()
		application(t, s, app, "https://bot.example/", nil, func(role *parley.ApplicationRole) { role.Delivery.DisableAfter = -1 })
		var mu sync.Mutex
		var at []time.Time
		const sweep = 30 * time.Second
		d := New(Config{Store: s, Work: true, Sweep: sweep, Random: func() float64 { return 0.999999 }, Logger: slog.New(slog.DiscardHandler)})
		d.sender.clients.common.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
			if _, err := io.ReadAll(r.Body); err != nil {
				return nil, errors.New("no body")
			}
			mu.Lock()
			defer mu.Unlock()
			at = append(at, time.Now())
			return &http.Response{StatusCode: http.StatusServiceUnavailable, Header: http.Header{}, Body: io.NopCloser(&bytes.Buffer{}), Request: r}, nil
		})
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = d.Run(ctx) // ends with the context
		}()
		_, wake := says(t, s, 1, app)
		d.Wake(parley.Committed{Wake: wake})
		total := time.Minute
		for _, wait := range Schedule {
			total += wait + sweep + overdueBy
		}
		select { // time passes while everything waits
		case <-time.After(total):
		case <-done:
		}
		stop()
		<-done
		mu.Lock()
		defer mu.Unlock()
		if len(at) != len(Schedule)+1 {
			t.Fatalf("%d attempts, want %d", len(at), len(Schedule)+1)
		}
		for i, wait := range Schedule {
			took, slack := at[i+1].Sub(at[i]), 10*time.Millisecond
			if wait > shortRetry { // the sweeper's
				slack = sweep + overdueBy
			}
			if took < wait-time.Millisecond || took > wait+slack {
				t.Errorf("attempt %d came %v after the one before, want %v", i+2, took, wait)
			}
		}
		if dead := givenUp(t, s, parley.StateDead); len(dead) != 1 {
			t.Errorf("%d dead letters, want one", len(dead))
		}
	})
}
