package dispatch

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"parley"
	"parley/ident"
	"parley/store"
	"parley/store/storetest"
)

// Who works for one node does not do nothing but fail: a failure that another node saw days ago, and what that node keeps of it, disables
// nobody. Real days of failures on both do.
func TestNodesAgreeOnWhoOnlyFails(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) {
		var c clock
		s, app := open(t, storetest.Clock(c.now)), ident.New[parley.ClientApplication]()
		r, refusing := refuse(t, "message 1")
		application(t, s, app, r.URL, nil, func(role *parley.ApplicationRole) { role.Delivery.DisableAfter = 48 * time.Hour })
		node := func() *Dispatcher {
			return New(Config{Store: s, Allow: loopback, Clock: c.now, Logger: slog.New(slog.DiscardHandler)})
		}
		one, two := node(), node()
		try := func(d *Dispatcher, at time.Duration, fails bool) (disabled string) {
			t.Helper()
			c.set(at)
			refusing.Store(fails)
			_, wake := says(t, s, 1, app)
			lanes, err := s.Claim(t.Context(), wake, lease)
			if err != nil || len(lanes) != 1 {
				t.Fatal(lanes, err)
			}
			d.work(t.Context(), lanes[0], nil)
			all, err := s.Healths(t.Context(), parley.DefaultTenant)
			if err != nil || len(all) != 1 {
				t.Fatal(all, err)
			}
			return all[0].Disabled
		}
		try(one, 0, false)
		try(two, time.Hour, true) // and then two has nothing for it
		for at := 2 * time.Hour; at < 60*time.Hour; at += 10 * time.Hour {
			try(one, at, false)
		}
		for _, d := range []*Dispatcher{two, one} {
			if why := try(d, 60*time.Hour, true); why != "" {
				t.Errorf("disabled although it worked for the other node: %s", why)
			}
		}
		if why := try(two, 109*time.Hour, true); !strings.Contains(why, "nothing but failures") {
			t.Errorf("disabled = %q after 49 hours of failures on both", why)
		}
	})
}
