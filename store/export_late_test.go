package store_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"parley"
	"parley/ident"
	"parley/store/storetest"
)

// A conversation whose transaction got its key early and commits late is not left behind: what is said to be settled waits for it.
func TestSettledWaitsForLateCommits(t *testing.T) {
	s := storetest.OpenPostgres(t)
	past := func() []parley.PastConversation {
		c := parley.Conversation{ID: ident.New[parley.Conversation](), Tenant: parley.DefaultTenant, Status: parley.Ended, Owner: parley.Owner{Kind: parley.OwnerNone}, Created: noon, Ended: noon, Touched: noon}
		return []parley.PastConversation{{Conversation: c}}
	}
	var once sync.Once
	written, goOn, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- s.Update(t.Context(), func(tx parley.Tx) error {
			if _, err := tx.Import(t.Context(), parley.DefaultTenant, past()); err != nil {
				return err
			}
			once.Do(func() { close(written) }) // the transaction may be run again
			<-goOn
			return nil
		})
	}()
	<-written
	storetest.MustCommit(t, s, storetest.Start("")) // has a greater key, and is there first
	short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if key, err := s.Settled(short, parley.ConversationCursor); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Settled = %d, %v while a smaller key is on its way", key, err)
	}
	close(goOn)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	key, err := s.Settled(t.Context(), parley.ConversationCursor)
	if err != nil {
		t.Fatal(err)
	}
	view(t, s, func(tx parley.Tx) error {
		all, err := tx.Exported(t.Context(), parley.ExportQuery{Tenant: parley.DefaultTenant, Upto: key, Limit: 10})
		if len(all) != 2 {
			t.Errorf("%d conversations up to %d", len(all), key)
		}
		return err
	})
}
