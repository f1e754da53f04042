package dispatch

import (
	"context"
	"errors"
	"fmt"

	"parley"
	"parley/wire"
)

// maxTranscript is how many messages one request may hold (reference section 10).
const maxTranscript = 1000

// Hooks render what a [parley.Hook] hears of a message. NotFound if there is no such hook.
type Hooks interface {
	Body(ctx context.Context, hook parley.Receiver, c *parley.Conversation, m *parley.Message) ([]byte, error)
}

// payloads renders the requests that deliver a message on a lane: one, preceded by the conversation so far if the message
// hands that over. A forwarded transcript of a conversation that ended has the message as its last item.
func (d *Dispatcher) payloads(ctx context.Context, lane *parley.Lane, c *parley.Conversation, m *parley.Message) ([][]byte, error) {
	if lane.Receiver.Role == parley.BusinessNotification {
		if d.config.Hooks == nil {
			return nil, errors.New("this process renders no hooks")
		}
		body, err := d.config.Hooks.Body(ctx, lane.Receiver, c, m)
		return [][]byte{body}, err
	}
	view := wire.View{Conversation: c, HTML: true, Recipients: int64(1) << lane.Slot}
	if lane.Receiver.Role == parley.Customer {
		rich, err := d.targets.rich(ctx, lane.Tenant, c.State.ChannelType)
		if err != nil {
			return nil, err
		}
		view.HTML = rich
	} else {
		view.Customer = true
	}
	var before []parley.Message
	if m.Body.Transcript&(int64(1)<<lane.Slot) != 0 {
		err := d.config.Store.View(ctx, func(tx parley.Tx) (err error) {
			before, err = tx.Messages(ctx, parley.MessageQuery{Tenant: lane.Tenant, Conversation: lane.Conversation, Before: m.Seq, Limit: maxTranscriptAll})
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("read a transcript: %w", err)
		}
	}
	if d.config.AssetURL != nil {
		view.AssetURL = func(id parley.AssetID) string { return d.config.AssetURL(lane.Tenant, id) }
	}
	masked := view
	masked.Masked, masked.Recipients = true, 0 // a transcript's messages name whom they were for
	var bodies [][]byte
	pages := before
	joined := len(before) > 0 && m.Type == parley.TypeConversationEnd
	if joined {
		pages = append(pages, *m)
	}
	for len(pages) > 0 {
		n := min(len(pages), maxTranscript)
		page := make([]*parley.Message, n)
		for i := range page {
			page[i] = &pages[i]
		}
		bodies = append(bodies, wire.AppendEnvelope(nil, m.Body.Metadata, masked, page...))
		pages = pages[n:]
	}
	if joined {
		return bodies, nil
	}
	return append(bodies, wire.AppendEnvelope(nil, m.Body.Metadata, view, m)), nil
}

// maxTranscriptAll bounds what is handed over with a conversation.
const maxTranscriptAll = 20 * maxTranscript

// richText says whether the channel carries HTML to the customer.
func richText(c *parley.Channel) bool {
	if c.Restrictions == nil || c.Restrictions.Outbound == nil || c.Restrictions.Outbound.Features == nil {
		return true
	}
	for _, f := range c.Restrictions.Outbound.Features {
		if f == parley.FeatureRichText {
			return true
		}
	}
	return false
}
