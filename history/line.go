package history

import (
	"encoding/json"
	"time"
)

// A Line is a conversation as it comes from another system, or goes to one. Times are RFC 3339.
type Line struct {
	ID             string    `json:"id"`                       // what the other system calls it; unique in the environment
	ConversationID string    `json:"conversationId,omitempty"` // what the hub calls it; exports only
	Cursor         string    `json:"cursor,omitempty"`         // exports only: where to go on
	ChannelType    string    `json:"channelType"`
	Address        string    `json:"address,omitempty"` // of the account that the customer wrote to
	Language       string    `json:"language,omitempty"`
	Customer       *Customer `json:"customer,omitempty"`
	Bot            string    `json:"bot,omitempty"`     // id of a bot of the environment
	Version        string    `json:"version,omitempty"` // DRAFT or LIVE; "" = LIVE
	Status         string    `json:"status,omitempty"`  // ended; "" = that
	Started        *Time     `json:"started,omitempty"` // nil = with the first message
	Ended          *Time     `json:"ended,omitempty"`   // nil = with the last one
	EndedBy        string    `json:"endedBy,omitempty"` // bot, agent, customer or timeout
	HandedOver     *Time     `json:"handedOver,omitempty"`
	Campaign       *Campaign `json:"campaign,omitempty"`
	Score          *float64  `json:"score,omitempty"` // 0 to 10
	Feedback       *Feedback `json:"feedback,omitempty"`
	Messages       []Message `json:"messages"`
}

// A Customer is whom the conversation was with.
type Customer struct {
	Name       string      `json:"name,omitempty"`
	Type       string      `json:"type,omitempty"`
	Contacts   []Contact   `json:"contacts,omitempty"` // the first identifies the customer
	Attributes []Attribute `json:"attributes,omitempty"`
}

// A Contact is an address of a customer.
type Contact struct {
	Type    string `json:"type"`
	SubType string `json:"subType,omitempty"`
	Address string `json:"address"`
}

// An Attribute is a pair that belongs to a customer or a message.
type Attribute struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// A Campaign is where the customer came from.
type Campaign struct {
	ID      string `json:"id,omitempty"`
	Source  string `json:"source,omitempty"`
	Medium  string `json:"medium,omitempty"`
	Name    string `json:"name,omitempty"`
	Content string `json:"content,omitempty"`
	Term    string `json:"term,omitempty"`
}

// Feedback is what the customer thought of the conversation.
type Feedback struct {
	Evaluation int    `json:"evaluation,omitempty"` // 1 to 5; 0 = none
	Comments   string `json:"comments,omitempty"`
}

// A Message is one thing said.
type Message struct {
	ID          string          `json:"id,omitempty"` // its sender's; unique among those of that sender
	Sender      string          `json:"sender"`       // customer, bot, agent or system
	Name        string          `json:"name,omitempty"`
	Type        string          `json:"type,omitempty"` // "" = text
	At          *Time           `json:"at"`
	Parent      string          `json:"parent,omitempty"` // what it answers: the id of another message
	Text        string          `json:"text,omitempty"`
	HTML        string          `json:"html,omitempty"`
	JSON        json.RawMessage `json:"json,omitempty"` // an object
	Redact      bool            `json:"redact,omitempty"`
	Deleted     bool            `json:"deleted,omitempty"` // its content is gone
	Attachments []Attachment    `json:"attachments,omitempty"`
	Attributes  []Attribute     `json:"attributes,omitempty"`
	Intent      *Intent         `json:"intent,omitempty"` // of a customer's message: what was understood
	Steps       []Step          `json:"steps,omitempty"`  // of a bot's: those of its flow that led to it
}

// An Attachment is a file that was sent. Exports have no URL: it would end soon.
type Attachment struct {
	URL         string `json:"url,omitempty"`
	Name        string `json:"name,omitempty"`
	ContentType string `json:"contentType,omitempty"`
	Size        int64  `json:"size,omitempty"` // bytes
}

// An Intent is what was understood of a message.
type Intent struct {
	Name       string  `json:"name"`
	Confidence float64 `json:"confidence,omitempty"` // 0 to 1
}

// A Step is one of a bot's flow.
type Step struct {
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
}

// A Time is written in UTC with milliseconds, and read in any form of RFC 3339.
type Time struct {
	moment time.Time // UTC, whole milliseconds
	wrong  bool      // what was read is no time: who checks the line says where
}

// timeFormat is how times are written everywhere.
const timeFormat = "2006-01-02T15:04:05.000Z"

// MarshalJSON writes the one form.
func (t Time) MarshalJSON() ([]byte, error) { return json.Marshal(t.moment.Format(timeFormat)) }

// UnmarshalJSON reads any RFC 3339 form.
func (t *Time) UnmarshalJSON(text []byte) error {
	var moment time.Time
	t.wrong = json.Unmarshal(text, &moment) != nil
	t.moment = moment.UTC().Truncate(time.Millisecond)
	return nil
}

// at is the time; nil is the zero time.
func (t *Time) at() time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.moment
}

// someTime is a time of a line; the zero time is left out.
func someTime(t time.Time) *Time {
	if t.IsZero() {
		return nil
	}
	return &Time{moment: t.UTC()}
}

// A Place is what of an exported line whoever goes on after it must know.
type Place struct {
	Cursor string `json:"cursor"`
}
