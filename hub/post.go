package hub

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"parley"
	"parley/ident"
)

// A PostRequest is what one caller wants said, in one conversation, together or not at all.
type PostRequest struct {
	Speaker parley.Speaker
	Surface string // for metrics: "conversationmgr", "ws", …
	Trace   string // W3C traceparent; callbacks go on with it
	Drafts  []parley.Draft
	From    Subscriber // who posts, and so does not need to hear of it; may be nil
}

// A Posted says where a message is.
type Posted struct {
	Conversation parley.ConversationID // zero for agent.available and agent.unavailable outside of a conversation
	ID           parley.MessageID
	MessageID    string // as sent, else the text of ID
	Seq          int64  // 0 for messages that are not stored
}

// Post adds messages to a conversation and tells everyone concerned.
//
// It returns once they are committed; delivery goes on after that. A repeat of a sender's messageId returns the first
// result, so a caller who lost the answer may simply call again. Kinds: Invalid, Forbidden (not permitted, not the
// owner, not a party), NotFound, Closed, Busy (too much is waiting). When ctx ends first the messages may be stored
// all the same.
func (h *Hub) Post(ctx context.Context, r PostRequest) ([]Posted, error) {
	type answer struct {
		posted []Posted
		err    error
	}
	answers := make(chan answer, 1)
	h.Submit(ctx, r, func(posted []Posted, err error) { answers <- answer{posted, err} })
	select {
	case a := <-answers:
		return a.posted, a.err
	case <-ctx.Done():
		return nil, fmt.Errorf("post: %w", context.Cause(ctx))
	}
}

// Submit is Post that does not wait: done is called exactly once, from any goroutine; it must not block or call the hub. The
// answers for one conversation come in the order of the messages. ctx is needed for look-ups only: a message that is
// on its way stays so when ctx ends.
func (h *Hub) Submit(ctx context.Context, r PostRequest, done func([]Posted, error)) {
	finish := func(posted []Posted, err error) {
		if err != nil {
			h.metrics.refused.WithLabelValues(r.Surface, parley.KindOf(err).String()).Inc()
		}
		done(posted, err)
	}
	if len(r.Drafts) == 0 {
		finish(nil, &parley.Error{Kind: parley.Invalid, Reason: parley.Missing, Field: "messages.message", Msg: "nothing to post"})
		return
	}
	first := r.Drafts[0]
	p := &post{surface: r.Surface, from: r.From, done: finish}
	for i, d := range r.Drafts {
		d.Body.Trace = r.Trace
		in := &input{kind: said, draft: d, speaker: r.Speaker}
		if len(r.Drafts) > 1 {
			in.path = fmt.Sprintf("messages.message[%d].", i)
		}
		p.inputs = append(p.inputs, in)
	}
	switch {
	case !first.Conversation.IsZero():
		h.conversation(r.Speaker.Tenant, first.Conversation).submit(p)
	case announces(&first):
		finish(h.announce(ctx, r.Speaker, p.inputs))
	default:
		h.start(ctx, r.Speaker.Tenant, p)
	}
}

// start begins a conversation with the post's first message.
func (h *Hub) start(ctx context.Context, tenant parley.TenantID, p *post) {
	first := p.inputs[0]
	d := &first.draft
	if err := checkStart(d); err != nil {
		p.done(nil, first.located(err))
		return
	}
	plan, err := h.plans.at(ctx, tenant, d.ChannelType, d.Address)
	if err != nil {
		p.done(nil, err)
		return
	}
	contact, _ := parley.PickContact(d.LookupContact, d.Customer.Contacts)
	if s := first.speaker; s.Contact != "" && (s.Account != plan.account.ID || s.Contact != contact.Address) {
		p.done(nil, &parley.Error{Kind: parley.Forbidden, Reason: parley.NotParty, Msg: "the session belongs to another account or customer"})
		return
	}
	id := d.NewID
	if id.IsZero() {
		id = ident.New[parley.Conversation]()
	}
	if first.before, err = h.previous(ctx, plan, contact.Address); err == nil {
		err = h.lookUp(ctx, tenant, id, p)
	}
	if err != nil {
		p.done(nil, err)
		return
	}
	if d.Body.MessageID != "" {
		p.startKey = ident.StartKey(plan.account.ID, contact.Address, d.Body.MessageID)
	}
	a := h.conversation(tenant, id)
	a.begin(p, plan)
}

// checkStart wants what a new conversation cannot do without.
func checkStart(d *parley.Draft) error {
	missing := func(field, why string) error {
		return &parley.Error{Kind: parley.Invalid, Reason: parley.Missing, Field: field, Msg: why}
	}
	if !Permitted(d.Sender, d.Type) {
		return &parley.Error{Kind: parley.Forbidden, Reason: parley.TypeNotAllowed, Field: "type.value",
			Msg: fmt.Sprintf("a %s may not send %s", d.Sender, d.Type)}
	}
	switch {
	case d.Sender != parley.Customer:
		return missing("conversation.id", "only a customer may start a conversation")
	case d.ChannelType == "":
		return missing("conversation.account.channel.type", "a new conversation needs its account")
	case d.Address == "":
		return missing("conversation.account.address", "a new conversation needs its account")
	case d.Customer == nil || len(d.Customer.Contacts) == 0:
		return missing("conversation.customer.contacts.contact", "a new conversation needs a contact of the customer")
	}
	return nil
}

// previous is the customer's conversation before a new one, if the plan has a rule that asks for it.
func (h *Hub) previous(ctx context.Context, p *plan, contact string) (*parley.Conversation, error) {
	bypass := p.orchestration.Bots != nil && p.orchestration.Bots.BypassMinutes > 0
	if !bypass && p.account.SameCaseMinutes <= 0 {
		return nil, nil
	}
	var before parley.Conversation
	err := h.config.Store.View(ctx, func(tx parley.Tx) (err error) {
		before, err = tx.LatestOf(ctx, p.account.Tenant, p.account.ID, contact, parley.ConversationID{})
		return err
	})
	if parley.KindOf(err) == parley.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for the customer's previous conversation: %w", err)
	}
	return &before, nil
}

// lookUp reads what the post's drafts refer to: parents and assets.
func (h *Hub) lookUp(ctx context.Context, tenant parley.TenantID, id parley.ConversationID, p *post) error {
	if !p.refers() {
		return nil
	}
	return h.config.Store.View(ctx, func(tx parley.Tx) error {
		for _, in := range p.inputs {
			in.parent, in.assets = nil, nil
			if in.draft.Body.Parent != "" {
				m, err := tx.FindMessage(ctx, tenant, id, in.draft.Sender, in.draft.Body.Parent)
				switch {
				case err == nil:
					in.parent = &m
				case parley.KindOf(err) != parley.NotFound:
					return err
				}
			}
			for _, a := range in.draft.Body.Attachments {
				if a.Asset.IsZero() {
					continue
				}
				asset, err := tx.Asset(ctx, tenant, a.Asset)
				switch {
				case err == nil:
					in.assets = append(in.assets, asset)
				case parley.KindOf(err) != parley.NotFound:
					return err
				}
			}
		}
		return nil
	})
}

// A post is one request on its way through a conversation.
type post struct {
	surface   string
	from      Subscriber
	inputs    []*input
	startKey  []byte
	repeats   map[*input]parley.FoundRepeat // inputs that were committed before
	mayRepeat bool                          // a messageId was seen before, so the commit looks for repeats too
	doubted   bool                          // it was refused, or changed nothing, on what is known here: the record is asked
	tries     int
	turn      int64 // place among the posts of its conversation; zero until it has one
	done      func([]Posted, error)

	base    *parley.Conversation // what step was routed on
	step    *parley.Step
	effects []effect
	placed  []Posted // by input
}

// refers says whether something must be looked up before the post can be routed.
func (p *post) refers() bool {
	for _, in := range p.inputs {
		if in.kind != said {
			continue
		}
		b := &in.draft.Body
		if b.Parent != "" || in.draft.Type == parley.TypeAgentAvailable || in.draft.Type == parley.TypeAgentUnavailable {
			return true
		}
		for _, a := range b.Attachments {
			if !a.Asset.IsZero() {
				return true
			}
		}
	}
	return false
}

// happened says whether the post is something that nobody said and that must not be missed. Turns that settle are their reminders', too.
func (p *post) happened() bool {
	return slices.ContainsFunc(p.inputs, func(in *input) bool { return in.kind != said && in.kind != settles })
}

// key is the repeat key of an input; ok is false if its sender gave it no id, or it is not stored.
func (in *input) key(conversation parley.ConversationID) (k parley.RepeatKey, ok bool) {
	d := &in.draft
	if in.kind != said && in.kind != detected || d.Body.MessageID == "" || d.Type.Ephemeral() {
		return k, false
	}
	if in.repeat.MessageID == "" { // an input belongs to one conversation, so the hash is made once
		in.repeat = parley.RepeatKey{Hash: ident.RepeatHash(conversation, d.Sender, d.Body.MessageID), Sender: d.Sender, MessageID: d.Body.MessageID}
	}
	return in.repeat, true
}

// sameBefore is the place of an earlier input of the same request under the same messageId, -1 if there is none.
func (p *post) sameBefore(i int, conversation parley.ConversationID) int {
	k, ok := p.inputs[i].key(conversation)
	if !ok {
		return -1
	}
	return slices.IndexFunc(p.inputs[:i], func(other *input) bool {
		o, ok := other.key(conversation)
		return ok && o == k
	})
}

// located says of which of several messages an error is.
func (in *input) located(err error) error {
	e, ok := errors.AsType[*parley.Error](err)
	if in.path == "" || !ok || e.Field == "" {
		return err
	}
	full := *e // it may be shared
	full.Field = in.path + e.Field
	return &full
}

// posted is the answer for an input whose message has that id.
func (in *input) posted(conversation parley.ConversationID, id parley.MessageID, seq int64) Posted {
	messageID := in.draft.Body.MessageID
	if messageID == "" {
		messageID = id.String()
	}
	return Posted{Conversation: conversation, ID: id, MessageID: messageID, Seq: seq}
}

// errTooMany is what a caller hears when a conversation has more waiting than it may.
var errTooMany = &parley.Error{Kind: parley.Busy, Msg: "too many messages of this conversation are waiting"}

// errEnding is what a caller hears of a post that would need a worker, once there are none: nothing of it was stored.
var errEnding = &parley.Error{Kind: parley.Busy, Msg: "the hub is stopping, try again"}

// plainError takes a refusal apart: what the caller hears, and the notice that is due besides.
func plainError(err error) (*notice, error) {
	if r, ok := errors.AsType[*refusal](err); ok {
		return &r.notice, r.err
	}
	return nil, err
}
