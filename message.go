package parley

import (
	"encoding/json"
	"time"
)

// A Message is one thing said in a conversation. Once committed only an event of its own changes it.
type Message struct {
	ID           MessageID
	Conversation ConversationID
	Seq          int64 // place in the conversation, from 1, no holes; zero until committed
	Type         MessageType
	Sender       Role
	Created      time.Time // UTC, milliseconds, the hub's clock: a sender's clock is not trusted
	To           int64     // bit n: addressed to the party in slot n
	Deleted      Deletion
	Explanation  string // why it went where it went: for people, never for programs
	Body         Body
}

// A Body is what the sender said. The store keeps it as JSON and parses it only when something asks.
type Body struct {
	MessageID   string        `json:"messageId,omitempty"` // the sender's own id
	Name        string        `json:"name,omitempty"`      // of the sender, as shown
	Application ApplicationID `json:"application,omitzero"`
	Participant ParticipantID `json:"participant,omitzero"`
	Content     *Content      `json:"content,omitempty"`
	Attachments []Attachment  `json:"attachments,omitempty"`
	Parent      string        `json:"parent,omitempty"` // as sent: the sender's messageId or the hub's id
	ParentSeq   int64         `json:"parentSeq,omitempty"`
	Attributes  []Attribute   `json:"attributes,omitempty"`
	Metadata    []NameValue   `json:"metadata,omitempty"`   // of the request, handed on to receivers
	Transcript  int64         `json:"transcript,omitempty"` // bit n: the party in slot n gets the conversation so far with it
	Recipients  []Role        `json:"recipients,omitempty"` // as asked for by the sender; empty = the hub decides
	Job         JobID         `json:"job,omitzero"`         // of a text given from outside: the job that looks at it
	Duration    int64         `json:"duration,omitempty"`   // of such a text: milliseconds that it took to say
	Turn        *TurnInput    `json:"turn,omitempty"`       // what it says to a bot besides
	Answer      *BotAnswer    `json:"answer,omitempty"`     // of a bot that the hub runs: all of it, of which Content is what every channel can show
	Question    int64         `json:"question,omitempty"`   // Seq of what a bot answers with it
	HandOver    bool          `json:"handOver,omitempty"`   // from here on people are asked for; figures begin to count their time
	Idle        int64         `json:"idle,omitempty"`       // of an end: milliseconds without a message after which the hub ended it; 0 = it was ended otherwise
	Steps       []FlowStep    `json:"steps,omitempty"`      // of an imported answer: those of its flow that led to it
	Trace       string        `json:"trace,omitempty"`      // W3C traceparent of the request it came with; callbacks go on with it
}

// Spoken says whether the customer said what the message shows: not if the channel sent a code or an intent alone, which it shows instead.
func (m *Message) Spoken() bool {
	t := m.Body.Turn
	return t == nil || !t.NoText || t.Code == "" && t.Intent == ""
}

// Content is what a message says. Members that Parley does not know pass through in Extra.
type Content struct {
	Text   string                     `json:"text,omitempty"`
	HTML   string                     `json:"html,omitempty"`
	Redact bool                       `json:"redact,omitempty"` // masked in transcripts, history and reads
	JSON   json.RawMessage            `json:"json,omitempty"`   // always an object
	Extra  map[string]json.RawMessage `json:"extra,omitempty"`
}

// An Attachment is an [Asset] or an outside URL.
type Attachment struct {
	Asset       AssetID `json:"asset,omitzero"`
	URL         string  `json:"url,omitempty"`
	Name        string  `json:"name,omitempty"`
	ContentType string  `json:"contentType,omitempty"`
	Size        int64   `json:"size,omitempty"` // bytes; 0 = not told
}

// An Attribute is a pair that belongs to a message; External ones are handed to receivers.
type Attribute struct {
	Name     string `json:"name"`
	Value    string `json:"value"`
	External bool   `json:"external,omitempty"`
}

// A Deletion says what became of a message's content.
type Deletion uint8

const (
	NotDeleted    Deletion = iota
	SoftlyDeleted          // hidden; an undo brings it back
	Erased                 // gone from the record
)
