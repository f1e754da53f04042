package store_test

import (
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley"
	"parley/ident"
	"parley/store/storetest"
)

// Versions count up; the newest stay with the live one, publishing an earlier one undoes, and nobody else sees any.
func TestFlowsHaveVersions(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s, ctx := open(t), t.Context()
		bot, other := ident.New[parley.ClientApplication](), ident.New[parley.Tenant]()
		now := time.Now().UTC().Truncate(time.Millisecond)
		version := func(number int64, live bool, source []byte) parley.FlowVersion {
			return parley.FlowVersion{Tenant: parley.DefaultTenant, Bot: bot, Number: number, Live: live, Source: source, Author: "anna", Created: now}
		}
		for i, source := range []string{"one", "two", "three", "four"} {
			err := s.Update(ctx, func(tx parley.Tx) error {
				number, err := tx.SaveFlow(ctx, version(0, false, []byte(source)), 2)
				if number != int64(i+1) {
					t.Errorf("%s has number %d", source, number)
				}
				if err == nil && source == "one" {
					err = tx.PublishFlow(ctx, parley.DefaultTenant, bot, number)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		err := s.Update(ctx, func(tx parley.Tx) error {
			all, err := tx.FlowVersions(ctx, parley.DefaultTenant, bot)
			if err != nil {
				return err
			}
			if diff := cmp.Diff([]parley.FlowVersion{version(4, false, nil), version(3, false, nil), version(1, true, nil)}, all); diff != "" {
				t.Errorf("versions (-want +got)\n%s", diff)
			}
			for number, want := range map[int64]parley.FlowVersion{parley.NewestFlow: version(4, false, []byte("four")),
				parley.LiveFlow: version(1, true, []byte("one")), 3: version(3, false, []byte("three"))} {
				got, err := tx.Flow(ctx, parley.DefaultTenant, bot, number)
				if err != nil {
					return err
				}
				if n, err := tx.FlowNumber(ctx, parley.DefaultTenant, bot, number); err != nil || n != want.Number {
					t.Errorf("version %d has number %d: %v", number, n, err)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("version %d (-want +got)\n%s", number, diff)
				}
			}
			for _, number := range []int64{parley.NewestFlow, parley.LiveFlow, 3} {
				if _, err := tx.Flow(ctx, other, bot, number); parley.KindOf(err) != parley.NotFound {
					t.Errorf("another tenant reads version %d: %v", number, err)
				}
				if _, err := tx.FlowNumber(ctx, other, bot, number); parley.KindOf(err) != parley.NotFound {
					t.Errorf("another tenant learns the number of version %d: %v", number, err)
				}
			}
			if v, err := tx.Flow(ctx, parley.DefaultTenant, ident.New[parley.ClientApplication](), parley.NewestFlow); parley.KindOf(err) != parley.NotFound {
				t.Errorf("another bot has version %d: %v", v.Number, err)
			}
			if err := tx.PublishFlow(ctx, other, bot, 3); parley.KindOf(err) != parley.NotFound {
				t.Errorf("another tenant publishes: %v", err)
			}
			if err := tx.PublishFlow(ctx, parley.DefaultTenant, bot, 2); parley.KindOf(err) != parley.NotFound {
				t.Errorf("what was dropped is published: %v", err)
			}
			if err := tx.PublishFlow(ctx, parley.DefaultTenant, bot, 3); err != nil {
				return err
			}
			if got, err := tx.Flow(ctx, parley.DefaultTenant, bot, parley.LiveFlow); err != nil || got.Number != 3 {
				t.Errorf("live is %d: %v", got.Number, err)
			}
			if err := tx.DeleteFlows(ctx, parley.DefaultTenant, bot); err != nil {
				return err
			}
			if all, err = tx.FlowVersions(ctx, parley.DefaultTenant, bot); len(all) > 0 {
				t.Errorf("%d are left", len(all))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// Nothing of an environment's flows outlives it, though their bots are gone.
func TestFlowsGoWithTheirEnvironment(t *testing.T) {
	path, ctx := filepath.Join(t.TempDir(), "parley.db"), t.Context()
	s := storetest.OpenURL(t, path)
	tenant := newTenant(t, s)
	update(t, s, func(tx parley.Tx) error {
		_, err := tx.SaveFlow(ctx, parley.FlowVersion{Tenant: tenant, Bot: ident.New[parley.ClientApplication](), Source: []byte("secret")}, 1)
		return err
	})
	update(t, s, func(tx parley.Tx) error { return tx.DeleteTenant(ctx, tenant) })
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var left int
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM flows").Scan(&left); err != nil || left != 0 {
		t.Errorf("%d flows are left, %v", left, err)
	}
}
