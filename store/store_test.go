package store_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley"
	"parley/store"
	"parley/store/storetest"
)

type opener = func(testing.TB, ...storetest.Option) *store.Store

func TestStepsOfOneConversationAreStoredInOrder(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := open(t)
		steps := []*parley.Step{storetest.Start("m1")}
		for i := range 40 {
			steps = append(steps, storetest.Say(steps[i].Conversation, parley.CustomBot, fmt.Sprint("b", i), 1))
		}
		storetest.MustCommit(t, s, steps...) // most of them wait while the first is away, and share a commit
		got := storetest.Messages(t, s, steps[0].Conversation.ID)
		for i, m := range got {
			if diff := cmp.Diff(steps[i].Messages[0], m); diff != "" {
				t.Fatalf("message %d (-written +read):\n%s", i+1, diff)
			}
		}
		storetest.Check(t, s, parley.DefaultTenant, steps[0].Conversation.ID)
	})
}

func TestStepRoutedOnOldStateIsRefused(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := open(t)
		start := storetest.Start("m1")
		storetest.MustCommit(t, s, start)
		base := start.Conversation
		other := storetest.Start("m2") // a neighbour in the same commit is not harmed
		_, errs := storetest.Commit(t, s, storetest.Say(base, parley.Customer, "a", 2), storetest.Say(base, parley.Customer, "b", 2), other)
		if errs[0] != nil || parley.KindOf(errs[1]) != parley.Conflict || errs[2] != nil {
			t.Errorf("two steps on one base = %v, want the second to be a Conflict", errs)
		}
		storetest.Check(t, s, parley.DefaultTenant, base.ID)
		storetest.Check(t, s, parley.DefaultTenant, other.Conversation.ID)
	})
}

// A step that moved neither epoch nor seq would leave its base true, for a step that knows nothing of it.
func TestStepThatMovesNothingIsRefused(t *testing.T) {
	s := storetest.Open(t)
	start := storetest.Start("")
	storetest.MustCommit(t, s, start)
	still := storetest.Delete(start.Conversation, parley.DeletionChange{Seq: 1, To: parley.Erased})
	still.Conversation.Epoch = still.BaseEpoch
	if err := s.Submit(still, func(parley.Committed, error) { t.Error("it was answered") }); err == nil {
		t.Error("it was taken")
	}
	if m := storetest.Messages(t, s, start.Conversation.ID); m[0].Body.Content == nil {
		t.Error("its deletion holds")
	}
}

func TestRepeatIsFound(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := open(t)
		start := storetest.Start("m1")
		storetest.MustCommit(t, s, start)
		again := storetest.Start("m1")
		_, errs := storetest.Commit(t, s, again)
		repeated, ok := errors.AsType[*parley.Repeated](errs[0])
		if !ok || !repeated.Start || repeated.Conversation != start.Conversation.ID || repeated.Found[0].Message != start.Messages[0].ID {
			t.Fatalf("second start = %v, want a repeat of %s", errs[0], start.Conversation.ID)
		}
		say := storetest.Say(start.Conversation, parley.Customer, "m1", 2) // the id of the first message again
		onTop := storetest.Say(say.Conversation, parley.Customer, "m2", 2)
		_, errs = storetest.Commit(t, s, say, onTop)
		repeated, ok = errors.AsType[*parley.Repeated](errs[0])
		if !ok || repeated.Found[0].Seq != 1 {
			t.Errorf("repeat of m1 = %v, want where m1 is", errs[0])
		}
		if parley.KindOf(errs[1]) != parley.Conflict {
			t.Errorf("step on top of a repeat = %v, want Conflict", errs[1])
		}
		bot := storetest.Say(start.Conversation, parley.CustomBot, "m1", 1) // another sender may use the same id
		storetest.MustCommit(t, s, bot)
		storetest.Check(t, s, parley.DefaultTenant, start.Conversation.ID)
	})
}

// Every point of a commit can fail before its effect, or after it with only the answer lost. Whichever it was, the
// repeat leaves the same conversation behind.
func TestCommitSurvivesAnyFailure(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		for _, point := range []string{"begin", "conversations", "messages", "lanes", "commit", "committed"} {
			t.Run(point, func(t *testing.T) {
				var once sync.Once
				armed := false
				s := open(t, storetest.Fault(func(p string) (err error) {
					if armed && p == point {
						once.Do(func() { err = errors.New("planted") })
					}
					return err
				}))
				first := storetest.Start("m1")
				storetest.MustCommit(t, s, first)
				armed = true
				say := storetest.Say(first.Conversation, parley.Customer, "m2", 2)
				_, errs := storetest.Commit(t, s, say)
				if errs[0] == nil {
					t.Fatal("the commit hid the failure")
				}
				repeat := storetest.Say(first.Conversation, parley.Customer, "m2", 2)
				_, errs = storetest.Commit(t, s, repeat)
				if point == "committed" {
					repeated, ok := errors.AsType[*parley.Repeated](errs[0])
					if !ok || repeated.Found[0].Message != say.Messages[0].ID {
						t.Errorf("repeat after a lost answer = %v, want a repeat of %s", errs[0], say.Messages[0].ID)
					}
				} else if errs[0] != nil {
					t.Errorf("repeat = %v, want it stored", errs[0])
				}
				storetest.Check(t, s, parley.DefaultTenant, first.Conversation.ID)
				if n := len(storetest.Messages(t, s, first.Conversation.ID)); n != 2 {
					t.Errorf("%d messages, want 2", n)
				}
			})
		}
	})
}

// Claims and progress go through the same commits and can fail at the same points. A claim whose answer was lost costs its
// lease; progress whose answer was lost is refused the
// second time, for it holds.
func TestLaneWorkSurvivesAnyFailure(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		for _, point := range []string{"begin", "claim", "progress", "commit", "committed"} {
			t.Run(point, func(t *testing.T) {
				now := time.Now()
				armed := ""
				s := open(t, func(c *store.Config) {
					c.Clock = func() time.Time { return now }
					c.Fault = func(p string) error {
						if p == armed {
							armed = ""
							return errors.New("planted")
						}
						return nil
					}
				})
				start := storetest.Start("m1")
				wake := storetest.MustCommit(t, s, start)[0].Wake
				if point != "progress" {
					armed = point
					if lost, err := s.Claim(t.Context(), wake, time.Second); err == nil {
						t.Fatalf("Claim = %v, hid the failure", lost)
					}
				}
				lanes, err := s.Claim(t.Context(), wake, time.Second)
				if point == "committed" {
					if err != nil || len(lanes) != 0 {
						t.Errorf("Claim after a lost answer = %v, %v; want the lane leased", lanes, err)
					}
					now = now.Add(2 * time.Second)
					lanes, err = s.Claim(t.Context(), wake, time.Second)
				}
				if err != nil || len(lanes) != 1 {
					t.Fatalf("Claim again = %v, %v; want the lane", lanes, err)
				}
				progress := parley.Progress{Lane: lanes[0], Acked: 1, Release: true,
					Attempts: []parley.Attempt{{Seq: 1, At: now, Status: 200}}, Dead: []parley.DeadDelivery{{Seq: 1, Reason: "x"}}}
				if point != "claim" {
					armed = point
					if _, err := s.Finish(t.Context(), progress); err == nil {
						t.Fatal("Finish hid the failure")
					}
				}
				if _, err := s.Finish(t.Context(), progress); (point == "committed") != errors.Is(err, parley.ErrLeaseLost) || point != "committed" && err != nil {
					t.Errorf("Finish again = %v", err)
				}
				err = s.View(t.Context(), func(tx parley.Tx) error {
					states, err := tx.MessageStates(t.Context(), parley.DefaultTenant, start.Conversation.ID)
					if states.Acked[1] != 1 || len(states.Dead) != 1 || len(states.Sent) != 1 {
						t.Errorf("afterwards: %+v, want one delivery with its attempt and its end", states)
					}
					return err
				})
				if overdue, late := s.Overdue(t.Context(), 0, 10); err != nil || late != nil || len(overdue) != 0 {
					t.Errorf("afterwards overdue: %v, %v, %v", overdue, late, err)
				}
			})
		}
	})
}

func TestManyWritersShareCommits(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		var mu sync.Mutex
		commits := 0
		s := open(t, storetest.Fault(func(p string) error {
			if p == "commit" {
				mu.Lock()
				commits++
				mu.Unlock()
			}
			return nil
		}))
		const writers, each = 64, 20
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				step := storetest.Start(fmt.Sprint("m", w))
				storetest.MustCommit(t, s, step)
				for range each - 1 {
					step = storetest.Say(step.Conversation, parley.Customer, "", 2)
					storetest.MustCommit(t, s, step)
				}
			})
		}
		wg.Wait()
		if per := float64(writers*each) / float64(commits); per <= 8 {
			t.Errorf("%.1f messages a commit under load, want more than 8", per)
		} else {
			t.Logf("%.1f messages a commit", per)
		}
	})
}

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

func TestDeletions(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := open(t)
		start := storetest.Start("m1")
		storetest.MustCommit(t, s, start)
		c := start.Conversation
		for _, to := range []parley.Deletion{parley.SoftlyDeleted, parley.NotDeleted, parley.Erased, parley.NotDeleted} {
			step := storetest.Say(c, parley.Customer, "", 2)
			step.Deletions = []parley.DeletionChange{{Seq: 1, To: to}}
			storetest.MustCommit(t, s, step)
			c = step.Conversation
		}
		m := storetest.Messages(t, s, c.ID)[0]
		if m.Deleted != parley.Erased || m.Body.Content != nil || m.Body.MessageID != "m1" {
			t.Errorf("after erasure: deleted %d, content %v; want it gone for good, its messageId kept", m.Deleted, m.Body.Content)
		}
	})
}

func TestAnotherTenantsThingsAreUnknown(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := open(t)
		start := storetest.Start("m1")
		storetest.MustCommit(t, s, start)
		stranger := parley.TenantID{1}
		err := s.View(t.Context(), func(tx parley.Tx) error {
			if _, err := tx.Conversation(t.Context(), stranger, start.Conversation.ID); parley.KindOf(err) != parley.NotFound {
				t.Errorf("Conversation = %v, want NotFound", err)
			}
			if found, err := tx.Messages(t.Context(), parley.MessageQuery{Tenant: stranger, Conversation: start.Conversation.ID, Limit: 10}); err != nil || len(found) != 0 {
				t.Errorf("Messages = %v, %v; want none", found, err)
			}
			if _, err := tx.FindMessage(t.Context(), stranger, start.Conversation.ID, parley.Customer, "m1"); parley.KindOf(err) != parley.NotFound {
				t.Errorf("FindMessage = %v, want NotFound", err)
			}
			if _, _, err := tx.StartedBy(t.Context(), stranger, start.StartKey); parley.KindOf(err) != parley.NotFound {
				t.Errorf("StartedBy = %v, want NotFound", err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		// A step never changes another tenant's conversation, nor tells what is in it, even if it knows everything about it.
		stranger = newTenant(t, s)
		as := func(tenant parley.TenantID, step *parley.Step) *parley.Step {
			step.Conversation.Tenant = tenant
			return step
		}
		ended := as(stranger, storetest.Say(start.Conversation, parley.Customer, "m1", 2))
		ended.StateChanged, ended.Conversation.Status = true, parley.Ended
		for what, step := range map[string]*parley.Step{
			"message": as(stranger, storetest.Say(start.Conversation, parley.Customer, "", 2)), "repeat": as(stranger, storetest.Say(start.Conversation, parley.Customer, "m1", 2)),
			"end": ended, "start": as(stranger, storetest.Start("m1")), "nobody": as(parley.TenantID{1}, storetest.Say(start.Conversation, parley.Customer, "", 2)),
		} {
			_, errs := storetest.Commit(t, s, step)
			if _, told := errors.AsType[*parley.Repeated](errs[0]); errs[0] == nil || told {
				t.Errorf("%s of a stranger = %v, want it refused without a word of what is there", what, errs[0])
			}
		}
		if n := len(storetest.Messages(t, s, start.Conversation.ID)); n != 1 {
			t.Errorf("strangers left %d messages", n-1)
		}
		storetest.Check(t, s, parley.DefaultTenant, start.Conversation.ID)
	})
}

// A repeat that comes while the first one waits for the same commit is not stored: it hears that its base is old, and finds
// the first when it looks again.
func TestRepeatInOneBatchIsRefused(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := open(t)
		start := storetest.Start("m1")
		first := storetest.Say(start.Conversation, parley.Customer, "a", 2)
		again := storetest.Say(first.Conversation, parley.Customer, "a", 2)
		_, errs := storetest.Commit(t, s, start, first, again)
		if _, repeated := errors.AsType[*parley.Repeated](errs[2]); errs[0] != nil || errs[1] != nil || !repeated && parley.KindOf(errs[2]) != parley.Conflict {
			t.Errorf("a message twice in one batch = %v, want the second to be a Conflict, or a repeat", errs)
		}
		storetest.Check(t, s, parley.DefaultTenant, start.Conversation.ID)
	})
}

// A step that was routed on top of one that did not become true is refused, although another node's message stands where
// the missing one was to stand, so that (epoch, seq) fit.
func TestStepOnTopOfARefusedOneIsRefused(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := open(t)
		start := storetest.Start("m1")
		storetest.MustCommit(t, s, start)
		run := &parley.Run{}
		first := storetest.Say(start.Conversation, parley.Customer, "a", 2)
		second := storetest.Say(first.Conversation, parley.Customer, "b", 2)
		first.Run, second.Run = run, run
		storetest.MustCommit(t, s, storetest.Say(start.Conversation, parley.CustomBot, "of another node", 1))
		for _, step := range []*parley.Step{first, second} { // in commits of their own
			if _, errs := storetest.Commit(t, s, step); parley.KindOf(errs[0]) != parley.Conflict {
				t.Errorf("step at %d = %v, want Conflict", step.Conversation.Seq, errs[0])
			}
		}
		storetest.Check(t, s, parley.DefaultTenant, start.Conversation.ID)
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
