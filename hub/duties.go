package hub

import (
	"context"
	"fmt"
	"sync"
	"time"

	"parley"
	"parley/ident"
)

// remindPage bounds how many deadlines are looked at together.
const remindPage = 500

// remindAtOnce bounds how many of these are acted on at the same time. Each reads its conversation, and a store reads for few at once: those who
// wait for an answer must not stand behind a page of conversations that nobody waits for.
const remindAtOnce = 8

// remindLease is how long one node leads the reminders before another may.
const remindLease = 5 * time.Second

// remind does what is due: idle conversations end, silent bots lose the turn. One node leads, so that the others need not
// try; without live state all do it, and a step still holds only once.
func (h *Hub) remind(ctx context.Context) {
	if !h.lead.Mine(ctx) {
		return
	}
	for ctx.Err() == nil {
		var due []parley.Reminder
		err := h.config.Store.View(ctx, func(tx parley.Tx) (err error) {
			due, err = tx.Due(ctx, h.now(), remindPage)
			return err
		})
		if err != nil {
			h.config.Logger.WarnContext(ctx, "reading deadlines", "error", err)
			return
		}
		var wg sync.WaitGroup
		var failures int
		var mu sync.Mutex
		places := make(chan struct{}, remindAtOnce)
		for _, d := range due {
			places <- struct{}{}
			wg.Add(1)
			h.happen(d.Tenant, d.Conversation, &input{kind: reminded}, func(err error) {
				if err != nil && parley.KindOf(err) != parley.Closed {
					h.config.Logger.WarnContext(ctx, "acting on a deadline", "conversation", d.Conversation, "error", err)
					mu.Lock()
					failures++
					mu.Unlock()
				}
				<-places
				wg.Done()
			})
		}
		wg.Wait()
		if len(due) < remindPage || failures > 0 {
			return
		}
	}
}

// happen routes something that nobody said.
func (h *Hub) happen(tenant parley.TenantID, id parley.ConversationID, in *input, done func(error)) {
	in.newID = ident.New[parley.Message]
	h.conversation(tenant, id).submit(&post{surface: "hub", inputs: []*input{in}, done: func(_ []Posted, err error) { done(err) }})
}

// wait is happen that returns when it is done, or ctx ends.
func (h *Hub) wait(ctx context.Context, tenant parley.TenantID, id parley.ConversationID, in *input) error {
	answer := make(chan error, 1)
	h.happen(tenant, id, in, func(err error) { answer <- err })
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// DeliveryFailed goes on after a message could not be delivered to a party (guarantee G7). slot is the party's place.
func (h *Hub) DeliveryFailed(ctx context.Context, tenant parley.TenantID, slot int, m parley.Message) error {
	in := &input{kind: failed, slot: slot, created: m.Created, sender: m.Sender}
	if err := h.wait(ctx, tenant, m.Conversation, in); err != nil {
		return fmt.Errorf("go on after failed delivery in conversation %s: %w", m.Conversation, err)
	}
	return nil
}

// EndAccount ends every open conversation of an account; called before the account is deleted.
func (h *Hub) EndAccount(ctx context.Context, tenant parley.TenantID, account parley.AccountID) error {
	return h.each(ctx, func(tx parley.Tx, after parley.ConversationID) ([]parley.ConversationID, error) {
		return tx.OpenOnAccount(ctx, tenant, account, after, remindPage)
	}, func(id parley.ConversationID) error {
		return h.wait(ctx, tenant, id, &input{kind: ended, why: whyGone})
	})
}

// End ends a conversation for a reason that its timeline tells. One that is over stays as it is.
func (h *Hub) End(ctx context.Context, tenant parley.TenantID, id parley.ConversationID, why string) error {
	if err := h.wait(ctx, tenant, id, &input{kind: ended, why: why}); err != nil && parley.KindOf(err) != parley.Closed {
		return fmt.Errorf("end conversation %s: %w", id, err)
	}
	return nil
}

// errSaidSince is what comes too late for [parley.Draft.After].
var errSaidSince = &parley.Error{Kind: parley.Conflict, Msg: "something was said since"}

// EndAfter is End for one who judged by what was said up to the message with that Seq: Conflict if something was said, or the conversation ended,
// since, maybe on another node.
func (h *Hub) EndAfter(ctx context.Context, tenant parley.TenantID, id parley.ConversationID, last int64, why string) error {
	if err := h.wait(ctx, tenant, id, &input{kind: ended, why: why, draft: parley.Draft{After: last}}); err != nil {
		return fmt.Errorf("end conversation %s: %w", id, err)
	}
	return nil
}

// release gives out what was held for an agent program.
func (h *Hub) release(ctx context.Context, tenant parley.TenantID, app parley.ApplicationID) error {
	return h.each(ctx, func(tx parley.Tx, after parley.ConversationID) ([]parley.ConversationID, error) {
		return tx.HeldFor(ctx, tenant, app, after, remindPage)
	}, func(id parley.ConversationID) error {
		return h.wait(ctx, tenant, id, &input{kind: released})
	})
}

// each calls do for every conversation of a paged list.
func (h *Hub) each(ctx context.Context, page func(parley.Tx, parley.ConversationID) ([]parley.ConversationID, error), do func(parley.ConversationID) error) error {
	var after parley.ConversationID
	for {
		var ids []parley.ConversationID
		err := h.config.Store.View(ctx, func(tx parley.Tx) (err error) {
			ids, err = page(tx, after)
			return err
		})
		if err != nil || len(ids) == 0 {
			return err
		}
		for _, id := range ids {
			if err := do(id); err != nil && parley.KindOf(err) != parley.Closed {
				return err
			}
			after = id
		}
	}
}
