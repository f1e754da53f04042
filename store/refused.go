package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"parley"
)

// NoteRefused implements [parley.Refusals].
func (t *tx) NoteRefused(ctx context.Context, refused []parley.Refused) error {
	for _, r := range refused {
		key, err := t.conversationKey(ctx, r.Tenant, r.Conversation)
		if parley.KindOf(err) == parley.NotFound {
			continue
		}
		if err != nil {
			return err
		}
		var application []byte
		if !r.Application.IsZero() {
			application = r.Application[:]
		}
		said := strings.ReplaceAll(strings.ToValidUTF8(r.Text, ""), "\x00", "") // PostgreSQL stores neither
		if err := t.run(ctx, "INSERT INTO refused (conversation, seq, sender, application, type, said, reason, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
			key, r.Seq, string(r.Sender), application, string(r.Type), said, r.Reason, r.At.UnixMilli()); err != nil {
			return fmt.Errorf("note what was refused: %w", err)
		}
		if err := t.run(ctx, "DELETE FROM refused WHERE conversation = ? AND key <= (SELECT key FROM refused WHERE conversation = ? ORDER BY key DESC LIMIT 1 OFFSET ?)",
			key, key, parley.MaxRefused); err != nil {
			return fmt.Errorf("forget what was refused: %w", err)
		}
	}
	return nil
}

// RefusedIn implements [parley.Refusals].
func (t *tx) RefusedIn(ctx context.Context, tenant parley.TenantID, conversation parley.ConversationID) (all []parley.Refused, err error) {
	err = query(ctx, t.db, `SELECT r.seq, r.sender, r.application, r.type, r.said, r.reason, r.at FROM refused AS r JOIN conversations AS c ON c.key = r.conversation
		JOIN tenants AS tn ON tn.key = c.tenant WHERE tn.id = ? AND c.id = ? ORDER BY r.key`, []any{tenant[:], conversation[:]}, func(rows *sql.Rows) error {
		r := parley.Refused{Tenant: tenant, Conversation: conversation}
		var application []byte
		var at int64
		if err := rows.Scan(&r.Seq, &r.Sender, &application, &r.Type, &r.Text, &r.Reason, &at); err != nil {
			return err
		}
		if len(application) > 0 {
			r.Application = parley.ApplicationID(application)
		}
		r.At = moment(&at)
		all = append(all, r)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read what was refused: %w", err)
	}
	return all, nil
}
