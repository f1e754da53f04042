package store_test

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"parley"
	"parley/ident"
	"parley/store/storetest"
)

// A transaction that the database gave up without saying so to anybody who listens is run again, and so is one whose commit was none.
func TestAbortedTransactionsAreRunAgain(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s, ctx := open(t), t.Context()
		for name, after := range map[string]func(parley.Tx) error{
			"at the next statement": func(tx parley.Tx) error {
				_, err := tx.FlowVersions(ctx, parley.DefaultTenant, ident.New[parley.ClientApplication]())
				return err
			},
			"at the commit": func(parley.Tx) error { return nil },
		} {
			id, tries := ident.New[parley.Job](), 0
			err := s.Update(ctx, func(tx parley.Tx) error {
				tries++
				job := parley.Job{ID: id, Tenant: parley.DefaultTenant, Kind: parley.JobText, Status: parley.JobInProgress}
				if err := tx.InsertJob(ctx, job); err != nil {
					return err
				}
				if tries == 1 {
					if err := tx.InsertJob(ctx, job); err == nil { // nobody heeds this error
						return errors.New("a job was inserted twice")
					}
				}
				return after(tx)
			})
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if err := s.View(ctx, func(tx parley.Tx) error {
				_, err := tx.Job(ctx, parley.DefaultTenant, id)
				return err
			}); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// An update that meets others again and again is made in the end; one that always does is refused as busy.
func TestUpdatesAreTriedForAWhile(t *testing.T) {
	meets := &pgconn.PgError{Code: "40001"}
	storetest.Each(t, func(t *testing.T, open opener) {
		s, tries := open(t), 0
		if err := s.Update(t.Context(), func(parley.Tx) error {
			if tries++; tries <= 20 {
				return meets
			}
			return nil
		}); err != nil || tries != 21 {
			t.Errorf("after %d tries: %v", tries, err)
		}
		if err := s.Update(t.Context(), func(parley.Tx) error { return meets }); parley.KindOf(err) != parley.Busy || !errors.Is(err, meets) {
			t.Errorf("one that always meets others: %v", err)
		}
	})
}
