package hub

import (
	"context"
	"fmt"
	"slices"
	"time"

	"parley"
)

const (
	// maxReads bounds the marks that wait to be written; beyond it callers hear Busy.
	maxReads = 8192
	// readsAtOnce is how many marks go into one transaction.
	readsAtOnce = 512
	// readsTimeout bounds one of these transactions.
	readsTimeout = 10 * time.Second
)

// A reading is one mark on its way to the store.
type reading struct {
	c    parley.Conversation
	mark parley.ReadMark
	from Subscriber
	done func(error)
}

// Read notes that a party has read a conversation up to Seq, and tells the others. It does not wait: done is called once,
// from any goroutine, when the mark is stored; it must not block. A mark never goes back. Kinds: NotFound, Invalid (there
// is no such Seq), Forbidden (the speaker is no party), Busy.
func (h *Hub) Read(ctx context.Context, s parley.Speaker, id parley.ConversationID, seq int64, from Subscriber, done func(error)) {
	c, _, err := h.Conversation(ctx, s, id)
	if err != nil {
		done(err)
		return
	}
	if seq < 1 || seq > c.Seq {
		done(&parley.Error{Kind: parley.Invalid, Reason: parley.BadValue, Field: "seq", Msg: fmt.Sprintf("must be 1 to %d, as the messages are", c.Seq)})
		return
	}
	slot := SlotOf(s, &c)
	if slot < 0 {
		done(notParty("only a party of the conversation can have read it"))
		return
	}
	mark := parley.ReadMark{Tenant: c.Tenant, Conversation: c.ID, Slot: slot, Seq: seq, At: h.now()}
	select {
	case h.reads <- &reading{c: c, mark: mark, from: from, done: done}:
	default:
		done(&parley.Error{Kind: parley.Busy, Msg: "too many marks are waiting to be written"})
	}
}

// SlotOf is the place of a speaker among the parties, -1 if it has none.
func SlotOf(s parley.Speaker, c *parley.Conversation) int {
	if s.Contact != "" {
		return parley.CustomerSlot
	}
	return slices.IndexFunc(c.State.Parties, func(p parley.Party) bool {
		return !s.Application.IsZero() && p.Application == s.Application && (len(s.Roles) == 0 || slices.Contains(s.Roles, p.Role))
	})
}

// markReads writes what gathered while the last transaction was away in one, and tells everyone concerned.
func (h *Hub) markReads(ctx context.Context) {
	for {
		var batch []*reading
		select {
		case first := <-h.reads:
			batch = append(batch, first)
		case <-ctx.Done():
			h.refuseReads()
			return
		}
		for len(batch) < readsAtOnce && len(h.reads) > 0 {
			batch = append(batch, <-h.reads) // nobody else takes from it
		}
		marks := make([]parley.ReadMark, len(batch))
		for i := range batch {
			marks[i] = batch[i].mark
		}
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), readsTimeout) // what was taken is written
		var news []parley.ReadMark
		err := h.config.Store.Update(bounded, func(tx parley.Tx) (err error) {
			news, err = tx.MarkRead(bounded, marks)
			return err
		})
		cancel()
		for i := range batch {
			batch[i].done(err)
			if n := slices.Index(news, batch[i].mark); err == nil && n >= 0 {
				news = slices.Delete(news, n, n+1) // the same mark may be in the batch twice
				h.tellRead(batch[i])
			}
		}
	}
}

// refuseReads answers those whose mark nobody will write any more.
func (h *Hub) refuseReads() {
	for {
		select {
		case r := <-h.reads:
			r.done(&parley.Error{Kind: parley.Busy, Msg: "the hub stops"})
		default:
			return
		}
	}
}

func (h *Hub) tellRead(r *reading) {
	receipt := receiptOf(&r.c, r.mark)
	h.topics.whisper(&Event{Conversation: &r.c, Receipt: &receipt, From: r.from})
	h.hint(parley.Hint{Kind: parley.HintReceipt, Tenant: r.c.Tenant, Conversation: r.c.ID, Receipt: &receipt})
}

func receiptOf(c *parley.Conversation, m parley.ReadMark) parley.Receipt {
	return parley.Receipt{Slot: m.Slot, Role: c.State.Parties[m.Slot].Role, Read: m.Seq, At: m.At}
}

// receiptsOf are how far the parties have read a conversation, in the order of their places.
func receiptsOf(c *parley.Conversation, marks map[int]parley.ReadMark) []parley.Receipt {
	var receipts []parley.Receipt
	for slot := range c.State.Parties {
		if m, ok := marks[slot]; ok {
			receipts = append(receipts, receiptOf(c, m))
		}
	}
	return receipts
}
