package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"parley"
)

// eventBody is what of an event nothing is looked for by.
type eventBody struct {
	Attributes json.RawMessage `json:"attributes"`
	Campaign   parley.Campaign `json:"campaign,omitzero"`
}

// nothing is the attributes of an event that has none.
var nothing = json.RawMessage("{}")

// TrackEvent implements [parley.Events].
func (t *tx) TrackEvent(ctx context.Context, e *parley.TrackedEvent) (added bool, err error) {
	tenant, err := t.s.tenantKey(ctx, t.db, e.Tenant)
	if err != nil {
		return false, err
	}
	before, err := t.events(ctx, "WHERE e.tenant = ? AND e.bot = ? AND e.id = ?", tenant, e.Bot[:], e.ID)
	if err != nil {
		return false, err
	}
	if len(before) > 0 {
		*e = before[0]
		return false, nil
	}
	if !e.Conversation.IsZero() {
		switch forgotten, err := t.Forgotten(ctx, e.Tenant, []parley.ConversationID{e.Conversation}); {
		case err != nil:
			return false, err
		case forgotten[e.Conversation]:
			e.User, e.Attributes = "", nothing
		}
	}
	body, err := json.Marshal(eventBody{e.Attributes, e.Campaign})
	if err != nil {
		return false, err
	}
	// Should somebody else have told of it at the same time, the unique index refuses: then it is looked for again.
	err = t.db.NewRaw(`INSERT INTO tracked_events (tenant, bot, id, version, name, customer, conversation, called, campaign, at, received, body)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING key`, tenant, e.Bot[:], e.ID, e.Version, e.Name, e.User,
		idOrNone(e.Conversation), e.Called, e.Campaign.ID, e.At.UnixMilli(), e.Received.UnixMilli(), string(body)).Scan(ctx, &e.Key)
	if errors.Is(err, sql.ErrNoRows) {
		if before, err = t.events(ctx, "WHERE e.tenant = ? AND e.bot = ? AND e.id = ?", tenant, e.Bot[:], e.ID); err == nil && len(before) > 0 {
			*e = before[0]
		}
		return false, err
	}
	if err != nil {
		return false, fmt.Errorf("track event: %w", err)
	}
	if err := t.keepAttributes(ctx, tenant, e); err != nil {
		return false, fmt.Errorf("keep attributes of an event: %w", err)
	}
	if err := t.nameEvent(ctx, tenant, &parley.EventDefinition{Bot: e.Bot, Name: e.Name, Created: e.Received, Modified: e.Received}); err != nil {
		return false, err
	}
	return true, t.oweEvent(ctx, tenant, e)
}

// idOrNone is an id as it is stored where there may be none.
func idOrNone[T any](id parley.ID[T]) []byte {
	if id.IsZero() {
		return []byte{}
	}
	return id[:]
}

var insertAttributes = newBulk("INSERT INTO event_attributes (event, name, tenant, bot, value, folded) SELECT event, name, tenant, bot, value, folded FROM %ROWS%",
	column{"event", bigint}, column{"name", text}, column{"tenant", bigint}, column{"bot", bytea}, column{"value", text}, column{"folded", text})

func (t *tx) keepAttributes(ctx context.Context, tenant int64, e *parley.TrackedEvent) error {
	values, err := parley.AttributeValues(e.Attributes)
	if err != nil {
		return err
	}
	rows := make([][]any, 0, len(values))
	for name, v := range values {
		rows = append(rows, []any{e.Key, name, tenant, e.Bot[:], v, strings.ToLower(v)})
	}
	return insertAttributes.run(ctx, t.conn(), rows, discard)
}

// events reads those that the rest of a query is about.
func (t *tx) events(ctx context.Context, rest string, args ...any) (all []parley.TrackedEvent, err error) {
	err = t.eachEvent(ctx, func(e *parley.TrackedEvent) error {
		all = append(all, *e)
		return nil
	}, rest, args...)
	return all, err
}

func (t *tx) eachEvent(ctx context.Context, fn func(*parley.TrackedEvent) error, rest string, args ...any) error {
	rows, err := t.db.QueryContext(ctx, `SELECT e.key, e.id, tn.id, e.bot, e.version, e.name, e.customer, e.conversation, e.called, e.at, e.received, e.body
		FROM tracked_events AS e JOIN tenants AS tn ON tn.key = e.tenant `+rest, args...)
	if err != nil {
		return fmt.Errorf("read events: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var e parley.TrackedEvent
		var tenant, bot, conversation, stored []byte
		var at, received int64
		if err := rows.Scan(&e.Key, &e.ID, &tenant, &bot, &e.Version, &e.Name, &e.User, &conversation, &e.Called, &at, &received, &stored); err != nil {
			return err
		}
		var body eventBody
		if err := json.Unmarshal(stored, &body); err != nil {
			return fmt.Errorf("read event %d: %w", e.Key, err)
		}
		e.Tenant, e.Bot, e.At, e.Received = parley.TenantID(tenant), parley.ApplicationID(bot), moment(&at), moment(&received)
		if len(conversation) > 0 {
			e.Conversation = parley.ConversationID(conversation)
		}
		e.Attributes, e.Campaign = body.Attributes, body.Campaign
		if err := fn(&e); err != nil {
			return err
		}
	}
	return rows.Err()
}

// whereEvents is the condition of a query.
func (t *tx) whereEvents(ctx context.Context, q *parley.EventQuery) (text string, args []any, err error) {
	tenant, err := t.s.tenantKey(ctx, t.db, q.Tenant)
	if err != nil {
		return "", nil, err
	}
	text, args = "WHERE e.tenant = ?", []any{tenant}
	and := func(wanted bool, condition string, more ...any) {
		if wanted {
			text, args = text+" AND "+condition, append(args, more...)
		}
	}
	and(!q.Bot.IsZero(), "e.bot = ?", q.Bot[:])
	and(q.Version != "", "e.version = ?", q.Version)
	names := make([]any, len(q.Names))
	for i, n := range q.Names {
		names[i] = n
	}
	and(len(names) > 0, "e.name IN (?"+strings.Repeat(", ?", max(0, len(names)-1))+")", names...)
	and(q.User != "", "e.customer = ?", q.User)
	and(!q.Conversation.IsZero(), "e.conversation = ?", q.Conversation[:])
	and(q.Campaign != "", "e.campaign = ?", q.Campaign)
	and(!q.From.IsZero(), "e.at >= ?", q.From.UnixMilli())
	and(!q.Until.IsZero(), "e.at < ?", q.Until.UnixMilli())
	and(q.Before > 0, "e.key < ?", q.Before)
	return text, args, nil
}

// TrackedEvents implements [parley.Events].
func (t *tx) TrackedEvents(ctx context.Context, q parley.EventQuery) ([]parley.TrackedEvent, error) {
	text, args, err := t.whereEvents(ctx, &q)
	if err != nil {
		return nil, err
	}
	return t.events(ctx, text+" ORDER BY e.key DESC LIMIT ?", append(args, q.Limit)...)
}

// EachUsersEvents implements [parley.Events].
func (t *tx) EachUsersEvents(ctx context.Context, q parley.EventQuery, fn func(*parley.TrackedEvent) error) error {
	text, args, err := t.whereEvents(ctx, &q)
	if err != nil {
		return err
	}
	return t.eachEvent(ctx, fn, text+" AND e.customer <> '' ORDER BY e.customer, e.at, e.key", args...)
}

// forgetEvents takes user and attributes from events that a condition names, and says of how many.
func (t *tx) forgetEvents(ctx context.Context, tenant int64, where string, args ...any) (int, error) {
	var keys []int64
	if err := t.db.NewRaw("SELECT key FROM tracked_events WHERE tenant = ? AND "+where, append([]any{tenant}, args...)...).Scan(ctx, &keys); err != nil {
		return 0, err
	}
	rows := make([][]any, len(keys))
	for i, key := range keys {
		rows[i] = []any{key}
	}
	for _, b := range []*bulk{eraseEvents, eraseAttributes} {
		if err := b.run(ctx, t.conn(), rows, discard); err != nil {
			return 0, err
		}
	}
	return len(keys), nil
}

var (
	eraseEvents = newBulk(`UPDATE tracked_events SET customer = '', body = '{"attributes":{}}', campaign = '' WHERE key IN (SELECT event FROM %ROWS%)`,
		column{"event", bigint})
	eraseAttributes = newBulk("DELETE FROM event_attributes WHERE event IN (SELECT v.event FROM %ROWS%)", column{"event", bigint})
)

// ForgetEventsOf implements [parley.Events].
func (t *tx) ForgetEventsOf(ctx context.Context, tenant parley.TenantID, user string) (int, error) {
	if user == "" {
		return 0, nil
	}
	key, err := t.s.tenantKey(ctx, t.db, tenant)
	if err != nil {
		return 0, err
	}
	n, err := t.forgetEvents(ctx, key, "(customer = ? OR lower(customer) = ?)", user, strings.ToLower(user))
	if err != nil {
		return 0, fmt.Errorf("forget a user's events: %w", err)
	}
	return n, nil
}
