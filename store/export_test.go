package store

import (
	"context"
	"strings"
	"testing"

	"parley"
)

// FinishTogether is Finish for several workers whose reports meet in one commit, in that order.
func (s *Store) FinishTogether(ctx context.Context, all ...parley.Progress) []error {
	batch := make([]*entry, len(all))
	for i := range all {
		batch[i] = &entry{progress: &all[i]}
	}
	errs := make([]error, len(all))
	failed := s.commitBatch(ctx, batch)
	for i, e := range batch {
		if errs[i] = e.err; failed != nil {
			errs[i] = failed
		}
	}
	return errs
}

// Plan is how SQLite would run a query.
func (s *Store) Plan(t testing.TB, text string) string {
	t.Helper()
	rows, err := s.read.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+text)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var steps []string
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			t.Fatal(err)
		}
		steps = append(steps, step)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(steps, "; ")
}
