package store

import (
	"context"
	"database/sql"
	"fmt"

	"parley"
)

// newOfConversations is a query about some conversations c of a tenant, with what is joined to them and what goes on after
// the conditions. The row is found by its id alone, hence tenant + 0: without statistics SQLite looked in an index that
// begins with the tenant, through all of its conversations, so that with 100,000 of them detection took three quarters of
// the hub's processor (parley bench growth, 2026-11-27).
func newOfConversations(columns, joined, rest string) *bulk {
	return newBulk("SELECT "+columns+" FROM %ROWS% CROSS JOIN conversations AS c "+joined+"WHERE c.id = v.cid AND c.tenant + 0 = v.owner_tenant "+rest,
		column{"cid", bytea}, column{"owner_tenant", bigint})
}

// ofConversations runs such a query for conversations of a tenant.
func (t *tx) ofConversations(ctx context.Context, b *bulk, tenant int64, ids []parley.ConversationID, scan func(*sql.Rows) error) error {
	rows := make([][]any, len(ids))
	for i := range ids {
		rows[i] = []any{ids[i][:], tenant}
	}
	return b.run(ctx, t.conn(), rows, scan)
}

// noteConversation is the scan of a query for the ids of conversations.
func noteConversation(note func(parley.ConversationID)) func(*sql.Rows) error {
	return func(rows *sql.Rows) error {
		var id []byte
		if err := rows.Scan(&id); err != nil {
			return err
		}
		note(parley.ConversationID(id))
		return nil
	}
}

var findKeys = newOfConversations("c.id, c.key", "", "AND "+notForgotten)

// conversationKeys are the keys of a tenant's conversations; those that are not there, or forgotten, are left out.
func (t *tx) conversationKeys(ctx context.Context, tenant int64, ids []parley.ConversationID) (map[parley.ConversationID]int64, error) {
	keys := make(map[parley.ConversationID]int64, len(ids))
	err := t.ofConversations(ctx, findKeys, tenant, ids, func(rows *sql.Rows) error {
		var id []byte
		var key int64
		if err := rows.Scan(&id, &key); err != nil {
			return err
		}
		keys[parley.ConversationID(id)] = key
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("find conversations: %w", err)
	}
	return keys, nil
}

var findStandings = newOfConversations("COALESCE(i.seq, 0), "+conversationFields,
	"JOIN tenants AS tn ON tn.key = c.tenant LEFT JOIN insights AS i ON i.conversation = c.key ", "")

// Standings implements [parley.Detections].
func (t *tx) Standings(ctx context.Context, tenant parley.TenantID, ids []parley.ConversationID) (found []parley.Standing, err error) {
	key, err := t.s.tenantKey(ctx, t.db, tenant)
	if err != nil {
		return nil, err
	}
	err = t.ofConversations(ctx, findStandings, key, ids, func(rows *sql.Rows) (err error) {
		var s parley.Standing
		if s.Conversation, err = scanConversation(rows, &s.Looked); err != nil {
			return err
		}
		found = append(found, s)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read how far detection is: %w", err)
	}
	return found, nil
}
