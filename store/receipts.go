package store

import (
	"context"
	"fmt"

	"parley"
)

var upsertReceipts = newBulk(`INSERT INTO receipts (conversation, slot, tenant, seq, at)
	SELECT c.key, v.slot, v.tenant, v.seq, v.at FROM %ROWS% JOIN conversations AS c ON c.id = v.cid AND c.tenant = v.tenant WHERE true
	ON CONFLICT (conversation, slot) DO UPDATE SET seq = excluded.seq, at = excluded.at WHERE receipts.seq < excluded.seq`,
	column{"cid", bytea}, column{"slot", bigint}, column{"tenant", bigint}, column{"seq", bigint}, column{"at", bigint})

// MarkRead implements [parley.Conversations].
func (t *tx) MarkRead(ctx context.Context, marks []parley.ReadMark) error {
	last := map[laneMark]int{} // one row a party: a statement may not change a row twice
	var rows [][]any
	for _, m := range marks {
		tenant, err := t.s.tenantKey(ctx, t.db, m.Tenant)
		if err != nil {
			return err
		}
		row := []any{m.Conversation[:], int64(m.Slot), tenant, m.Seq, m.At.UnixMilli()}
		at := laneMark{m.Conversation, m.Slot}
		if i, ok := last[at]; !ok {
			last[at] = len(rows)
			rows = append(rows, row)
		} else if rows[i][3].(int64) < m.Seq {
			rows[i] = row
		}
	}
	if err := upsertReceipts.run(ctx, t.conn(), rows, discard); err != nil {
		return fmt.Errorf("mark as read: %w", err)
	}
	return nil
}

// A laneMark is whose mark it is.
type laneMark struct {
	conversation parley.ConversationID
	slot         int
}

// Receipts implements [parley.Conversations].
func (t *tx) Receipts(ctx context.Context, tenant parley.TenantID, id parley.ConversationID) (map[int]parley.ReadMark, error) {
	rows, err := t.db.QueryContext(ctx, `SELECT r.slot, r.seq, r.at FROM receipts AS r JOIN conversations AS c ON c.key = r.conversation
		JOIN tenants AS tn ON tn.key = c.tenant WHERE tn.id = ? AND c.id = ?`, tenant[:], id[:])
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := map[int]parley.ReadMark{}
	for rows.Next() {
		m := parley.ReadMark{Tenant: tenant, Conversation: id}
		var at int64
		if err := rows.Scan(&m.Slot, &m.Seq, &at); err != nil {
			return nil, err
		}
		m.At = moment(&at)
		found[m.Slot] = m
	}
	return found, rows.Err()
}
