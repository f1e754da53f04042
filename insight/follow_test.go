package insight_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley"
	"parley/store"
	"parley/store/keyset"
	"parley/store/storetest"
)

// holder is the fault of a store whose commits stop after their messages have keys, each until it is let go.
type holder struct {
	held   chan struct{} // one for each that has stopped
	answer chan error    // its fate
}

func (h *holder) fault(point string) error {
	if point != "lanes" {
		return nil
	}
	h.held <- struct{}{}
	return <-h.answer
}

// withSlowHub is a stage, and the store of another hub on the same record whose commits are held.
func withSlowHub(t *testing.T) (*stage, *store.Store, *holder) {
	url := storetest.PostgresURL(t)
	seal, err := keyset.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	sealed := func(c *store.Config) { c.Seal = seal }
	hold := &holder{make(chan struct{}), make(chan error)}
	return newStage(t, storetest.OpenURL(t, url, sealed)), storetest.OpenURL(t, url, sealed, storetest.Fault(hold.fault)), hold
}

// A key is given before its transaction commits: on PostgreSQL a message may turn up behind greater keys, much later, or never.
// None is missed, and none is acted on twice, whether the same node goes on or another takes over meanwhile.
func TestLateCommitsAreFound(t *testing.T) {
	for name, takeOver := range map[string]bool{"the same node": false, "another node": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, slow, hold := withSlowHub(t)
			s.tracker(parley.Tracker{Name: "Greeting", Vocabulary: []string{"message"}, Action: parley.TrackerAction{Callback: true}})
			s.round()
			begin := func() (parley.ConversationID, chan error) {
				step, answer := storetest.Start(""), make(chan error, 1)
				if err := slow.Submit(step, func(_ parley.Committed, err error) { answer <- err }); err != nil {
					t.Fatal(err)
				}
				<-hold.held
				return step.Conversation.ID, answer
			}
			said := func() parley.ConversationID {
				step := storetest.Start("")
				storetest.MustCommit(t, s.store, step)
				return step.Conversation.ID
			}
			looked := func(want ...parley.ConversationID) {
				t.Helper()
				if takeOver {
					s.detector = s.another()
				}
				s.round()
				for _, id := range want {
					if got := s.found(parley.NumberOf(id)); !slices.Equal(got, []string{"Greeting: message at 0 in message 1"}) {
						t.Errorf("found in %s: %v", id, got)
					}
				}
			}

			first := said()
			late, answer := begin()
			after := said()
			looked(first, after)
			if _, err := s.conversations.Find(t.Context(), parley.DefaultTenant, parley.NumberOf(late)); parley.KindOf(err) != parley.NotFound {
				t.Fatalf("what is not committed is found: %v", err)
			}
			s.clock = s.clock.Add(50 * time.Second) // as long as a commit may take
			last := said()
			looked(last)
			hold.answer <- nil
			if err := <-answer; err != nil {
				t.Fatal(err)
			}
			looked(first, late, after, last)
			looked()

			// A key that never turns up, and one that does beside it.
			failed, failure := begin()
			hold.answer <- fmt.Errorf("planted")
			if err := <-failure; err == nil {
				t.Fatal("the planted failure is gone")
			}
			later := said()
			looked(later)
			s.clock = s.clock.Add(2 * time.Minute)
			end := said()
			looked(end)
			s.clock = s.clock.Add(2 * time.Minute)
			s.round()
			if _, err := s.conversations.Find(t.Context(), parley.DefaultTenant, parley.NumberOf(failed)); parley.KindOf(err) != parley.NotFound {
				t.Errorf("what was rolled back is found: %v", err)
			}

			got := map[parley.ConversationID]bool{}
			for _, a := range s.acts {
				got[a.Message.Conversation] = true
			}
			if diff := cmp.Diff(map[parley.ConversationID]bool{first: true, late: true, after: true, last: true, later: true, end: true}, got); diff != "" {
				t.Errorf("acted on (-want +got):\n%s", diff)
			}
			if len(s.acts) != len(got) {
				t.Errorf("acted %d times on %d hits", len(s.acts), len(got))
			}
			var cursor, newest int64
			if err := s.store.View(t.Context(), func(tx parley.Tx) (err error) {
				if cursor, err = tx.FeedCursor(t.Context(), "detection"); err == nil {
					newest, err = tx.LastFed(t.Context())
				}
				return err
			}); err != nil || cursor != newest {
				t.Errorf("a next node would begin at %d of %d, %v: the hole that never fills holds it up", cursor, newest, err)
			}
		})
	}
}

// What was on its way at the very first start is part of what is said from then on.
func TestLateCommitsAtTheFirstStart(t *testing.T) {
	s, slow, hold := withSlowHub(t)
	s.tracker(parley.Tracker{Name: "Greeting", Vocabulary: []string{"message"}, Action: parley.TrackerAction{Callback: true}})
	step, answer := storetest.Start(""), make(chan error, 1)
	if err := slow.Submit(step, func(_ parley.Committed, err error) { answer <- err }); err != nil {
		t.Fatal(err)
	}
	<-hold.held
	storetest.MustCommit(t, s.store, storetest.Start(""))
	s.round()
	hold.answer <- nil
	if err := <-answer; err != nil {
		t.Fatal(err)
	}
	s.round()
	if got := s.found(parley.NumberOf(step.Conversation.ID)); len(got) != 1 {
		t.Errorf("found %v, want what was said", got)
	}
	if len(s.acts) != 1 || s.acts[0].Message.Conversation != step.Conversation.ID {
		t.Errorf("acted on %+v, want what was said after the start alone", s.acts)
	}
}

// A hole that was given up is filled as soon as something else is said in its conversation.
func TestGivenUpHolesAreFilledBySeq(t *testing.T) {
	s, slow, hold := withSlowHub(t)
	s.tracker(parley.Tracker{Name: "Greeting", Vocabulary: []string{"message"}})
	s.round()
	step, answer := storetest.Start(""), make(chan error, 1)
	if err := slow.Submit(step, func(_ parley.Committed, err error) { answer <- err }); err != nil {
		t.Fatal(err)
	}
	<-hold.held
	storetest.MustCommit(t, s.store, storetest.Start(""))
	s.round()
	s.clock = s.clock.Add(2 * time.Minute)
	s.round()
	hold.answer <- nil
	if err := <-answer; err != nil {
		t.Fatal(err)
	}
	s.round()
	number := parley.NumberOf(step.Conversation.ID)
	if _, err := s.conversations.Find(t.Context(), parley.DefaultTenant, number); parley.KindOf(err) != parley.NotFound {
		t.Fatalf("the hole was not given up: %v", err)
	}
	storetest.MustCommit(t, s.store, storetest.Say(step.Conversation, parley.Customer, "", 0b10))
	s.round()
	if diff := cmp.Diff([]string{"Greeting: message at 0 in message 1; 0 in message 2"}, s.found(number)); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
}
