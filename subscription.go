package parley

import (
	"context"
	"time"
)

// A Subscription has a program outside told of what happens to a bot (reference/analytics.md 9): each thing is one notification to Target.
type Subscription struct {
	Key     int64 // of its row; zero until stored
	ID      SubscriptionID
	Tenant  TenantID
	Bot     ApplicationID
	Version string // VersionDraft or VersionLive
	Type    EventType
	Names   []string // of what is told; none = everything. See [EventType]
	Target  string   // URL
	Secret  string   // that notifications are signed with. It is sealed at rest, with Target, and never shown
	Status  SubscriptionStatus
	Created time.Time
	Changed time.Time // when Status did

	Failed int       // attempts in a row
	Due    time.Time // not to be tried before
}

type (
	// SubscriptionID names a [Subscription].
	SubscriptionID = ID[Subscription]
	// NotificationID names a [Notification], the same on every attempt.
	NotificationID = ID[Notification]
)

// An EventType is what a [Subscription] is about.
type EventType string

const (
	EventTracked EventType = "TRACKING_EVENT" // each [TrackedEvent]; Names are theirs
	EventFlow    EventType = "FLOW_EVENT"     // each [Transition]; Names are of the step that was entered
	EventMessage EventType = "MESSAGE_EVENT"  // each message that figures count; Names are user, bot, agent
)

// EventTypes lists every type.
func EventTypes() []EventType { return []EventType{EventTracked, EventFlow, EventMessage} }

// A SubscriptionStatus says whether a [Subscription] is alive.
type SubscriptionStatus string

const (
	SubscriptionPending    SubscriptionStatus = "webhook_callback_verification_pending" // the target was not heard of yet
	SubscriptionEnabled    SubscriptionStatus = "enabled"
	SubscriptionUnverified SubscriptionStatus = "webhook_callback_verification_failed" // the target did not answer the challenge: it is over
	SubscriptionFailed     SubscriptionStatus = "notification_failures_exceeded"       // too many attempts failed: it is over
)

// Alive says whether something may come of it still.
func (s SubscriptionStatus) Alive() bool { return s == SubscriptionPending || s == SubscriptionEnabled }

// Bounds of subscriptions.
const (
	MaxSubscriptions     = 20 // alive ones of one bot
	MaxSubscriptionNames = 100
	// KeepSubscriptions is for how long one that is over is shown.
	KeepSubscriptions = 7 * 24 * time.Hour
)

// A Notification is one thing that a subscription's target is owed. One of Event, Message and Transition is there, or none if what it was
// about has been forgotten since: then it is owed no more.
type Notification struct {
	Key        int64
	ID         NotificationID
	Made       time.Time
	Event      *TrackedEvent
	Message    *ToldMessage
	Transition *ToldTransition
}

// A ToldMessage is a message as subscriptions tell of it: not what it says.
type ToldMessage struct {
	ID           MessageID
	Conversation ConversationID
	User         string // who the customer is; "" = nobody knows
	Sender       string // user, bot or agent
	Type         MessageType
	At           time.Time
}

// A ToldTransition is a transition as subscriptions tell of it.
type ToldTransition struct {
	Transition
	Conversation ConversationID
	User         string
	Part, Depth  int // of its visit, and its place in it
}

// News is something that counting found to be new: a message that counts, or a transition.
type News struct {
	Conversation int64 // its row
	Tenant       TenantID
	Bot          ApplicationID
	Version      string
	At           time.Time
	Seq          int64  // of a message; 0 = it is a transition
	Sender       string // of a message: user, bot or agent
	Part, Depth  int
	Transition   Transition
}

// Subscriptions keeps subscriptions and what is owed to them. What is owed is written in the transaction in which it happened, or in which
// it was counted, so that neither is there without the other.
type Subscriptions interface {
	// InsertSubscription keeps a new one. Invalid if its bot has [MaxSubscriptions] that are alive.
	InsertSubscription(ctx context.Context, s *Subscription) error
	// SubscriptionsOf are a bot's, oldest first.
	SubscriptionsOf(ctx context.Context, tenant TenantID, bot ApplicationID) ([]Subscription, error)
	// DeleteSubscription removes one with all that is owed to it; NotFound if the bot has none of that id.
	DeleteSubscription(ctx context.Context, tenant TenantID, bot ApplicationID, id SubscriptionID) error

	// DueSubscriptions are those of all tenants for which there is something to do now: pending, or enabled and owed something. Those
	// due for longest come first.
	DueSubscriptions(ctx context.Context, now time.Time, limit int) ([]Subscription, error)
	// Owed is what a subscription is owed, in order, at most limit.
	Owed(ctx context.Context, subscription int64, limit int) ([]Notification, error)
	// CountOwed is how much that is.
	CountOwed(ctx context.Context, subscription int64) (int, error)
	// SettleSubscription removes what was told, by key, and keeps Status, Changed, Failed and Due. One that is over is owed nothing.
	// Conflict if it is over or gone already.
	SettleSubscription(ctx context.Context, s *Subscription, told []int64) error
	// DropSubscriptions removes those that are over since a time.
	DropSubscriptions(ctx context.Context, before time.Time) error
}
