package parley

import (
	"context"
	"encoding/json"
	"time"
)

// An AgentUser is somebody whom a bot talks to on the agent-conversations surface. A bot there is called an agent; its users are its own.
type AgentUser struct {
	ID            AgentUserID     `json:"-"`
	Tenant        TenantID        `json:"-"`
	Agent         ApplicationID   `json:"-"`
	FirstName     string          `json:"firstName"`
	LastName      string          `json:"lastName"`
	Email         string          `json:"email,omitempty"`
	Phone         string          `json:"phone,omitempty"`
	ForeignID     string          `json:"foreignId,omitempty"`     // fkId: what another system calls the user
	ForeignUserID string          `json:"foreignUserId,omitempty"` // fkUserId
	Source        string          `json:"source,omitempty"`
	Context       string          `json:"context,omitempty"`    // for the bot
	CustomData    json.RawMessage `json:"customData,omitempty"` // an object; nil = none
	Anonymised    bool            `json:"anonymised,omitempty"` // a retention job scrubbed it
	Created       time.Time       `json:"-"`
	Modified      time.Time       `json:"-"`
}

// AgentUserID names an AgentUser.
type AgentUserID = ID[AgentUser]

// Name is how the user is called.
func (u *AgentUser) Name() string {
	if u.FirstName == "" || u.LastName == "" {
		return u.FirstName + u.LastName
	}
	return u.FirstName + " " + u.LastName
}

// An AgentConversation is what the agent-conversations surface knows of a conversation beside it.
type AgentConversation struct {
	Conversation Conversation  `json:"-"` // as it is now; only its ID and Tenant count where one is stored
	Agent        ApplicationID `json:"-"`
	User         AgentUser     `json:"-"` // only its ID counts where one is stored
	Status       AgentStatus   `json:"-"`
	Channel      string        `json:"-"` // "api", "email", "sms", "voice"

	Title      string          `json:"title,omitempty"`
	Titled     bool            `json:"titled,omitempty"` // the caller gave the title: the hub leaves it alone
	Summary    string          `json:"summary,omitempty"`
	Score      *float64        `json:"score,omitempty"` // 0 to 10; nil = not scored yet
	Context    string          `json:"context,omitempty"`
	CustomData json.RawMessage `json:"customData,omitempty"` // an object; nil = none
	State      AgentStateID    `json:"state,omitzero"`       // zero = none
	PublicID   string          `json:"publicId"`             // aiConversationId
	CallID     string          `json:"callId,omitempty"`     // of a voice conversation
	Anonymised bool            `json:"anonymised,omitempty"`

	Judged  int64     `json:"-"` // Seq up to which title, summary and score were made
	JudgeAt time.Time `json:"-"` // when they are to be made anew; zero = nothing to do
	Created time.Time `json:"-"`
	Changed time.Time `json:"-"` // when something but its messages changed last
}

// Modified is when the conversation changed last, by a message or otherwise.
func (a *AgentConversation) Modified() time.Time {
	if a.Conversation.Touched.After(a.Changed) {
		return a.Conversation.Touched
	}
	return a.Changed
}

// An AgentStatus is the status of an [AgentConversation], as its caller sets it.
type AgentStatus string

const (
	AgentActive   AgentStatus = "active"
	AgentInactive AgentStatus = "inactive"
	AgentArchived AgentStatus = "archived"
)

// An AgentState labels a stage of the work on a conversation. States are the tenant's.
type AgentState struct {
	ID          AgentStateID
	Name        string
	Description string // "" = none
	Color       string // such as #2D9CDB; "" = none
	Persistent  bool   // it cannot be removed
	Created     time.Time
	Modified    time.Time
}

// AgentStateID names an AgentState.
type AgentStateID = ID[AgentState]

// A Feedback is what a user thought of one message.
type Feedback struct {
	ID           FeedbackID     `json:"-"`
	Conversation ConversationID `json:"-"`
	Seq          int64          `json:"-"` // of the message
	User         AgentUserID    `json:"-"`
	Up           bool           `json:"up,omitempty"`
	Question     *string        `json:"question,omitempty"`
	Answer       *string        `json:"answer,omitempty"`
	Comment      *string        `json:"comment,omitempty"`
	Email        string         `json:"-"` // of the user; "" = none
	Created      time.Time      `json:"-"`
	Modified     time.Time      `json:"-"`
}

// FeedbackID names a Feedback.
type FeedbackID = ID[Feedback]

// An AgentQuery asks for a page of an agent's conversations.
type AgentQuery struct {
	Tenant        TenantID
	Agent         ApplicationID
	User          AgentUserID // zero = any
	Keyword       string      // a part of the title, the summary, or a name or address of the user, in any case; "" = any
	From, Until   time.Time   // of Modified, both inclusive; zero = no bound
	WithFeedbacks bool        // only those with one
	ByModified    bool        // in order of Modified, else of Created; equals go by id
	Ascending     bool
	Offset, Limit int
}

// AgentConversations keeps what the agent-conversations surface knows.
type AgentConversations interface {
	PutAgentUser(ctx context.Context, u AgentUser) error // in place of the one of its ID; Created stays
	AgentUser(ctx context.Context, tenant TenantID, agent ApplicationID, id AgentUserID) (AgentUser, error)
	// FindAgentUser is the oldest user with that foreign id, that e-mail address in any case, or that number: the first of these that is
	// not empty decides. NotFound if there is none, or nothing was asked for.
	FindAgentUser(ctx context.Context, tenant TenantID, agent ApplicationID, foreignID, email, phone string) (AgentUser, error)
	DeleteAgentUser(ctx context.Context, tenant TenantID, agent ApplicationID, id AgentUserID) error

	// PutAgentConversation keeps one in place of that of its conversation; Created, user and channel stay. NotFound if there is no such
	// conversation or user.
	PutAgentConversation(ctx context.Context, a AgentConversation) error
	// AgentConversation is the one of that agent's; NotFound if there is none.
	AgentConversation(ctx context.Context, tenant TenantID, agent ApplicationID, id ConversationID) (AgentConversation, error)
	// ListAgentConversations is a page, and how many there are in all.
	ListAgentConversations(ctx context.Context, q AgentQuery) ([]AgentConversation, int, error)
	// DeleteAgentConversation removes what is known of one, with its feedbacks; NotFound if there is none.
	DeleteAgentConversation(ctx context.Context, tenant TenantID, agent ApplicationID, id ConversationID) error
	// DeleteAgent removes everything that is known of an agent's users and conversations.
	DeleteAgent(ctx context.Context, tenant TenantID, agent ApplicationID) error
	// JudgeableAgentConversations are those of all tenants whose JudgeAt has come; who waits longest comes first.
	JudgeableAgentConversations(ctx context.Context, now time.Time, limit int) ([]AgentConversation, error)

	// AgentStates are those of a tenant in its order; those that every tenant begins with are made if there are none, so it needs an Update.
	AgentStates(ctx context.Context, tenant TenantID) ([]AgentState, error)
	// PutAgentStates keeps these, in this order, in place of all that the tenant had; Created stays. Conversations lose a state that is gone.
	PutAgentStates(ctx context.Context, tenant TenantID, states []AgentState) error

	// PutFeedback keeps a feedback in place of the same user's about the same message, whose ID and Created it keeps, and returns it.
	PutFeedback(ctx context.Context, tenant TenantID, f Feedback) (Feedback, error)
	// Feedbacks are those of conversations, oldest first.
	Feedbacks(ctx context.Context, tenant TenantID, conversations []ConversationID) (map[ConversationID][]Feedback, error)

	// PutAgentFile notes that a file belongs to a conversation; AgentFile is the conversation of one, NotFound if it is no such file.
	PutAgentFile(ctx context.Context, tenant TenantID, file AssetID, conversation ConversationID) error
	AgentFile(ctx context.Context, tenant TenantID, file AssetID) (ConversationID, error)
}
