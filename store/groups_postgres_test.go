package store_test

import (
	"fmt"
	"testing"

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
