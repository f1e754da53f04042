package store

import (
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"parley/store/keyset"
)

// No bulk reads a table from one end to the other, or all of a tenant, to find its rows, however many it is given: SQLite
// decides that without statistics, and what it decides costs nothing in a small database.
func TestBulksFindTheirRowsByKeys(t *testing.T) {
	seal, err := keyset.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), Config{URL: filepath.Join(t.TempDir(), "parley.db"), Seal: seal, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, b := range bulks {
		if strings.Contains(b.text, "LATERAL") || strings.Contains(b.text, "::") {
			continue // PostgreSQL's own
		}
		for _, n := range chunks {
			rows, err := s.write.DB.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+b.values[n], make([]any, n*len(b.columns))...)
			if err != nil {
				t.Fatalf("%s: %v", b.text, err)
			}
			for rows.Next() {
				var id, parent, unused int
				var step string
				if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
					t.Fatal(err)
				}
				ownRows := strings.Contains(step, "VALUES CLAUSE") || strings.Contains(step, "(subquery") || strings.Contains(step, "CONSTANT ROW")
				if strings.HasPrefix(step, "SCAN") && !ownRows || strings.HasSuffix(step, "(tenant=?)") || strings.Contains(step, "AUTOMATIC") {
					t.Errorf("given %d rows, %s\nfinds them by %s", n, b.text, step)
				}
			}
			if err := rows.Err(); err != nil {
				t.Fatal(err)
			}
			rows.Close()
		}
	}
}
