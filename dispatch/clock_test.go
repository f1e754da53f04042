package dispatch

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"parley"
	"parley/ident"
	"parley/store"
	"parley/store/storetest"
)

// A clock that can be set.
type clock struct {
	mu  sync.Mutex
	off time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.off)
}

func (c *clock) set(off time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.off = off
}

// Guarantee G5 when the clock is set back, or ahead, while a delivery waits for its next try: it comes, in order, once the
// clock says so; lanes that owe something new are not held up.
func TestRetriesOverClockJumps(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) {
		var c clock
		s, app, other := open(t, storetest.Clock(c.now)), ident.New[parley.ClientApplication](), ident.New[parley.ClientApplication]()
		r := newReceiver(t, func(n int, _ *http.Request) (int, map[string]string, string) {
			if n == 1 {
				return http.StatusServiceUnavailable, nil, ""
			}
			return http.StatusOK, nil, ""
		})
		healthy := newReceiver(t, nil)
		application(t, s, app, r.URL, nil)
		application(t, s, other, healthy.URL, nil)
		d := start(t, s, func(config *Config) {
			config.Clock, config.Sweep, config.Schedule = c.now, 20*time.Millisecond, []time.Duration{10 * time.Minute, time.Hour}
		})
		_, wake := says(t, s, 2, app)
		d.Wake(parley.Committed{Wake: wake})
		waitFor(t, "the first try", func() bool { return len(r.got()) == 1 })
		c.set(-time.Hour)
		_, wake = says(t, s, 2, other)
		d.Wake(parley.Committed{Wake: wake})
		waitFor(t, "a healthy receiver, by the clock that was set back", func() bool { return len(healthy.got()) == 2 })
		if n := len(r.got()); n != 1 {
			t.Errorf("%d tries before the second was due", n)
		}
		c.set(2 * time.Minute)
		waitFor(t, "what waited", func() bool { return len(r.got()) == 3 })
		if got := r.got(); got[0].id != got[1].id || got[1].id == got[2].id {
			t.Errorf("deliveries %+v, want the first again and then the second", got)
		}
	})
}
