package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// growthEvery is how often PostgreSQL is asked which tables grew.
	growthEvery = 2 * time.Second
	// growthFactor is by how much a table must have grown for its statistics to be of no use. A table doubles often, and is analysed
	// for some tenths of a second each time.
	growthFactor = 4
	// leastRows is the size below which any plan will do.
	leastRows = 1000
)

// watchGrowth lets statistics follow tables that grow fast, until ctx ends. A statement that was prepared while its table was small keeps
// the plan that was good for that until the table is analysed, and autovacuum comes by once a minute: to open one of 100,000
// conversations took 0.85 s, since it read all of their messages (parley bench growth, 2026-11-27).
func (s *Store) watchGrowth(ctx context.Context) {
	tick := time.NewTicker(growthEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if _, err := s.analyseGrown(ctx); err != nil && ctx.Err() == nil {
			s.config.Logger.WarnContext(ctx, "following the growth of tables", "error", err)
		}
	}
}

// analyseGrown brings the statistics of tables that grew up to date, and says which those are. One that somebody analyses already
// is left to him. Rows are counted as they are committed; the size of a table knows of them while statistics cannot see them yet.
func (s *Store) analyseGrown(ctx context.Context) (grown []string, err error) {
	err = query(ctx, s.read, `SELECT c.relname FROM pg_class AS c JOIN pg_stat_user_tables AS st ON st.relid = c.oid
		WHERE c.relnamespace = current_schema()::regnamespace AND st.n_live_tup > ? * GREATEST(c.reltuples, ?)`, []any{growthFactor, leastRows}, func(rows *sql.Rows) error {
		var table string
		err := rows.Scan(&table)
		grown = append(grown, pgx.Identifier{table}.Sanitize())
		return err
	})
	if err != nil || len(grown) == 0 {
		return nil, err
	}
	if _, err := s.read.ExecContext(ctx, "ANALYZE (SKIP_LOCKED) "+strings.Join(grown, ", ")); err != nil {
		return nil, fmt.Errorf("analyse %s: %w", strings.Join(grown, ", "), err)
	}
	return grown, nil
}
