package store_test

import (
	"fmt"
	"testing"
	"time"

	"parley"
	"parley/insight/criteria"
	"parley/store"
	"parley/store/storetest"
)

// Whatever asks PostgreSQL by words has the memory for it, and nothing else has it, not even later in the same transaction.
func TestWordsHaveTheMemoryToBeToldApart(t *testing.T) {
	s := storetest.OpenPostgres(t)
	if err := s.FillInsights(t.Context(), 100); err != nil {
		t.Fatal(err)
	}
	// From now on the table of words says what memory it was read with.
	s.Exec(t, `CREATE FUNCTION enough() RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$ BEGIN
		IF current_setting('work_mem') <> '32MB' THEN RAISE EXCEPTION 'words are read with %', current_setting('work_mem'); END IF;
		RETURN true; END $$`)
	s.Exec(t, "ALTER TABLE insight_terms RENAME TO real_terms")
	s.Exec(t, "CREATE VIEW insight_terms AS SELECT tenant, place, terms FROM real_terms WHERE enough()")
	c, err := criteria.Parse("conversation.metadata.region==north;conversation.metadata.desk==north")
	if err != nil {
		t.Fatal(err)
	}
	for name, q := range map[string]parley.InsightQuery{
		"from the oldest": {Limit: 5}, "all": {Limit: 1000}, "from the newest": {Limit: 1000, Descending: true}, "by type": {Limit: 5, Sort: []parley.Selector{{Kind: parley.SelectType}}},
	} {
		q.Tenant, q.Condition = parley.DefaultTenant, &c
		view(t, s, func(tx parley.Tx) error {
			before := store.Setting(t, tx, "work_mem")
			found, err := tx.ListInsights(t.Context(), q)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			if after := store.Setting(t, tx, "work_mem"); len(found) == 0 || after != before || before == "32MB" {
				t.Errorf("%s: %d are found, with %s of memory before and %s after it", name, len(found), before, after)
			}
			return nil
		})
	}
}

// Words lie beside the rows of conversations, also where they were written again: what is told apart by words is as quick as these rows are on few pages.
func TestWordsLieBesideTheirRows(t *testing.T) {
	const conversations, widest = 1000, 128 // bytes of a row, of a kilobyte with its words
	s := storetest.OpenPostgres(t)
	if err := s.FillInsights(t.Context(), conversations); err != nil {
		t.Fatal(err)
	}
	q := parley.InsightQuery{Tenant: parley.DefaultTenant, Limit: conversations}
	var all []parley.Insight
	view(t, s, func(tx parley.Tx) (err error) {
		all, err = tx.ListInsights(t.Context(), q)
		return err
	})
	size := func() int64 { return s.Number(t, "SELECT pg_relation_size('insight_terms')") }
	if got := size(); len(all) != conversations || got > conversations*widest {
		t.Errorf("%d conversations take %d bytes, want %d of at most %d each", len(all), got, conversations, widest)
	}
	if err := s.Update(t.Context(), func(tx parley.Tx) error {
		for i := range all {
			all[i].Ended = all[i].Ended.Add(time.Hour)
			if err := tx.PutInsight(t.Context(), &all[i]); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if got := size(); got > 2*conversations*widest {
		t.Errorf("written again, %d conversations take %d bytes, want at most two rows of %d each", conversations, got, widest)
	}
}
