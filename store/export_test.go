package store

import (
	"context"
	"database/sql"
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

// CommitTogether makes steps true that meet in one commit, in that order.
func (s *Store) CommitTogether(t testing.TB, steps ...*parley.Step) []parley.Committed {
	t.Helper()
	batch := make([]*entry, len(steps))
	for i, step := range steps {
		batch[i] = &entry{chain: step.Conversation.ID, step: step}
	}
	if err := s.commitBatch(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	committed := make([]parley.Committed, len(batch))
	for i, e := range batch {
		if committed[i] = e.committed; e.err != nil {
			t.Fatalf("step %d: %v", i, e.err)
		}
	}
	return committed
}

// PlanOfBacklog is how SQLite counts what lanes owe.
func (s *Store) PlanOfBacklog(t testing.TB) string { return s.plan(t, countBacklog, int64(1)) }

// PlanOfOpen is how SQLite counts open conversations.
func (s *Store) PlanOfOpen(t testing.TB) string { return s.plan(t, countOpen) }

// PlanOfVisits is how SQLite reads a page of an export of visits.
func (s *Store) PlanOfVisits(t testing.TB, q parley.VisitQuery) string {
	t.Helper()
	text, args := exportedVisits(&q, 1, 1)
	return s.plan(t, text, args...)
}

// PlanOfEvents is how SQLite reads a page of an export of events.
func (s *Store) PlanOfEvents(t testing.TB, q parley.EventQuery) (steps string) {
	t.Helper()
	if err := s.View(t.Context(), func(p parley.Tx) error {
		text, args, err := p.(*tx).exportedEvents(t.Context(), q, 1, 2)
		steps = s.plan(t, "SELECT e.body FROM tracked_events AS e JOIN tenants AS tn ON tn.key = e.tenant "+text, args...)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return steps
}

// LookAtFew bounds how many values of a key are looked at for a wildcard, instead of fewValues.
func (s *Store) LookAtFew(values int) { s.few = values }

// WriteWordsAnew loses all words, as the migration to them does, and writes them as Open does.
func (s *Store) WriteWordsAnew(t testing.TB) {
	t.Helper()
	if err := s.Update(t.Context(), func(p parley.Tx) error {
		if err := p.(*tx).run(t.Context(), "DELETE FROM insight_terms"); err != nil {
			return err
		}
		return p.(*tx).run(t.Context(), "UPDATE insight_words SET written = -1")
	}); err != nil {
		t.Fatal(err)
	}
	if err := s.openWords(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (s *Store) plan(t testing.TB, text string, args ...any) string {
	t.Helper()
	rows, err := s.read.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+text, args...)
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

// WritersPlan is how PostgreSQL runs a statement of those who write.
func (s *Store) WritersPlan(t testing.TB, text string) string {
	t.Helper()
	var plan string
	err := query(t.Context(), s.write, "EXPLAIN "+text, nil, func(rows *sql.Rows) error {
		var line string
		err := rows.Scan(&line)
		plan += line + "\n"
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// Writers are the connections that write, and the shards that need one each.
func (s *Store) Writers() (connections, shards int) {
	return s.write.Stats().MaxOpenConnections, len(s.shards)
}

// Exec runs a statement past all rules.
func (s *Store) Exec(t testing.TB, text string) {
	t.Helper()
	if _, err := s.write.DB.ExecContext(t.Context(), text); err != nil {
		t.Fatal(err)
	}
}

// Number is what a query of one number gives.
func (s *Store) Number(t testing.TB, text string) (n int64) {
	t.Helper()
	if err := s.write.DB.QueryRowContext(t.Context(), text).Scan(&n); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return n
}

// Texts is what a query of one column gives.
func (s *Store) Texts(t testing.TB, text string) (all []string) {
	t.Helper()
	if err := s.read.NewRaw(text).Scan(t.Context(), &all); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return all
}

// AnalyseGrown does what the store does every now and then.
func (s *Store) AnalyseGrown(ctx context.Context) ([]string, error) { return s.analyseGrown(ctx) }

// Setting is what a setting of PostgreSQL is within a transaction.
func Setting(t testing.TB, p parley.Tx, name string) (value string) {
	t.Helper()
	if err := p.(*tx).db.NewRaw("SELECT current_setting(?)", name).Scan(t.Context(), &value); err != nil {
		t.Fatal(err)
	}
	return value
}

// Bounds of what is kept of commits.
const (
	RecentFor  = recentFor
	MaxStretch = maxStretch
	MaxRecent  = maxRecent
)

// RecentBytes is how much is kept of commits.
func (s *Store) RecentBytes() (n int) {
	for _, b := range s.shards {
		b.recent.mu.Lock()
		for _, generation := range []map[parley.ConversationID]*stretch{b.recent.young, b.recent.old} {
			for _, kept := range generation {
				n += kept.size()
			}
		}
		b.recent.mu.Unlock()
	}
	return n
}

// TurnRecent lets go of what was kept and not continued since it was called last.
func (s *Store) TurnRecent() {
	for _, b := range s.shards {
		b.recent.turn()
	}
}
