package store

import (
	"context"
	"fmt"
	"time"

	"parley"
)

// ClaimFor implements [parley.Lanes].
func (s *Store) ClaimFor(ctx context.Context, r parley.Receiver, limit int, lease time.Duration) ([]*parley.Lane, error) {
	var lanes []int64
	now := s.now().UnixMilli()
	err := s.read.NewRaw(`SELECT l.key FROM lanes AS l JOIN receivers AS r ON r.key = l.receiver JOIN tenants AS tn ON tn.key = r.tenant
		WHERE tn.id = ? AND r.application = ? AND r.role = ? AND r.disabled = '' AND l.due <= ? AND (l.lease IS NULL OR l.lease_until < ?)
		ORDER BY l.due LIMIT ?`, r.Tenant[:], r.Application[:], string(r.Role), now, now, limit).Scan(ctx, &lanes)
	if err != nil {
		return nil, fmt.Errorf("look for lanes of application %s: %w", r.Application, err)
	}
	return s.claim(lanes, lease, true)
}

// SetPulled implements [parley.Lanes].
func (s *Store) SetPulled(ctx context.Context, receiver int64, pulled bool) error {
	return s.Update(ctx, func(t parley.Tx) error {
		_, err := t.(*tx).db.NewRaw("UPDATE receivers SET pulled = ? WHERE key = ?", flag(pulled), receiver).Exec(ctx)
		return err
	})
}

// Pulled implements [parley.Lanes].
func (s *Store) Pulled(ctx context.Context) ([]parley.Receiver, error) {
	return s.receiversThat(ctx, "r.pulled = 1")
}

// Held implements [parley.Lanes].
func (s *Store) Held(ctx context.Context) ([]parley.Receiver, error) {
	return s.receiversThat(ctx, "(r.disabled <> '' OR r.broken IS NOT NULL)")
}

// receiversThat lists the receivers, r, of all tenants for which a condition holds.
func (s *Store) receiversThat(ctx context.Context, condition string) ([]parley.Receiver, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT r.key, tn.id, r.application, r.role, r.disabled FROM receivers AS r
		JOIN tenants AS tn ON tn.key = r.tenant WHERE `+condition+` ORDER BY r.key`)
	if err != nil {
		return nil, fmt.Errorf("list receivers: %w", err)
	}
	defer rows.Close()
	var found []parley.Receiver
	for rows.Next() {
		var r parley.Receiver
		var tenant, application []byte
		if err := rows.Scan(&r.Key, &tenant, &application, &r.Role, &r.Disabled); err != nil {
			return nil, err
		}
		r.Tenant, r.Application = parley.TenantID(tenant), parley.ApplicationID(application)
		found = append(found, r)
	}
	return found, rows.Err()
}
