package notify

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley"
	"parley/ident"
	"parley/store"
	"parley/store/storetest"
)

// crashed is a record to which nothing can be written any more: its process is gone.
type crashed struct {
	*store.Store
	gone bool
}

var errCrashed = errors.New("killed")

func (c *crashed) Update(ctx context.Context, fn func(parley.Tx) error) error {
	if c.gone {
		return errCrashed
	}
	return c.Store.Update(ctx, fn)
}

// A hub that is killed while it tells, at any place, loses nothing: who goes on tells the rest in order, and what may have been told again
// under the same id.
func TestNothingIsLostOverACrash(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) {
		s := newStage(t, open)
		names := []string{"a", "b", "c", "d", "e", "f", "g"}
		for at := 1; at <= len(names); at++ {
			record := &crashed{Store: s.store}
			s.restart(record)
			var g *target
			heard := 0
			g = newTarget(t, func(http.ResponseWriter, *http.Request, *call) {
				if heard++; heard == at {
					record.gone = true
				}
			})
			sub := s.subscribe(g, enabled, func(p *parley.Subscription) { p.Bot = ident.New[parley.ClientApplication]() })
			s.bot = sub.Bot
			s.track(names...)
			_ = s.notifier.round(t.Context())
			s.notifier.running.Wait()
			if !record.gone {
				t.Fatal("it was not killed")
			}
			s.restart(s.store)
			s.now = s.now.Add(time.Minute)
			s.work()
			ids, first := map[string]string{}, []string{}
			for _, c := range g.calls {
				id := c.header.Get("Webhook-Id")
				if before, again := ids[id]; again && before != c.event() {
					t.Errorf("the id of %s came with %s", before, c.event())
				} else if !again {
					ids[id] = c.event()
					first = append(first, c.event())
				}
			}
			if diff := cmp.Diff(names, first); diff != "" {
				t.Errorf("killed at %d: told (-want +got)\n%s", at, diff)
			}
			if n := s.owed(sub); n != 0 {
				t.Errorf("%d are owed in the end", n)
			}
		}
	})
}

// What fails is tried again by the schedule, and nothing overtakes it. One good answer is enough to go on.
func TestFailuresAreTriedAgain(t *testing.T) {
	s := newStage(t, storetest.Open)
	works := false
	g := newTarget(t, func(w http.ResponseWriter, _ *http.Request, _ *call) {
		if !works {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	sub := s.subscribe(g, enabled)
	s.track("a", "b")
	for _, wait := range Schedule[:len(Schedule)-1] {
		s.work()
		s.now = s.now.Add(wait/2 - 1)
		s.work() // too early
		s.now = s.now.Add(wait/2 + 1)
	}
	works = true
	s.work()
	want := slices.Concat(slices.Repeat([]string{"a"}, len(Schedule)), []string{"b"})
	if diff := cmp.Diff(want, g.told()); diff != "" {
		t.Errorf("told (-want +got)\n%s", diff)
	}
	if got := s.status(sub); got != parley.SubscriptionEnabled {
		t.Errorf("status = %s", got)
	}
}

// Who fails too often, or answers that it is gone, loses the subscription, and hears so; nothing is owed to it any more.
func TestWhoFailsTooOftenIsToldNoMore(t *testing.T) {
	for status, calls := range map[int]int{http.StatusBadGateway: len(Schedule) + 1, http.StatusNotFound: len(Schedule) + 1, http.StatusGone: 1} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			s := newStage(t, storetest.Open)
			g := newTarget(t, func(w http.ResponseWriter, _ *http.Request, _ *call) { w.WriteHeader(status) })
			sub := s.subscribe(g, enabled)
			s.track("a", "b")
			for range len(Schedule) + 2 {
				s.work()
				s.now = s.now.Add(time.Hour)
			}
			if diff := cmp.Diff(append(slices.Repeat([]string{"a"}, calls), kindRevocation), g.told()); diff != "" {
				t.Errorf("the target was sent (-want +got)\n%s", diff)
			}
			if !strings.Contains(string(g.calls[len(g.calls)-1].body), string(parley.SubscriptionFailed)) {
				t.Errorf("the revocation is %s", g.calls[len(g.calls)-1].body)
			}
			s.track("c")
			if got := s.status(sub); got != parley.SubscriptionFailed || s.owed(sub) != 0 {
				t.Errorf("status = %s, %d are owed", got, s.owed(sub))
			}
			if log := s.log.String(); !strings.Contains(log, "a subscription is over") || strings.Contains(log, "in-the-url") || strings.Contains(log, secret) {
				t.Errorf("the log says %s", log)
			}
		})
	}
}

// Too much that piled up behind a failure ends it, too: what nobody takes is not kept for ever.
func TestTooMuchPilesUp(t *testing.T) {
	s := newStage(t, storetest.Open)
	g := newTarget(t, func(w http.ResponseWriter, _ *http.Request, _ *call) { w.WriteHeader(http.StatusBadGateway) })
	sub := s.subscribe(g, enabled)
	s.notifier.config.Owed = 3
	s.track("a", "b", "c")
	s.work()
	if got := s.status(sub); got != parley.SubscriptionEnabled {
		t.Errorf("with three: %s", got)
	}
	s.track("d")
	s.now = s.now.Add(time.Minute)
	s.work()
	if got := s.status(sub); got != parley.SubscriptionFailed || s.owed(sub) != 0 {
		t.Errorf("status = %s, %d are owed", got, s.owed(sub))
	}
}

// Whoever takes long keeps nobody else waiting.
func TestSlowTargetsHoldNobodyUp(t *testing.T) {
	s := newStage(t, storetest.Open)
	release, arrived := make(chan struct{}), make(chan struct{}, 16)
	slow := newTarget(t, func(http.ResponseWriter, *http.Request, *call) {
		arrived <- struct{}{}
		<-release
	})
	heard := make(chan struct{}, 1)
	quick := newTarget(t, func(http.ResponseWriter, *http.Request, *call) { heard <- struct{}{} })
	for range 5 {
		s.subscribe(slow, enabled)
	}
	s.subscribe(quick, enabled)
	s.track("a")
	if err := s.notifier.round(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		<-arrived
	}
	<-heard // while five wait
	s.track("b")
	if err := s.notifier.round(t.Context()); err != nil { // the five are not begun again
		t.Fatal(err)
	}
	close(release)
	s.notifier.running.Wait()
	s.work()
	if n := len(slow.told()); n != 10 {
		t.Errorf("the slow ones were told %d times, want 2 each", n)
	}
}
