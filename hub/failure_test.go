package hub_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"parley"
	"parley/hub"
	"parley/store/storetest"
)

// A faulty store fails once, at one point, when it is armed.
type faulty struct {
	mu    sync.Mutex
	point string
}

func (f *faulty) arm(point string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.point = point
}

func (f *faulty) fail(point string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.point != point {
		return nil
	}
	f.point = ""
	return errors.New("planted")
}

// Every step of a post can fail before its effect, or after it with only the answer lost ("committed"). Whichever it was,
// the repeat under the same messageId leaves the same conversation behind.
func TestPostSurvivesAnyFailure(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		for _, point := range []string{"begin", "conversations", "messages", "lanes", "commit", "committed"} {
			t.Run(point, func(t *testing.T) {
				f := &faulty{}
				w := newWorld(t, open(t, storetest.Fault(f.fail)))
				starter := w.starter("start")
				f.arm(point)
				if _, err := w.post(starter); parley.KindOf(err) != parley.Internal || err == nil {
					t.Fatalf("start = %v, want the failure", err)
				}
				posted, err := w.post(starter)
				if err != nil || posted[0].Seq != 1 {
					t.Fatalf("repeated start = %+v, %v; want Seq 1", posted, err)
				}
				id := posted[0].Conversation
				named := func(d *parley.Draft) { d.Body.MessageID = "m" }
				f.arm(point)
				if _, err := w.try(id, parley.Customer, parley.TypeText, named); parley.KindOf(err) != parley.Internal || err == nil {
					t.Fatalf("post = %v, want the failure", err)
				}
				if again, err := w.try(id, parley.Customer, parley.TypeText, named); err != nil || again.Seq != 2 {
					t.Errorf("repeat = %+v, %v; want Seq 2", again, err)
				}
				if n := len(storetest.Messages(t, w.store, id)); n != 2 {
					t.Errorf("%d messages, want 2", n)
				}
				storetest.Check(t, w.store, w.tenant, id)
			})
		}
	})
}

// What waits in one conversation is bounded: beyond that callers hear Busy, and nothing of what was taken is lost.
func TestTooManyWaitingPostsAreRefused(t *testing.T) {
	stuck, release := make(chan struct{}), make(chan struct{})
	armed := false
	w := newWorld(t, storetest.Open(t, storetest.Fault(func(point string) error {
		if armed && point == "begin" {
			armed = false
			close(stuck)
			<-release
		}
		return nil
	})))
	w.hub = hub.New(hub.Config{Store: w.store, Clock: w.now, MaxInFlight: 3})
	id := w.start()
	armed = true
	errs := make(chan error, 10)
	submit := func(i int) {
		d := draft(parley.Customer, fmt.Sprint(i))
		d.Conversation = id
		w.hub.Submit(context.Background(), hub.PostRequest{Speaker: parley.Speaker{Tenant: w.tenant}, Drafts: []parley.Draft{d}},
			func(_ []hub.Posted, err error) { errs <- err })
	}
	submit(0)
	<-stuck
	for i := 1; i < 10; i++ {
		submit(i)
	}
	for range 7 {
		if err := <-errs; parley.KindOf(err) != parley.Busy {
			t.Errorf("beyond the bound = %v, want Busy", err)
		}
	}
	close(release)
	for range 3 {
		if err := <-errs; err != nil {
			t.Errorf("within the bound = %v", err)
		}
	}
	if n := len(storetest.Messages(t, w.store, id)); n != 4 {
		t.Errorf("%d messages, want 4", n)
	}
}

// A store on which another node is always first.
type overtaken struct{ parley.Store }

func (overtaken) Submit(_ *parley.Step, done func(parley.Committed, error)) error {
	go done(parley.Committed{}, &parley.Error{Kind: parley.Conflict})
	return nil
}

// Who is overtaken again and again hears that, in the end, and not of the race behind it.
func TestOvertakenPostGivesUp(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	id := w.start()
	w.hub = hub.New(hub.Config{Store: overtaken{w.store}, Clock: w.now})
	if _, err := w.try(id, parley.Customer, parley.TypeText); parley.KindOf(err) != parley.Busy {
		t.Errorf("post = %v, want Busy", err)
	}
}

// What a bot says after it has lost the turn is refused with a reason, and the timeline keeps both; how often it tries does not matter.
func TestWhatIsSaidTooLateIsKept(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		w := newWorld(t, open(t), oneBot)
		w.run()
		id := w.start()
		w.say(id, parley.CustomBot, parley.TypeEscalationTransfer)
		for i := range parley.MaxRefused + 5 {
			if _, err := w.try(id, parley.CustomBot, parley.TypeText, func(d *parley.Draft) {
				d.Body.Content.Text = fmt.Sprint("late ", i, strings.Repeat("é", parley.MaxRefusedText))
			}); parley.ReasonOf(err) != parley.NotParty {
				t.Fatalf("a late answer = %v", err)
			}
		}
		if _, err := w.try(id, parley.Customer, parley.TypeAgentJoin); err == nil { // no business of theirs, and nothing to keep
			t.Error("a customer joined")
		}
		var all []parley.Refused
		for deadline := time.Now().Add(20 * time.Second); len(all) < parley.MaxRefused || !strings.HasPrefix(all[len(all)-1].Text, fmt.Sprint("late ", parley.MaxRefused+4)); {
			if time.Now().After(deadline) {
				t.Fatalf("kept %d: %+v", len(all), all)
			}
			if err := w.store.View(t.Context(), func(tx parley.Tx) (err error) {
				all, err = tx.RefusedIn(t.Context(), w.tenant, id)
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
		first := all[0]
		if len(all) != parley.MaxRefused || first.Sender != parley.CustomBot || first.Type != parley.TypeText || !strings.Contains(first.Reason, "does not have the turn") || len([]rune(first.Text)) != parley.MaxRefusedText ||
			first.Seq == 0 || !strings.HasPrefix(first.Text, "late 5") {
			t.Errorf("kept %d, the first of them %+v", len(all), first)
		}
		if strange, err := func() (found []parley.Refused, err error) {
			err = w.store.View(t.Context(), func(tx parley.Tx) error {
				found, err = tx.RefusedIn(t.Context(), parley.TenantID{1}, id)
				return err
			})
			return found, err
		}(); len(strange) != 0 || err != nil {
			t.Errorf("a stranger reads %v, %v", strange, err)
		}
	})
}
