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

// What a transaction got a key for early and commits late is not left behind: what is said to be settled waits for it.
func TestSettledWaitsForLateCommits(t *testing.T) {
	t.Parallel()
	for _, of := range []struct {
		kind parley.CursorKind
		name string
		make func(ctx context.Context, tx parley.Tx) error
		upto func(ctx context.Context, tx parley.Tx, key int64) (n int, err error)
	}{
		{parley.ConversationCursor, "conversations", func(ctx context.Context, tx parley.Tx) error {
			c := parley.Conversation{ID: ident.New[parley.Conversation](), Tenant: parley.DefaultTenant, Status: parley.Ended, Owner: parley.Owner{Kind: parley.OwnerNone}, Created: noon, Ended: noon, Touched: noon}
			_, err := tx.Import(ctx, parley.DefaultTenant, []parley.PastConversation{{Conversation: c}})
			return err
		}, func(ctx context.Context, tx parley.Tx, key int64) (int, error) {
			all, err := tx.Exported(ctx, parley.ExportQuery{Tenant: parley.DefaultTenant, Upto: key, Limit: 10})
			return len(all), err
		}},
		{parley.EventCursor, "events", func(ctx context.Context, tx parley.Tx) error {
			e := anEvent(ident.New[parley.ClientApplication](), "e", "order", "")
			_, err := tx.TrackEvent(ctx, &e)
			return err
		}, func(ctx context.Context, tx parley.Tx, key int64) (int, error) {
			all, err := tx.ExportedEvents(ctx, parley.EventQuery{Tenant: parley.DefaultTenant, Limit: 10}, 0, key)
			return len(all), err
		}},
	} {
		t.Run(of.name, func(t *testing.T) {
			t.Parallel()
			s := storetest.OpenPostgres(t)
			var once sync.Once
			written, goOn, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
			go func() {
				done <- s.Update(t.Context(), func(tx parley.Tx) error {
					if err := of.make(t.Context(), tx); err != nil {
						return err
					}
					once.Do(func() { close(written) }) // the transaction may be run again
					<-goOn
					return nil
				})
			}()
			<-written
			inside(t, s, func(tx parley.Tx) error { return of.make(t.Context(), tx) }) // has a greater key, and is there first
			short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			if key, err := s.Settled(short, of.kind); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Settled = %d, %v while a smaller key is on its way", key, err)
			}
			close(goOn)
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			key, err := s.Settled(t.Context(), of.kind)
			if err != nil {
				t.Fatal(err)
			}
			view(t, s, func(tx parley.Tx) error {
				n, err := of.upto(t.Context(), tx, key)
				if n != 2 {
					t.Errorf("%d up to %d, want 2", n, key)
				}
				return err
			})
		})
	}
}
