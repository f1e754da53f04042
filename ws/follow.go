package ws

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"time"

	"parley"
	"parley/hub"
	"parley/wire"
)

// A follow is a session's place in one conversation. All of it is guarded by the session's mu.
type follow struct {
	id     parley.ConversationID
	reader hub.Reader
	rich   bool   // the reader's channel carries HTML
	cancel func() // stops the hub's side; nil if it comes through following everything

	seen    int64 // dealt with up to here, visible or not
	sent    int64 // last one the client has, or is about to get
	filling bool  // what lies between seen and target is being read; until then live messages only move target
	target  int64
	unsure  bool             // there may be more than target: the record must be read once, to its end
	acks    map[int64][]byte // of own posts beyond seen, to be sent in their place
	over    bool             // another follow of the same conversation has taken its place
	early   bool             // met while the list of a subscribe to everything is made: waits for it, as if it were being filled
	ended   bool             // the conversation had, when it was last looked at
	visitor *visitor         // the customer, while the client shows that she is there; nil = it does not

	reach
}

// replace lets f tell the session of its conversation from now on. What told it before says nothing more, or the client would hear
// of the same messages from two places, in no order; the acks that it still owed are f's. Called with mu held.
func (s *session) replace(f *follow) {
	before := s.follows[f.id]
	s.follows[f.id] = f
	if before == nil {
		return
	}
	before.over = true
	if before.has >= f.has && before.slot == f.slot {
		f.reach = before.reach
	}
	for _, seq := range slices.Sorted(maps.Keys(before.acks)) {
		s.acknowledge(f.id, seq, before.acks[seq])
	}
}

// deliverPassing passes on what is not stored: typing and presence, marks of reading, places in a queue. They are shed when
// the client lags: typing, presence and what a bot has said so far early, the others, which the reply to subscribe tells again, when there is no room
// at all. Called with mu held.
func (s *session) deliverPassing(f *follow, e *hub.Event) {
	if e.From == hub.Subscriber(s) {
		return
	}
	room := s.server.config.QueueLen
	if e.Partial != nil {
		room /= 2
	}
	if e.Typing != nil {
		if f.filling && f.seen < f.target || s.role == e.Typing.Role && f.reader.Slots != 0 {
			return // what is being resumed may hold what was typed; and nobody is told of their own side
		}
		room /= 2
	}
	if len(s.queue) >= room {
		s.server.metrics.shed.Inc()
		return
	}
	switch {
	case e.Receipt != nil:
		s.push(encode(map[string]any{"receipt": receipt{f.id, e.Receipt.Role, e.Receipt.Read}}))
	case e.Partial != nil:
		s.push(encode(map[string]any{"partial": partial{f.id, e.Partial.Question, e.Partial.Text}}))
	case e.Queue != nil:
		s.push(encode(map[string]any{"queue": placeOf(f.id, *e.Queue)}))
	case e.Typing.Presence():
		if f.visitor = nil; e.Typing.Type == parley.TypeCustomerActive && s.grant.Speaker.Contact == "" {
			f.visitor = visitorOf(e.Conversation)
		}
		s.push(encode(map[string]any{"presence": presence{f.id, e.Typing.Role, e.Typing.Name, e.Typing.Type == parley.TypeCustomerActive}}))
	default:
		s.push(appendTyping(make([]byte, 0, 160), f.id, e.Typing))
	}
}

// appendTyping renders a mark of typing: frequent, so without reflection.
func appendTyping(b []byte, id parley.ConversationID, t *parley.Typing) []byte {
	b = append(b, `{"typing":{"conversation":"`...)
	b = append(b, id.String()...)
	b = append(b, `","role":`...)
	b = wire.Quote(b, string(t.Role))
	b = append(b, `,"name":`...)
	b = wire.Quote(b, t.Name)
	b = append(b, `,"on":`...)
	b = strconv.AppendBool(b, t.On)
	return append(b, `}}`...)
}

// A receipt tells how far a party has read.
type receipt struct {
	Conversation parley.ConversationID `json:"conversation"`
	Role         parley.Role           `json:"role"`
	Read         int64                 `json:"read"` // Seq of the last message it has read
}

// A partial tells what a bot has said so far.
type partial struct {
	Conversation parley.ConversationID `json:"conversation"`
	Question     int64                 `json:"question"` // Seq of what it answers
	Text         string                `json:"text"`
}

// A place tells where a conversation stands in its queue: 1 is next, 0 not waiting any more.
type place struct {
	Conversation parley.ConversationID `json:"conversation"`
	Position     int                   `json:"position"`
	Estimate     int64                 `json:"estimate,omitempty"` // seconds
}

func placeOf(id parley.ConversationID, p hub.QueuePlace) place {
	return place{id, p.Position, int64(p.Estimate.Seconds())}
}

// deliverMessage queues a message that is the next one, and fills a hole from the store. Called with mu held.
func (s *session) deliverMessage(f *follow, e *hub.Event) {
	m := e.Message
	switch {
	case m.Seq <= f.seen:
	case f.filling || m.Seq > f.seen+1:
		s.fill(f, m.Seq)
	default:
		f.seen = m.Seq
		s.show(f, e.Conversation, m)
	}
}

// show queues a message if the session may see it. Called with mu held.
func (s *session) show(f *follow, c *parley.Conversation, m *parley.Message) {
	f.ended = c.Status == parley.Ended
	if ack, own := f.acks[m.Seq]; own {
		delete(f.acks, m.Seq)
		f.sent = m.Seq
		s.push(ack)
		return
	}
	if !f.reader.Sees(m) {
		return
	}
	var object []byte
	if err := s.guarded(func() error {
		object = s.render(f, c, m)
		return nil
	}); err != nil {
		s.end(err)
		return
	}
	s.push(object)
	f.sent = m.Seq
	s.server.metrics.delivered.Inc()
	if age := time.Since(m.Created); age < time.Minute { // older ones are history, not latency
		s.server.metrics.seconds.Observe(age.Seconds())
	}
}

// render makes the message object.
func (s *session) render(f *follow, c *parley.Conversation, m *parley.Message) []byte {
	b := make([]byte, 0, 512)
	b = append(b, `{"message":{"conversation":"`...)
	b = append(b, f.id.String()...)
	b = append(b, `","seq":`...)
	b = appendInt(b, m.Seq)
	b = append(b, `,"prev":`...)
	b = appendInt(b, f.sent)
	b = append(b, `,"message":`...)
	b = wire.Append(b, m, s.view(f, c))
	return append(b, `}}`...)
}

// view is what a session sees of a message: what a callback would show. History is masked besides (reference 11).
func (s *session) view(f *follow, c *parley.Conversation) wire.View {
	v := wire.View{Conversation: c, Bare: true, HTML: f.rich}
	if url := s.server.config.AssetURL; url != nil {
		v.AssetURL = func(a parley.AssetID) string { return url(s.grant.Tenant, a) }
	}
	return v
}

// acknowledge sends the ack of an own post in its place among the conversation's messages. Called with mu held.
func (s *session) acknowledge(id parley.ConversationID, seq int64, ack []byte) {
	f := s.follows[id]
	switch {
	case f == nil || seq == 0 || seq <= f.seen: // not followed, not stored, or a repeat of what the client has
		s.push(ack)
	case !f.filling && seq == f.seen+1:
		f.seen, f.sent = seq, seq
		s.push(ack)
	default:
		if f.acks == nil {
			f.acks = map[int64][]byte{}
		}
		f.acks[seq] = ack
		s.fill(f, seq)
	}
}

// fill reads what lies between the place and target. Called with mu held, so that a session which is not over yet cannot have
// come to where it waits for its goroutines: release takes mu first.
func (s *session) fill(f *follow, target int64) {
	f.target = max(f.target, target)
	if !f.filling && s.done.Err() == nil {
		f.filling = true
		s.work.Go(func() { s.readMissing(f) })
	}
}

const (
	fillPage    = 100
	fillTimeout = 10 * time.Second
)

// readMissing queues the missing messages page by page, as fast as the client takes them.
func (s *session) readMissing(f *follow) {
	for {
		s.mu.Lock()
		after, target := f.seen, f.target
		if after >= target && !f.unsure || f.over || s.done.Err() != nil {
			f.filling = false
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		leave, ok := s.enter()
		if !ok {
			continue
		}
		ctx, cancel := context.WithTimeout(s.done, fillTimeout)
		c, page, err := s.server.config.Hub.Missed(ctx, s.grant.Tenant, f.id, after, fillPage)
		cancel()
		leave()
		if err != nil {
			s.end(err) // the client comes back and resumes from what it has
			continue
		}
		s.mu.Lock()
		if f.over {
			page = nil
		}
		if len(page) < fillPage {
			f.unsure = false
		}
		if len(page) == 0 && f.target == target { // else more was said while we read
			f.target = f.seen // nothing more is there
		}
		for i := range page {
			s.tellGap(f, page[i].Seq)
			f.seen = page[i].Seq
			s.show(f, &c, &page[i])
			if s.makeRoom(); f.over {
				break
			}
		}
		if len(page) < fillPage && !f.over {
			f.ended = c.Status == parley.Ended
			s.tellGap(f, c.Seq+1) // c was read first: what it counts and the page lacks is gone
			f.seen = max(f.seen, c.Seq)
		}
		s.mu.Unlock()
	}
}

// tellGap says that what lies between the place and a seq is not kept any more, if anything does. Called with mu held.
func (s *session) tellGap(f *follow, before int64) {
	if before > f.seen+1 {
		s.push(encode(map[string]any{"gap": map[string]any{"conversation": f.id, "after": f.seen, "before": before}}))
	}
}

// makeRoom waits until the writer has caught up with what is queued, so that old messages go out as fast as the client
// takes them and do not count as its being slow. Called with mu held, which it gives up meanwhile.
func (s *session) makeRoom() {
	for len(s.queue) > s.server.config.QueueLen/2 && s.done.Err() == nil {
		if s.room == nil {
			s.room = make(chan struct{}, 1)
		}
		room := s.room
		s.mu.Unlock()
		select {
		case <-room:
		case <-s.done.Done():
		}
		s.mu.Lock()
	}
}
