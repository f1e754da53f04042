package insight

import (
	"context"
	"maps"
	"slices"

	"parley"
)

// known is what the leader remembers of a conversation.
type known struct {
	seq      int64 // up to which it was looked at
	language string
	email    string // of the customer
}

// A talk is what there is to look at in one conversation.
type talk struct {
	conversation parley.Conversation
	known        known
	messages     []parley.Message // in order of Seq, without a hole, from known.seq+1
}

// talks groups messages by conversation, in the order in which they turn up, and reads what else is needed: what was looked at
// before is left out, what the feed does not have is filled in.
func (d *Detector) talks(ctx context.Context, tenant parley.TenantID, fed []parley.FedMessage) ([]talk, error) {
	places := map[parley.ConversationID]int{}
	var talks []talk
	for _, m := range fed {
		i, ok := places[m.Conversation]
		if !ok {
			i = len(talks)
			places[m.Conversation] = i
			talks = append(talks, talk{})
			talks[i].conversation.ID = m.Conversation
		}
		talks[i].messages = append(talks[i].messages, m.Message)
	}
	var late []parley.ConversationID
	err := d.config.Record.View(ctx, func(tx parley.Tx) error {
		forgotten, err := tx.Forgotten(ctx, tenant, slices.Collect(maps.Keys(places)))
		if err != nil {
			return err
		}
		late = nil
		standings, err := d.standings(ctx, tx, tenant, places)
		if err != nil {
			return err
		}
		for i := range talks {
			t := &talks[i]
			if forgotten[t.conversation.ID] {
				if slices.ContainsFunc(t.messages, func(m parley.Message) bool { return !m.Body.Job.IsZero() && m.Deleted != parley.Erased }) {
					late = append(late, t.conversation.ID)
				}
				t.messages = nil
				continue
			}
			if err := d.complete(ctx, tx, tenant, t, standings); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && len(late) > 0 {
		err = d.forgetLate(ctx, tenant, late)
	}
	return talks, err
}

// standings are those of the conversations of a page that are not known: read together, since when there are many conversations nearly
// every message is of another one.
func (d *Detector) standings(ctx context.Context, tx parley.Tx, tenant parley.TenantID, of map[parley.ConversationID]int) (map[parley.ConversationID]*parley.Standing, error) {
	var unknown []parley.ConversationID
	for id := range of {
		if _, ok := d.known[id]; !ok {
			unknown = append(unknown, id)
		}
	}
	found, err := tx.Standings(ctx, tenant, unknown)
	standings := make(map[parley.ConversationID]*parley.Standing, len(found))
	for i := range found {
		standings[found[i].ID] = &found[i]
	}
	return standings, err
}

// complete leaves in the talk what is to be looked at, and reads what is missing of it.
func (d *Detector) complete(ctx context.Context, tx parley.Tx, tenant parley.TenantID, t *talk, standings map[parley.ConversationID]*parley.Standing) (err error) {
	id, last := t.conversation.ID, int64(0)
	for _, m := range t.messages {
		last = max(last, m.Seq)
	}
	t.conversation.Tenant = tenant
	k, ok := d.known[id]
	if !ok {
		s := standings[id]
		if s == nil {
			t.messages = nil // erased meanwhile
			return nil
		}
		t.conversation = s.Conversation
		k = known{seq: s.Looked, language: languageOf(&t.conversation), email: emailOf(&t.conversation)}
	}
	t.known = k
	expected := k.seq + 1
	fedInOrder := t.messages[:0]
	for _, m := range t.messages {
		if m.Seq == expected {
			fedInOrder = append(fedInOrder, m)
			expected++
		}
	}
	t.messages = fedInOrder
	if expected > last {
		return nil
	}
	t.messages, err = messagesUpTo(ctx, tx, tenant, id, k.seq, last)
	return err
}

// messagesUpTo are the messages of a conversation with after < Seq ≤ last, in order.
func messagesUpTo(ctx context.Context, tx parley.Tx, tenant parley.TenantID, id parley.ConversationID, after, last int64) (all []parley.Message, err error) {
	for after < last {
		page, err := tx.Messages(ctx, parley.MessageQuery{Tenant: tenant, Conversation: id, After: after, Before: last + 1, Limit: feedPage})
		if err != nil {
			return nil, err
		}
		if len(page) == 0 {
			break
		}
		all = append(all, page...)
		after = page[len(page)-1].Seq
	}
	return all, nil
}
