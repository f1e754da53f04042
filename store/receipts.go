package store

import (
	"context"
	"database/sql"
	"fmt"

	"parley"
)

var upsertReceipts = newBulk(`INSERT INTO receipts (conversation, slot, tenant, seq, at)
	SELECT c.key, v.slot, v.tenant, v.seq, v.at FROM %ROWS% JOIN conversations AS c ON c.id = v.cid AND c.tenant = v.tenant WHERE true
	ON CONFLICT (conversation, slot) DO UPDATE SET seq = excluded.seq, at = excluded.at WHERE receipts.seq < excluded.seq
	RETURNING (SELECT c.id FROM conversations AS c WHERE c.key = receipts.conversation), slot`,
	column{"cid", bytea}, column{"slot", bigint}, column{"tenant", bigint}, column{"seq", bigint}, column{"at", bigint})

// MarkRead implements [parley.Conversations].
func (t *tx) MarkRead(ctx context.Context, marks []parley.ReadMark) (news []parley.ReadMark, err error) {
	last := map[laneMark]int{} // one row a party: a statement may not change a row twice
	var rows [][]any
	var highest []parley.ReadMark // of each row
	for _, m := range marks {
		tenant, err := t.s.tenantKey(ctx, t.db, m.Tenant)
		if err != nil {
			return nil, err
		}
		row := []any{m.Conversation[:], int64(m.Slot), tenant, m.Seq, m.At.UnixMilli()}
		at := laneMark{m.Conversation, m.Slot}
		if i, ok := last[at]; !ok {
			last[at] = len(rows)
			rows, highest = append(rows, row), append(highest, m)
		} else if highest[i].Seq < m.Seq {
			rows[i], highest[i] = row, m
		}
	}
	err = upsertReceipts.run(ctx, t.conn(), rows, func(changed *sql.Rows) error {
		var id []byte
		var at laneMark
		if err := changed.Scan(&id, &at.slot); err != nil {
			return err
		}
		copy(at.conversation[:], id)
		news = append(news, highest[last[at]])
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("mark as read: %w", err)
	}
	return news, nil
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
