package parley

import (
	"context"
	"time"
)

// Live is state that is quick, shared between nodes and may be lost at any time: whatever it loses costs latency or
// accuracy of presence, never a message. Safe for concurrent use. Its errors need no more than a count.
type Live interface {
	// Publish sends hints to the other nodes, in one round trip. It never blocks on a slow node.
	Publish(ctx context.Context, hints []Hint) error
	// Hints calls fn for every hint that other nodes publish, until ctx ends. Hints may be lost or repeated; each
	// time that it begins to listen, after a break of the connection too, a HintLost comes first.
	Hints(ctx context.Context, fn func(Hint)) error

	// Join registers a session for ttl; Leave takes it out. Present counts the sessions of each of some keys ("customer",
	// contact…), in one round trip.
	Join(ctx context.Context, key, session string, ttl time.Duration) error
	Leave(ctx context.Context, key, session string) error
	Present(ctx context.Context, keys ...string) ([]int, error)

	// Sample adds a value to a short list that all nodes share; it keeps the last [MaxSamples] of them and is forgotten an
	// hour after the last one. Samples are those kept, newest first.
	Sample(ctx context.Context, key string, value int64) error
	Samples(ctx context.Context, key string) ([]int64, error)

	// Lock takes a lock for ttl under a token; false if somebody else has it. Taking it again with the same token
	// renews it. It makes double work rare; nothing may depend on it for correctness.
	Lock(ctx context.Context, name, token string, ttl time.Duration) (bool, error)
	Unlock(ctx context.Context, name, token string) error

	// Allow counts one event of key against rate per window; wait says how long until the next is allowed.
	Allow(ctx context.Context, key string, rate int, window time.Duration) (ok bool, wait time.Duration, err error)

	// Ping says whether the other side answers.
	Ping(ctx context.Context) error
}

// MaxSamples is how many values [Live.Sample] keeps of a key.
const MaxSamples = 20

// A HintKind says what a hint is about.
type HintKind string

const (
	HintMessage HintKind = "message" // the conversation has messages up to Seq
	HintTyping  HintKind = "typing"  // somebody types, or came, or left; the hint is all there is
	HintReceipt HintKind = "receipt" // somebody read
	HintTurn    HintKind = "turn"    // the turn of the question Seq is over
	HintPartial HintKind = "partial" // a bot says something bit by bit; the hint is all there is
	HintConfig  HintKind = "config"  // configuration of the tenant changed
	HintFrame   HintKind = "frame"   // what a client posted for a session that lives on another node
	HintLost    HintKind = "lost"    // hints were lost, whichever they were: read again what somebody here listens to
)

// A Hint tells other nodes that there is something to read.
type Hint struct {
	Kind         HintKind       `json:"k"`
	Tenant       TenantID       `json:"t,omitzero"`
	Conversation ConversationID `json:"c,omitzero"`
	Seq          int64          `json:"s,omitempty"`
	Typing       *Typing        `json:"y,omitempty"`
	Receipt      *Receipt       `json:"r,omitempty"`
	Partial      *Partial       `json:"p,omitempty"`
	Session      string         `json:"i,omitempty"` // of HintFrame: which session, and what was posted
	Frame        string         `json:"f,omitempty"`
}

// A Partial is what a bot has said so far of an answer that is on its way.
type Partial struct {
	Question int64  `json:"question"` // Seq of what it answers
	Text     string `json:"text"`     // all of it so far
}

// Typing says that a party writes, or stopped; with a type of presence, that it came, or left.
type Typing struct {
	Slot int         `json:"slot"`
	Role Role        `json:"role"`
	Name string      `json:"name,omitempty"`
	On   bool        `json:"on"`
	Type MessageType `json:"type,omitempty"` // customer.active and customer.inactive travel the same way
}

// Presence says whether this is about a party that came or left, not about typing.
func (t *Typing) Presence() bool {
	return t.Type == TypeCustomerActive || t.Type == TypeCustomerInactive
}

// A Receipt says how far a party has read a conversation.
type Receipt struct {
	Slot int       `json:"slot"`
	Role Role      `json:"role"`
	Read int64     `json:"read"` // Seq of the last message it has read
	At   time.Time `json:"at"`
}
