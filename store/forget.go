package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"parley"
)

// unlessForgotten is a text that is kept with a conversation (its key, the text), empty if that was forgotten.
const unlessForgotten = "CASE WHEN EXISTS (SELECT 1 FROM forgotten AS f WHERE f.conversation = ?) THEN '' ELSE ? END"

// notForgotten is a condition on conversations c.
const notForgotten = "NOT EXISTS (SELECT 1 FROM forgotten AS f WHERE f.conversation = c.key)"

// Forget implements [parley.Insights].
func (t *tx) Forget(ctx context.Context, tenant parley.TenantID, conversation parley.ConversationID) ([]parley.JobID, error) {
	owner, err := t.s.tenantKey(ctx, t.db, tenant)
	if err != nil {
		return nil, err
	}
	var key int64
	if err := t.db.NewRaw("SELECT key FROM conversations WHERE tenant = ? AND id = ?", owner, conversation[:]).Scan(ctx, &key); err != nil {
		return nil, notFound(err, "conversation")
	}
	if err := t.run(ctx, "INSERT INTO forgotten (conversation, at) VALUES (?, ?) ON CONFLICT (conversation) DO UPDATE SET anonymous = 0", key, t.s.now().UnixMilli()); err != nil {
		return nil, fmt.Errorf("mark as forgotten: %w", err)
	}
	_, place, err := t.insight(ctx, tenant, "conversation = ?", key)
	if err == nil {
		err = t.removeInsight(ctx, owner, place)
	}
	if err != nil && parley.KindOf(err) != parley.NotFound {
		return nil, err
	}
	if err := t.forgetCustomer(ctx, key); err != nil {
		return nil, fmt.Errorf("erase the customer: %w", err)
	}
	if err := t.eraseBeside(ctx, key, &parley.ErasedParts{}); err != nil {
		return nil, fmt.Errorf("erase what is beside the messages: %w", err)
	}
	if err := t.run(ctx, "UPDATE turns SET result = '{}', problem = '' WHERE conversation = ?", key); err != nil {
		return nil, fmt.Errorf("erase turns: %w", err)
	}
	if _, err := t.forgetEvents(ctx, owner, "conversation = ?", conversation[:]); err != nil {
		return nil, fmt.Errorf("erase events: %w", err)
	}
	if err := t.DropHits(ctx, tenant, conversation, math.MaxInt64, nil); err != nil {
		return nil, fmt.Errorf("remove hits: %w", err)
	}
	if err := t.recount(ctx, key); err != nil {
		return nil, err
	}
	_, jobs, err := t.emptyMessages(ctx, owner, key, func(b parley.Body) parley.Body {
		b = withoutContent(b)
		b.Name = "" // who spoke
		return b
	}, " AND deleted <> ?", int64(parley.Erased))
	if err != nil {
		return nil, fmt.Errorf("erase messages: %w", err)
	}
	return jobs, nil
}

// forgetCustomer erases what the state of a conversation that is over says of its customer. That of an open one is the hub's.
func (t *tx) forgetCustomer(ctx context.Context, conversation int64) error {
	var stored []byte
	err := t.db.NewRaw("SELECT state FROM conversations WHERE key = ? AND status = ?", conversation, string(parley.Ended)).Scan(ctx, &stored)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	var state parley.ConversationState
	if err := json.Unmarshal(stored, &state); err != nil {
		return err
	}
	state.Customer, state.ClientInfo, state.LookupContact, state.ConversationContact = parley.CustomerData{}, nil, "", ""
	state.Bot.Background, state.Bot.Contexts, state.Bot.Connector = "", parley.Contexts{}, nil
	left, err := json.Marshal(&state)
	if err != nil {
		return err
	}
	return t.run(ctx, "UPDATE conversations SET state = ?, contact = '' WHERE key = ?", string(left), conversation)
}

var findForgotten = newOfConversations("c.id", "CROSS JOIN forgotten AS f ", "AND f.conversation = c.key")

// Forgotten implements [parley.Insights].
func (t *tx) Forgotten(ctx context.Context, tenant parley.TenantID, ids []parley.ConversationID) (map[parley.ConversationID]bool, error) {
	key, err := t.s.tenantKey(ctx, t.db, tenant)
	if err != nil {
		return nil, err
	}
	forgotten := map[parley.ConversationID]bool{}
	err = t.ofConversations(ctx, findForgotten, key, ids, noteConversation(func(id parley.ConversationID) { forgotten[id] = true }))
	if err != nil {
		return nil, fmt.Errorf("look for forgotten conversations: %w", err)
	}
	return forgotten, nil
}
