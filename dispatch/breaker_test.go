package dispatch

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"parley"
	"parley/ident"
	"parley/store"
	"parley/store/storetest"
)

// What is held for a receiver that fails is not tried again and again: the breaker opens, one delivery tries it, and when
// that is good everything comes, in order. Another receiver does not notice.
func TestBreakerHoldsAndProbes(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) {
		var c clock
		s, app, other := open(t, storetest.Clock(c.now)), ident.New[parley.ClientApplication](), ident.New[parley.ClientApplication]()
		var failing atomic.Bool
		failing.Store(true)
		r := newReceiver(t, func(int, *http.Request) (int, map[string]string, string) {
			if failing.Load() {
				return http.StatusInternalServerError, nil, ""
			}
			return http.StatusOK, nil, ""
		})
		healthy := newReceiver(t, nil)
		application(t, s, app, r.URL, nil)
		application(t, s, other, healthy.URL, nil)
		d := start(t, s, func(config *Config) {
			config.Clock, config.Sweep, config.Schedule = c.now, 10*time.Millisecond, slices.Repeat([]time.Duration{time.Millisecond}, 1000)
		})
		broken := func() *parley.Health {
			all, err := s.Healths(t.Context(), parley.DefaultTenant)
			if err != nil {
				t.Fatal(err)
			}
			for _, h := range all {
				if h.Application == app {
					return &h
				}
			}
			return &parley.Health{}
		}
		const conversations = 5
		for range conversations {
			_, wake := says(t, s, 2, app)
			d.Wake(parley.Committed{Wake: wake})
		}
		waitFor(t, "the breaker", func() bool { return !broken().Broken.IsZero() })
		waitFor(t, "attempts in flight", func() bool { b := broken(); return b.Owing == conversations && d.pool.idle() })
		tries := len(r.got())
		if tries < breakerFewest || tries > 2*breakerFewest {
			t.Errorf("%d attempts before the breaker opened, want about %d", tries, breakerFewest)
		}
		_, wake := says(t, s, 1, app)
		_, well := says(t, s, 1, other)
		d.Wake(parley.Committed{Wake: append(wake, well...)})
		waitFor(t, "the other receiver", func() bool { return len(healthy.got()) == 1 })
		c.set(breakerWait + time.Second)
		waitFor(t, "one more attempt", func() bool { return broken().Breaks == 2 })
		if n := len(r.got()); n != tries+1 {
			t.Errorf("%d attempts when the receiver was tried, want 1", n-tries)
		}
		failing.Store(false)
		c.set(4*breakerWait + 2*time.Second)
		waitFor(t, "the breaker to close", func() bool { return broken().Broken.IsZero() })
		c.set(5*breakerWait + 10*time.Second)
		waitFor(t, "what was held", func() bool { return broken().Owing == 0 })
		if h := broken(); h.Breaks != 0 || !h.Failing.IsZero() || h.Dead != 0 {
			t.Errorf("afterwards %+v", *h)
		}
	})
}

// A receiver that does nothing but fail is disabled after days of that, and not before; a good attempt in between counts.
func TestReceiverThatOnlyFailsIsDisabled(t *testing.T) {
	var c clock
	s, app := storetest.Open(t, storetest.Clock(c.now)), ident.New[parley.ClientApplication]()
	r, refusing := refuse(t, "message 1")
	application(t, s, app, r.URL, nil, func(role *parley.ApplicationRole) { role.Delivery.DisableAfter = 48 * time.Hour })
	told := &notices{}
	d := start(t, s, func(config *Config) { config.Clock, config.Notifier = c.now, told })
	try := func(off time.Duration) string {
		c.set(off)
		steps, wake := says(t, s, 1, app)
		d.Wake(parley.Committed{Wake: wake})
		waitFor(t, "the attempt", func() bool { return states(t, s, steps[0].Conversation.ID).Acked[1] == 1 })
		all, err := s.Healths(t.Context(), parley.DefaultTenant)
		if err != nil || len(all) != 1 {
			t.Fatal(all, err)
		}
		return all[0].Disabled
	}
	hears := func(n int) { // before the clock goes on: a notice has the time at which it is sent
		t.Helper()
		waitFor(t, "the notice", func() bool { return told.count(DeliveryGivenUp) == n })
	}
	for i, at := range []time.Duration{0, 47 * time.Hour} {
		if why := try(at); why != "" {
			t.Errorf("disabled after %v: %s", at, why)
		}
		hears(i + 1)
	}
	refusing.Store(false)
	try(47*time.Hour + time.Minute)
	refusing.Store(true)
	if why := try(48*time.Hour + 30*time.Minute); why != "" {
		t.Errorf("disabled although it worked in between: %s", why)
	}
	hears(3)
	if why := try(97 * time.Hour); !strings.Contains(why, "nothing but failures since") {
		t.Errorf("disabled = %q after 48 hours of failures", why)
	}
	// The delivery that made it be disabled was given up, too: people hear of both.
	waitFor(t, "the notices", func() bool { return told.count(ReceiverDisabled) >= 1 && told.count(DeliveryGivenUp) >= 4 })
	if n := told.of[0]; n.Email != "x@example.org" || n.Event != DeliveryGivenUp || !strings.Contains(n.Reason, "422") || n.Delivery.IsZero() {
		t.Errorf("notice = %+v", n)
	}
	if told.count(ReceiverDisabled) != 1 || told.count(DeliveryGivenUp) != 4 {
		t.Errorf("%d notices: %+v", len(told.of), told.of)
	}
}
