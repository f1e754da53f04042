package hub

import (
	"context"
	"slices"

	"parley"
)

// A Reader is what somebody may see of a conversation. The zero Reader sees everything.
type Reader struct {
	Slots  int64       // messages addressed to one of these slots …
	Sender parley.Role // … or sent by this role
}

// Sees says whether the reader may see a message.
func (r Reader) Sees(m *parley.Message) bool {
	return r.Slots == 0 || m.To&r.Slots != 0 || m.Sender == r.Sender
}

// ReaderOf says what a speaker may see of a conversation: customers what was said to or by them, bots what was addressed
// to them, agent programs that are a party the whole of it. Everybody else hears that there is no such conversation.
func ReaderOf(s parley.Speaker, c *parley.Conversation) (Reader, error) {
	switch {
	case s.Tenant != c.Tenant:
		return Reader{}, errConversationUnknown
	case s.Contact != "":
		contact, _ := c.State.Contact()
		if s.Account != c.Account || s.Contact != contact.Address {
			return Reader{}, errConversationUnknown
		}
		return Reader{Slots: customerBit, Sender: parley.Customer}, nil
	case s.Application.IsZero():
		return Reader{}, nil
	}
	var slots int64
	var role parley.Role
	for slot, p := range c.State.Parties {
		if p.Application != s.Application || len(s.Roles) > 0 && !slices.Contains(s.Roles, p.Role) {
			continue
		}
		if p.Role.IsAgent() {
			return Reader{}, nil
		}
		slots |= bit(slot)
		role = p.Role
	}
	if slots == 0 {
		return Reader{}, errConversationUnknown
	}
	return Reader{Slots: slots, Sender: role}, nil
}

// Conversation is the state of a conversation with what the speaker may see of it. NotFound if that is nothing.
func (h *Hub) Conversation(ctx context.Context, s parley.Speaker, id parley.ConversationID) (c parley.Conversation, r Reader, err error) {
	err = h.config.Store.View(ctx, func(tx parley.Tx) (err error) {
		c, err = tx.Conversation(ctx, s.Tenant, id)
		return err
	})
	if err == nil {
		r, err = ReaderOf(s, &c)
	}
	return c, r, err
}

// A Standing is a conversation as one of its readers meets it.
type Standing struct {
	Conversation parley.Conversation
	Reader       Reader
	Last         int64 // Seq of the last message that the reader may see; 0 if there is none
	Receipts     []parley.Receipt
}

// Standing is what a speaker meets in a conversation, read at one moment and in one transaction: many may ask at once, when
// a node went down. NotFound if the speaker may see nothing of it.
func (h *Hub) Standing(ctx context.Context, s parley.Speaker, id parley.ConversationID) (st Standing, err error) {
	err = h.config.Store.View(ctx, func(tx parley.Tx) (err error) {
		if st.Conversation, err = tx.Conversation(ctx, s.Tenant, id); err != nil {
			return err
		}
		if st.Reader, err = ReaderOf(s, &st.Conversation); err != nil {
			return err
		}
		if st.Last, err = lastVisible(ctx, tx, &st.Conversation, st.Reader); err != nil {
			return err
		}
		marks, err := tx.Receipts(ctx, s.Tenant, id)
		st.Receipts = receiptsOf(&st.Conversation, marks)
		return err
	})
	return st, err
}

// lastVisible is the Seq of the last message that the reader may see.
func lastVisible(ctx context.Context, tx parley.Tx, c *parley.Conversation, r Reader) (int64, error) {
	if r == (Reader{}) {
		return c.Seq, nil
	}
	last, err := tx.Messages(ctx, parley.MessageQuery{Tenant: c.Tenant, Conversation: c.ID, Limit: 1, Newest: true, Slots: r.Slots, Sender: r.Sender})
	if err != nil || len(last) == 0 {
		return 0, err
	}
	return last[0].Seq, nil
}

// Missed is a conversation with its first messages after a Seq, whoever may see them: only so a page says how far it reaches.
func (h *Hub) Missed(ctx context.Context, tenant parley.TenantID, id parley.ConversationID, after int64, limit int) (c parley.Conversation, page []parley.Message, err error) {
	err = h.config.Store.View(ctx, func(tx parley.Tx) (err error) {
		if c, err = tx.Conversation(ctx, tenant, id); err != nil {
			return err
		}
		page, err = tx.Messages(ctx, parley.MessageQuery{Tenant: tenant, Conversation: id, After: after, Limit: limit})
		return err
	})
	return c, page, err
}

// A Page asks for messages of a conversation.
type Page struct {
	After, Before int64 // Seq between these, both exclusive; Before 0 = no bound
	Limit         int
	Newest        bool // the last Limit of them instead of the first
}

// History is a page of the messages that the reader may see, in order.
func (h *Hub) History(ctx context.Context, tenant parley.TenantID, id parley.ConversationID, r Reader, p Page) (found []parley.Message, err error) {
	err = h.config.Store.View(ctx, func(tx parley.Tx) (err error) {
		found, err = tx.Messages(ctx, parley.MessageQuery{Tenant: tenant, Conversation: id, After: p.After, Before: p.Before,
			Limit: p.Limit, Newest: p.Newest, Slots: r.Slots, Sender: r.Sender})
		return err
	})
	return found, err
}

// OpenFor lists the open conversations of a customer's session, or of an application's, newest first, without receipts.
func (h *Hub) OpenFor(ctx context.Context, s parley.Speaker, limit int) (found []Standing, err error) {
	err = h.config.Store.View(ctx, func(tx parley.Tx) error {
		all, err := openFor(ctx, tx, s, limit)
		if err != nil {
			return err
		}
		found = make([]Standing, len(all))
		for i := range all {
			found[i].Conversation = all[i]
			if found[i].Reader, err = ReaderOf(s, &all[i]); err != nil {
				return err
			}
			if found[i].Last, err = lastVisible(ctx, tx, &all[i], found[i].Reader); err != nil {
				return err
			}
		}
		return nil
	})
	return found, err
}

func openFor(ctx context.Context, tx parley.Tx, s parley.Speaker, limit int) (found []parley.Conversation, err error) {
	if s.Contact != "" {
		return tx.OpenOf(ctx, s.Tenant, s.Account, s.Contact, limit)
	}
	for _, role := range s.Roles {
		more, err := tx.OpenWith(ctx, s.Tenant, s.Application, role, limit)
		if err != nil {
			return nil, err
		}
		found = append(found, more...)
	}
	return found, nil
}

// maxRead bounds one read of a completed conversation; no conversation of people comes near it.
const maxRead = 100_000

// Ended returns a completed conversation with its stored messages and how far they were delivered. NotFound while it
// is open, for what belongs to another tenant, and after retention.
func (h *Hub) Ended(ctx context.Context, tenant parley.TenantID, id parley.ConversationID) (c parley.Conversation, messages []parley.Message, states parley.DeliveryStates, err error) {
	err = h.config.Store.View(ctx, func(tx parley.Tx) (err error) {
		if c, err = tx.Conversation(ctx, tenant, id); err != nil {
			return err
		}
		if c.Status != parley.Ended || h.now().Sub(c.Ended) > h.config.Retention {
			return errConversationUnknown
		}
		if messages, err = tx.Messages(ctx, parley.MessageQuery{Tenant: tenant, Conversation: id, Limit: maxRead}); err != nil {
			return err
		}
		states, err = tx.MessageStates(ctx, tenant, id)
		return err
	})
	return c, messages, states, err
}

// Account is an account, from the cache if it may be.
func (h *Hub) Account(ctx context.Context, tenant parley.TenantID, id parley.AccountID) (parley.Account, error) {
	p, err := h.plans.of(ctx, tenant, id)
	if err != nil {
		return parley.Account{}, err
	}
	return p.account, nil
}

// AccountChannel is an account with the type of its channel.
func (h *Hub) AccountChannel(ctx context.Context, tenant parley.TenantID, id parley.AccountID) (parley.Account, string, error) {
	p, err := h.plans.of(ctx, tenant, id)
	if err != nil {
		return parley.Account{}, "", err
	}
	return p.account, p.channel.Type, nil
}

// RichText says whether the conversation's channel carries HTML to the customer.
func (h *Hub) RichText(ctx context.Context, c *parley.Conversation) (bool, error) {
	p, err := h.plans.of(ctx, c.Tenant, c.Account)
	if parley.KindOf(err) == parley.NotFound {
		return true, nil // the account is gone, its history is not
	}
	if err != nil {
		return false, err
	}
	one := p.channel.Restriction(parley.System)
	return one.Features == nil || slices.Contains(one.Features, parley.FeatureRichText), nil
}
