package chaos

import (
	"context"
	"fmt"
	"log/slog"

	"parley"
	"parley/store"
	"parley/store/keyset"
)

// maxMessages is more than any conversation of a campaign has.
const maxMessages = 1 << 20

// readRecord reads the conversations of those ids, past the hubs.
func (w *World) readRecord(ctx context.Context, ids []string) (record []Recorded, err error) {
	seal, err := keyset.Open(w.dir)
	if err != nil {
		return nil, err
	}
	s, err := store.Open(ctx, store.Config{URL: w.database, Seal: seal, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	for _, text := range ids {
		id, err := parley.ParseID[parley.Conversation](text)
		if err != nil {
			return nil, fmt.Errorf("a client was told of conversation %q: %w", text, err)
		}
		c := Recorded{}
		err = s.View(ctx, func(tx parley.Tx) (err error) {
			if c.Conversation, err = tx.Conversation(ctx, parley.DefaultTenant, id); err != nil {
				return err
			}
			if c.Messages, err = tx.Messages(ctx, parley.MessageQuery{Tenant: parley.DefaultTenant, Conversation: id, Limit: maxMessages}); err != nil {
				return err
			}
			if c.States, err = tx.MessageStates(ctx, parley.DefaultTenant, id); err != nil {
				return err
			}
			contact, _ := c.State.Contact()
			same, err := tx.OpenOf(ctx, parley.DefaultTenant, c.Account, contact.Address, 10)
			c.Siblings = len(same) - 1
			return err
		})
		if parley.KindOf(err) == parley.NotFound {
			continue // the checker misses it
		}
		if err != nil {
			return nil, err
		}
		record = append(record, c)
	}
	return record, nil
}

// evidence collects everything there is to know.
func (w *World) evidence(ctx context.Context) (Evidence, error) {
	e := Evidence{Arrivals: w.receiver.log()}
	w.mu.Lock()
	e.Faults = append(e.Faults, w.faults...)
	w.mu.Unlock()
	w.receiver.mu.Lock()
	e.Faults = append(e.Faults, w.receiver.fault...)
	w.receiver.mu.Unlock()
	for _, p := range append([]*poster{w.bot}, w.posters...) {
		e.Posts = append(e.Posts, p.log()...)
	}
	for _, s := range append(append([]*session(nil), w.agents...), w.customers...) {
		posts, views := s.log()
		e.Posts, e.Views = append(e.Posts, posts...), append(e.Views, views...)
	}
	known := map[string]bool{}
	var ids []string
	note := func(id string) {
		if id != "" && !known[id] {
			known[id] = true
			ids = append(ids, id)
		}
	}
	for _, p := range e.Posts {
		note(p.Conversation)
	}
	for _, v := range e.Views {
		note(v.Conversation)
	}
	for _, a := range e.Arrivals {
		note(a.Conversation)
	}
	var err error
	e.Record, err = w.readRecord(ctx, ids)
	return e, err
}
