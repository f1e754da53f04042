package parley

import (
	"context"
	"time"
)

// A Refused is something that a bot or an agent program said after it had lost the turn: the conversation's timeline keeps it, with the reason
// that the program heard.
type Refused struct {
	Tenant       TenantID
	Conversation ConversationID
	Seq          int64 // of the last message before it
	Sender       Role
	Application  ApplicationID // zero = not known
	Type         MessageType
	Text         string // how what it said begins
	Reason       string // for people
	At           time.Time
}

// Of each conversation the last MaxRefused are kept, and of their texts so many characters.
const (
	MaxRefused     = 50
	MaxRefusedText = 500
)

// Refusals keeps what was refused.
type Refusals interface {
	// NoteRefused keeps what was said too late; of conversations that there are not, nothing.
	NoteRefused(ctx context.Context, refused []Refused) error
	// RefusedIn is what is kept of a conversation, oldest first.
	RefusedIn(ctx context.Context, tenant TenantID, conversation ConversationID) ([]Refused, error)
}
