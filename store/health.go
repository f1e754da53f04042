package store

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"parley"
)

// exec runs one statement in a transaction of its own.
func (s *Store) exec(ctx context.Context, text string, args ...any) error {
	return s.Update(ctx, func(t parley.Tx) error {
		_, err := t.(*tx).db.NewRaw(text, args...).Exec(ctx)
		return err
	})
}

// Disable implements [parley.Lanes].
func (s *Store) Disable(ctx context.Context, receiver int64, reason string) error {
	if reason == "" {
		if err := s.exec(ctx, "UPDATE receivers SET disabled = '', failing = NULL, broken = NULL, breaks = 0 WHERE key = ?", receiver); err != nil {
			return err
		}
		_, err := s.hasten(ctx, receiver, math.MaxInt64)
		return err
	}
	return s.exec(ctx, "UPDATE receivers SET disabled = ? WHERE key = ?", reason, receiver)
}

// Failing implements [parley.Lanes].
func (s *Store) Failing(ctx context.Context, receiver int64, since time.Time) (time.Time, error) {
	var from int64
	err := s.Update(ctx, func(t parley.Tx) error {
		return t.(*tx).db.NewRaw("UPDATE receivers SET failing = COALESCE(failing, ?) WHERE key = ? RETURNING failing",
			since.UnixMilli(), receiver).Scan(ctx, &from)
	})
	if err != nil {
		return time.Time{}, fmt.Errorf("note that receiver %d fails: %w", receiver, err)
	}
	return moment(&from), nil
}

// Well implements [parley.Lanes].
func (s *Store) Well(ctx context.Context, receiver int64) (since time.Time, err error) {
	var failing *int64
	err = s.Update(ctx, func(t parley.Tx) error {
		db := t.(*tx).db
		if err := db.NewRaw("SELECT failing FROM receivers WHERE key = ?", receiver).Scan(ctx, &failing); err != nil {
			return err
		}
		_, err := db.NewRaw("UPDATE receivers SET failing = NULL, broken = NULL, breaks = 0 WHERE key = ? AND (failing IS NOT NULL OR broken IS NOT NULL)",
			receiver).Exec(ctx)
		return err
	})
	if err != nil {
		return time.Time{}, fmt.Errorf("note that receiver %d is well: %w", receiver, err)
	}
	return moment(failing), nil
}

// Hasten implements [parley.Lanes].
func (s *Store) Hasten(ctx context.Context, receiver int64, within time.Duration) (int, error) {
	return s.hasten(ctx, receiver, s.now().Add(within).UnixMilli())
}

// hastenPage is how many lanes are hastened in one transaction: commits of messages wait behind it.
const hastenPage = 500

func (s *Store) hasten(ctx context.Context, receiver, until int64) (n int, err error) {
	now := s.now().UnixMilli()
	for {
		var page []int64
		err := s.Update(ctx, func(t parley.Tx) error {
			page = nil
			return t.(*tx).db.NewRaw(`UPDATE lanes SET due = CASE WHEN asked > ? THEN asked ELSE ? END WHERE key IN (SELECT l.key FROM lanes AS l
				WHERE l.receiver = ? AND l.due > ? AND l.due <= ? AND l.due > COALESCE(l.asked, 0) AND l.attempts > 0 AND l.lease IS NULL
				ORDER BY l.due LIMIT ?`+s.dialect.forUpdate+`) RETURNING key`, now, now, receiver, now, until, hastenPage).Scan(ctx, &page)
		})
		n += len(page)
		if err != nil {
			return n, fmt.Errorf("hasten lanes of receiver %d: %w", receiver, err)
		}
		if len(page) < hastenPage {
			return n, nil
		}
	}
}

// Break implements [parley.Lanes].
func (s *Store) Break(ctx context.Context, receiver int64, probed bool, wait func(breaks int) time.Duration) (until time.Time, err error) {
	err = s.Update(ctx, func(t parley.Tx) error {
		db := t.(*tx).db
		var broken *int64
		var breaks int
		if err := db.QueryRowContext(ctx, "SELECT broken, breaks FROM receivers WHERE key = ?", receiver).Scan(&broken, &breaks); err != nil {
			return err
		}
		if broken != nil && !probed { // another node was first
			until = moment(broken)
			return nil
		}
		if broken == nil && probed { // somebody closed it meanwhile
			return nil
		}
		until = s.now().Add(wait(breaks + 1))
		_, err := db.NewRaw("UPDATE receivers SET broken = ?, breaks = ? WHERE key = ?", until.UnixMilli(), breaks+1, receiver).Exec(ctx)
		return err
	})
	if err != nil {
		return time.Time{}, fmt.Errorf("open the breaker of receiver %d: %w", receiver, err)
	}
	return until, nil
}

// Probe implements [parley.Lanes].
func (s *Store) Probe(ctx context.Context, lease time.Duration) (won []*parley.Lane, err error) {
	var waiting []int64
	if err := s.read.NewRaw("SELECT key FROM receivers WHERE broken <= ? AND disabled = '' AND pulled = 0 ORDER BY key", s.now().UnixMilli()).Scan(ctx, &waiting); err != nil {
		return nil, fmt.Errorf("look for receivers to try again: %w", err)
	}
	for _, receiver := range waiting {
		var lanes []*parley.Lane
		err := s.Update(ctx, func(t parley.Tx) (err error) {
			lanes, err = t.(*tx).probe(ctx, receiver, lease)
			return err
		})
		if err != nil {
			return won, fmt.Errorf("try receiver %d again: %w", receiver, err)
		}
		won = append(won, lanes...)
	}
	return won, nil
}

func (t *tx) probe(ctx context.Context, receiver int64, lease time.Duration) ([]*parley.Lane, error) {
	now := t.s.now()
	until := now.Add(lease)
	var keys []int64
	err := t.db.NewRaw(`UPDATE lanes SET lease = ?, lease_until = ? WHERE key = (SELECT l.key FROM lanes AS l
		JOIN receivers AS r ON r.key = l.receiver WHERE r.key = ? AND r.broken <= ? AND l.due <= ? AND (l.lease IS NULL OR l.lease_until < ?)
		ORDER BY l.due LIMIT 1) RETURNING key`, rand.Int64(), until.UnixMilli(), receiver, now.UnixMilli(), now.UnixMilli(), now.UnixMilli()).Scan(ctx, &keys)
	if err != nil || len(keys) == 0 {
		return nil, err // nothing is owed: there is nothing to try it with, and nothing that waits
	}
	if _, err := t.db.NewRaw("UPDATE receivers SET broken = ? WHERE key = ?", until.UnixMilli(), receiver).Exec(ctx); err != nil {
		return nil, err
	}
	var token int64
	if err := t.db.NewRaw("SELECT lease FROM lanes WHERE key = ?", keys[0]).Scan(ctx, &token); err != nil {
		return nil, err
	}
	lanes, err := selectLanes(ctx, t.db, keys, token, until)
	for _, l := range lanes {
		l.Probe = true
	}
	return lanes, err
}

// Healths implements [parley.Lanes].
func (s *Store) Healths(ctx context.Context, tenant parley.TenantID) ([]parley.Health, error) {
	where, args := "", []any{}
	if !tenant.IsZero() {
		where, args = "WHERE tn.id = ?", append(args, tenant[:])
	}
	rows, err := s.read.QueryContext(ctx, `SELECT r.key, tn.id, r.application, r.role, r.disabled, r.failing, r.broken, r.breaks,
			(SELECT count(*) FROM lanes AS l WHERE l.receiver = r.key AND l.due IS NOT NULL),
			(SELECT min(l.due) FROM lanes AS l WHERE l.receiver = r.key AND l.due IS NOT NULL),
			(SELECT count(*) FROM lanes AS l WHERE l.receiver = r.key AND l.blocked IS NOT NULL),
			COALESCE(dead.n, 0)
		FROM receivers AS r JOIN tenants AS tn ON tn.key = r.tenant
		LEFT JOIN (SELECT l.receiver, count(*) AS n FROM exceptions AS x JOIN lanes AS l ON l.key = x.lane WHERE x.state = 'dead' GROUP BY l.receiver) AS dead
			ON dead.receiver = r.key `+where+` ORDER BY r.key`, args...)
	if err != nil {
		return nil, fmt.Errorf("read how receivers do: %w", err)
	}
	defer rows.Close()
	var found []parley.Health
	for rows.Next() {
		var h parley.Health
		var id, application []byte
		var failing, broken, oldest *int64
		if err := rows.Scan(&h.Key, &id, &application, &h.Role, &h.Disabled, &failing, &broken, &h.Breaks, &h.Owing, &oldest, &h.Blocked, &h.Dead); err != nil {
			return nil, err
		}
		h.Tenant, h.Application = parley.TenantID(id), parley.ApplicationID(application)
		h.Failing, h.Broken, h.Oldest = moment(failing), moment(broken), moment(oldest)
		found = append(found, h)
	}
	return found, rows.Err()
}
