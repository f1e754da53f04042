package agentapi

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"parley"
	"parley/directory"
	"parley/markup"
	"parley/rest/api"
)

// The roles of senders as they are shown.
const (
	roleUser   = "conversation_user"
	roleAgent  = "assistant"
	rolePerson = "manual_assistant"
)

const (
	readAtOnce = 500 // messages, or turns
	// lookBack is how many messages before those that are wanted are read: times grow strictly, so those of a moment depend on each other.
	lookBack = 32
)

// A transcript is a part of a conversation as it is shown. All that an agent answers to one question is one message: callers read one reply.
type transcript struct {
	of       *parley.AgentConversation
	answers  map[int64]parley.Turn // by Seq of each answer
	messages []message
	places   map[int64]int    // of messages, by Seq of all that is in them
	sources  map[int64]string // of questions, by Seq
}

func newTranscript(of *parley.AgentConversation) *transcript {
	return &transcript{of: of, answers: map[int64]parley.Turn{}, places: map[int64]int{}, sources: map[int64]string{}}
}

// channel is that of the conversation, as messages have it; those of pages and programs of other surfaces have types of their own.
func (t *transcript) channel() string {
	switch c := t.of.Channel; c {
	case directory.AgentChannel, "email", "sms", "copilot", channelVoice, "ms_teams":
		return c
	}
	return "live_chat"
}

// asked is by what a customer said something: over this surface, or the conversation's channel. What was said before the record noted the surface
// counts as said over this one.
func (t *transcript) asked(m *parley.Message) string {
	if turn := m.Body.Turn; turn != nil && (turn.Surface == surface || turn.Surface == "") {
		return directory.AgentChannel
	}
	return t.channel()
}

// read reads what was said after one message up to another (0 = to the end).
func readTranscript(ctx context.Context, tx parley.Tx, of *parley.AgentConversation, after, upTo int64) (*transcript, error) {
	t := newTranscript(of)
	tenant, id := of.Conversation.Tenant, of.Conversation.ID
	from := max(0, after-lookBack)
	if err := t.readTurns(ctx, tx, from); err != nil {
		return nil, err
	}
	before := int64(0)
	if upTo > 0 {
		before = upTo + 1
	}
	var last time.Time
	for {
		page, err := tx.Messages(ctx, parley.MessageQuery{Tenant: tenant, Conversation: id, After: from, Before: before, Limit: readAtOnce})
		if err != nil {
			return nil, err
		}
		for i := range page {
			t.add(&page[i], &last)
		}
		if len(page) < readAtOnce {
			break
		}
		from = page[len(page)-1].Seq
	}
	t.messages = slices.DeleteFunc(t.messages, func(m message) bool { return m.seq <= after })
	clear(t.places) // they moved
	for i := range t.messages {
		t.places[t.messages[i].seq] = i
	}
	return t, nil
}

// readTurns reads the turns of questions after one message. The turn of one before it may reach into what is read: its answers are shown
// one by one then, which nobody asks for.
func (t *transcript) readTurns(ctx context.Context, tx parley.Tx, after int64) error {
	add := func(turn parley.Turn) {
		for seq := turn.First; seq > 0 && seq <= turn.Last; seq++ {
			t.answers[seq] = turn
		}
	}
	for {
		page, err := tx.TurnsOf(ctx, t.of.Conversation.Tenant, t.of.Conversation.ID, after, readAtOnce)
		if err != nil {
			return err
		}
		for _, turn := range page {
			add(turn)
		}
		if len(page) < readAtOnce {
			break
		}
		after = page[len(page)-1].Seq
	}
	for _, o := range t.of.Conversation.State.Bot.Open { // what a bot with a callback has answered so far
		add(parley.Turn{Seq: o.Seq, Question: o.Question, First: o.First, Last: o.Last})
	}
	return nil
}

// add shows a message, or adds it to the reply that it is a part of. last is the time of the message before it.
func (t *transcript) add(m *parley.Message, last *time.Time) {
	text, ok := shownText(m)
	if !ok {
		return
	}
	turn, answers := t.answers[m.Seq]
	answers = answers && m.Sender.IsBot()
	if at, begun := t.places[turn.First]; answers && begun {
		reply := &t.messages[at]
		if reply.Message != "" && text != "" { // what is for the channel alone says nothing to people
			text = "\n\n" + text
		}
		reply.Message += text
		reply.RawMessage, reply.Full.OutputText = reply.Message, reply.Message
		reply.Files = append(reply.Files, filesOf(m)...)
		t.places[m.Seq] = at
		return
	}
	when := m.Created
	if !when.After(*last) {
		when = last.Add(time.Millisecond)
	}
	*last = when
	out := message{ID: m.ID.String(), Message: text, Conversation: m.Conversation.String(), SenderRole: roleUser, Question: m.ID.String(), Source: t.channel(),
		CreatedAt: api.Time(when), Files: filesOf(m), seq: m.Seq}
	switch {
	case m.Sender == parley.Customer:
		out.Source = t.asked(m)
		t.sources[m.Seq] = out.Source
	case m.Sender.IsBot():
		out.SenderRole, out.RawMessage, out.Full = roleAgent, text, &fullAnswer{OutputText: text}
		if answers {
			out.Question, out.Source = turn.Question.String(), cmp.Or(t.sources[turn.Seq], directory.AgentChannel)
		}
	case m.Sender.IsAgent():
		out.SenderRole = rolePerson
		if answered := attribute(m, attributeQuestion); answered != "" {
			out.Question = answered
		}
	}
	t.places[m.Seq] = len(t.messages)
	if answers {
		t.places[turn.First] = len(t.messages) // should its first answer say nothing
	}
	t.messages = append(t.messages, out)
}

// only shows one message by itself; question is what it answers, nil if nothing.
func (t *transcript) only(m, question *parley.Message) {
	if question != nil { // a reply's source is that of what it answers
		t.sources[question.Seq] = t.asked(question)
		t.answers[m.Seq] = parley.Turn{Seq: m.Body.Question, First: m.Seq, Last: m.Seq}
	}
	t.add(m, new(time.Time))
}

// shownText is what a message says to people; ok is false if it says nothing to them.
func shownText(m *parley.Message) (text string, ok bool) {
	_, rich := m.Type.Rich()
	if m.Type != parley.TypeText && !rich || m.Sender == parley.System || m.Deleted != parley.NotDeleted {
		return "", false
	}
	if c := m.Body.Content; c != nil {
		if text = c.Text; text == "" {
			text = markup.Text(c.HTML)
		}
	}
	for _, a := range m.Body.Attachments { // a picture, a film: callers read texts
		if a.URL != "" && !strings.Contains(text, a.URL) {
			text = strings.TrimSpace(text + "\n" + a.URL)
		}
	}
	return text, true
}

func filesOf(m *parley.Message) []file {
	files := []file{}
	for _, a := range m.Body.Attachments {
		if a.Asset.IsZero() {
			continue
		}
		id := a.Asset.String()
		files = append(files, file{ID: id, Name: a.Name, AIFileID: id, Size: api.Some(a.Size), CreatedAt: api.Time(m.Created), UpdatedAt: api.Time(m.Created)})
	}
	return files
}

// Attributes of what people say over this surface.
const (
	attributeQuestion = "parley.question" // id of the question that they answer
	attributeAuthor   = "parley.author"   // who speaks, as the caller says
)

func attribute(m *parley.Message, name string) string {
	for _, a := range m.Body.Attributes {
		if a.Name == name {
			return a.Value
		}
	}
	return ""
}

// at is the message that says what was said at a place; ok is false if nothing was.
func (t *transcript) at(seq int64) (m message, ok bool) {
	at, ok := t.places[seq]
	if !ok {
		return m, false
	}
	return t.messages[at], true
}
