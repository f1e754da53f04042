package history

import (
	"cmp"
	"encoding/json"
	"time"

	"parley"
)

// A saying is what one message of a conversation says about others, while they are written in order.
type saying struct {
	intents    map[int64]*parley.NLPResult // by Seq of the question
	steps      map[int64][]parley.FlowStep // by Seq of the first answer
	endedBy    string
	handedOver time.Time // zero = not yet
}

// note notes what turns say about messages that are not written yet.
func (s *saying) note(turns []parley.Turn) {
	for i := range turns {
		t := &turns[i]
		if n := t.Result.NLP; n != nil && n.Type == parley.NLPIntent {
			s.intents[t.Seq] = n
		}
		if len(t.Result.Steps) > 0 && t.First > 0 {
			s.steps[t.First] = t.Result.Steps
		}
	}
}

// mask stands in place of what is marked redact, as in every other read.
const mask = "***"

// senders are the words of a line for the roles of the hub.
var senders = map[parley.Role]string{parley.Customer: senderCustomer, parley.CustomBot: senderBot, parley.EgainBot: senderBot, parley.CustomAgent: senderAgent,
	parley.EgainAgent: senderAgent, parley.System: senderSystem}

// enders say who ended a conversation, by who sent its end: the hub does so when nothing is said any more.
var enders = map[string]string{senderCustomer: string(parley.EndedByCustomer), senderBot: string(parley.EndedByBot), senderAgent: string(parley.EndedByAgent),
	senderSystem: string(parley.EndedByTimeout)}

// message is a message of a line.
func (s *saying) message(m *parley.Message) *Message {
	b := &m.Body
	out := &Message{ID: b.MessageID, Sender: cmp.Or(senders[m.Sender], senderSystem), Name: b.Name, Type: string(m.Type), At: someTime(m.Created), Parent: b.Parent}
	if m.Type == parley.TypeText {
		out.Type = ""
	}
	switch m.Type {
	case parley.TypeConversationEnd:
		s.endedBy = enders[out.Sender]
	case parley.TypeEscalationTransfer:
		if s.handedOver.IsZero() {
			s.handedOver = m.Created
		}
	}
	steps, intent := s.steps[m.Seq], s.intents[m.Seq]
	delete(s.steps, m.Seq)
	delete(s.intents, m.Seq)
	if m.Deleted != parley.NotDeleted {
		out.Deleted = true
		return out
	}
	if c := b.Content; c != nil {
		if out.Redact = c.Redact; c.Redact {
			out.Text = mask
		} else {
			out.Text, out.HTML, out.JSON = c.Text, c.HTML, c.JSON
			if len(c.JSON) == 0 && len(c.Extra) > 0 {
				out.JSON, _ = json.Marshal(c.Extra) // was read from JSON, so it can be written
			}
		}
	}
	for _, a := range b.Attachments {
		file := Attachment{URL: a.URL, Name: a.Name, ContentType: a.ContentType, Size: a.Size}
		if file.URL == "" {
			file.Name = cmp.Or(file.Name, "file")
		}
		out.Attachments = append(out.Attachments, file)
	}
	for _, a := range b.Attributes {
		out.Attributes = append(out.Attributes, Attribute{Name: a.Name, Value: a.Value})
	}
	switch {
	case out.Sender != senderCustomer:
	case intent != nil:
		out.Intent = &Intent{Name: intent.Name, Confidence: intent.Score}
	case b.Turn != nil && b.Turn.Intent != "":
		out.Intent = &Intent{Name: b.Turn.Intent, Confidence: b.Turn.Confidence}
	}
	if steps == nil {
		steps = b.Steps
	}
	if out.Sender == senderBot {
		for _, step := range steps {
			out.Steps = append(out.Steps, Step(step))
		}
	}
	return out
}
