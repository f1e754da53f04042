package parley

import (
	"context"
	"time"
)

// Retention is for how many days an environment keeps things of each kind; 0 = for good.
type Retention struct {
	Messages    int `json:"messages,omitempty"`    // conversations with all that was said and is known of them, from their end; of those that go on, what was said
	Attachments int `json:"attachments,omitempty"` // files, from when a message last used them
	Attempts    int `json:"attempts,omitempty"`    // how attempts to deliver went
	Analytics   int `json:"analytics,omitempty"`   // what visits add up to, from their last message, and tracked events
}

// A RetentionKind is a kind of things that are kept for a time.
type RetentionKind string

const (
	RetainedMessages    RetentionKind = "messages"
	RetainedAttachments RetentionKind = "attachments"
	RetainedAttempts    RetentionKind = "attempts"
	RetainedAnalytics   RetentionKind = "analytics"
)

// RetentionKinds are all of them, in the order in which they are shown.
func RetentionKinds() []RetentionKind {
	return []RetentionKind{RetainedMessages, RetainedAttachments, RetainedAttempts, RetainedAnalytics}
}

// MaxRetention bounds the days of a kind: a hundred years.
const MaxRetention = 36_500

// Days are those of a kind.
func (r *Retention) Days(kind RetentionKind) int {
	switch kind {
	case RetainedMessages:
		return r.Messages
	case RetainedAttachments:
		return r.Attachments
	case RetainedAttempts:
		return r.Attempts
	default:
		return r.Analytics
	}
}

// Before is the time before which things of a kind are removed; zero = nothing is. Figures go by whole days (UTC), so that none is half there.
func (r *Retention) Before(kind RetentionKind, now time.Time) time.Time {
	days := r.Days(kind)
	if days == 0 {
		return time.Time{}
	}
	before := now.UTC().Truncate(time.Millisecond).Add(-time.Duration(days) * 24 * time.Hour)
	if kind == RetainedAnalytics {
		before = before.Truncate(24 * time.Hour)
	}
	return before
}

// RetentionState is what an environment keeps for how long, and what that has removed.
type RetentionState struct {
	Tenant TenantID
	Retention
	Modified time.Time // zero = nobody ever said
	Starts   time.Time // nothing is removed before: until then it can be taken back
	Removed  map[RetentionKind]RetentionRemoved
}

// RetentionRemoved is how much of a kind was removed ever, and when the last of it was.
type RetentionRemoved struct {
	Count int64
	Last  time.Time
}

// RetentionDue is what would be removed of an environment. A conversation waits that owes a delivery, or of which something was not looked at
// yet; what is said in it is not counted in Messages.
type RetentionDue struct {
	Conversations, Messages, Attachments, Attempts, Visits, Events int64
	Waiting                                                        int64
}

// An OldConversation has something that is older than an environment keeps it.
type OldConversation struct {
	Key   int64 // of its row
	Ended int64 // milliseconds since 1970; 0 = it goes on
}

// Retentions removes what is older than an environment keeps it. All but the first group is for the one who does so: see package retention.
type Retentions interface {
	// Retention is what an environment keeps for how long. PutRetention changes that; nothing is removed before starts.
	Retention(ctx context.Context, tenant TenantID) (RetentionState, error)
	PutRetention(ctx context.Context, tenant TenantID, r Retention, starts time.Time) error
	// RetentionDue counts what goes.
	RetentionDue(ctx context.Context, tenant TenantID, r Retention, now time.Time) (RetentionDue, error)

	// RetentionsNow are those of all environments that are in effect and keep something for a time.
	RetentionsNow(ctx context.Context, now time.Time) ([]RetentionState, error)
	// NoteRemoved adds to what was removed.
	NoteRemoved(ctx context.Context, tenant TenantID, kind RetentionKind, n int64, at time.Time) error
	// OldConversations are those that ended before a time and wait for nothing, after one in the order of their ends, at most limit; see
	// [RetentionDue]. LastingConversations are those that go on and began before it, in the order of their rows. None while everything is
	// counted anew, since that reads conversations.
	OldConversations(ctx context.Context, tenant TenantID, before time.Time, after OldConversation, limit int) ([]OldConversation, error)
	LastingConversations(ctx context.Context, tenant TenantID, before time.Time, after OldConversation, limit int) ([]OldConversation, error)
	// RemoveConversations removes those that still wait for nothing, and everything that belongs to them but what they add up to in the
	// figures; it says how many messages they had. Files that nothing else uses are left to [Assets].UnusedAssets.
	RemoveConversations(ctx context.Context, tenant TenantID, old []OldConversation, before time.Time) (messages int64, err error)
	// RemoveSaid takes the content from what was said before a time in a conversation that goes on, some at a time, and says how many
	// messages that were and whether there are more. Messages keep their places, so that whoever resumes misses nothing.
	RemoveSaid(ctx context.Context, tenant TenantID, conversation int64, before time.Time) (messages int64, more bool, err error)
	// RemoveJobs removes jobs of detection that were over before a time, with the texts that came with them, some at a time.
	RemoveJobs(ctx context.Context, tenant TenantID, before time.Time) (n int64, err error)
	// OldAssets are files that were neither made nor used since a time.
	OldAssets(ctx context.Context, tenant TenantID, before time.Time, limit int) ([]Asset, error)
	// RemoveAttempts and RemoveEvents remove some of those before a time, oldest first.
	RemoveAttempts(ctx context.Context, tenant TenantID, before time.Time) (n int64, err error)
	RemoveEvents(ctx context.Context, tenant TenantID, before time.Time) (n int64, err error)
	// OldVisits are those of a generation of figures whose last message was said before a time, at most limit. DropEmptyCells removes what
	// is left where all visits are gone.
	OldVisits(ctx context.Context, generation int64, tenant TenantID, before time.Time, limit int) ([]StoredVisit, error)
	DropEmptyCells(ctx context.Context, generation int64, tenant TenantID, before time.Time) error
	// OrphanedVisits are those of conversations that are not there any more, after one in the order of keys, of at most limit conversations.
	OrphanedVisits(ctx context.Context, generation, after int64, limit int) ([]StoredVisit, error)
}
