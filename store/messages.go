package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"parley"
	"parley/ident"
)

const messageColumns = "c.id, m.seq, m.id, m.type, m.sender, m.created, m.addressed, m.deleted, m.explanation, m.body "

// selectMessages runs a query whose text goes on with FROM; m are messages, c their conversations.
func selectMessages(ctx context.Context, db querier, rest string, args ...any) ([]parley.Message, error) {
	rows, err := db.QueryContext(ctx, "SELECT "+messageColumns+rest, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found []parley.Message
	for rows.Next() {
		m, err := scanMessage(rows)
		if err != nil {
			return nil, err
		}
		found = append(found, m)
	}
	return found, rows.Err()
}

// scanMessage reads a row of messageColumns; more are the columns that stand before them.
func scanMessage(rows *sql.Rows, more ...any) (parley.Message, error) {
	var m parley.Message
	var conversation, id, body []byte
	var created int64
	if err := rows.Scan(append(more, &conversation, &m.Seq, &id, &m.Type, &m.Sender, &created, &m.To, &m.Deleted, &m.Explanation, &body)...); err != nil {
		return m, err
	}
	m.Conversation, m.ID, m.Created = parley.ConversationID(conversation), parley.MessageID(id), moment(&created)
	if err := json.Unmarshal(body, &m.Body); err != nil {
		return m, fmt.Errorf("read message %s: %w", m.ID, err)
	}
	return m, nil
}

// Messages implements [parley.Conversations].
func (t *tx) Messages(ctx context.Context, q parley.MessageQuery) ([]parley.Message, error) {
	text := `FROM messages AS m JOIN conversations AS c ON c.key = m.conversation
		WHERE c.tenant = (SELECT key FROM tenants WHERE id = ?) AND c.id = ? AND m.seq > ?`
	args := []any{q.Tenant[:], q.Conversation[:], q.After}
	if q.Before > 0 {
		text += " AND m.seq < ?"
		args = append(args, q.Before)
	}
	if q.Slots != 0 {
		text += " AND ((m.addressed & ?) <> 0 OR m.sender = ?)"
		args = append(args, q.Slots, string(q.Sender))
	}
	order := " ORDER BY m.seq"
	if q.Newest {
		order = " ORDER BY m.seq DESC"
	}
	found, err := selectMessages(ctx, t.db, text+order+" LIMIT ?", append(args, q.Limit)...)
	if q.Newest {
		slices.Reverse(found)
	}
	return found, err
}

// MessageStates implements [parley.Conversations].
func (t *tx) MessageStates(ctx context.Context, tenant parley.TenantID, id parley.ConversationID) (parley.DeliveryStates, error) {
	states := parley.DeliveryStates{Acked: map[int]int64{}, Dead: map[int64]string{}, Sent: map[int64]time.Time{}}
	if err := t.sent(ctx, tenant, id, states.Sent); err != nil {
		return states, err
	}
	rows, err := t.db.QueryContext(ctx, `SELECT l.slot, l.acked, x.seq, x.reason FROM lanes AS l
		JOIN conversations AS c ON c.key = l.conversation JOIN receivers AS r ON r.key = l.receiver
		LEFT JOIN exceptions AS x ON x.lane = l.key AND x.state = 'dead'
		WHERE c.tenant = (SELECT key FROM tenants WHERE id = ?) AND c.id = ? AND r.role <> ?`, tenant[:], id[:], string(parley.BusinessNotification))
	if err != nil {
		return states, err
	}
	defer rows.Close()
	for rows.Next() {
		var slot int
		var acked int64
		var seq sql.NullInt64
		var reason sql.NullString
		if err := rows.Scan(&slot, &acked, &seq, &reason); err != nil {
			return states, err
		}
		states.Acked[slot] = acked
		if seq.Valid {
			states.Dead[seq.Int64] = reason.String
		}
	}
	return states, rows.Err()
}

// sent fills in when messages had been received: at the end of the last good attempt.
func (t *tx) sent(ctx context.Context, tenant parley.TenantID, id parley.ConversationID, when map[int64]time.Time) error {
	rows, err := t.db.QueryContext(ctx, `SELECT a.seq, max(a.at + a.duration / 1000) FROM attempts AS a JOIN lanes AS l ON l.key = a.lane
		JOIN conversations AS c ON c.key = l.conversation JOIN receivers AS r ON r.key = l.receiver
		WHERE c.tenant = (SELECT key FROM tenants WHERE id = ?) AND c.id = ? AND a.status BETWEEN 200 AND 299 AND r.role <> ? GROUP BY a.seq`,
		tenant[:], id[:], string(parley.BusinessNotification))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var seq, at int64
		if err := rows.Scan(&seq, &at); err != nil {
			return err
		}
		when[seq] = moment(&at)
	}
	return rows.Err()
}

var errNoMessage = &parley.Error{Kind: parley.NotFound, Msg: "message not found in the conversation"}

// FindMessage implements [parley.Conversations].
func (t *tx) FindMessage(ctx context.Context, tenant parley.TenantID, conversation parley.ConversationID, by parley.Role, reference string) (parley.Message, error) {
	text := `FROM messages AS m JOIN conversations AS c ON c.key = m.conversation
		WHERE c.tenant = (SELECT key FROM tenants WHERE id = ?) AND c.id = ? `
	hashes := make([]int64, 0, 5)
	for _, role := range parley.SenderRoles() {
		hashes = append(hashes, ident.RepeatHash(conversation, role, reference))
	}
	found, err := selectMessages(ctx, t.db, text+"AND m.repeat_hash IN (?)", tenant[:], conversation[:], bun.List(hashes))
	if err != nil {
		return parley.Message{}, err
	}
	slices.SortFunc(found, func(a, b parley.Message) int { return cmp.Compare(b.Seq, a.Seq) }) // newest first; see findRepeats
	found = slices.DeleteFunc(found, func(m parley.Message) bool { return m.Body.MessageID != reference })
	if own := slices.IndexFunc(found, func(m parley.Message) bool { return m.Sender == by }); own >= 0 {
		return found[own], nil
	}
	if len(found) > 0 {
		return found[0], nil
	}
	id, err := parley.ParseID[parley.Message](reference)
	if err != nil {
		return parley.Message{}, errNoMessage
	}
	found, err = selectMessages(ctx, t.db, text+"AND m.id = ?", tenant[:], conversation[:], id[:])
	if err != nil {
		return parley.Message{}, err
	}
	if len(found) == 0 {
		return parley.Message{}, errNoMessage
	}
	return found[0], nil
}

// Repeats implements [parley.Conversations].
func (t *tx) Repeats(ctx context.Context, tenant parley.TenantID, conversation parley.ConversationID, keys []parley.RepeatKey) ([]parley.FoundRepeat, error) {
	if _, err := t.Conversation(ctx, tenant, conversation); err != nil {
		return nil, err
	}
	key, err := t.s.tenantKey(ctx, t.db, tenant)
	if err != nil {
		return nil, err
	}
	return findRepeats(ctx, t.db, key, conversation, keys)
}

// findRepeats looks keys up by hash and compares hits in full.
func findRepeats(ctx context.Context, db bun.IDB, tenant int64, conversation parley.ConversationID, keys []parley.RepeatKey) ([]parley.FoundRepeat, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	hashes := make([]int64, len(keys))
	for i, k := range keys {
		hashes[i] = k.Hash
	}
	// Sorted here: asked for an order, SQLite walks the whole conversation by seq instead of looking the hashes up.
	messages, err := selectMessages(ctx, db, `FROM messages AS m JOIN conversations AS c ON c.key = m.conversation
		WHERE c.tenant = ? AND c.id = ? AND m.repeat_hash IN (?)`, tenant, conversation[:], bun.List(hashes))
	if err != nil {
		return nil, err
	}
	slices.SortFunc(messages, func(a, b parley.Message) int { return cmp.Compare(a.Seq, b.Seq) })
	var found []parley.FoundRepeat
	for _, k := range keys {
		for _, m := range messages {
			if m.Sender == k.Sender && m.Body.MessageID == k.MessageID {
				found = append(found, parley.FoundRepeat{Key: k, Message: m.ID, Seq: m.Seq})
				break
			}
		}
	}
	return found, nil
}

// RepeatHashes implements [parley.Conversations].
func (t *tx) RepeatHashes(ctx context.Context, tenant parley.TenantID, conversation parley.ConversationID, limit int) (hashes []int64, ok bool, err error) {
	// In the order of their index: without one, and with a limit, PostgreSQL may take a walk through all messages to be the shorter way.
	err = t.db.NewRaw(`SELECT repeat_hash FROM messages WHERE conversation = (SELECT key FROM conversations
		WHERE tenant = (SELECT key FROM tenants WHERE id = ?) AND id = ?) AND repeat_hash IS NOT NULL ORDER BY repeat_hash LIMIT ?`,
		tenant[:], conversation[:], limit+1).Scan(ctx, &hashes)
	if err != nil {
		return nil, false, err
	}
	return hashes, len(hashes) <= limit, nil
}

// StartedBy implements [parley.Conversations].
func (t *tx) StartedBy(ctx context.Context, tenant parley.TenantID, startKey []byte) (parley.FoundRepeat, parley.ConversationID, error) {
	key, err := t.s.tenantKey(ctx, t.db, tenant)
	if err != nil {
		return parley.FoundRepeat{}, parley.ConversationID{}, errConversationUnknown
	}
	return startedBy(ctx, t.db, key, startKey)
}

func startedBy(ctx context.Context, db bun.IDB, tenant int64, startKey []byte) (parley.FoundRepeat, parley.ConversationID, error) {
	var conversation, message []byte
	found := parley.FoundRepeat{Seq: 1}
	err := db.QueryRowContext(ctx, `SELECT c.id, m.id FROM conversations AS c
		JOIN messages AS m ON m.conversation = c.key AND m.seq = 1 WHERE c.tenant = ? AND c.start_key = ?`, tenant, startKey).Scan(&conversation, &message)
	if errors.Is(err, sql.ErrNoRows) {
		return found, parley.ConversationID{}, errConversationUnknown
	}
	if err != nil {
		return found, parley.ConversationID{}, err
	}
	found.Message = parley.MessageID(message)
	return found, parley.ConversationID(conversation), nil
}
