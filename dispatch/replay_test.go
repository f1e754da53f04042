package dispatch

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"parley"
	"parley/ident"
	"parley/store"
	"parley/store/storetest"
)

// With the policy skip a dead delivery is tried again when somebody wants that, beside what the lane owes and under its
// id; if that fails it is dead as before.
func TestDeadDeliveriesAreReplayed(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) {
		var c clock
		s, app := open(t, storetest.Clock(c.now)), ident.New[parley.ClientApplication]()
		r, refusing := refuse(t, "message 2")
		application(t, s, app, r.URL, nil)
		d := start(t, s, func(config *Config) { config.Clock, config.Sweep = c.now, 10*time.Millisecond })
		steps, wake := says(t, s, 3, app)
		d.Wake(parley.Committed{Wake: wake})
		waitFor(t, "all three", func() bool { return states(t, s, steps[0].Conversation.ID).Acked[1] == 3 })
		replay := func() {
			t.Helper()
			err := s.Update(t.Context(), func(tx parley.Tx) error {
				n, err := tx.Replay(t.Context(), parley.DeadLetterQuery{Tenant: parley.DefaultTenant, Application: app}, 10, c.now(), time.Second)
				if n != 1 {
					return fmt.Errorf("%d are replayed: %w", n, err)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		replay()
		c.set(time.Minute)
		waitFor(t, "the second refusal", func() bool { return len(r.got()) == 4 && len(givenUp(t, s, parley.StateDead)) == 1 })
		refusing.Store(false)
		replay()
		c.set(2 * time.Minute)
		waitFor(t, "the replay", func() bool { return len(givenUp(t, s, parley.StateReplayed)) == 1 })
		got := r.got()
		if len(got) != 5 || got[4].text != "message 2" || got[4].id != got[1].id {
			t.Errorf("after the replay the receiver has %+v, want message 2 under its id", got)
		}
		next := storetest.Say(steps[2].Conversation, parley.Customer, "", 2)
		next.Lease, next.LeaseNot = d.Lease()
		d.Wake(storetest.MustCommit(t, s, next)[0])
		waitFor(t, "the lane to go on", func() bool { return states(t, s, steps[0].Conversation.ID).Acked[1] == 4 })
	})
}

// Those that are replayed at a rate come one after the other, by both policies and also within one conversation, and none before its time. Within a
// conversation they keep their distances also when the first is late.
func TestReplayKeepsItsRate(t *testing.T) {
	for name, policy := range map[string]struct{ block, one bool }{"skip": {}, "skip, one conversation": {one: true}, "block": {block: true}} {
		t.Run(name, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) {
				const dead = 4
				var c clock
				s, app := open(t, storetest.Clock(c.now)), ident.New[parley.ClientApplication]()
				r, refusing := refuse(t, "")
				application(t, s, app, r.URL, nil, func(role *parley.ApplicationRole) { role.Delivery.Block = policy.block })
				d := start(t, s, func(config *Config) { config.Clock, config.Sweep = c.now, 10*time.Millisecond })
				conversations, messages := dead, 1
				if policy.one {
					conversations, messages = 1, dead
				}
				for range conversations {
					_, wake := says(t, s, messages, app)
					d.Wake(parley.Committed{Wake: wake})
				}
				waitFor(t, "the dead deliveries", func() bool { return len(givenUp(t, s, parley.StateDead)) == dead })
				refusing.Store(false)
				if err := s.Update(t.Context(), func(tx parley.Tx) error {
					_, err := tx.Replay(t.Context(), parley.DeadLetterQuery{Tenant: parley.DefaultTenant}, 10, c.now(), time.Hour)
					return err
				}); err != nil {
					t.Fatal(err)
				}
				for i := range dead {
					c.set(time.Duration(i)*time.Hour + time.Duration(i+1)*time.Minute) // each is a minute late
					waitFor(t, "one more", func() bool { return len(r.got()) >= dead+i+1 && d.pool.idle() })
					if n := len(r.got()) - dead; n != i+1 {
						t.Errorf("%d came within %d hours, want %d", n, i, i+1)
					}
				}
			})
		})
	}
}

// A conversation in which replays wait for their time is free meanwhile: what is said in it comes at once, and the next replay comes when it
// is due, not when the sweeper looks.
func TestReplaysThatWaitHoldNothingUp(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) {
		s, app := open(t), ident.New[parley.ClientApplication]()
		r, refusing := refuse(t, "")
		application(t, s, app, r.URL, nil)
		d := start(t, s, nil) // without a sweeper
		steps, wake := says(t, s, 3, app)
		d.Wake(parley.Committed{Wake: wake})
		waitFor(t, "the dead deliveries", func() bool { return len(givenUp(t, s, parley.StateDead)) == 3 && d.pool.idle() })
		refusing.Store(false)
		begin := time.Now()
		for _, q := range []struct {
			n     int
			first time.Duration
		}{{2, 0}, {1, time.Hour}} {
			if err := s.Update(t.Context(), func(tx parley.Tx) error {
				n, err := tx.Replay(t.Context(), parley.DeadLetterQuery{Tenant: parley.DefaultTenant}, q.n, time.Now().Add(q.first), 300*time.Millisecond)
				if n != q.n {
					t.Errorf("%d are replayed, want %d", n, q.n)
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
		d.Wake(parley.Committed{Wake: wake[:1]})
		waitFor(t, "two replays", func() bool { return len(givenUp(t, s, parley.StateReplayed)) == 2 && d.pool.idle() })
		if after := r.got()[4].at.Sub(begin); after < 299*time.Millisecond {
			t.Errorf("the second replay came after %v, want 300 ms", after)
		}
		next := storetest.Say(steps[2].Conversation, parley.Customer, "", 2)
		next.Lease, next.LeaseNot = d.Lease()
		d.Wake(storetest.MustCommit(t, s, next)[0])
		waitFor(t, "the message", func() bool { return states(t, s, steps[0].Conversation.ID).Acked[1] == 4 && d.pool.idle() })
		if got, again := texts(r)[3:], givenUp(t, s, parley.StateAgain); !slices.Equal(got, []string{"1", "2", "4"}) || len(again) != 1 || again[0].At.Before(time.Now().Add(50*time.Minute)) {
			t.Errorf("came %v, and %+v waits; want the first two again and the new one, and the third in an hour", got, again)
		}
	})
}

// Replays of one conversation whose receiver was held for long do not come all at once after that.
func TestLateReplaysKeepTheirDistances(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) {
		const dead = 4
		var c clock
		s, app := open(t, storetest.Clock(c.now)), ident.New[parley.ClientApplication]()
		r, refusing := refuse(t, "")
		application(t, s, app, r.URL, nil)
		d := start(t, s, func(config *Config) { config.Clock, config.Sweep = c.now, 10*time.Millisecond })
		_, wake := says(t, s, dead, app)
		d.Wake(parley.Committed{Wake: wake})
		waitFor(t, "the dead deliveries", func() bool { return len(givenUp(t, s, parley.StateDead)) == dead && d.pool.idle() })
		refusing.Store(false)
		if err := s.Update(t.Context(), func(tx parley.Tx) error {
			_, err := tx.Replay(t.Context(), parley.DeadLetterQuery{Tenant: parley.DefaultTenant}, 10, c.now().Add(time.Hour), time.Hour)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		for i := range dead {
			c.set(time.Duration(10+i)*time.Hour + time.Duration(i+1)*time.Minute)
			waitFor(t, "one more", func() bool { return len(r.got()) >= dead+i+1 && d.pool.idle() })
			if n := len(r.got()) - dead; n != i+1 {
				t.Fatalf("%d came, want %d", n, i+1)
			}
		}
	})
}
