package insight_test

import (
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley"
	"parley/insight"
	"parley/store/storetest"
)

// What is deleted is not shown any more; an undo shows it again.
func TestDeletedMessagesAreNotFound(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := newStage(t, open(t))
		s.tracker(parley.Tracker{Name: "Greeting", Vocabulary: []string{"hello"}})
		n, _ := s.say(insight.Text{}, "hello one", "hello two on 2026-02-03", "hello three")
		s.round()
		in, err := s.conversations.Find(t.Context(), parley.DefaultTenant, n)
		if err != nil {
			t.Fatal(err)
		}
		var c parley.Conversation
		if err := s.store.View(t.Context(), func(tx parley.Tx) (err error) {
			c, err = tx.Conversation(t.Context(), parley.DefaultTenant, in.Conversation)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		deleted := storetest.Delete(&c, parley.DeletionChange{Seq: 1, To: parley.SoftlyDeleted}, parley.DeletionChange{Seq: 2, To: parley.Erased})
		storetest.MustCommit(t, s.store, deleted)
		if diff := cmp.Diff([]string{"Greeting: hello at 0 in hello three"}, s.found(n)); diff != "" {
			t.Errorf("found after deletion (-want +got):\n%s", diff)
		}
		storetest.MustCommit(t, s.store, storetest.Delete(deleted.Conversation, parley.DeletionChange{Seq: 1, To: parley.NotDeleted}))
		if diff := cmp.Diff([]string{"Greeting: hello at 0 in hello one; 0 in hello three"}, s.found(n)); diff != "" {
			t.Errorf("found after the undo (-want +got):\n%s", diff)
		}
		if entities, err := s.conversations.Entities(t.Context(), parley.DefaultTenant, n); err != nil || len(entities) != 0 {
			t.Errorf("entities = %v, %v; want none of the erased message", lines(entities), err)
		}
	})
}

// What was found in a message goes with it when it is erased: the words that speak for a hit are a part of what was said.
func TestErasedMessagesLeaveNothing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "parley.db")
	s := newStage(t, storetest.OpenURL(t, file))
	s.tracker(parley.Tracker{Name: "Greeting", Vocabulary: []string{"hello"}})
	n, _ := s.say(insight.Text{}, "hello on 2026-02-03")
	s.round()
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	count := func() (hits int) {
		if err := db.QueryRowContext(t.Context(), "SELECT (SELECT count(*) FROM tracker_hits) + (SELECT count(*) FROM entity_hits)").Scan(&hits); err != nil {
			t.Fatal(err)
		}
		return hits
	}
	if got := count(); got != 2 {
		t.Fatalf("%d hits are stored, want 2", got)
	}
	in, err := s.conversations.Find(t.Context(), parley.DefaultTenant, n)
	if err != nil {
		t.Fatal(err)
	}
	c := parley.Conversation{ID: in.Conversation, Tenant: parley.DefaultTenant, Epoch: 1, Seq: 1, Status: parley.Ended, Owner: parley.Owner{Kind: parley.OwnerNone}}
	storetest.MustCommit(t, s.store, storetest.Delete(&c, parley.DeletionChange{Seq: 1, To: parley.Erased}))
	if got := count(); got != 0 {
		t.Errorf("%d hits are stored after the message was erased", got)
	}
}
