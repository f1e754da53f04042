package store

import (
	"context"
	"fmt"
	"time"

	"parley"
)

// Overdue implements [parley.Lanes]. Each receiver's lanes are looked for by themselves, so that one with many does not
// hide the others.
func (s *Store) Overdue(ctx context.Context, by time.Duration, limit int) ([]parley.OverdueLane, error) {
	now := s.now()
	free := `k.receiver = r.key AND k.due <= ? AND (k.lease IS NULL OR k.lease_until < ?) ORDER BY k.due LIMIT ?`
	join := "JOIN lanes AS l ON l.key IN (SELECT k.key FROM lanes AS k WHERE " + free + ")"
	if s.dialect.lateral {
		join = "CROSS JOIN LATERAL (SELECT k.key, k.due FROM lanes AS k WHERE " + free + ") AS l"
	}
	rows, err := s.read.QueryContext(ctx, "SELECT l.key, r.key FROM receivers AS r "+join+
		" WHERE r.disabled = '' AND r.broken IS NULL AND r.pulled = 0 ORDER BY l.due", now.Add(-by).UnixMilli(), now.UnixMilli(), limit)
	if err != nil {
		return nil, fmt.Errorf("look for overdue lanes: %w", err)
	}
	defer rows.Close()
	var found []parley.OverdueLane
	for rows.Next() {
		var l parley.OverdueLane
		if err := rows.Scan(&l.Lane, &l.Receiver); err != nil {
			return nil, err
		}
		found = append(found, l)
	}
	return found, rows.Err()
}
