package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"parley"
)

// Notice implements [parley.Lanes].
func (s *Store) Notice(ctx context.Context, n parley.OwedNotice, every, lease time.Duration) (key int64, err error) {
	now, noticed := s.now(), bun.Ident("noticed")
	if n.Disabled {
		noticed = "noticed_disabled"
	}
	err = s.Update(ctx, func(p parley.Tx) error {
		t := p.(*tx)
		var keys []int64
		err := t.db.NewRaw("UPDATE receivers SET ? = ? WHERE key = ? AND (? IS NULL OR ? <= ?) RETURNING key",
			noticed, now.UnixMilli(), n.Receiver.Key, noticed, noticed, now.Add(-every).UnixMilli()).Scan(ctx, &keys)
		if key = 0; err != nil || len(keys) == 0 {
			return err
		}
		var delivery []byte
		if !n.Delivery.IsZero() {
			delivery = n.Delivery[:]
		}
		return t.db.NewRaw("INSERT INTO owed_notices (receiver, disabled, reason, delivery, at, until) VALUES (?, ?, ?, ?, ?, ?) RETURNING key",
			n.Receiver.Key, flag(n.Disabled), n.Reason, delivery, n.At.UnixMilli(), now.Add(lease).UnixMilli()).Scan(ctx, &key)
	})
	return key, err
}

// OwedNotices implements [parley.Lanes].
func (s *Store) OwedNotices(ctx context.Context, lease time.Duration, limit int) (owed []parley.OwedNotice, err error) {
	now := s.now()
	var some bool
	if err := s.read.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM owed_notices WHERE until <= ?)", now.UnixMilli()).Scan(&some); err != nil || !some {
		return nil, err // as a rule, and then nobody writes
	}
	err = s.Update(ctx, func(p parley.Tx) error {
		t := p.(*tx)
		var keys []int64
		if err := t.db.NewRaw("UPDATE owed_notices SET until = ? WHERE key IN (SELECT key FROM owed_notices WHERE until <= ? ORDER BY key LIMIT ?) RETURNING key",
			now.Add(lease).UnixMilli(), now.UnixMilli(), limit).Scan(ctx, &keys); err != nil {
			return err
		}
		owed = nil
		for _, key := range slices.Sorted(slices.Values(keys)) {
			n := parley.OwedNotice{Key: key}
			var tenant, application, delivery []byte
			var disabled, at int64
			var told string
			if err := query(ctx, t.db, `SELECT r.key, tn.id, r.application, r.role, r.disabled, n.disabled, n.reason, n.delivery, n.at, n.told FROM owed_notices AS n
				JOIN receivers AS r ON r.key = n.receiver JOIN tenants AS tn ON tn.key = r.tenant WHERE n.key = ?`, []any{key}, func(rows *sql.Rows) error {
				return rows.Scan(&n.Receiver.Key, &tenant, &application, &n.Receiver.Role, &n.Receiver.Disabled, &disabled, &n.Reason, &delivery, &at, &told)
			}); err != nil {
				return err
			}
			n.Receiver.Tenant, n.Receiver.Application = parley.TenantID(tenant), parley.ApplicationID(application)
			if n.Disabled, n.At = disabled == 1, moment(&at); delivery != nil {
				n.Delivery = parley.DeliveryID(delivery)
			}
			if told != "" {
				n.Told = strings.Fields(told)
			}
			owed = append(owed, n)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("take over notices: %w", err)
	}
	return owed, nil
}

// NoticedBy implements [parley.Lanes].
func (s *Store) NoticedBy(ctx context.Context, key int64, way string) error {
	return s.Update(ctx, func(t parley.Tx) error {
		return t.(*tx).run(ctx, "UPDATE owed_notices SET told = told || ? WHERE key = ?", way+" ", key)
	})
}

// Noticed implements [parley.Lanes].
func (s *Store) Noticed(ctx context.Context, key int64) error {
	return s.Update(ctx, func(t parley.Tx) error { return t.(*tx).run(ctx, "DELETE FROM owed_notices WHERE key = ?", key) })
}
