package store

import (
	"context"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"parley"
)

// removedAtOnce bounds the rows that one transaction of retention removes: as long as it takes nobody else writes on SQLite.
const removedAtOnce = 1000

// RemoveJobs implements [parley.Retentions].
func (t *tx) RemoveJobs(ctx context.Context, tenant parley.TenantID, before time.Time) (int64, error) {
	owner, err := t.s.tenantKey(ctx, t.db, tenant)
	if err != nil {
		return 0, err
	}
	n, err := t.affected(ctx, "DELETE FROM jobs WHERE id IN (SELECT id FROM jobs WHERE tenant = ? AND kind = ? AND created < ? AND due IS NULL AND status IN (?) ORDER BY created LIMIT ?)",
		owner, string(parley.JobText), before.UnixMilli(), bun.List([]string{string(parley.JobCompleted), string(parley.JobFailed), string(parley.JobCancelled)}), removedAtOnce)
	if err != nil {
		return 0, fmt.Errorf("remove jobs: %w", err)
	}
	return n, nil
}

// OldAssets implements [parley.Retentions].
func (t *tx) OldAssets(ctx context.Context, tenant parley.TenantID, before time.Time, limit int) ([]parley.Asset, error) {
	owner, err := t.s.tenantKey(ctx, t.db, tenant)
	if err != nil {
		return nil, err
	}
	return t.selectAssets(ctx, "WHERE a.tenant = ? AND a.touched < ? ORDER BY a.touched LIMIT ?", owner, before.UnixMilli(), limit)
}

// RemoveAttempts implements [parley.Retentions].
func (t *tx) RemoveAttempts(ctx context.Context, tenant parley.TenantID, before time.Time) (int64, error) {
	owner, err := t.s.tenantKey(ctx, t.db, tenant)
	if err != nil {
		return 0, err
	}
	n, err := t.affected(ctx, "DELETE FROM attempts WHERE key IN (SELECT key FROM attempts WHERE tenant = ? AND at < ? ORDER BY at LIMIT ?)", owner, before.UnixMilli(), removedAtOnce)
	if err != nil {
		return 0, fmt.Errorf("remove attempts: %w", err)
	}
	return n, nil
}

// oldEvents is a condition on tracked events. The index of times is one of bots; those that have events have definitions of them. The last event of
// all stays: its key is where lists go on and what notifications name, and SQLite would give it to the next one.
const oldEvents = "tenant = ? AND bot IN (SELECT bot FROM event_definitions WHERE tenant = ?) AND at < ? AND key < (SELECT MAX(key) FROM tracked_events)"

// RemoveEvents implements [parley.Retentions].
func (t *tx) RemoveEvents(ctx context.Context, tenant parley.TenantID, before time.Time) (int64, error) {
	owner, err := t.s.tenantKey(ctx, t.db, tenant)
	if err != nil {
		return 0, err
	}
	var keys []int64
	if err := t.db.NewRaw("SELECT key FROM tracked_events WHERE "+oldEvents+" LIMIT ?", owner, owner, before.UnixMilli(), removedAtOnce).Scan(ctx, &keys); err != nil {
		return 0, fmt.Errorf("look for old events: %w", err)
	}
	if len(keys) == 0 {
		return 0, nil
	}
	for _, text := range []string{"DELETE FROM event_attributes WHERE event IN (?)", "DELETE FROM tracked_events WHERE key IN (?)"} {
		if err := t.run(ctx, text, bun.List(keys)); err != nil {
			return 0, fmt.Errorf("remove events: %w", err)
		}
	}
	return int64(len(keys)), nil
}

// OldVisits implements [parley.Retentions].
func (t *tx) OldVisits(ctx context.Context, generation int64, tenant parley.TenantID, before time.Time, limit int) ([]parley.StoredVisit, error) {
	owner, err := t.s.tenantKey(ctx, t.db, tenant)
	if err != nil {
		return nil, err
	}
	at := before.UnixMilli()
	return t.someVisits(ctx, "WHERE d.generation = ? AND d.tenant = ? AND v.hour < ? AND v.last < ? LIMIT ?", generation, owner, at, at, limit)
}

// OrphanedVisits implements [parley.Retentions].
func (t *tx) OrphanedVisits(ctx context.Context, generation, after int64, limit int) ([]parley.StoredVisit, error) {
	return t.someVisits(ctx, `WHERE v.generation = ? AND v.conversation IN (SELECT DISTINCT o.conversation FROM visits AS o WHERE o.conversation > ? AND o.generation = ?
		AND NOT EXISTS (SELECT 1 FROM conversations AS c WHERE c.key = o.conversation) ORDER BY o.conversation LIMIT ?) ORDER BY v.conversation, v.part`, generation, after, generation, limit)
}

// DropEmptyCells implements [parley.Retentions]. A day's row is that of all dimensions of a bot, and goes when none of them has an hour left.
func (t *tx) DropEmptyCells(ctx context.Context, generation int64, tenant parley.TenantID, before time.Time) error {
	owner, err := t.s.tenantKey(ctx, t.db, tenant)
	if err != nil {
		return err
	}
	const dimensions = "(SELECT key FROM visit_dimensions WHERE generation = ? AND tenant = ?)"
	at := before.UnixMilli()
	// All parts of an hour or none, since they are read until one is missing.
	if err := t.run(ctx, "DELETE FROM visit_hours WHERE dimension IN "+dimensions+` AND start < ? AND NOT EXISTS (SELECT 1 FROM visit_hours AS h
			WHERE h.dimension = visit_hours.dimension AND h.start = visit_hours.start AND (h.visits > 0 OR h.said_user <> 0 OR h.said_bot <> 0 OR h.said_agent <> 0))`, generation, owner, at); err != nil {
		return fmt.Errorf("drop empty hours: %w", err)
	}
	for _, text := range []string{
		"DELETE FROM visit_hour_totals WHERE dimension IN " + dimensions + ` AND start < ? AND NOT EXISTS (SELECT 1 FROM visit_hours AS h
			WHERE h.dimension = visit_hour_totals.dimension AND h.start = visit_hour_totals.start AND h.part = visit_hour_totals.part)`,
		"DELETE FROM visit_day_totals WHERE dimension IN " + dimensions + ` AND start < ? AND NOT EXISTS (SELECT 1 FROM visit_hours AS h
			WHERE h.dimension = visit_day_totals.dimension AND h.start >= visit_day_totals.start AND h.start < visit_day_totals.start + 86400000)`,
		"DELETE FROM visit_days WHERE series IN (SELECT series FROM visit_dimensions WHERE generation = ? AND tenant = ?)" + ` AND start < ? AND NOT EXISTS (SELECT 1 FROM visit_dimensions AS d
			JOIN visit_hours AS h ON h.dimension = d.key AND h.start >= visit_days.start AND h.start < visit_days.start + 86400000 WHERE d.series = visit_days.series)`,
	} {
		if err := t.run(ctx, text, generation, owner, at); err != nil {
			return fmt.Errorf("drop empty cells: %w", err)
		}
	}
	return nil
}
