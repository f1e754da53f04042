package store_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

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
