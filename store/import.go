package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"parley"
	"parley/ident"
)

// Import implements [parley.History].
func (t *tx) Import(ctx context.Context, tenant parley.TenantID, all []parley.PastConversation) (map[parley.ConversationID]bool, error) {
	owner, err := t.s.tenantKey(ctx, t.db, tenant)
	if err != nil {
		return nil, err
	}
	own, err := t.ownConversations(ctx, owner, all)
	if err != nil {
		return nil, fmt.Errorf("look for own conversations: %w", err)
	}
	var rows [][]any
	taken := map[parley.ConversationID]bool{}
	for i := range all {
		c := &all[i].Conversation
		if taken[c.ID] || own[c.State.Import.ID] {
			continue
		}
		taken[c.ID] = true
		row, err := pastRow(owner, c)
		if err != nil {
			return nil, fmt.Errorf("write conversation %s: %w", c.ID, err)
		}
		rows = append(rows, row)
	}
	made, keys := map[parley.ConversationID]bool{}, map[parley.ConversationID]int64{}
	if err := insertConversations.run(ctx, t.conn(), rows, func(rows *sql.Rows) error {
		var key int64
		var id []byte
		if err := rows.Scan(&key, &id); err != nil {
			return err
		}
		made[parley.ConversationID(id)], keys[parley.ConversationID(id)] = true, key
		return nil
	}); err != nil {
		return nil, fmt.Errorf("write conversations: %w", err)
	}
	if err := t.importMessages(ctx, owner, all, keys); err != nil {
		return nil, fmt.Errorf("write messages: %w", err)
	}
	return made, nil
}

var findOwn = newOfConversations("c.id", "", "")

// ownConversations are those of the names that are ids of a tenant's own conversations: an export that comes back.
func (t *tx) ownConversations(ctx context.Context, tenant int64, all []parley.PastConversation) (map[string]bool, error) {
	var ids []parley.ConversationID
	for i := range all {
		if id, err := parley.ParseID[parley.Conversation](all[i].Conversation.State.Import.ID); err == nil {
			ids = append(ids, id)
		}
	}
	own := map[string]bool{}
	return own, t.ofConversations(ctx, findOwn, tenant, ids, noteConversation(func(id parley.ConversationID) { own[id.String()] = true }))
}

// pastRow is the row of a conversation that is over.
func pastRow(tenant int64, c *parley.Conversation) ([]any, error) {
	owner, err := json.Marshal(c.Owner)
	if err != nil {
		return nil, err
	}
	state, err := json.Marshal(&c.State)
	if err != nil {
		return nil, err
	}
	var noKey, noApplication []byte
	var never *int64
	return []any{c.ID[:], tenant, c.Account[:], lookupContact(&c.State), noKey, c.Epoch, c.Seq, c.Touched.UnixMilli(), never, never,
		string(c.Status), string(c.Owner.Kind), noApplication, int64(0), string(owner), string(state), c.Created.UnixMilli(), millis(c.Ended)}, nil
}

// importMessages writes the messages of those conversations that have a key, and what their customers thought.
func (t *tx) importMessages(ctx context.Context, tenant int64, all []parley.PastConversation, keys map[parley.ConversationID]int64) error {
	var rows, erased [][]any
	for i := range all {
		past := &all[i]
		key, ok := keys[past.Conversation.ID]
		if !ok {
			continue
		}
		delete(keys, past.Conversation.ID) // should the batch name it twice, the first one is it
		for j := range past.Messages {
			m := &past.Messages[j]
			body, err := json.Marshal(&m.Body)
			if err != nil {
				return err
			}
			var hash *int64
			if m.Body.MessageID != "" {
				hash = new(ident.RepeatHash(past.Conversation.ID, m.Sender, m.Body.MessageID))
			}
			rows = append(rows, []any{tenant, key, m.Seq, m.ID[:], string(m.Type), string(m.Sender), m.Created.UnixMilli(), m.To, hash, m.Explanation, string(body)})
			if m.Deleted == parley.Erased {
				erased = append(erased, []any{key, m.Seq, int64(parley.Erased), string(body)})
			}
		}
		if s := past.Survey; s != nil {
			if err := t.run(ctx, "INSERT INTO surveys (conversation, id, evaluation, answered, comments, at) VALUES (?, ?, ?, ?, ?, ?)",
				key, s.ID[:], s.Evaluation, flag(s.Answered), s.Comments, s.At.UnixMilli()); err != nil {
				return fmt.Errorf("write survey: %w", err)
			}
		}
	}
	if err := insertMessages.run(ctx, t.conn(), rows, discard); err != nil {
		return err
	}
	return eraseBodies.run(ctx, t.conn(), erased, discard)
}
