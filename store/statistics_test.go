package store_test

import (
	"database/sql"
	"log/slog"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"parley/store"
	"parley/store/storetest"
)

// A table that grows fast has statistics soon after, long before autovacuum would come by, which is kept from it here. What did not grow is
// left alone.
func TestStatisticsFollowGrowth(t *testing.T) {
	url := storetest.PostgresURL(t)
	var said strings.Builder
	s := storetest.OpenURL(t, url, func(c *store.Config) { c.Logger = slog.New(slog.NewTextHandler(&said, nil)) })
	storetest.MustCommit(t, s, storetest.Start("first"))
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	const many = 20_000
	for _, statement := range []string{"ALTER TABLE conversations SET (autovacuum_enabled = false)", "ANALYZE",
		`INSERT INTO conversations SELECT (jsonb_populate_record(c, jsonb_build_object('key', 1000 + n, 'id', '\x' || lpad(to_hex(n), 32, '0'), 'start_key', null))).*
			FROM conversations AS c, generate_series(1, 20000) AS n`} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(20 * time.Second); ; {
		var known float64
		if err := db.QueryRowContext(t.Context(), "SELECT reltuples FROM pg_class WHERE oid = 'conversations'::regclass").Scan(&known); err != nil {
			t.Fatal(err)
		}
		if known >= many {
			break
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("of %d conversations statistics know %v; log: %s", many, known, &said)
		}
	}
	if grown, err := s.AnalyseGrown(t.Context()); err != nil || len(grown) > 0 {
		t.Errorf("analysed %v again, %v", grown, err)
	}
}
