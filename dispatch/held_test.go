package dispatch

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"parley"
	"parley/ident"
	"parley/store"
	"parley/store/storetest"
)

// What is held for a receiver ends when its role is gone, as it does for one that is well: nobody could enable it any more. Whoever is
// held and still there stays held.
func TestHeldLanesEndWithTheirRole(t *testing.T) {
	for held, unwell := range map[string]func(t *testing.T, s *store.Store, receiver int64) error{
		"disabled": func(t *testing.T, s *store.Store, receiver int64) error {
			return s.Disable(t.Context(), receiver, "planted")
		},
		"broken": func(t *testing.T, s *store.Store, receiver int64) error {
			_, err := s.Break(t.Context(), receiver, false, func(int) time.Duration { return 24 * time.Hour })
			return err
		},
	} {
		t.Run(held, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) {
				var c clock
				s, gone, stays := open(t, storetest.Clock(c.now)), ident.New[parley.ClientApplication](), ident.New[parley.ClientApplication]()
				r := newReceiver(t, func(int, *http.Request) (int, map[string]string, string) { return http.StatusOK, nil, "" })
				application(t, s, gone, r.URL, nil)
				application(t, s, stays, r.URL, nil)
				first, _ := says(t, s, 2, gone)
				second, _ := says(t, s, 1, gone)
				other, _ := says(t, s, 1, stays)
				all, err := s.Healths(t.Context(), parley.DefaultTenant)
				if err != nil || len(all) != 2 {
					t.Fatal(all, err)
				}
				for _, h := range all {
					if err := unwell(t, s, h.Key); err != nil {
						t.Fatal(err)
					}
				}
				if err := s.Update(t.Context(), func(tx parley.Tx) error {
					return tx.Applications().Delete(t.Context(), parley.DefaultTenant, gone)
				}); err != nil {
					t.Fatal(err)
				}
				hub := &deadLetters{}
				start(t, s, func(config *Config) { config.Clock, config.Sweep, config.Hub = c.now, 10*time.Millisecond, hub })
				c.set(time.Minute)
				waitFor(t, "the end of what was held", func() bool {
					return states(t, s, first[0].Conversation.ID).Acked[1] == 2 && states(t, s, second[0].Conversation.ID).Acked[1] == 1
				})
				dead := givenUp(t, s, parley.StateDead)
				if len(dead) != 3 || !strings.Contains(dead[0].Reason, "does not exist any more") {
					t.Errorf("dead letters = %+v, want the three with why", dead)
				}
				waitFor(t, "the hub to hear of them", func() bool { return len(hub.heard()) == 3 })
				if acked := states(t, s, other[0].Conversation.ID).Acked[1]; acked != 0 || len(r.got()) != 0 {
					t.Errorf("what is held for the other receiver is acked up to %d, and %d requests were made", acked, len(r.got()))
				}
			})
		})
	}
}

// A receiver that is disabled while a lane of it is being emptied gets nothing more, nor what waits for its turn under a rate; enabled again
// it has the rest, in order.
func TestDisabledReceiverGetsNothingMore(t *testing.T) {
	const messages, upto = 30, 3
	for name, rate := range map[string]float64{"busy": 0, "waiting": 5} {
		t.Run(name, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) {
				var c clock
				s, app := open(t, storetest.Clock(c.now)), ident.New[parley.ClientApplication]()
				var d *Dispatcher
				var key int64
				r := newReceiver(t, func(n int, _ *http.Request) (int, map[string]string, string) {
					if n == upto { // somebody looks at what comes, and has enough
						if err := s.Disable(context.WithoutCancel(t.Context()), key, "planted"); err != nil {
							t.Error(err)
						}
						d.Forget()
					}
					return http.StatusOK, nil, ""
				})
				application(t, s, app, r.URL, nil, func(role *parley.ApplicationRole) { role.Delivery.PerSecond = rate })
				d = start(t, s, func(config *Config) { config.Clock, config.Sweep = c.now, 10*time.Millisecond })
				steps, wake := says(t, s, messages, app)
				all, err := s.Healths(t.Context(), parley.DefaultTenant)
				if err != nil || len(all) != 1 {
					t.Fatal(all, err)
				}
				key = all[0].Key
				d.Wake(parley.Committed{Wake: wake})
				waitFor(t, "the lane to be given back", func() bool { return len(r.got()) >= upto && d.pool.idle() })
				if n := len(r.got()); n != upto || states(t, s, steps[0].Conversation.ID).Acked[1] != upto {
					t.Errorf("%d came, want none after it was disabled with the %d.", n, upto)
				}
				change(t, s, app, func(role *parley.ApplicationRole) { role.Delivery.PerSecond = 0 })
				if err := s.Disable(t.Context(), key, ""); err != nil {
					t.Fatal(err)
				}
				d.Forget()
				c.set(time.Minute)
				waitFor(t, "the rest", func() bool { return states(t, s, steps[0].Conversation.ID).Acked[1] == messages })
				for i, text := range texts(r) {
					if text != strconv.Itoa(i+1) {
						t.Fatalf("came in the order %v", texts(r))
					}
				}
			})
		})
	}
}

// A receiver that is back gets what was held for it a page a sweep, the longest held first, so that it is not thrown over again by all of
// it at once.
func TestHeldLanesComeBackAtABoundedRate(t *testing.T) {
	const conversations = 2*sweepPage + 10
	storetest.Each(t, func(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) {
		var c clock
		s, app := open(t, storetest.Clock(c.now)), ident.New[parley.ClientApplication]()
		r := newReceiver(t, nil)
		application(t, s, app, r.URL, nil)
		var ids []parley.ConversationID
		for half := range 2 { // the first are due for longer than the others
			var steps []*parley.Step
			for range conversations / 2 {
				step := storetest.Start("")
				step.Conversation.State.Parties[1].Application = app
				steps, ids = append(steps, step), append(ids, step.Conversation.ID)
			}
			c.set(time.Duration(half) * time.Second)
			storetest.MustCommit(t, s, steps...)
		}
		c.set(time.Minute)
		for sweeps, want := 1, 0; want < conversations; sweeps++ {
			want = min(conversations, sweeps*sweepPage)
			d := start(t, s, func(config *Config) { config.Clock = c.now }) // sweeps once
			waitFor(t, "what one sweep takes", func() bool { return len(r.got()) >= want && d.pool.idle() })
			if n := len(r.got()); n != want {
				t.Fatalf("%d came after %d sweeps, want %d", n, sweeps, want)
			}
			if sweeps == 1 && slices.ContainsFunc(ids[conversations/2:], func(id parley.ConversationID) bool { return states(t, s, id).Acked[1] > 0 }) {
				t.Error("who waited for less came before who waited for longest")
			}
		}
	})
}
