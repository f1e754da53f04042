package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"parley"
	"parley/ident"
)

// An about is what a notification is about: a tracked event, a message, or a transition. It holds references only, besides where a
// conversation went.
type about struct {
	Event        int64              `json:"event,omitempty"`
	Conversation int64              `json:"conversation,omitempty"`
	Seq          int64              `json:"seq,omitempty"`
	Sender       string             `json:"sender,omitempty"`
	Part         int                `json:"part,omitempty"`
	Depth        int                `json:"depth,omitempty"`
	Transition   *parley.Transition `json:"transition,omitempty"`
}

// A listener is a subscription as far as it decides what is owed to it.
type listener struct {
	key, tenant int64
	bot         parley.ApplicationID
	version     string
	kind        parley.EventType
	names       []string
	created     time.Time
}

func (l *listener) wants(name string) bool {
	return len(l.names) == 0 || slices.Contains(l.names, name)
}

func (t *tx) listeners(ctx context.Context, rest string, args ...any) (all []listener, err error) {
	err = query(ctx, t.db, "SELECT key, tenant, bot, version, type, names, created FROM subscriptions WHERE status = ? AND "+rest,
		append([]any{string(parley.SubscriptionEnabled)}, args...), func(rows *sql.Rows) error {
			var l listener
			var bot, names []byte
			var created int64
			if err := rows.Scan(&l.key, &l.tenant, &bot, &l.version, &l.kind, &names, &created); err != nil {
				return err
			}
			l.bot, l.created = parley.ApplicationID(bot), moment(&created)
			if err := json.Unmarshal(names, &l.names); err != nil {
				return fmt.Errorf("read subscription %d: %w", l.key, err)
			}
			all = append(all, l)
			return nil
		})
	if err != nil {
		return nil, fmt.Errorf("read who listens: %w", err)
	}
	return all, nil
}

var insertNotifications = newBulk("INSERT INTO notifications (subscription, id, made, about) SELECT subscription, id, made, about FROM %ROWS%",
	column{"subscription", bigint}, column{"id", bytea}, column{"made", bigint}, column{"about", text})

func (t *tx) owe(ctx context.Context, to []int64, what []about) error {
	rows := make([][]any, len(to))
	for i := range to {
		body, err := json.Marshal(&what[i])
		if err != nil {
			return err
		}
		id := ident.New[parley.Notification]()
		rows[i] = []any{to[i], id[:], t.s.now().UnixMilli(), string(body)}
	}
	if err := insertNotifications.run(ctx, t.conn(), rows, discard); err != nil {
		return fmt.Errorf("note what subscriptions are owed: %w", err)
	}
	return nil
}

// oweEvent notes who is owed an event that was tracked.
func (t *tx) oweEvent(ctx context.Context, tenant int64, e *parley.TrackedEvent) error {
	all, err := t.listeners(ctx, "tenant = ? AND bot = ? AND version = ? AND type = ?", tenant, e.Bot[:], e.Version, string(parley.EventTracked))
	if err != nil {
		return err
	}
	var to []int64
	var what []about
	for i := range all {
		if all[i].wants(e.Name) {
			to, what = append(to, all[i].key), append(what, about{Event: e.Key})
		}
	}
	return t.owe(ctx, to, what)
}

// oweNews notes who is owed what counting found. What was said before somebody subscribed is not news to them: old conversations are
// counted, too.
func (t *tx) oweNews(ctx context.Context, news []parley.News) error {
	if len(news) == 0 {
		return nil
	}
	all, err := t.listeners(ctx, "type IN (?, ?)", string(parley.EventFlow), string(parley.EventMessage))
	if err != nil || len(all) == 0 {
		return err
	}
	var to []int64
	var what []about
	for i := range news {
		n := &news[i]
		tenant, err := t.s.tenantKey(ctx, t.db, n.Tenant)
		if err != nil {
			return err
		}
		kind, name, a := parley.EventMessage, n.Sender, about{Conversation: n.Conversation, Seq: n.Seq, Sender: n.Sender}
		if n.Seq == 0 {
			kind, name, a = parley.EventFlow, n.Transition.To.Name(), about{Conversation: n.Conversation, Part: n.Part, Depth: n.Depth, Transition: &n.Transition}
		}
		for j := range all {
			l := &all[j]
			if l.tenant == tenant && l.bot == n.Bot && l.version == n.Version && l.kind == kind && !n.At.Before(l.created) && l.wants(name) {
				to, what = append(to, l.key), append(what, a)
			}
		}
	}
	return t.owe(ctx, to, what)
}

// Owed implements [parley.Subscriptions].
func (t *tx) Owed(ctx context.Context, subscription int64, limit int) (owed []parley.Notification, err error) {
	var abouts []about
	err = query(ctx, t.db, "SELECT key, id, made, about FROM notifications WHERE subscription = ? ORDER BY key LIMIT ?", []any{subscription, limit}, func(rows *sql.Rows) error {
		var n parley.Notification
		var id, stored []byte
		var made int64
		if err := rows.Scan(&n.Key, &id, &made, &stored); err != nil {
			return err
		}
		var a about
		if err := json.Unmarshal(stored, &a); err != nil {
			return fmt.Errorf("read notification %d: %w", n.Key, err)
		}
		n.ID, n.Made = parley.NotificationID(id), moment(&made)
		owed, abouts = append(owed, n), append(abouts, a)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read what a subscription is owed: %w", err)
	}
	for i := range owed {
		if err := t.tell(ctx, &owed[i], &abouts[i]); err != nil {
			return nil, fmt.Errorf("read what notification %d is about: %w", owed[i].Key, err)
		}
	}
	return owed, nil
}

// CountOwed implements [parley.Subscriptions].
func (t *tx) CountOwed(ctx context.Context, subscription int64) (n int, err error) {
	err = t.db.NewRaw("SELECT count(*) FROM notifications WHERE subscription = ?", subscription).Scan(ctx, &n)
	return n, err
}

// tell reads what a notification is about, as it is now.
func (t *tx) tell(ctx context.Context, n *parley.Notification, a *about) error {
	if a.Event != 0 {
		events, err := t.events(ctx, "WHERE e.key = ?", a.Event)
		if len(events) > 0 {
			n.Event = &events[0]
		}
		return err
	}
	var id, stored []byte
	err := t.db.QueryRowContext(ctx, "SELECT c.id, c.state FROM conversations AS c WHERE c.key = ? AND "+notForgotten, a.Conversation).Scan(&id, &stored)
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
	contact, _ := state.Contact()
	if a.Transition != nil {
		n.Transition = &parley.ToldTransition{Transition: *a.Transition, Conversation: parley.ConversationID(id), User: contact.Address, Part: a.Part, Depth: a.Depth}
		return nil
	}
	var message []byte
	var created int64
	told := parley.ToldMessage{Conversation: parley.ConversationID(id), User: contact.Address, Sender: a.Sender}
	err = t.db.QueryRowContext(ctx, "SELECT id, type, created FROM messages WHERE conversation = ? AND seq = ?", a.Conversation, a.Seq).Scan(&message, &told.Type, &created)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	told.ID, told.At = parley.MessageID(message), moment(&created)
	n.Message = &told
	return err
}
