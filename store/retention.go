package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"parley"
)

// Retention implements [parley.Retentions].
func (t *tx) Retention(ctx context.Context, tenant parley.TenantID) (parley.RetentionState, error) {
	owner, err := t.s.tenantKey(ctx, t.db, tenant)
	if err != nil {
		return parley.RetentionState{}, err
	}
	all, err := t.retentions(ctx, "r.tenant = ?", owner)
	state := parley.RetentionState{Tenant: tenant}
	if len(all) > 0 {
		state = all[0]
	}
	if err != nil {
		return state, err
	}
	state.Removed = map[parley.RetentionKind]parley.RetentionRemoved{}
	err = query(ctx, t.db, "SELECT kind, removed, at FROM retention_removed WHERE tenant = ?", []any{owner}, func(rows *sql.Rows) error {
		var kind string
		var removed parley.RetentionRemoved
		var at int64
		err := rows.Scan(&kind, &removed.Count, &at)
		removed.Last = moment(&at)
		state.Removed[parley.RetentionKind(kind)] = removed
		return err
	})
	return state, err
}

// RetentionsNow implements [parley.Retentions].
func (t *tx) RetentionsNow(ctx context.Context, now time.Time) ([]parley.RetentionState, error) {
	return t.retentions(ctx, "r.starts <= ? AND r.settings <> '{}'", now.UnixMilli())
}

func (t *tx) retentions(ctx context.Context, where string, args ...any) (all []parley.RetentionState, err error) {
	err = query(ctx, t.db, "SELECT tn.id, r.settings, r.starts, r.modified FROM retentions AS r JOIN tenants AS tn ON tn.key = r.tenant WHERE "+where+" ORDER BY r.tenant", args, func(rows *sql.Rows) error {
		var s parley.RetentionState
		var id, stored []byte
		var starts, modified int64
		if err := rows.Scan(&id, &stored, &starts, &modified); err != nil {
			return err
		}
		s.Tenant, s.Starts, s.Modified = parley.TenantID(id), moment(&starts), moment(&modified)
		err := json.Unmarshal(stored, &s.Retention)
		all = append(all, s)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read what is kept for how long: %w", err)
	}
	return all, nil
}

// PutRetention implements [parley.Retentions].
func (t *tx) PutRetention(ctx context.Context, tenant parley.TenantID, r parley.Retention, starts time.Time) error {
	owner, err := t.s.tenantKey(ctx, t.db, tenant)
	if err != nil {
		return err
	}
	stored, err := json.Marshal(&r)
	if err != nil {
		return err
	}
	return t.run(ctx, `INSERT INTO retentions (tenant, settings, starts, modified) VALUES (?, ?, ?, ?)
		ON CONFLICT (tenant) DO UPDATE SET settings = excluded.settings, starts = excluded.starts, modified = excluded.modified`,
		owner, string(stored), starts.UnixMilli(), t.s.now().UnixMilli())
}

// NoteRemoved implements [parley.Retentions].
func (t *tx) NoteRemoved(ctx context.Context, tenant parley.TenantID, kind parley.RetentionKind, n int64, at time.Time) error {
	owner, err := t.s.tenantKey(ctx, t.db, tenant)
	if err != nil || n == 0 {
		return err
	}
	return t.run(ctx, `INSERT INTO retention_removed (tenant, kind, removed, at) VALUES (?, ?, ?, ?)
		ON CONFLICT (tenant, kind) DO UPDATE SET removed = retention_removed.removed + excluded.removed, at = excluded.at`, owner, string(kind), n, at.UnixMilli())
}

// RetentionDue implements [parley.Retentions].
func (t *tx) RetentionDue(ctx context.Context, tenant parley.TenantID, r parley.Retention, now time.Time) (due parley.RetentionDue, err error) {
	owner, err := t.s.tenantKey(ctx, t.db, tenant)
	if err != nil {
		return due, err
	}
	p, err := t.FigureProgress(ctx)
	if err != nil {
		return due, err
	}
	looked, err := t.lookedAt(ctx, &p)
	if err != nil {
		return due, err
	}
	for _, count := range []struct {
		kind parley.RetentionKind
		n    *int64
		text string
		args func(before int64) []any
	}{
		{parley.RetainedMessages, &due.Conversations, "SELECT COUNT(*) FROM conversations AS c WHERE c.tenant = ? AND c.ended < ? AND " + waitsForNothing,
			func(before int64) []any { return []any{owner, before, looked} }},
		{parley.RetainedMessages, &due.Waiting, "SELECT COUNT(*) FROM conversations AS c WHERE c.tenant = ? AND c.ended < ? AND NOT (" + waitsForNothing + ")",
			func(before int64) []any { return []any{owner, before, looked} }},
		{parley.RetainedMessages, &due.Messages, "SELECT COUNT(*) FROM conversations AS c JOIN messages AS m ON m.conversation = c.key WHERE c.tenant = ? AND c.ended < ? AND " + waitsForNothing,
			func(before int64) []any { return []any{owner, before, looked} }},
		{parley.RetainedAttachments, &due.Attachments, "SELECT COUNT(*) FROM assets WHERE tenant = ? AND touched < ?",
			func(before int64) []any { return []any{owner, before} }},
		{parley.RetainedAttempts, &due.Attempts, "SELECT COUNT(*) FROM attempts WHERE tenant = ? AND at < ?",
			func(before int64) []any { return []any{owner, before} }},
		{parley.RetainedAnalytics, &due.Visits, "SELECT COUNT(*) FROM visit_dimensions AS d JOIN visits AS v ON v.dimension = d.key WHERE d.generation = ? AND d.tenant = ? AND v.hour < ? AND v.last < ?",
			func(before int64) []any { return []any{p.Generation, owner, before, before} }},
		{parley.RetainedAnalytics, &due.Events, "SELECT COUNT(*) FROM tracked_events WHERE " + oldEvents,
			func(before int64) []any { return []any{owner, owner, before} }},
	} {
		before := r.Before(count.kind, now)
		if before.IsZero() {
			continue
		}
		if err := t.db.NewRaw(count.text, count.args(before.UnixMilli())...).Scan(ctx, count.n); err != nil {
			return due, fmt.Errorf("count %s to remove: %w", count.kind, err)
		}
	}
	said, err := t.lastingMessages(ctx, owner, r.Before(parley.RetainedMessages, now))
	due.Messages += said
	return due, err
}

// lastingMessages counts those that [tx.RemoveSaid] would empty.
func (t *tx) lastingMessages(ctx context.Context, owner int64, before time.Time) (n int64, err error) {
	if before.IsZero() {
		return 0, nil
	}
	err = t.db.NewRaw(`SELECT COUNT(*) FROM conversations AS c JOIN messages AS m ON m.conversation = c.key WHERE c.tenant = ? AND c.status = ? AND c.created < ?
		AND m.created < ? AND m.deleted <> ? AND `+owesNothing, owner, string(parley.Open), before.UnixMilli(), before.UnixMilli(), int64(parley.Erased)).Scan(ctx, &n)
	return n, err
}

// lookedAt is the key of the message up to which every follower of the record has looked at all; 0 while conversations are being read for
// counting everything anew. It is never that of the last message: a database may give a key that is free at the end to somebody else.
func (t *tx) lookedAt(ctx context.Context, p *parley.FigureProgress) (key int64, err error) {
	if p.Building != 0 {
		return 0, nil
	}
	err = t.db.NewRaw("SELECT COALESCE(MAX(key) - 1, 0) FROM messages").Scan(ctx, &key)
	if err != nil {
		return 0, fmt.Errorf("read the last message: %w", err)
	}
	var cursors [3]int64
	for i, name := range []string{parley.FeedDetection, parley.FeedHistory, parley.FeedHistoryEnd} {
		if cursors[i], err = t.FeedCursor(ctx, name); err != nil {
			return 0, err
		}
	}
	detection, history, historyEnd := cursors[0], cursors[1], cursors[2]
	if history < historyEnd {
		detection = min(detection, history)
	}
	return min(key, p.Cursor, detection), nil
}
