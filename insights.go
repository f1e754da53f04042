package parley

import (
	"context"
	"time"
)

// An Insight is what is known about a conversation beyond what was said in it, and by which it is found in groups.
type Insight struct {
	Conversation ConversationID
	Tenant       TenantID
	Number       Number    // its public id on the manage surface, unique in its tenant; given by PutInsight
	Name         string    // "" = shown as the number
	Type         string    // such as "meeting"; a word, no number
	Started      time.Time // start of the first message; whole milliseconds
	Ended        time.Time // end of the last one
	Seq          int64     // how far detection went
	Metadata     map[string]string
	Labels       []string // put on it by trackers; sorted, no doubles
	Members      []Member // who took part, in order of appearance, at most MaxMembers
}

// MaxMembers is how many members an insight names.
const MaxMembers = 100

// A Member is somebody who took part in a conversation. The ID is made up, but the same wherever the person shows up in it.
type Member struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Email string `json:"email,omitempty"`
}

// An InsightQuery asks for a page of insights.
type InsightQuery struct {
	Tenant     TenantID
	Condition  *Condition // of a group; nil = all
	Filter     *Condition // besides; nil = all
	From       time.Time  // Started is not before; zero = no bound
	Until      time.Time  // Ended is not after; zero = no bound
	Sort       []Selector // none = by start; labels are no order. Equals go by start, then by the conversation's id
	Descending bool       // all of the order, ties too
	Offset     int
	Limit      int // 0 = none are wanted
}

// Insights keeps what is known about conversations.
type Insights interface {
	// PutInsight stores an insight in place of what is known about the conversation, metadata and labels included, and
	// sets its Number: once given it stays. NotFound if there is no such conversation or it is forgotten, Invalid if a text cannot be stored
	// or Started is not between the years 1970 and 2200. It is cheap when only Ended, Seq and Members differ from what is stored.
	PutInsight(ctx context.Context, in *Insight) error
	// FindInsight is the insight of that number, and InsightOf that of a conversation; NotFound if there is none.
	FindInsight(ctx context.Context, tenant TenantID, number Number) (Insight, error)
	InsightOf(ctx context.Context, tenant TenantID, conversation ConversationID) (Insight, error)
	// ListInsights is a page of those that fit.
	ListInsights(ctx context.Context, q InsightQuery) ([]Insight, error)
	// DeleteInsight forgets one, not its conversation; NotFound if there is none.
	DeleteInsight(ctx context.Context, tenant TenantID, number Number) error
	// Forget removes what is known about a conversation, and erases the messages that it has, what is kept beside them, and its customer once it is over. It stays forgotten: no insight and
	// no detection is stored for it again. The jobs that its messages came with are returned. It may be repeated, for messages that
	// came later; NotFound if there is no such conversation.
	Forget(ctx context.Context, tenant TenantID, conversation ConversationID) ([]JobID, error)
	// Forgotten are those of a tenant's conversations that are.
	Forgotten(ctx context.Context, tenant TenantID, ids []ConversationID) (map[ConversationID]bool, error)
}
