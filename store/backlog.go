package store

import (
	"context"
	"fmt"
	"time"

	"parley"
)

// What is counted here is asked for again and again, and looks only at indexes of what is out of the ordinary; receivers
// are few.
const (
	countBacklog = `SELECT count(CASE WHEN r.disabled = '' AND r.broken IS NULL THEN 1 END), count(CASE WHEN r.disabled <> '' OR r.broken IS NOT NULL THEN 1 END),
		min(CASE WHEN r.disabled = '' AND r.broken IS NULL THEN l.due END),
		(SELECT count(*) FROM lanes AS b WHERE b.blocked IS NOT NULL), (SELECT count(*) FROM exceptions AS x WHERE x.state = 'dead')
		FROM lanes AS l JOIN receivers AS r ON r.key = l.receiver WHERE l.due <= ?`
	countOpen = "SELECT owner_kind, count(*) FROM conversations WHERE status = 'open' GROUP BY owner_kind"
)

// Backlog implements [parley.Lanes].
func (s *Store) Backlog(ctx context.Context) (parley.Backlog, error) {
	var b parley.Backlog
	var oldest *int64
	err := s.read.QueryRowContext(ctx, countBacklog, s.now().UnixMilli()).Scan(&b.Due, &b.Held, &oldest, &b.Blocked, &b.Dead)
	if err != nil {
		return b, fmt.Errorf("count what lanes owe: %w", err)
	}
	b.Oldest = moment(oldest)
	err = s.read.QueryRowContext(ctx, `SELECT count(CASE WHEN disabled <> '' THEN 1 END), count(CASE WHEN disabled = '' AND broken IS NOT NULL THEN 1 END),
		count(CASE WHEN disabled = '' AND broken IS NULL AND failing IS NOT NULL THEN 1 END),
		count(CASE WHEN disabled = '' AND broken IS NULL AND failing IS NULL THEN 1 END) FROM receivers`).
		Scan(&b.Receivers.Disabled, &b.Receivers.Broken, &b.Receivers.Failing, &b.Receivers.OK)
	if err != nil {
		return b, fmt.Errorf("count receivers: %w", err)
	}
	return b, nil
}

// OpenByOwner implements [parley.Conversations].
func (t *tx) OpenByOwner(ctx context.Context) (map[parley.OwnerKind]int, error) {
	rows, err := t.db.QueryContext(ctx, countOpen)
	if err != nil {
		return nil, fmt.Errorf("count open conversations: %w", err)
	}
	defer rows.Close()
	open := map[parley.OwnerKind]int{}
	for rows.Next() {
		var kind parley.OwnerKind
		var n int
		if err := rows.Scan(&kind, &n); err != nil {
			return nil, err
		}
		open[kind] = n
	}
	return open, rows.Err()
}

// Bytes is how large the database is, its indexes and what is free inside included.
func (s *Store) Bytes(ctx context.Context) (int64, error) {
	text := "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
	if s.dialect.unnest {
		text = "SELECT pg_database_size(current_database())"
	}
	var n int64
	if err := s.read.QueryRowContext(ctx, text).Scan(&n); err != nil {
		return 0, fmt.Errorf("measure the database: %w", err)
	}
	return n, nil
}

// ClockAhead is how far the clock of this process is ahead of the database's, by which those of several nodes can be compared; negative = behind. It is
// as exact as the database is quick, and 0 with SQLite, which has no other clock than the process.
func (s *Store) ClockAhead(ctx context.Context) (time.Duration, error) {
	if !s.dialect.unnest {
		return 0, nil
	}
	var there time.Time
	asked := s.config.Clock()
	if err := s.read.QueryRowContext(ctx, "SELECT clock_timestamp()").Scan(&there); err != nil {
		return 0, fmt.Errorf("ask for the database's time: %w", err)
	}
	answered := s.config.Clock()
	return asked.Add(answered.Sub(asked) / 2).Sub(there), nil
}
