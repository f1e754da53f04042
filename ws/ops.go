package ws

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"parley"
	"parley/hub"
	"parley/wire"
)

// opTimeout bounds the reads that a request needs.
const opTimeout = 10 * time.Second

// connectWait bounds those of connect. It is longer: after a node went down its sessions come all at once, and to be told to
// come again would only make the crowd larger.
const connectWait = 30 * time.Second

// A position is how far a client has a conversation.
type position struct {
	Conversation parley.ConversationID `json:"conversation"`
	After        int64                 `json:"after"`
}

// maxResume bounds the conversations one session may resume or follow by name.
const maxResume = 100

// summary is what a client hears of a conversation it may follow.
type summary struct {
	Conversation parley.ConversationID `json:"conversation"`
	Seq          int64                 `json:"seq"`
	Status       parley.Status         `json:"status"`
	Created      string                `json:"created"`
	CustomerName string                `json:"customerName,omitempty"`
	Owner        *owner                `json:"owner,omitempty"`
}

type owner struct {
	Kind parley.OwnerKind `json:"kind"`
	Name string           `json:"name,omitempty"`
}

func summaryOf(c *parley.Conversation, seq int64) summary {
	return summary{Conversation: c.ID, Seq: seq, Status: c.Status, Created: c.Created.Format(wire.TimeFormat),
		CustomerName: c.State.Customer.Name, Owner: &owner{c.Owner.Kind, c.Owner.Name}}
}

// connect says who the session is, and resumes where it was.
func (s *session) connect(r request) error {
	var in struct {
		Token  string     `json:"token"`
		Resume []position `json:"resume"`
	}
	if err := decode(r.body, &in); err != nil {
		return &closing{code: closeProtocol, reason: "connect needs a token and may have resume positions"}
	}
	leave, ok := s.enter()
	if !ok {
		return context.Cause(s.done)
	}
	defer leave()
	ctx, cancel := context.WithTimeout(s.apart(), connectWait)
	defer cancel()
	grant, err := s.server.config.Tokens.VerifySession(ctx, in.Token)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	speaker := grant.Speaker
	switch {
	case speaker.Contact != "":
		s.role = parley.Customer
	case speaker.Application.IsZero():
		return &closing{code: closeForbidden, reason: "the API client is not bound to a client application"}
	case len(speaker.Roles) == 1:
		s.role = speaker.Roles[0]
	}
	if !s.origin.permits(ctx, s.server.config.Hub, grant) {
		return &closing{code: closePolicy, reason: "pages of this origin may not connect"}
	}
	if len(in.Resume) > maxResume {
		return &closing{code: closeProtocol, reason: "too many conversations to resume"}
	}
	s.grant = grant
	s.keep(in.Token)
	if s.crowded(ctx) {
		return &closing{code: closeCrowded}
	}
	s.joinPresence()
	type resumed struct {
		Conversation parley.ConversationID `json:"conversation"`
		After        int64                 `json:"after"`
		Seq          int64                 `json:"seq"`
	}
	type refused struct {
		Conversation parley.ConversationID `json:"conversation"`
		Code         string                `json:"code"`
	}
	out := struct {
		Session       string      `json:"session"`
		Role          parley.Role `json:"role,omitempty"`
		Heartbeat     int         `json:"heartbeatSeconds"`
		Expires       string      `json:"expires"`
		Conversations []summary   `json:"conversations"`
		Resumed       []resumed   `json:"resumed"`
		Refused       []refused   `json:"refused,omitempty"`
	}{Session: s.id, Role: s.role, Heartbeat: int(s.server.config.Heartbeat.Seconds()), Expires: grant.Expires.UTC().Format(time.RFC3339),
		Conversations: []summary{}, Resumed: []resumed{}}
	if s.role == parley.Customer {
		open, err := s.server.config.Hub.OpenFor(ctx, speaker, maxListed)
		if err != nil {
			return fmt.Errorf("list open conversations: %w", err)
		}
		for i := range open {
			out.Conversations = append(out.Conversations, summaryOf(&open[i].Conversation, open[i].Last))
		}
	}
	named := map[parley.ConversationID]bool{}
	for _, p := range in.Resume {
		if named[p.Conversation] {
			return &closing{code: closeProtocol, reason: "a conversation is in resume twice"}
		}
		named[p.Conversation] = true
	}
	var begins []func() func()
	for _, p := range in.Resume {
		f, seq, begin, err := s.prepare(ctx, p)
		if err != nil {
			if kind := parley.KindOf(err); kind == parley.Internal || kind == parley.Busy {
				return fmt.Errorf("resume conversation %s: %w", p.Conversation, err) // it passes, while refused means that it is gone
			}
			code, _ := s.server.config.Code(err)
			out.Refused = append(out.Refused, refused{p.Conversation, code})
			continue
		}
		out.Resumed = append(out.Resumed, resumed{p.Conversation, f.seen, seq})
		begins = append(begins, begin)
	}
	s.begin(r.id, out, begins...)
	return nil
}

// begin answers a request, and starts the follows that it asked for with the answer: nothing of theirs comes before it, and
// nothing of the follows that they replace after it.
func (s *session) begin(id string, ok any, begins ...func() func()) {
	follows := make([]func(), len(begins))
	for i, begin := range begins {
		follows[i] = begin() // without mu; see release
	}
	s.mu.Lock()
	s.ok(id, ok)
	for _, follow := range follows {
		follow()
	}
	s.mu.Unlock()
}

// maxListed bounds the conversations that a list names.
const maxListed = 100

// prepare checks that a position may be followed. begin then listens to what is said, and follow, called with mu held, starts
// to tell it: what was missed comes first, in order.
func (s *session) prepare(ctx context.Context, p position) (f *follow, seq int64, begin func() (follow func()), err error) {
	at, err := s.server.config.Hub.Standing(ctx, s.grant.Speaker, p.Conversation)
	if err != nil {
		return nil, 0, nil, err
	}
	c, reader := at.Conversation, at.Reader
	rich, err := s.server.config.Hub.RichText(ctx, &c)
	if err != nil {
		return nil, 0, nil, err
	}
	objects, visitor, err := s.standing(ctx, &at)
	if err != nil {
		return nil, 0, nil, err
	}
	after := min(max(p.After, 0), c.Seq)
	f = &follow{id: c.ID, reader: reader, rich: rich || reader.Slots == 0, seen: after, sent: after, visitor: visitor, reach: reach{slot: hub.SlotOf(s.grant.Speaker, &c)}}
	f.come(after)
	return f, at.Last, func() func() {
		f.cancel = s.server.config.Hub.Subscribe(s.grant.Tenant, c.ID, s)
		s.arrived(&c)
		return func() {
			s.replace(f)
			f.unsure = true // c may have grown between our read of it and Subscribe, and nobody tells us of that
			s.fill(f, c.Seq)
			for _, o := range objects {
				s.push(o)
			}
		}
	}, nil
}

// subscribe follows one conversation, or everything of the application.
func (s *session) subscribe(r *request) error {
	var in struct {
		position
		All bool `json:"all"`
	}
	if err := decode(r.body, &in); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(s.done, opTimeout)
	defer cancel()
	if in.All {
		return s.followAll(ctx, r.id)
	}
	s.mu.Lock()
	many := len(s.follows) >= maxResume && s.follows[in.Conversation] == nil && s.all == nil
	s.mu.Unlock()
	if many {
		return &parley.Error{Kind: parley.Busy, Msg: "a session may follow 100 conversations by name"}
	}
	f, seq, begin, err := s.prepare(ctx, in.position)
	if err != nil {
		return err
	}
	s.begin(r.id, map[string]any{"conversation": in.Conversation, "after": f.seen, "seq": seq}, begin)
	return nil
}

// history answers with a page of messages.
func (s *session) history(r *request) error {
	var in struct {
		Conversation parley.ConversationID `json:"conversation"`
		After        int64                 `json:"after"`
		Before       int64                 `json:"before"`
		Limit        int                   `json:"limit"`
	}
	if err := decode(r.body, &in); err != nil {
		return err
	}
	const maxPage, defaultPage = 100, 50
	if in.Limit < 0 || in.Limit > maxPage || in.After < 0 || in.Before < 0 {
		return &parley.Error{Kind: parley.Invalid, Reason: parley.BadValue, Field: "history", Msg: "must have a limit of 1 to 100, and after and before that are not negative"}
	}
	if in.Limit == 0 {
		in.Limit = defaultPage
	}
	ctx, cancel := context.WithTimeout(s.done, opTimeout)
	defer cancel()
	c, reader, err := s.server.config.Hub.Conversation(ctx, s.grant.Speaker, in.Conversation)
	if err != nil {
		return err
	}
	rich, err := s.server.config.Hub.RichText(ctx, &c)
	if err != nil {
		return err
	}
	newest := in.After == 0
	page, err := s.server.config.Hub.History(ctx, c.Tenant, c.ID, reader, hub.Page{After: in.After, Before: in.Before, Limit: in.Limit + 1, Newest: newest})
	if err != nil {
		return err
	}
	more := len(page) > in.Limit
	if more && newest {
		page = page[1:]
	} else if more {
		page = page[:in.Limit]
	}
	type item struct {
		Seq     int64           `json:"seq"`
		Message json.RawMessage `json:"message"`
	}
	view := s.view(&follow{rich: rich || reader.Slots == 0}, &c)
	view.Masked = true
	items := make([]item, len(page))
	for i := range page {
		items[i] = item{page[i].Seq, wire.Append(nil, &page[i], view)}
	}
	s.mu.Lock()
	s.ok(r.id, map[string]any{"conversation": c.ID, "messages": items, "more": more})
	s.mu.Unlock()
	return nil
}

// draft reads a message of the client's and says who sends it. path is where it stands in the request, "" if it is the request.
func (s *session) draft(raw json.RawMessage, path string) (parley.Draft, error) {
	d, err := wire.DecodeMessage(raw, path)
	if err != nil {
		return d, err
	}
	if d.Sender == "" {
		d.Sender = s.role
	}
	if d.Sender == "" || s.role != "" && d.Sender != s.role {
		return d, &parley.Error{Kind: parley.Forbidden, Reason: parley.NotParty, Field: strings.TrimPrefix(path+".sender.type", "."), Msg: "must be what the session speaks as"}
	}
	return d, nil
}

// fly counts a request whose reply comes later, until somebody lowers inFlight.
func (s *session) fly() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inFlight++
}

// submit posts a draft; the reply comes when it is committed, in its place among the messages of the conversation.
func (s *session) submit(id string, d parley.Draft, started bool) {
	s.fly()
	begun := time.Now()
	s.server.config.Hub.Submit(s.done, hub.PostRequest{Speaker: s.grant.Speaker, Surface: "ws", Trace: s.trace, Drafts: []parley.Draft{d}, From: s},
		func(posted []hub.Posted, err error) {
			if err != nil {
				s.mu.Lock()
				s.inFlight--
				s.fail(id, err)
				s.mu.Unlock()
				return
			}
			p := posted[0]
			s.server.metrics.acked.Observe(time.Since(begun).Seconds())
			if started {
				s.followStarted(p)
			}
			ack := appendAck(make([]byte, 0, 192), id, p)
			s.mu.Lock()
			s.inFlight--
			s.acknowledge(p.Conversation, p.Seq, ack)
			s.mu.Unlock()
		})
}

// followStarted follows a conversation that this session's message began, from its beginning. A repeat of the start
// follows what is there already; what came after the first message is filled in when the next one comes, or by resume.
func (s *session) followStarted(p hub.Posted) {
	cancel := s.server.config.Hub.Subscribe(s.grant.Tenant, p.Conversation, s) // without mu; see release
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done.Err() != nil {
		defer cancel()
		return
	}
	if s.follows[p.Conversation] == nil {
		s.follows[p.Conversation] = &follow{id: p.Conversation, reader: hub.Reader{Slots: 1 << parley.CustomerSlot, Sender: parley.Customer},
			rich: true, cancel: cancel, reach: reach{slot: parley.CustomerSlot}}
	}
}

// post adds a message to a conversation.
func (s *session) post(r *request) error {
	d, err := s.draft(r.body, "")
	if err != nil {
		return err
	}
	if d.Conversation.IsZero() && d.Type != parley.TypeAgentAvailable && d.Type != parley.TypeAgentUnavailable {
		return &parley.Error{Kind: parley.Invalid, Reason: parley.Missing, Field: "conversation.id", Msg: "is required: open starts a conversation, post continues one"}
	}
	s.submit(r.id, d, false)
	return nil
}

// open continues a conversation, or starts one with its first message.
func (s *session) open(r *request) error {
	var in struct {
		position
		Message json.RawMessage `json:"message"`
	}
	if err := decode(r.body, &in); err != nil {
		return err
	}
	if s.role != parley.Customer {
		return &parley.Error{Kind: parley.Forbidden, Reason: parley.ActorNotAllowed, Msg: "only a customer's session opens conversations"}
	}
	if in.Message == nil {
		return s.subscribe(r)
	}
	d, err := s.draft(in.Message, "message")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(s.done, opTimeout)
	defer cancel()
	speaker := s.grant.Speaker
	account, channelType, err := s.server.config.Hub.AccountChannel(ctx, speaker.Tenant, speaker.Account)
	if err != nil {
		return err
	}
	// Who the customer is comes from the token, never from what a page says.
	d.Conversation, d.Sender, d.ChannelType, d.Address = parley.ConversationID{}, parley.Customer, channelType, account.Address
	d.LookupContact, d.ConversationContact = "", ""
	d.Customer = &parley.CustomerData{Name: s.grant.Name, Contacts: []parley.Contact{{Type: contactType, Address: speaker.Contact}}}
	s.submit(r.id, d, true)
	return nil
}

// contactType is what the address in a customer's token is called as a contact.
const contactType = "web"

// markRead notes how far the session's party has read.
func (s *session) markRead(r *request) error {
	var in struct {
		Conversation parley.ConversationID `json:"conversation"`
		Seq          int64                 `json:"seq"`
	}
	if err := decode(r.body, &in); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(s.done, opTimeout)
	defer cancel()
	s.fly()
	s.server.config.Hub.Read(ctx, s.grant.Speaker, in.Conversation, in.Seq, s, func(err error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.inFlight--
		if f := s.follows[in.Conversation]; f != nil && err == nil {
			f.come(in.Seq)
		}
		s.reply(r.id, err)
	})
	return nil
}

// reply answers with an error, or with an ok that says nothing more. Called with mu held.
func (s *session) reply(id string, err error) {
	if err != nil {
		s.fail(id, err)
		return
	}
	s.push(append(wire.Quote(append(make([]byte, 0, 32), `{"id":`...), id), `,"ok":{}}`...)) // frequent, so without reflection
}

// typing tells the other side that somebody writes.
func (s *session) typing(r *request) error {
	var in struct {
		Conversation parley.ConversationID `json:"conversation"`
		On           *bool                 `json:"on"`
	}
	if err := decode(r.body, &in); err != nil {
		return err
	}
	switch {
	case in.Conversation.IsZero():
		return &parley.Error{Kind: parley.Invalid, Reason: parley.Missing, Field: "conversation", Msg: "is required"}
	case in.On == nil:
		return &parley.Error{Kind: parley.Invalid, Reason: parley.Missing, Field: "on", Msg: "is required"}
	case s.role == "":
		return &parley.Error{Kind: parley.Forbidden, Reason: parley.NotParty, Msg: "the token has several roles: post typing.start or typing.end with the sender's"}
	}
	d := parley.Draft{Conversation: in.Conversation, Type: parley.TypeTypingEnd, Sender: s.role}
	if *in.On {
		d.Type = parley.TypeTypingStart
	}
	s.fly()
	s.server.config.Hub.Submit(s.done, hub.PostRequest{Speaker: s.grant.Speaker, Surface: "ws", Trace: s.trace, Drafts: []parley.Draft{d}, From: s},
		func(_ []hub.Posted, err error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.inFlight--
			s.reply(r.id, err)
		})
	return nil
}
