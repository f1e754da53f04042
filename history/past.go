package history

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"parley"
	"parley/ident"
)

// Who says something, in the words of a line.
const (
	senderCustomer = "customer"
	senderBot      = "bot"
	senderAgent    = "agent"
	senderSystem   = "system"
)

// roles are the same in the words of the hub.
var roles = map[string]parley.Role{senderCustomer: parley.Customer, senderBot: parley.CustomBot, senderAgent: parley.CustomAgent, senderSystem: parley.System}

// parse reads a line and checks it. The error speaks to whoever wrote the line.
func parse(text []byte, now time.Time) (*Line, error) {
	var l Line
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&l); err != nil {
		return nil, readable(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more than one value in the line")
	}
	if err := l.check(now); err != nil {
		return nil, err
	}
	return &l, nil
}

// readable says what is wrong with JSON without the words of the decoder's types.
func readable(err error) error {
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		if e.Field == "" {
			return errors.New("the line must be an object")
		}
		return fmt.Errorf("%s must not be of type %s", e.Field, e.Value)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return errors.New("the line is no JSON: it ends too early")
	}
	return fmt.Errorf("the line is no JSON that is understood: %s", bytes.TrimPrefix([]byte(err.Error()), []byte("json: ")))
}

// A bot is who answered in an imported conversation.
type bot struct{ party parley.Party }

// past is the conversation that a line tells of. The bot is nil if the line names none.
func (l *Line) past(tenant parley.TenantID, b *bot) parley.PastConversation {
	customer := parley.Party{Role: parley.Customer}
	c := parley.Conversation{ID: ident.Imported(tenant, l.ID), Tenant: tenant, Status: parley.Ended, Owner: parley.Owner{Kind: parley.OwnerNone}, Epoch: 1,
		Created: l.from(), Ended: l.until(), Touched: l.until(), Seq: int64(len(l.Messages)),
		State: parley.ConversationState{ChannelType: l.ChannelType, Address: l.Address, Language: l.Language, Parties: []parley.Party{customer},
			Escalated: l.HandedOver != nil, Import: parley.Import{ID: l.ID, EndedBy: parley.EndedBy(l.EndedBy), HandedOver: l.HandedOver.at(), Score: l.Score}}}
	c.State.Case = c.ID
	if u := l.Customer; u != nil {
		c.State.Customer = parley.CustomerData{Name: u.Name, Type: u.Type}
		for _, contact := range u.Contacts {
			c.State.Customer.Contacts = append(c.State.Customer.Contacts, parley.Contact(contact))
		}
		for _, a := range u.Attributes {
			c.State.Customer.Attributes = append(c.State.Customer.Attributes, parley.NameValue(a))
		}
	}
	if l.Campaign != nil {
		c.State.Campaign = parley.Campaign(*l.Campaign).Cut()
	}
	c.State.Bot.Test = l.Version == "DRAFT"
	if b != nil {
		c.State.Parties = append(c.State.Parties, b.party)
	}
	past := parley.PastConversation{Conversation: c}
	slices.SortStableFunc(l.Messages, func(a, b Message) int { return a.At.at().Compare(b.At.at()) })
	for i := range l.Messages {
		add(&past, &l.Messages[i], l.HandedOver)
	}
	if f := l.Feedback; f != nil {
		past.Survey = &parley.Survey{ID: ident.New[parley.Message](), Conversation: c.ID, Evaluation: f.Evaluation, Answered: f.Evaluation > 0, Comments: f.Comments, At: l.until()}
	}
	return past
}

// imported is the explanation of every message: nobody routed it.
const imported = "imported"

// add adds a message. What the customer says is for whoever answered at that time: the bot, and once a human was asked for, agents.
func add(past *parley.PastConversation, m *Message, handedOver *Time) {
	c := &past.Conversation
	role := roles[m.Sender]
	out := parley.Message{ID: ident.New[parley.Message](), Conversation: c.ID, Seq: int64(len(past.Messages)) + 1, Type: parley.MessageType(m.Type), Sender: role,
		Created: m.At.at(), Explanation: imported, Body: parley.Body{MessageID: m.ID, Name: m.Name, Parent: m.Parent}}
	if out.Type == "" {
		out.Type = parley.TypeText
	}
	switch role {
	case parley.Customer:
		answers := parley.CustomBot
		if handedOver != nil && !m.At.at().Before(handedOver.at()) {
			answers = parley.CustomAgent
		}
		if slot := slotOf(&c.State, answers); slot > 0 {
			out.To = 1 << slot
		}
	default:
		out.To = 1 << parley.CustomerSlot
		if role == parley.System {
			break
		}
		slot := slotOf(&c.State, role)
		if slot < 0 {
			slot = len(c.State.Parties)
			c.State.Parties = append(c.State.Parties, parley.Party{Role: role, Name: m.Name})
		}
		party := c.State.Parties[slot]
		out.Body.Application, out.Body.Participant = party.Application, party.Participant
	}
	if m.Deleted {
		out.Deleted = parley.Erased
	} else if m.Text != "" || m.HTML != "" || len(m.JSON) > 0 {
		out.Body.Content = &parley.Content{Text: m.Text, HTML: m.HTML, JSON: m.JSON, Redact: m.Redact}
	}
	for _, a := range m.Attachments {
		out.Body.Attachments = append(out.Body.Attachments, parley.Attachment{URL: a.URL, Name: a.Name, ContentType: a.ContentType, Size: a.Size})
	}
	for _, a := range m.Attributes {
		out.Body.Attributes = append(out.Body.Attributes, parley.Attribute{Name: a.Name, Value: a.Value})
	}
	if m.Intent != nil {
		out.Body.Turn = &parley.TurnInput{Intent: m.Intent.Name, Confidence: m.Intent.Confidence}
	}
	for _, s := range m.Steps {
		out.Body.Steps = append(out.Body.Steps, parley.FlowStep(s))
	}
	past.Messages = append(past.Messages, out)
}

// redacted is what was said, as it is stored; by may be nil. What is given stays as it is: the transaction may be tried again.
func redacted(all []parley.PastConversation, by parley.Redactor) []parley.PastConversation {
	if by == nil {
		return all
	}
	clean := slices.Clone(all)
	for i := range clean {
		c := &clean[i]
		language := c.Conversation.State.Language
		c.Messages = slices.Clone(c.Messages)
		for j := range c.Messages {
			body := &c.Messages[j].Body
			body.Content = body.Content.Redacted(by, language)
		}
		if c.Survey != nil {
			survey := *c.Survey
			survey.Comments = parley.RedactedText(by, language, survey.Comments)
			c.Survey = &survey
		}
	}
	return clean
}

// slotOf is the place of the party in that role, -1 if there is none.
func slotOf(s *parley.ConversationState, role parley.Role) int {
	return slices.IndexFunc(s.Parties, func(p parley.Party) bool { return p.Role == role })
}
