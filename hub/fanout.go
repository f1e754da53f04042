package hub

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"parley"
)

// An Event is something that happened in a conversation. Subscribers share it and must not change it.
type Event struct {
	Conversation *parley.Conversation // as it was after the event
	Message      *parley.Message      // nil for what is not stored
	Typing       *parley.Typing       // typing and presence
	Receipt      *parley.Receipt
	Queue        *QueuePlace
	Partial      *parley.Partial
	From         Subscriber // who caused it; may be nil
}

// A Subscriber hears of events. Deliver must not block and must not call the hub; the events of one conversation come
// in Seq order, one at a time.
type Subscriber interface {
	Deliver(*Event)
}

// A Doubter is a Subscriber that can look for what nobody told it of. Doubt is called when hints of other nodes were lost;
// like Deliver it must not block and must not call the hub.
type Doubter interface{ Doubt() }

// topics are the conversations and applications that somebody on this node listens to. Safe for concurrent use.
type topics struct {
	h         *Hub
	mu        sync.Mutex
	byID      map[parley.ConversationID]*topic
	followers map[follow]map[Subscriber]struct{}
	tenants   map[parley.TenantID]int // how many followers each has
	typing    map[typist]*typingMark  // who types; see whisper. nil once the hub has ended
}

// A typist is a party that types.
type typist struct {
	conversation parley.ConversationID
	slot         int
}

// A follow is the wish to hear of every conversation in which an application is a party.
type follow struct {
	tenant      parley.TenantID
	application parley.ApplicationID
	role        parley.Role
}

// A typingMark is a mark that somebody here was shown.
type typingMark struct {
	event *Event // that ends it
	until time.Time
	timer *time.Timer
}

// A topic is one conversation that somebody listens to. What was published so far has no holes: when a message is not
// the next one, a fill reads what lies between from the store.
type topic struct {
	mu          sync.Mutex
	tenant      parley.TenantID
	id          parley.ConversationID
	subscribers []Subscriber // each once; most topics have one or two
	published   int64        // -1 = nothing yet: the next message, whichever it is, is the first
	target      int64        // while filling: read at least up to here
	filling     bool
}

func newTopics(h *Hub) *topics {
	return &topics{h: h, byID: map[parley.ConversationID]*topic{}, followers: map[follow]map[Subscriber]struct{}{}, tenants: map[parley.TenantID]int{},
		typing: map[typist]*typingMark{}}
}

// Subscribe lets s hear of everything that is published in a conversation from now on. Who wants what was before reads
// it with History, after this call: then nothing is missed between. The caller has checked that s may listen. It must
// call cancel when s is gone.
func (h *Hub) Subscribe(tenant parley.TenantID, id parley.ConversationID, s Subscriber) (cancel func()) {
	ts := h.topics
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t := ts.byID[id]
	if t == nil {
		t = &topic{tenant: tenant, id: id, published: -1}
		ts.byID[id] = t
	}
	t.mu.Lock()
	if !slices.Contains(t.subscribers, s) {
		t.subscribers = append(t.subscribers, s)
	}
	t.mu.Unlock()
	return func() {
		ts.mu.Lock()
		defer ts.mu.Unlock()
		t.mu.Lock()
		defer t.mu.Unlock()
		t.subscribers = slices.DeleteFunc(slices.Clone(t.subscribers), func(other Subscriber) bool { return other == s })
		if len(t.subscribers) == 0 && ts.byID[id] == t {
			delete(ts.byID, id)
		}
	}
}

// Follow lets s hear of the conversations in which an application in that role is a party, new ones included.
func (h *Hub) Follow(tenant parley.TenantID, app parley.ApplicationID, role parley.Role, s Subscriber) (cancel func()) {
	ts, key := h.topics, follow{tenant, app, role}
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.followers[key] == nil {
		ts.followers[key] = map[Subscriber]struct{}{}
	}
	ts.followers[key][s] = struct{}{}
	ts.tenants[tenant]++
	return sync.OnceFunc(func() {
		ts.mu.Lock()
		defer ts.mu.Unlock()
		delete(ts.followers[key], s)
		if len(ts.followers[key]) == 0 {
			delete(ts.followers, key)
		}
		if ts.tenants[tenant]--; ts.tenants[tenant] == 0 {
			delete(ts.tenants, tenant)
		}
	})
}

// doubt lets everyone who listens here look for what was said on other nodes.
func (ts *topics) doubt() {
	all := map[Subscriber]struct{}{}
	ts.mu.Lock()
	for _, t := range ts.byID {
		t.mu.Lock()
		for _, s := range t.subscribers {
			all[s] = struct{}{}
		}
		t.mu.Unlock()
	}
	for _, followers := range ts.followers {
		maps.Copy(all, followers)
	}
	ts.mu.Unlock()
	for s := range all {
		if d, ok := s.(Doubter); ok {
			d.Doubt()
		}
	}
}

// committed tells everyone what became true: the caller first, then sessions here, other nodes, and dispatch.
func (h *Hub) committed(p *post, done parley.Committed) {
	for i := range p.step.Messages {
		h.metrics.accepted.WithLabelValues(p.surface, string(p.step.Messages[i].Type)).Inc()
	}
	p.done(p.placed, nil)
	c := p.step.Conversation
	h.topics.publish(c, p.step.Messages, p.from)
	h.turnsOver(p.step)
	h.queues.gave(p.base, c)
	if len(p.step.Messages) > 0 {
		h.hint(parley.Hint{Kind: parley.HintMessage, Tenant: c.Tenant, Conversation: c.ID, Seq: c.Seq})
	}
	if h.config.Dispatcher != nil && len(done.Claimed)+len(done.Wake) > 0 {
		h.config.Dispatcher.Wake(done)
		h.config.Dispatcher.Stirred(c.Tenant)
	}
	h.perform(c, p)
}

// perform does what is not stored: typing and presence, to sessions and, once, to callbacks.
func (h *Hub) perform(c *parley.Conversation, p *post) {
	for _, e := range p.effects {
		h.topics.whisper(&Event{Conversation: c, Typing: e.typing, From: p.from})
		h.hint(parley.Hint{Kind: parley.HintTyping, Tenant: c.Tenant, Conversation: c.ID, Typing: e.typing})
		if h.config.Dispatcher == nil {
			continue
		}
		for slot, party := range c.State.Parties {
			if e.to&bit(slot) == 0 || !party.Callback {
				continue
			}
			h.config.Dispatcher.Whisper(parley.Whisper{Conversation: c, Slot: slot, Message: parley.Message{ID: e.id, Conversation: c.ID,
				Type: e.draft.Type, Sender: e.draft.Sender, Created: h.now(), To: bit(slot), Body: e.draft.Body}})
		}
	}
}

// Partial tells whoever listens what a bot has said so far of an answer that is on its way; the message itself follows. Where what is said
// is redacted nobody is told: half of a number cannot be seen to be one.
func (h *Hub) Partial(c *parley.Conversation, seq int64, text string) {
	if h.config.Redaction != nil {
		ctx, cancel := context.WithTimeout(context.Background(), lookUpTimeout) // belongs to no request
		defer cancel()
		if plan, err := h.plans.of(ctx, c.Tenant, c.Account); err != nil || plan.redact != nil {
			return
		}
	}
	p := &parley.Partial{Question: seq, Text: text}
	h.topics.whisper(&Event{Conversation: c, Partial: p})
	h.hint(parley.Hint{Kind: parley.HintPartial, Tenant: c.Tenant, Conversation: c.ID, Partial: p})
}

// Present tells the others that a customer came, or left, for as long as somebody listens.
func (h *Hub) Present(c *parley.Conversation, active bool, from Subscriber) {
	y := parley.Typing{Slot: parley.CustomerSlot, Role: parley.Customer, Name: c.State.Customer.Name, On: active, Type: parley.TypeCustomerActive}
	if !active {
		y.Type = parley.TypeCustomerInactive
	}
	h.topics.whisper(&Event{Conversation: c, Typing: &y, From: from})
	h.hint(parley.Hint{Kind: parley.HintTyping, Tenant: c.Tenant, Conversation: c.ID, Typing: &y})
}

// find is the topic of a conversation, nil if nobody listens.
func (ts *topics) find(id parley.ConversationID) *topic {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return ts.byID[id]
}

// listeners are those who follow a party of the conversation, without those who listen to it by itself.
func (ts *topics) listeners(c *parley.Conversation) []Subscriber {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.tenants[c.Tenant] == 0 {
		return nil
	}
	var found []Subscriber
	for _, p := range c.State.Parties {
		for s := range ts.followers[follow{c.Tenant, p.Application, p.Role}] {
			found = append(found, s)
		}
	}
	return found
}

// publish gives messages that were committed, in order, to whoever listens here.
func (ts *topics) publish(c *parley.Conversation, messages []parley.Message, from Subscriber) {
	if len(messages) == 0 {
		return
	}
	if t := ts.find(c.ID); t != nil {
		ts.h.queues.note(c)
		t.mu.Lock()
		for i := range messages {
			m := &messages[i]
			switch {
			case t.filling || t.published >= 0 && m.Seq > t.published+1:
				ts.fill(t, m.Seq)
			case m.Seq > t.published:
				t.published = m.Seq
				t.deliver(&Event{Conversation: c, Message: m, From: from})
			}
		}
		t.mu.Unlock()
	}
	for _, s := range ts.listeners(c) {
		for i := range messages {
			s.Deliver(&Event{Conversation: c, Message: &messages[i], From: from})
		}
	}
}

// whisper tells of what is not stored. Every node ends marks of typing by itself, so that none sticks, whichever node,
// hint or client was lost: whoever goes on typing says so again before (ADR 9).
func (ts *topics) whisper(e *Event) {
	if y := e.Typing; y != nil && !y.Presence() {
		ts.keepTyping(e, y)
	}
	if t := ts.find(e.Conversation.ID); t != nil {
		t.mu.Lock()
		t.deliver(e)
		t.mu.Unlock()
	}
	for _, s := range ts.listeners(e.Conversation) {
		s.Deliver(e)
	}
}

// keepTyping starts, prolongs or ends the time that a mark of typing holds.
func (ts *topics) keepTyping(e *Event, y *parley.Typing) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	who := typist{e.Conversation.ID, y.Slot}
	mark := ts.typing[who]
	if !y.On || ts.typing == nil || ts.byID[e.Conversation.ID] == nil && ts.tenants[e.Conversation.Tenant] == 0 { // nobody here would see it stick
		if mark != nil {
			mark.timer.Stop()
			delete(ts.typing, who)
		}
		return
	}
	if mark == nil {
		mark = &typingMark{}
		mark.timer = time.AfterFunc(ts.h.config.TypingFor, func() { ts.endTyping(who) })
		ts.typing[who] = mark
	} else {
		mark.timer.Reset(ts.h.config.TypingFor)
	}
	over := *y
	over.On = false
	mark.event, mark.until = &Event{Conversation: e.Conversation, Typing: &over}, time.Now().Add(ts.h.config.TypingFor)
}

// endTyping ends a mark whose time is over.
func (ts *topics) endTyping(who typist) {
	ts.mu.Lock()
	mark := ts.typing[who]
	if mark == nil || time.Now().Before(mark.until) { // ended, or prolonged while the timer fired
		ts.mu.Unlock()
		return
	}
	over := mark.event
	ts.mu.Unlock()
	ts.whisper(over)
}

// stopTyping ends the timers, and lets no more start.
func (ts *topics) stopTyping() {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	for _, mark := range ts.typing {
		mark.timer.Stop()
	}
	ts.typing = nil
}

func (t *topic) deliver(e *Event) {
	for _, s := range t.subscribers {
		s.Deliver(e)
	}
}

// fill makes sure that everything up to target is published, unless the hub has ended and reads no more. Called with the
// topic's lock held.
func (ts *topics) fill(t *topic, target int64) {
	t.target = max(t.target, target)
	if t.filling {
		return
	}
	t.filling = ts.h.work.start(func() { ts.readMissing(t) })
}

const (
	fillPage    = 200
	fillTimeout = 10 * time.Second
)

// readMissing publishes from the store until the target is reached. When the store fails it gives up: the next message,
// or the heartbeat of a session, starts over from the same place.
func (ts *topics) readMissing(t *topic) {
	ctx, cancel := context.WithTimeout(context.Background(), fillTimeout) // belongs to no request
	defer cancel()
	for {
		t.mu.Lock()
		after := t.published
		if after >= t.target {
			t.filling = false
			t.mu.Unlock()
			return
		}
		t.mu.Unlock()
		var c parley.Conversation
		var page []parley.Message
		err := ts.h.config.Store.View(ctx, func(tx parley.Tx) (err error) {
			if c, err = tx.Conversation(ctx, t.tenant, t.id); err != nil {
				return err
			}
			page, err = tx.Messages(ctx, parley.MessageQuery{Tenant: t.tenant, Conversation: t.id, After: after, Limit: fillPage})
			return err
		})
		if err == nil {
			ts.h.queues.note(&c) // another node may have let it wait, or given it to somebody
		}
		t.mu.Lock()
		if err != nil || len(page) == 0 {
			t.filling = false
			t.mu.Unlock()
			if err != nil {
				ts.h.config.Logger.WarnContext(ctx, "reading missed messages", "conversation", t.id, "error", err)
			}
			return
		}
		for i := range page {
			t.published = page[i].Seq
			t.deliver(&Event{Conversation: &c, Message: &page[i]})
		}
		t.mu.Unlock()
	}
}
