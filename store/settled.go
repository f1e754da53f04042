package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"parley"
)

// orderedByKey are the tables whose keys are the places of cursors.
var orderedByKey = map[parley.CursorKind]string{parley.ConversationCursor: "conversations", parley.EventCursor: "tracked_events"}

// Settled is a key such that everything of a kind, conversations or events, with that or a smaller one that will ever be there is there
// already, and what is there now is not beyond it.
//
// PostgreSQL gives keys before it commits, so a smaller one may turn up after a greater one. Whoever is to write one holds a lock on
// the table from before it gets its key until it has committed. So the greatest key is read first, then who holds such a lock; once those
// have let go, nobody has a smaller one. SQLite has one writer.
func (s *Store) Settled(ctx context.Context, kind parley.CursorKind) (key int64, err error) {
	table, ok := orderedByKey[kind]
	if !ok {
		return 0, fmt.Errorf("%q is no kind of things that keys are the order of", kind)
	}
	if err := s.read.NewRaw("SELECT COALESCE(max(key), 0) FROM "+table).Scan(ctx, &key); err != nil {
		return 0, fmt.Errorf("read the last of %s: %w", table, err)
	}
	if !s.dialect.unnest {
		return key, nil
	}
	writing := func() (holders []string, err error) {
		err = s.read.NewRaw(`SELECT virtualtransaction FROM pg_locks WHERE locktype = 'relation' AND relation = '`+table+`'::regclass
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND mode = 'RowExclusiveLock'`).Scan(ctx, &holders)
		return holders, err
	}
	before, err := writing()
	if err != nil {
		return 0, fmt.Errorf("look who writes %s: %w", table, err)
	}
	for wait := time.Millisecond; len(before) > 0; wait = min(2*wait, 100*time.Millisecond) {
		pause := time.NewTimer(wait)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return 0, fmt.Errorf("wait for who writes %s: %w", table, ctx.Err())
		}
		now, err := writing()
		if err != nil {
			return 0, fmt.Errorf("look who writes %s: %w", table, err)
		}
		before = slices.DeleteFunc(before, func(holder string) bool { return !slices.Contains(now, holder) })
	}
	return key, nil
}
