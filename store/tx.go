package store

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/uptrace/bun"

	"parley"
)

// A tx implements [parley.Tx]. Its queries are in the files named for what they read.
type tx struct {
	s    *Store
	db   bun.Tx
	pool pool // that its connection is of
}

// conn is the transaction as bulks use it.
func (t *tx) conn() conn { return t.s.conn(t.pool, t.db.Tx) }

// Update runs its function again after a serialization failure until both are over: of many that change one row, one gets on in each round,
// and on a busy machine one of 72 had not been lucky in ten.
const (
	updateTries = 10
	updateFor   = 5 * time.Second
)

// Update implements [parley.Store].
func (s *Store) Update(ctx context.Context, fn func(parley.Tx) error) error {
	var err error
	for try, began := 0, time.Now(); try < updateTries || time.Since(began) < updateFor; try++ {
		if try > 0 {
			// Full jitter, so that two writers who met do not meet again.
			wait := time.NewTimer(rand.N(time.Millisecond << min(try, 7)))
			select {
			case <-wait.C:
			case <-ctx.Done():
				wait.Stop()
				return fmt.Errorf("update: %w", ctx.Err())
			}
		}
		err = s.updateOnce(ctx, fn)
		if err == nil || !isTransient(err) {
			return err
		}
	}
	return &parley.Error{Kind: parley.Busy, Msg: "too many changes meet here, try again", Err: err}
}

// updateOnce is one try of an Update. So many only ask for a connection at the same time: the shards wait for theirs in the same queue, in no
// particular order, and behind the first turns of 2,000 sessions a commit waited for 3.7 s (PostgreSQL, measured 2026-11-26).
func (s *Store) updateOnce(ctx context.Context, fn func(parley.Tx) error) error {
	select {
	case s.updates <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("begin: %w", ctx.Err())
	}
	defer func() { <-s.updates }()
	return s.inTx(ctx, s.write, s.writes, &sql.TxOptions{Isolation: s.dialect.isolation}, fn)
}

// View implements [parley.Store].
func (s *Store) View(ctx context.Context, fn func(parley.Tx) error) error {
	return s.inTx(ctx, s.read, s.reads, &sql.TxOptions{Isolation: s.dialect.snapshot, ReadOnly: s.dialect.unnest}, fn)
}

func (s *Store) inTx(ctx context.Context, db *bun.DB, of pool, options *sql.TxOptions, fn func(parley.Tx) error) error {
	t, err := db.BeginTx(ctx, options)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer t.Rollback() // after a commit it does nothing; after an error or a panic it is what we want
	if err := fn(&tx{s: s, db: t, pool: of}); err != nil {
		return err
	}
	if err := t.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// tenantKey is the key of a tenant's rows; NotFound if there is no such tenant.
func (s *Store) tenantKey(ctx context.Context, db bun.IDB, id parley.TenantID) (int64, error) {
	s.mu.RLock()
	key, ok := s.tenants[id]
	s.mu.RUnlock()
	if ok {
		return key, nil
	}
	if err := db.NewRaw("SELECT key FROM tenants WHERE id = ?", id[:]).Scan(ctx, &key); err != nil {
		return 0, notFound(err, "tenant")
	}
	s.mu.Lock()
	s.tenants[id] = key
	s.mu.Unlock()
	return key, nil
}
