package dispatch

import (
	"net/http"
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
