package store

import (
	"context"
	"database/sql"
	"fmt"

	"parley"
)

var insertShown = newBulk(`INSERT INTO shown (conversation, slot, seq, at)
	SELECT c.key, v.slot, v.seq, v.at FROM %ROWS% JOIN conversations AS c ON c.id = v.cid AND c.tenant = v.tenant
	WHERE NOT EXISTS (SELECT 1 FROM shown AS s WHERE s.conversation = c.key AND s.slot = v.slot AND s.seq >= v.seq)
	ON CONFLICT (conversation, slot, seq) DO NOTHING`,
	column{"cid", bytea}, column{"slot", bigint}, column{"tenant", bigint}, column{"seq", bigint}, column{"at", bigint})

// MarkShown implements [parley.Conversations].
func (t *tx) MarkShown(ctx context.Context, marks []parley.ReadMark) error {
	rows := make([][]any, len(marks))
	for i, m := range marks {
		tenant, err := t.s.tenantKey(ctx, t.db, m.Tenant)
		if err != nil {
			return err
		}
		rows[i] = []any{m.Conversation[:], int64(m.Slot), tenant, m.Seq, m.At.UnixMilli()}
	}
	if err := insertShown.run(ctx, t.conn(), rows, discard); err != nil {
		return fmt.Errorf("mark as shown: %w", err)
	}
	return nil
}

// Shown implements [parley.Conversations].
func (t *tx) Shown(ctx context.Context, tenant parley.TenantID, id parley.ConversationID, after, last int64) (marks []parley.ReadMark, err error) {
	// Of each party those up to the first that reaches last: later ones say nothing about what is asked for.
	err = query(ctx, t.db, `SELECT s.slot, s.seq, s.at FROM shown AS s JOIN conversations AS c ON c.key = s.conversation JOIN tenants AS tn ON tn.key = c.tenant
		WHERE tn.id = ? AND c.id = ? AND s.seq > ? AND NOT EXISTS
		(SELECT 1 FROM shown AS b WHERE b.conversation = s.conversation AND b.slot = s.slot AND b.seq >= ? AND b.seq < s.seq)
		ORDER BY s.slot, s.seq`, []any{tenant[:], id[:], after, last}, func(rows *sql.Rows) error {
		m := parley.ReadMark{Tenant: tenant, Conversation: id}
		var at int64
		if err := rows.Scan(&m.Slot, &m.Seq, &at); err != nil {
			return err
		}
		m.At = moment(&at)
		marks = append(marks, m)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read what was shown: %w", err)
	}
	return marks, nil
}
