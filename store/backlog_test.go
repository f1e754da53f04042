package store_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"parley"
	"parley/ident"
	"parley/store"
	"parley/store/storetest"
)

func TestBacklog(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		now := time.Now().UTC().Truncate(time.Millisecond)
		s := open(t, func(c *store.Config) { c.Clock = func() time.Time { return now } })
		check := func(what string, want parley.Backlog) {
			t.Helper()
			if got, err := s.Backlog(t.Context()); err != nil || got != want {
				t.Errorf("%s: Backlog = %+v, %v; want %+v", what, got, err, want)
			}
		}
		check("nothing said", parley.Backlog{})
		since := now
		wake := storetest.MustCommit(t, s, storetest.Start("m1"))[0].Wake
		now = now.Add(time.Second)
		wake = append(wake, storetest.MustCommit(t, s, storetest.Start("m2"))[0].Wake...)
		one := parley.ReceiverStates{OK: 1}
		check("two said", parley.Backlog{Due: 2, Oldest: since, Receivers: one})
		lanes, err := s.Claim(t.Context(), wake[:1], time.Minute)
		if err != nil || len(lanes) != 1 {
			t.Fatal(lanes, err)
		}
		if _, err := s.Finish(t.Context(), parley.Progress{Lane: lanes[0], Failed: 1, Release: true, Retry: now.Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		check("one to be tried later", parley.Backlog{Due: 1, Oldest: now, Receivers: one})
		if err := s.Disable(t.Context(), lanes[0].Receiver.Key, "410"); err != nil {
			t.Fatal(err)
		}
		check("the receiver disabled", parley.Backlog{Held: 1, Receivers: parley.ReceiverStates{Disabled: 1}})
		receiver := lanes[0].Receiver.Key
		if err := s.Disable(t.Context(), receiver, ""); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Failing(t.Context(), receiver, now); err != nil {
			t.Fatal(err)
		}
		check("the receiver fails, and what waited for it is due since it was enabled", parley.Backlog{Due: 2, Oldest: now, Receivers: parley.ReceiverStates{Failing: 1}})
		if _, err := s.Break(t.Context(), receiver, false, func(int) time.Duration { return time.Hour }); err != nil {
			t.Fatal(err)
		}
		check("its breaker opens", parley.Backlog{Held: 2, Receivers: parley.ReceiverStates{Broken: 1}})
		if _, err := s.Well(t.Context(), receiver); err != nil {
			t.Fatal(err)
		}
		if lanes, err = s.Claim(t.Context(), wake[1:], time.Minute); err != nil || len(lanes) != 1 {
			t.Fatal(lanes, err)
		}
		dead := parley.DeadDelivery{Delivery: ident.New[parley.Delivery](), Seq: 1, Reason: "planted"}
		if _, err := s.Finish(t.Context(), parley.Progress{Lane: lanes[0], Release: true, Block: 1, Dead: []parley.DeadDelivery{dead}}); err != nil {
			t.Fatal(err)
		}
		check("a dead delivery keeps its lane", parley.Backlog{Due: 1, Oldest: now, Blocked: 1, Dead: 1, Receivers: one})
		err = s.Update(t.Context(), func(tx parley.Tx) error {
			_, err := tx.Skip(t.Context(), parley.DeadLetterQuery{Tenant: parley.DefaultTenant}, 10)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		check("it was skipped", parley.Backlog{Due: 1, Oldest: now, Receivers: one})
	})
}

// Whoever has the turn, of whatever tenant, open conversations are counted, and ended ones are not.
func TestOpenByOwner(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := open(t)
		check := func(what string, want map[parley.OwnerKind]int) {
			t.Helper()
			err := s.View(t.Context(), func(tx parley.Tx) error {
				got, err := tx.OpenByOwner(t.Context())
				if !maps.Equal(got, want) {
					t.Errorf("%s: OpenByOwner = %v, want %v", what, got, want)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		check("nothing said", nil)
		one, two, foreign := storetest.Start("m1"), storetest.Start("m2"), storetest.Start("m3")
		foreign.Conversation.Tenant = newTenant(t, s)
		storetest.MustCommit(t, s, one, two, foreign)
		check("three said", map[parley.OwnerKind]int{parley.OwnerBot: 3})
		taken, ended := storetest.Say(one.Conversation, parley.CustomBot, "", 1), storetest.Say(two.Conversation, parley.CustomBot, "", 1)
		taken.StateChanged, taken.Conversation.Owner = true, parley.Owner{Kind: parley.OwnerAgent}
		ended.StateChanged, ended.Conversation.Status = true, parley.Ended
		storetest.MustCommit(t, s, taken, ended)
		check("one taken, one ended", map[parley.OwnerKind]int{parley.OwnerBot: 1, parley.OwnerAgent: 1})
	})
}

// What the metrics count again and again does not read the tables that grow.
func TestCountsReadIndexesOnly(t *testing.T) {
	s := storetest.Open(t)
	for what, wants := range map[string][]string{s.PlanOfBacklog(t): {"INDEX lanes_due", "INDEX lanes_blocked", "COVERING INDEX exceptions_dead"},
		s.PlanOfOpen(t): {"COVERING INDEX conversations_open"}} {
		for _, want := range wants {
			if !strings.Contains(what, want) {
				t.Errorf("the plan is %s, want %s", what, want)
			}
		}
	}
}

// The size of the database grows with what is in it.
func TestBytes(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := open(t)
		before, err := s.Bytes(t.Context())
		if err != nil || before < 8192 {
			t.Fatalf("Bytes = %d, %v", before, err)
		}
		if err := s.Fill(t.Context(), 20_000); err != nil {
			t.Fatal(err)
		}
		if after, err := s.Bytes(t.Context()); err != nil || after < before+20_000*100 {
			t.Errorf("Bytes = %d, %v; want more than %d, with 20,000 messages", after, err, before)
		}
	})
}

// PostgreSQL has a clock that all nodes share; that of SQLite is the process's own.
func TestClockAhead(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		const off = 20 * time.Second
		s := open(t, func(c *store.Config) { c.Clock = func() time.Time { return time.Now().Add(off) } })
		ahead, err := s.ClockAhead(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := time.Duration(0)
		if strings.HasSuffix(t.Name(), "/postgres") {
			want = off
		}
		if (ahead - want).Abs() > 5*time.Second {
			t.Errorf("the clock is ahead by %v, want %v", ahead, want)
		}
	})
}
