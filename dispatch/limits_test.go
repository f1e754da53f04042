package dispatch

import (
	"math"
	"testing"
	"time"

	"parley"
	"parley/ident"
	"parley/store"
	"parley/store/storetest"
)

// change has a role changed, as administrators do.
func change(t testing.TB, s *store.Store, id parley.ApplicationID, to func(*parley.ApplicationRole)) {
	t.Helper()
	if err := s.Update(t.Context(), func(tx parley.Tx) error {
		app, err := tx.Applications().Find(t.Context(), parley.DefaultTenant, id)
		if err != nil {
			return err
		}
		to(&app.Roles[0])
		return tx.Applications().Replace(t.Context(), &app, nil)
	}); err != nil {
		t.Fatal(err)
	}
}

// Deliveries that wait because a rate was set far too low go on as soon as it is corrected, by what the role says then.
func TestCorrectedRateHoldsForWhoWaits(t *testing.T) {
	for name, rate := range map[string]float64{"higher": 1000, "none": 0} {
		t.Run(name, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) {
				const lanes = 5
				s, app := open(t), ident.New[parley.ClientApplication]()
				before, after := newReceiver(t, nil), newReceiver(t, nil)
				application(t, s, app, before.URL, nil, func(role *parley.ApplicationRole) { role.Delivery.PerSecond = 0.001 })
				d := start(t, s, nil)
				for range lanes {
					_, wake := says(t, s, 1, app)
					d.Wake(parley.Committed{Wake: wake})
				}
				waitFor(t, "the first, and the others to wait", func() bool {
					return len(before.got()) == 1 && d.pool.atWork() == lanes-1 && d.limits.reserved() == lanes
				})
				change(t, s, app, func(role *parley.ApplicationRole) { role.Delivery.PerSecond, role.Callback = rate, after.URL })
				d.Forget()
				waitFor(t, "the others", func() bool { return len(after.got()) == lanes-1 && d.pool.idle() })
				if n := len(before.got()); n != 1 {
					t.Errorf("%d came to the old callback, want 1", n)
				}
			})
		})
	}
}

// reserved is how many attempts were reserved of the one receiver, at a rate at which none comes again during a test: who is at work may not have
// come to that yet.
func (l *limits) reserved() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, limit := range l.of {
		return int(math.Ceil(float64(limit.limiter.Burst()) - limit.limiter.Tokens()))
	}
	return 0
}

// A role that is removed while its deliveries wait for their turn ends them like any other.
func TestRoleThatGoesWhileDeliveriesWait(t *testing.T) {
	s, app := storetest.Open(t), ident.New[parley.ClientApplication]()
	r := newReceiver(t, nil)
	application(t, s, app, r.URL, nil, func(role *parley.ApplicationRole) { role.Delivery.PerSecond = 0.001 })
	d := start(t, s, func(c *Config) { c.Sweep = 10 * time.Millisecond })
	for range 2 {
		_, wake := says(t, s, 1, app)
		d.Wake(parley.Committed{Wake: wake})
	}
	waitFor(t, "the first", func() bool { return len(r.got()) == 1 && d.pool.atWork() == 1 })
	if err := s.Update(t.Context(), func(tx parley.Tx) error {
		return tx.Applications().Delete(t.Context(), parley.DefaultTenant, app)
	}); err != nil {
		t.Fatal(err)
	}
	d.Forget()
	waitFor(t, "the other to be given up", func() bool { return len(givenUp(t, s, parley.StateDead)) == 1 })
}

// Whoever read the settings earlier does not bring the old rate back, and what was reserved under it holds no more.
func TestNewestRateWins(t *testing.T) {
	l := newLimits()
	of := func(version uint64, perSecond float64) *target {
		to := &target{version: version}
		to.role.Delivery.PerSecond = perSecond
		return to
	}
	l.reserve(1, of(1, 0.001))
	slow, over := l.reserve(1, of(1, 0.001))
	if slow.Delay() < 900*time.Second {
		t.Fatalf("the second attempt waits %v", slow.Delay())
	}
	fast, _ := l.reserve(1, of(3, 1000))
	select {
	case <-over:
	default:
		t.Error("who waits by the old rate does not hear of the new one")
	}
	late, _ := l.reserve(1, of(2, 0.001))
	if fast.Delay() > time.Second || late.Delay() > time.Second {
		t.Errorf("waits of %v and %v under 1000 a second", fast.Delay(), late.Delay())
	}
	if none, _ := l.reserve(1, of(4, 0)); none != nil {
		t.Errorf("a wait of %v without a rate", none.Delay())
	}
	if none, _ := l.reserve(1, of(2, 0.001)); none != nil {
		t.Errorf("the old rate is back: a wait of %v", none.Delay())
	}
}
