package store_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"parley"
	"parley/store"
	"parley/store/storetest"
)

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
