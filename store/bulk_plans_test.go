package store

import (
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"parley/store/keyset"
)

// openFile opens the SQLite record of a folder, with the keys that are there.
func openFile(t *testing.T, folder string) *Store {
	t.Helper()
	seal, err := keyset.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), Config{URL: filepath.Join(folder, "parley.db"), Seal: seal, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// No bulk reads a table from one end to the other, or all of a tenant, to find its rows, however many it is given: SQLite
// decides that without statistics, and what it decides costs nothing in a small database.
func TestBulksFindTheirRowsByKeys(t *testing.T) {
	s := openFile(t, t.TempDir())
	for _, b := range bulks {
		if strings.Contains(b.text, "LATERAL") || strings.Contains(b.text, "::") {
			continue // PostgreSQL's own
		}
		for _, n := range chunks {
			rows, err := s.write.DB.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+b.values[n], make([]any, n*len(b.columns))...)
			if err != nil {
				t.Fatalf("%s: %v", b.text, err)
			}
			defer rows.Close()
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
		}
	}
}
