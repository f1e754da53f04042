package parley

import (
	"context"
	"time"
)

// A DeadLetter is a delivery that was given up, and what became of it since.
type DeadLetter struct {
	Delivery DeliveryID // the id that the receiver saw
	Receiver Receiver
	Message  Message
	State    DeadState
	Reason   string    // why it was given up
	At       time.Time // when it got into its state; of one that is to be replayed, when that is due
	Blocks   bool      // its lane does not go past it
	Lane     int64
}

// A DeadState is where a dead letter stands.
type DeadState string

const (
	StateDead     DeadState = "dead"     // given up
	StateAgain    DeadState = "again"    // to be replayed
	StateReplayed DeadState = "replayed" // delivered after all
	StateSkipped  DeadState = "skipped"  // somebody decided that it is not needed any more
)

// A DeadLetterQuery selects dead letters; zero members select all.
type DeadLetterQuery struct {
	Tenant       TenantID // required
	Delivery     DeliveryID
	Application  ApplicationID
	Role         Role
	Conversation ConversationID
	State        DeadState
	Reason       string    // part of it, as written
	From, To     time.Time // At: from, and before
	After, Until int64     // Seq of the message: after, and up to; Until zero = any
}

// DeadLetters reads and decides about deliveries that were given up.
type DeadLetters interface {
	// DeadLetters are a page of those selected, oldest first, and how many there are in all.
	DeadLetters(ctx context.Context, q DeadLetterQuery, offset, limit int) (page []DeadLetter, count int, err error)
	// Replay has the oldest of those selected that are dead tried again, at most limit: one after the other in pause, the
	// first at the given time, none earlier. A lane that was blocked by one goes on with it, by a fresh schedule; others are
	// tried once, beside what their lane owes, and are dead again if that fails.
	Replay(ctx context.Context, q DeadLetterQuery, limit int, first time.Time, pause time.Duration) (int, error)
	// Skip gives up for good the oldest of those selected that are dead or to be replayed, at most limit. Lanes that one
	// blocked go on after it.
	Skip(ctx context.Context, q DeadLetterQuery, limit int) (int, error)
	// Attempts are all attempts at messages of a conversation, with after < seq ≤ upto, of every receiver, in order of
	// seq, then time.
	Attempts(ctx context.Context, tenant TenantID, conversation ConversationID, after, upto int64) ([]LaneAttempt, error)
}

// A LaneAttempt is an attempt with the receiver it was made at.
type LaneAttempt struct {
	Receiver Receiver
	Slot     int
	Attempt
}

// An AuditEntry is something that an administrator did.
type AuditEntry struct {
	Tenant  TenantID
	At      time.Time
	Actor   string // id of the API client
	Action  string // such as deadletters.replay
	Subject string // what it was done to
	Detail  string // JSON, without secrets
}

// Audit keeps what administrators did.
type Audit interface {
	InsertAudit(ctx context.Context, e AuditEntry) error
	// AuditEntries are a page, newest first, and how many there are in all.
	AuditEntries(ctx context.Context, tenant TenantID, offset, limit int) (page []AuditEntry, count int, err error)
}
