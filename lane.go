package parley

import (
	"context"
	"time"
)

// A Lane is the cursor of one receiver over the messages of one conversation. It owes the messages that are addressed
// to its slot, after Acked and up to Tail.
type Lane struct {
	Key          int64
	Tenant       TenantID
	Conversation ConversationID
	Slot         int
	Receiver     Receiver
	Acked        int64     // delivered, or given up, up to here
	Tail         int64     // last message addressed to it
	Attempts     int       // failed in a row for the first owed message
	Again        int       // deliveries before Acked that are to be replayed
	Probe        bool      // claimed to try a receiver whose circuit breaker is open
	Lease        int64     // proof of the claim; Finish wants it back
	Until        time.Time // end of the lease, by the clock of the store
	From         int64     // it owes no earlier message, which is known if it was claimed as this one was committed; else 0
}

// A Delivery is one message seen from a lane. It has no row of its own while all goes well.
type Delivery struct {
	ID      DeliveryID // derived from message and receiver: the same on every attempt
	Lane    *Lane
	Message Message
}

// An Attempt is one HTTP try of a delivery, appended and never changed.
type Attempt struct {
	Message  MessageID
	Seq      int64
	At       time.Time
	Duration time.Duration
	Status   int    // HTTP status; 0 = no answer
	Error    string // why there was none, or why it does not count; secrets cut out
	Answer   string // first KiB of the answer's body if the attempt failed
}

// An Outcome says what becomes of a delivery after one attempt.
type Outcome uint8

const (
	OutcomeRetry     Outcome = iota // the zero value: when in doubt, try again
	OutcomeDelivered                // 2xx, or the session said so
	OutcomeRejected                 // the receiver understood and refuses; the same bytes will not help
	OutcomeGone                     // 410: the receiver wants nothing any more; it is disabled and its deliveries are held
)

func (o Outcome) String() string {
	return [...]string{OutcomeRetry: "retry", OutcomeDelivered: "delivered", OutcomeRejected: "rejected", OutcomeGone: "gone"}[o]
}

// A Handed is a delivery given to a session of its receiver, which takes its messages that way instead of by callback.
type Handed struct {
	Delivery     string // id, the same on every attempt
	Conversation ConversationID
	Seq          int64
	Attempt      int    // from 1
	Body         []byte // what a callback would have had as its body
	Trace        string // W3C traceparent of what caused it; may be empty
}

// An Answer is what a receiver says of a delivery over its session.
type Answer struct {
	Outcome Outcome
	After   time.Duration // with OutcomeRetry: not before this
	Reason  string        // of OutcomeRetry and OutcomeRejected, for the record of attempts, which keeps 1 KiB
}

// A Hand gives a delivery to a session and waits for its answer. An error means that there was none before ctx ended.
type Hand func(ctx context.Context, h Handed) (Answer, error)

// A Progress is what a worker has to say about a lane. Exactly what it says is recorded, in one of the shared commits.
type Progress struct {
	Lane     *Lane
	Acked    int64     // new cursor
	Failed   int       // failed attempts in a row for the message after Acked
	Retry    time.Time // when to try it next; zero = at once if something is owed
	Asked    time.Time // the receiver asked not to be tried before; zero = it did not. Not after Retry
	Release  bool      // give the lease back; false extends it by Extend
	Extend   time.Duration
	Attempts []Attempt
	Dead     []DeadDelivery // deliveries given up, all at or before Acked, or Block
	Block    int64          // seq of a dead delivery after Acked that the lane does not go past; 0 = none
	Replayed []Replayed     // what became of deliveries that were to be replayed
}

// A Rest is what a lane has left after progress was recorded.
type Rest struct {
	More  bool      // something is due at once
	Again int       // deliveries that are to be replayed, now or later
	Next  time.Time // when the next of these is, if nothing else is owed and the lane waits for it; else zero
}

// A Replayed is a delivery that was tried again because somebody asked for that. It is dead again if it has a Problem.
type Replayed struct {
	Seq     int64
	Problem string
}

// A DeadDelivery is one that was given up.
type DeadDelivery struct {
	Delivery DeliveryID
	Message  MessageID
	Seq      int64
	Reason   string
}

// Lanes is the part of the record that dispatch works on. Safe for concurrent use.
type Lanes interface {
	// Claim takes those of the lanes that owe something that is due and are under nobody else's lease, each for the
	// given time. Lanes of disabled receivers are not taken: their deliveries are held.
	Claim(ctx context.Context, lanes []int64, lease time.Duration) ([]*Lane, error)
	// ClaimFor is Claim for a receiver that takes its messages over a session: those of its lanes that owe something
	// that is due, longest due first, at most limit. Claim leaves the lanes of such a receiver alone; see SetPulled.
	ClaimFor(ctx context.Context, r Receiver, limit int, lease time.Duration) ([]*Lane, error)
	// SetPulled says whether a receiver takes its messages over a session instead of a callback.
	SetPulled(ctx context.Context, receiver int64, pulled bool) error
	// Pulled lists the receivers of all tenants that do.
	Pulled(ctx context.Context) ([]Receiver, error)
	// Held lists the receivers of all tenants to which nothing is sent now: they are disabled, or their breaker is open.
	Held(ctx context.Context) ([]Receiver, error)
	// AtHand is Owed for what was committed on this node within the last second, without asking the database: none if that
	// is not all that comes next. Neither the conversation nor the messages may be changed.
	AtHand(lane *Lane, limit int) (*Conversation, []Message)
	// Owed returns the next messages the lane owes, in order, at most limit, and the conversation as it is after them.
	Owed(ctx context.Context, lane *Lane, limit int) (Conversation, []Message, error)
	// Again returns the deliveries of the lane that are to be replayed by now, in order, at most limit, and the conversation. Where the first of them
	// is late by more than a second, since its receiver was held, or nobody came by, those after it are put off by as much: they keep their distances.
	Again(ctx context.Context, lane *Lane, limit int) (Conversation, []Message, error)
	// Finish records progress. More says that the lane owes something that is due at once: with Release the lease was
	// then kept and the worker goes on, so that a message committed while the worker was finishing is not forgotten.
	// ErrLeaseLost: another worker has the lane, nothing was recorded.
	Finish(ctx context.Context, p Progress) (Rest, error)
	// Overdue lists lanes that have been due for at least the given time and are under nobody's lease, each receiver's
	// oldest first, at most limit of each.
	Overdue(ctx context.Context, by time.Duration, limit int) ([]OverdueLane, error)
	// Untold lists deliveries that were given up at least the given time ago, and of which the hub has not heard; oldest
	// first.
	Untold(ctx context.Context, by time.Duration, limit int) ([]GivenUp, error)
	// Told says that the hub has heard of it.
	Told(ctx context.Context, g GivenUp) error
	// Backlog is how much is waiting, in all tenants.
	Backlog(ctx context.Context) (Backlog, error)
	// Disable switches a receiver off, or on again with an empty reason; then its circuit breaker is closed, too, and what waits for its next try
	// is hastened.
	Disable(ctx context.Context, receiver int64, reason string) error

	// Failing notes that attempts at a receiver fail since the given time, unless it is noted that they fail for longer.
	Failing(ctx context.Context, receiver int64, since time.Time) (time.Time, error)
	// Well notes that an attempt was good: it fails no more, and its circuit breaker is closed. It returns since when it failed; zero = it did not.
	Well(ctx context.Context, receiver int64) (since time.Time, err error)
	// Hasten makes lanes of a receiver due now that wait for their next try and would be due within the given time, or due when the receiver
	// asked for it, and says how many. The sweepers find them. After an error some of them are.
	Hasten(ctx context.Context, receiver int64, within time.Duration) (int, error)
	// Break opens a receiver's circuit breaker, or, probed, keeps it open, for as long as wait says of how often that
	// happened in a row: its lanes are not claimed until then. Zero if somebody closed it before it was probed.
	Break(ctx context.Context, receiver int64, probed bool, wait func(breaks int) time.Duration) (until time.Time, err error)
	// Probe claims one lane of each receiver whose breaker was open until now or earlier, and moves that until past the
	// lease, so that one node has one delivery to try it with.
	Probe(ctx context.Context, lease time.Duration) ([]*Lane, error)
	// Healths is how receivers do, those of one tenant or, with a zero tenant, of all, in order of their keys.
	Healths(ctx context.Context, tenant TenantID) ([]Health, error)
	// Notice puts down that people are to be told of a receiver, and returns under which key: of each of the two events once in the given time, else
	// zero. It is the caller's to tell them while the lease lasts.
	Notice(ctx context.Context, n OwedNotice, every, lease time.Duration) (key int64, err error)
	// OwedNotices are notices whose lease is over, oldest first: from now on they are the caller's.
	OwedNotices(ctx context.Context, lease time.Duration, limit int) ([]OwedNotice, error)
	// NoticedBy notes that people were told in one way, such as by mail, or cannot be, while others are to come.
	NoticedBy(ctx context.Context, key int64, way string) error
	// Noticed notes that people were told in all ways, or cannot be.
	Noticed(ctx context.Context, key int64) error
}

// An OverdueLane is one that waits for somebody.
type OverdueLane struct{ Lane, Receiver int64 }

// A GivenUp is a dead delivery that the hub must go on without (guarantee G7).
type GivenUp struct {
	Tenant  TenantID
	Lane    int64
	Slot    int
	Message Message

	Receiver Receiver
	Delivery DeliveryID // zero if it was given up before ids were kept
	Reason   string
}

// An OwedNotice is what people are to be told of a receiver.
type OwedNotice struct {
	Key      int64
	Receiver Receiver
	Disabled bool // else a delivery was given up
	Reason   string
	Delivery DeliveryID // of what was given up
	At       time.Time
	Told     []string // the ways that have come to an end: see [Lanes].NoticedBy
}

// A Backlog is what lanes owe now, and to whom that goes.
type Backlog struct {
	Due    int       // lanes that owe something that may be tried now, those being worked on included
	Held   int       // lanes that owe something to a disabled receiver
	Oldest time.Time // since when the first of the due ones has been; zero = none is

	Blocked   int // lanes that a dead delivery keeps, until somebody replays or skips it
	Dead      int // dead deliveries about which nobody has decided
	Receivers ReceiverStates
}

// ReceiverStates is how many receivers are in each state. Each is in one: the worst that is true of it.
type ReceiverStates struct {
	OK       int // its last attempt was good, or there was none
	Failing  int // attempts fail, and go on
	Broken   int // its circuit breaker is open
	Disabled int
}

// ErrLeaseLost says that a worker came back too late: its lane belongs to another one now.
var ErrLeaseLost = &Error{Kind: Conflict, Msg: "the lane's lease is held by another worker"}

// A Whisper is a message that is not stored: typing or presence. Towards a callback it is one attempt without retry.
type Whisper struct {
	Conversation *Conversation
	Message      Message // Seq is zero
	Slot         int     // of the party it is for
}
