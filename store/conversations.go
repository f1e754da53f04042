package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"parley"
)

const (
	conversationFields = `c.id, tn.id, c.account, c.epoch, c.seq, c.touched, c.waiting, c.wake_at, c.status, c.owner, c.state,
	c.created, c.ended`
	conversationColumns = conversationFields + " FROM conversations AS c JOIN tenants AS tn ON tn.key = c.tenant "
)

// selectConversations runs a query whose text goes on after the columns.
func selectConversations(ctx context.Context, db querier, rest string, args ...any) ([]parley.Conversation, error) {
	rows, err := db.QueryContext(ctx, "SELECT "+conversationColumns+rest, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found []parley.Conversation
	for rows.Next() {
		c, err := scanConversation(rows)
		if err != nil {
			return nil, err
		}
		found = append(found, c)
	}
	return found, rows.Err()
}

// scanConversation reads a row of conversationFields; more are the columns that stand before them.
func scanConversation(rows *sql.Rows, more ...any) (c parley.Conversation, err error) {
	var (
		id, tenant, account    []byte
		owner, state           []byte
		touched, created       int64
		waiting, wakeAt, ended *int64
	)
	if err := rows.Scan(append(more, &id, &tenant, &account, &c.Epoch, &c.Seq, &touched, &waiting, &wakeAt, &c.Status, &owner, &state,
		&created, &ended)...); err != nil {
		return c, err
	}
	c.ID, c.Tenant, c.Account = parley.ConversationID(id), parley.TenantID(tenant), parley.AccountID(account)
	c.Touched, c.Waiting, c.WakeAt, c.Created, c.Ended = moment(&touched), moment(waiting), moment(wakeAt), moment(&created), moment(ended)
	if err := json.Unmarshal(owner, &c.Owner); err != nil {
		return c, fmt.Errorf("read owner of conversation %s: %w", c.ID, err)
	}
	if err := json.Unmarshal(state, &c.State); err != nil {
		return c, fmt.Errorf("read state of conversation %s: %w", c.ID, err)
	}
	return c, nil
}

func oneConversation(found []parley.Conversation, err error) (parley.Conversation, error) {
	if err != nil {
		return parley.Conversation{}, err
	}
	if len(found) == 0 {
		return parley.Conversation{}, errConversationUnknown
	}
	return found[0], nil
}

var errConversationUnknown = &parley.Error{Kind: parley.NotFound, Reason: parley.ConversationUnknown, Msg: "conversation not found"}

// Conversation implements [parley.Conversations].
func (t *tx) Conversation(ctx context.Context, tenant parley.TenantID, id parley.ConversationID) (parley.Conversation, error) {
	return oneConversation(selectConversations(ctx, t.db, "WHERE tn.id = ? AND c.id = ?", tenant[:], id[:]))
}

// LatestOf implements [parley.Conversations].
func (t *tx) LatestOf(ctx context.Context, tenant parley.TenantID, account parley.AccountID, contact string, except parley.ConversationID) (parley.Conversation, error) {
	return oneConversation(selectConversations(ctx, t.db, `WHERE tn.id = ? AND c.account = ? AND c.contact = ? AND c.id <> ?
		ORDER BY c.created DESC, c.key DESC LIMIT 1`, tenant[:], account[:], contact, except[:]))
}

// OpenOf implements [parley.Conversations].
func (t *tx) OpenOf(ctx context.Context, tenant parley.TenantID, account parley.AccountID, contact string, limit int) ([]parley.Conversation, error) {
	return selectConversations(ctx, t.db, `WHERE tn.id = ? AND c.account = ? AND c.contact = ? AND c.status = ?
		ORDER BY c.created DESC, c.key DESC LIMIT ?`, tenant[:], account[:], contact, string(parley.Open), limit)
}

// OpenWith implements [parley.Conversations]. Parties that are reached by callback have lanes, others do not, so this
// looks at the owner: an application follows what it owns or is waited for.
func (t *tx) OpenWith(ctx context.Context, tenant parley.TenantID, application parley.ApplicationID, role parley.Role, limit int) ([]parley.Conversation, error) {
	found, err := selectConversations(ctx, t.db, `WHERE tn.id = ? AND c.owner_app = ? AND c.status = ?
		ORDER BY c.key DESC LIMIT ?`, tenant[:], application[:], string(parley.Open), limit)
	if err != nil {
		return nil, err
	}
	kept := found[:0]
	for _, c := range found {
		if c.Owner.Role == role {
			kept = append(kept, c)
		}
	}
	return kept, nil
}

// HeldFor implements [parley.Conversations].
func (t *tx) HeldFor(ctx context.Context, tenant parley.TenantID, application parley.ApplicationID, after parley.ConversationID, limit int) ([]parley.ConversationID, error) {
	return t.conversationIDs(ctx, `WHERE c.tenant = (SELECT key FROM tenants WHERE id = ?) AND c.owner_app = ? AND c.held > 0
		AND c.key > COALESCE((SELECT key FROM conversations WHERE id = ?), 0) ORDER BY c.key LIMIT ?`,
		tenant[:], application[:], after[:], limit)
}

// OpenOnAccount implements [parley.Conversations].
func (t *tx) OpenOnAccount(ctx context.Context, tenant parley.TenantID, account parley.AccountID, after parley.ConversationID, limit int) ([]parley.ConversationID, error) {
	return t.conversationIDs(ctx, `WHERE c.tenant = (SELECT key FROM tenants WHERE id = ?) AND c.account = ? AND c.status = ?
		AND c.key > COALESCE((SELECT key FROM conversations WHERE id = ?), 0) ORDER BY c.key LIMIT ?`,
		tenant[:], account[:], string(parley.Open), after[:], limit)
}

// Queued implements [parley.Conversations].
func (t *tx) Queued(ctx context.Context, tenant parley.TenantID, application parley.ApplicationID, limit int) ([]parley.ConversationID, error) {
	const queued = `WHERE c.tenant = (SELECT key FROM tenants WHERE id = ?) AND c.owner_kind = 'queue' AND c.owner_app `
	if application.IsZero() {
		return t.conversationIDs(ctx, queued+"IS NULL ORDER BY c.key LIMIT ?", tenant[:], limit)
	}
	return t.conversationIDs(ctx, queued+"= ? ORDER BY c.key LIMIT ?", tenant[:], application[:], limit)
}

func (t *tx) conversationIDs(ctx context.Context, rest string, args ...any) ([]parley.ConversationID, error) {
	rows, err := t.db.QueryContext(ctx, "SELECT c.id FROM conversations AS c "+rest, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found []parley.ConversationID
	for rows.Next() {
		var id []byte
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		found = append(found, parley.ConversationID(id))
	}
	return found, rows.Err()
}

// Due implements [parley.Conversations].
func (t *tx) Due(ctx context.Context, now time.Time, limit int) ([]parley.Reminder, error) {
	rows, err := t.db.QueryContext(ctx, `SELECT tn.id, c.id, c.wake_at FROM conversations AS c JOIN tenants AS tn ON tn.key = c.tenant
		WHERE c.wake_at <= ? ORDER BY c.wake_at LIMIT ?`, now.UnixMilli(), limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var due []parley.Reminder
	for rows.Next() {
		var tenant, id []byte
		var at int64
		if err := rows.Scan(&tenant, &id, &at); err != nil {
			return nil, err
		}
		due = append(due, parley.Reminder{Tenant: parley.TenantID(tenant), Conversation: parley.ConversationID(id), WakeAt: moment(&at)})
	}
	return due, rows.Err()
}

// Available implements [parley.Conversations].
func (t *tx) Available(ctx context.Context, tenant parley.TenantID, application parley.ApplicationID) (bool, error) {
	var available int
	err := t.db.NewRaw(`SELECT available FROM availability WHERE tenant = (SELECT key FROM tenants WHERE id = ?) AND application = ?`,
		tenant[:], application[:]).Scan(ctx, &available)
	if errors.Is(err, sql.ErrNoRows) {
		return true, nil
	}
	return available != 0, err
}

// SetAvailable implements [parley.Conversations].
func (t *tx) SetAvailable(ctx context.Context, tenant parley.TenantID, application parley.ApplicationID, available bool, now time.Time) error {
	key, err := t.s.tenantKey(ctx, t.db, tenant)
	if err != nil {
		return err
	}
	_, err = t.db.NewRaw(`INSERT INTO availability (tenant, application, available, changed) VALUES (?, ?, ?, ?)
		ON CONFLICT (tenant, application) DO UPDATE SET available = excluded.available, changed = excluded.changed`,
		key, application[:], flag(available), now.UnixMilli()).Exec(ctx)
	return err
}
