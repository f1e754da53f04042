package store_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"parley"
	"parley/store"
	"parley/store/storetest"
)

func TestLaneOwesWhatIsAddressedToIt(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := open(t)
		start := storetest.Start("m1")
		wake := storetest.MustCommit(t, s, start)[0].Wake
		if len(wake) != 1 {
			t.Fatalf("lanes to wake = %v, want the bot's", wake)
		}
		lanes, err := s.Claim(t.Context(), wake, time.Minute)
		if err != nil || len(lanes) != 1 || lanes[0].Receiver.Application != storetest.BotApplication {
			t.Fatalf("Claim = %v, %v; want the bot's lane", lanes, err)
		}
		if again, _ := s.Claim(t.Context(), wake, time.Minute); len(again) != 0 {
			t.Errorf("a leased lane was claimed again")
		}
		notForBot := storetest.Say(start.Conversation, parley.CustomBot, "", 1)
		storetest.MustCommit(t, s, notForBot)
		_, owed, err := s.Owed(t.Context(), lanes[0], 10)
		if err != nil || len(owed) != 1 || owed[0].ID != start.Messages[0].ID {
			t.Fatalf("Owed = %v, %v; want the first message", owed, err)
		}
		// Hazard: a message that comes while the worker is finishing. Its wake-up finds the lane leased; Finish must
		// tell the worker to go on.
		late := storetest.Say(notForBot.Conversation, parley.Customer, "", 2)
		storetest.MustCommit(t, s, late)
		more, err := s.Finish(t.Context(), parley.Progress{Lane: lanes[0], Acked: 1, Release: true, Extend: time.Minute})
		if err != nil || !more.More {
			t.Fatalf("Finish = %v, %v; want to hear of the message that came meanwhile", more, err)
		}
		lanes[0].Acked = 1
		_, owed, err = s.Owed(t.Context(), lanes[0], 10)
		if err != nil || len(owed) != 1 || owed[0].Seq != 3 {
			t.Fatalf("Owed = %v, %v; want message 3", owed, err)
		}
		more, err = s.Finish(t.Context(), parley.Progress{Lane: lanes[0], Acked: 3, Release: true})
		if err != nil || more.More {
			t.Fatalf("Finish = %v, %v; want nothing more", more, err)
		}
		if overdue, err := s.Overdue(t.Context(), 0, 10); err != nil || len(overdue) != 0 {
			t.Errorf("Overdue = %v, %v; want none", overdue, err)
		}
	})
}

// Hazard: a worker that lost its lease must not overwrite its successor.
func TestLateWorkerChangesNothing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		now := time.Now()
		clock := func() time.Time { return now }
		s := open(t, func(c *store.Config) { c.Clock = clock })
		wake := storetest.MustCommit(t, s, storetest.Start("m1"))[0].Wake
		first, err := s.Claim(t.Context(), wake, time.Second)
		if err != nil || len(first) != 1 {
			t.Fatalf("Claim = %v, %v", first, err)
		}
		now = now.Add(2 * time.Second)
		if overdue, err := s.Overdue(t.Context(), time.Second, 10); err != nil || len(overdue) != 1 || overdue[0].Lane != wake[0] {
			t.Fatalf("Overdue = %v, %v; want %v", overdue, err, wake)
		}
		second, err := s.Claim(t.Context(), wake, time.Minute)
		if err != nil || len(second) != 1 {
			t.Fatalf("Claim after the lease = %v, %v; want the lane", second, err)
		}
		dead := []parley.DeadDelivery{{Seq: 1, Reason: "planted"}}
		_, err = s.Finish(t.Context(), parley.Progress{Lane: first[0], Acked: 1, Release: true, Dead: dead})
		if !errors.Is(err, parley.ErrLeaseLost) {
			t.Errorf("Finish of the late worker = %v, want ErrLeaseLost", err)
		}
		if _, owed, err := s.Owed(t.Context(), second[0], 10); err != nil || len(owed) != 1 {
			t.Errorf("Owed = %v, %v; want the message still", owed, err)
		}
		retry := now.Add(time.Hour)
		attempts := []parley.Attempt{{Seq: 1, At: now, Duration: time.Millisecond, Status: 503, Answer: "no"}}
		if more, err := s.Finish(t.Context(), parley.Progress{Lane: second[0], Failed: 1, Retry: retry, Release: true, Attempts: attempts}); err != nil || more.More {
			t.Errorf("Finish with a retry = %v, %v", more, err)
		}
		if early, err := s.Claim(t.Context(), wake, time.Minute); err != nil || len(early) != 0 {
			t.Errorf("Claim before the retry = %v, %v; want nothing", early, err)
		}
		now = retry
		if due, err := s.Claim(t.Context(), wake, time.Minute); err != nil || len(due) != 1 || due[0].Attempts != 1 {
			t.Errorf("Claim at the retry = %v, %v; want the lane with one failed attempt", due, err)
		}
	})
}

// The same hazard in one commit: the late worker and its successor report together, in either order.
func TestLateWorkerInTheCommitOfItsSuccessor(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		for _, lateFirst := range []bool{true, false} {
			now := time.Now()
			s := open(t, func(c *store.Config) { c.Clock = func() time.Time { return now } })
			start := storetest.Start("m1")
			wake := storetest.MustCommit(t, s, start)[0].Wake
			claim := func() *parley.Lane {
				lanes, err := s.Claim(t.Context(), wake, time.Second)
				if err != nil || len(lanes) != 1 {
					t.Fatal(lanes, err)
				}
				now = now.Add(2 * time.Second)
				return lanes[0]
			}
			late := parley.Progress{Lane: claim(), Acked: 1, Release: true, Dead: []parley.DeadDelivery{{Seq: 1, Reason: "planted"}}}
			successor := parley.Progress{Lane: claim(), Acked: 1, Release: true, Attempts: []parley.Attempt{{Seq: 1, At: now, Status: 200}}}
			reports, at := []parley.Progress{late, successor}, 1
			if !lateFirst {
				slices.Reverse(reports)
				at = 0
			}
			errs := s.FinishTogether(t.Context(), reports...)
			if errs[at] != nil || !errors.Is(errs[1-at], parley.ErrLeaseLost) {
				t.Errorf("late first %v: the successor hears %v, the late one %v", lateFirst, errs[at], errs[1-at])
			}
			err := s.View(t.Context(), func(tx parley.Tx) error {
				states, err := tx.MessageStates(t.Context(), parley.DefaultTenant, start.Conversation.ID)
				if len(states.Dead) != 0 || len(states.Sent) != 1 {
					t.Errorf("late first %v: %+v, want the message delivered and not dead", lateFirst, states)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestDisabledReceiverIsHeld(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := open(t)
		wake := storetest.MustCommit(t, s, storetest.Start("m1"))[0].Wake
		lanes, err := s.Claim(t.Context(), wake, time.Minute)
		if err != nil || len(lanes) != 1 {
			t.Fatalf("Claim = %v, %v", lanes, err)
		}
		if err := s.Disable(t.Context(), lanes[0].Receiver.Key, "410"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Finish(t.Context(), parley.Progress{Lane: lanes[0], Release: true, Retry: time.Now().Add(-time.Second)}); err != nil {
			t.Fatal(err)
		}
		if held, _ := s.Claim(t.Context(), wake, time.Minute); len(held) != 0 {
			t.Error("a lane of a disabled receiver was claimed")
		}
		if err := s.Disable(t.Context(), lanes[0].Receiver.Key, ""); err != nil {
			t.Fatal(err)
		}
		if back, err := s.Claim(t.Context(), wake, time.Minute); err != nil || len(back) != 1 {
			t.Errorf("Claim after enabling = %v, %v; want the lane, nothing was lost", back, err)
		}
	})
}

// A step claims for its caller what it makes owe something: not what somebody works on, even if that is about to have
// nothing left to do, nor what is of a disabled receiver, or of one that takes its messages over a session.
func TestStepClaimsItsLanes(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		now := time.Now()
		s := open(t, func(c *store.Config) { c.Clock = func() time.Time { return now } })
		start := storetest.Start("m1")
		start.Lease = time.Minute
		second := storetest.Say(start.Conversation, parley.Customer, "", 2)
		second.Lease = time.Minute
		committed := s.CommitTogether(t, start, second)
		lanes := slices.Concat(committed[0].Claimed, committed[1].Claimed)
		if len(lanes) != 1 || len(committed[0].Wake)+len(committed[1].Wake) != 0 {
			t.Fatalf("committed = %+v, want the bot's lane claimed once", committed)
		}
		claimed := *lanes[0]
		if got := atHand(t.Context(), t, s, &claimed, 10); len(got) != 2 {
			t.Errorf("at hand are %+v, want both messages", got)
		}
		if others, err := s.Claim(t.Context(), []int64{claimed.Key}, time.Minute); err != nil || len(others) != 0 {
			t.Errorf("Claim of the lane = %v, %v; want none", others, err)
		}
		if more, err := s.Finish(t.Context(), parley.Progress{Lane: lanes[0], Acked: 2, Extend: time.Minute}); err != nil || more.More {
			t.Fatalf("Finish = %v, %v", more, err)
		}
		third := storetest.Say(second.Conversation, parley.Customer, "", 2)
		third.Lease = time.Minute
		if c := storetest.MustCommit(t, s, third)[0]; len(c.Claimed)+len(c.Wake) != 0 {
			t.Errorf("committed = %+v while a worker has the lane, want nothing", c)
		}
		if more, err := s.Finish(t.Context(), parley.Progress{Lane: lanes[0], Acked: 2, Release: true, Extend: time.Minute}); err != nil || !more.More {
			t.Errorf("Finish = %v, %v; want to hear of the third message", more, err)
		}
		if more, err := s.Finish(t.Context(), parley.Progress{Lane: lanes[0], Acked: 3, Release: true}); err != nil || more.More {
			t.Fatalf("Finish = %v, %v", more, err)
		}
		said := third
		say := func() parley.Committed {
			said = storetest.Say(said.Conversation, parley.Customer, "", 2)
			said.Lease = time.Minute
			return storetest.MustCommit(t, s, said)[0]
		}
		again := say().Claimed
		if len(again) != 1 {
			t.Fatal("a lane that was given back was not claimed")
		}
		want, got := claimed, *again[0]
		want.Acked, want.Tail, want.Lease, want.From = 3, 4, got.Lease, 4
		if got != want {
			t.Errorf("claimed = %+v, want %+v", got, want)
		}
		by, err := s.Claim(t.Context(), []int64{got.Key}, time.Minute)
		if err != nil || len(by) != 0 {
			t.Errorf("Claim = %v, %v; want none", by, err)
		}
		now = now.Add(2 * time.Minute) // whoever had it is gone
		by, err = s.Claim(t.Context(), []int64{got.Key}, time.Minute)
		want.Lease, want.Until = 0, now.Truncate(time.Millisecond).Add(time.Minute)
		if err != nil || len(by) != 1 {
			t.Fatalf("Claim after the lease = %v, %v", by, err)
		}
		if by[0].Lease = 0; !by[0].Until.Equal(want.Until) || by[0].Receiver != want.Receiver || by[0].Conversation != want.Conversation {
			t.Errorf("a claim of its own gives %+v, a step %+v", *by[0], want)
		}
		now = now.Add(2 * time.Minute)
		if c := say(); len(c.Claimed) != 0 || !slices.Equal(c.Wake, []int64{got.Key}) {
			t.Errorf("committed = %+v for a lane whose worker is gone, want it woken", c)
		}
		for what, set := range map[string]func() error{
			"disabled": func() error { return s.Disable(t.Context(), got.Receiver.Key, "planted") },
			"pulled": func() error {
				return errors.Join(s.Disable(t.Context(), got.Receiver.Key, ""), s.SetPulled(t.Context(), got.Receiver.Key, true))
			},
		} {
			if err := set(); err != nil {
				t.Fatal(err)
			}
			step := storetest.Start("")
			step.Lease = time.Minute
			if c := storetest.MustCommit(t, s, step)[0]; len(c.Claimed) != 0 || len(c.Wake) != 1 {
				t.Errorf("committed = %+v for a receiver that is %s, want the lane only woken", c, what)
			}
		}
	})
}
