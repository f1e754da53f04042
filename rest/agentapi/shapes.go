package agentapi

import (
	"encoding/json"
	"strings"

	"parley"
	"parley/ident"
	"parley/rest/api"
)

// metadata is where custom data is shown.
type metadata struct {
	CustomData json.RawMessage `json:"customData,omitempty"`
}

// A user is one as it is shown (reference 3.2).
type user struct {
	ID           string   `json:"id"`
	FirstName    string   `json:"firstName"`
	LastName     string   `json:"lastName"`
	Context      string   `json:"context,omitempty"`
	Source       string   `json:"source,omitempty"`
	ForeignID    string   `json:"fkId,omitempty"`
	ForeignUser  string   `json:"fkUserId,omitempty"`
	Email        string   `json:"email,omitempty"`
	Phone        string   `json:"phoneNumber,omitempty"`
	Metadata     metadata `json:"metadata"`
	IsAnonymized bool     `json:"isAnonymized"`
}

func showUser(u *parley.AgentUser) user {
	return user{ID: u.ID.String(), FirstName: u.FirstName, LastName: u.LastName, Context: u.Context, Source: u.Source, ForeignID: u.ForeignID, ForeignUser: u.ForeignUserID,
		Email: u.Email, Phone: u.Phone, Metadata: metadata{u.CustomData}, IsAnonymized: u.Anonymised}
}

// A conversation is one as it is shown (reference 3.1).
type conversation struct {
	ID           string     `json:"id"`
	UserID       string     `json:"conversationUserId"`
	Title        string     `json:"title,omitempty"`
	Score        *float64   `json:"score,omitempty"`
	Summary      string     `json:"summary,omitempty"`
	PublicID     string     `json:"aiConversationId"`
	Metadata     metadata   `json:"metadata"`
	CallID       string     `json:"aiCallId,omitempty"`
	Mode         string     `json:"mode"`
	State        string     `json:"conversationStateId,omitempty"`
	User         user       `json:"user"`
	CreatedAt    api.Time   `json:"createdAt"`
	UpdatedAt    api.Time   `json:"updatedAt"`
	Assigned     *colleague `json:"assignedUser"`
	IsAnonymized bool       `json:"isAnonymized"`

	Feedbacks *[]feedback `json:"feedbacks,omitempty"` // nil where the operation does not show them
}

// The modes of a conversation.
const (
	modeAI     = "ai"
	modeManual = "manual"
)

func showConversation(a *parley.AgentConversation) conversation {
	out := conversation{ID: a.Conversation.ID.String(), UserID: a.User.ID.String(), Title: a.Title, Score: a.Score, Summary: a.Summary, PublicID: a.PublicID, Metadata: metadata{a.CustomData},
		CallID: a.CallID, Mode: modeAI, State: a.State.String(), User: showUser(&a.User), CreatedAt: api.Time(a.Created), UpdatedAt: api.Time(a.Modified()), Assigned: assigned(&a.Conversation),
		IsAnonymized: a.Anonymised}
	if a.Conversation.Manual() {
		out.Mode = modeManual
	}
	return out
}

// A colleague is who has a conversation, as it is shown (reference 3.3). Whoever joins says a name and nothing else.
type colleague struct {
	ID        string  `json:"id"`
	FirstName string  `json:"firstName"`
	LastName  string  `json:"lastName"`
	Email     string  `json:"email"`
	Avatar    *string `json:"avatarUrl"`
	Phone     *string `json:"phoneNumber"`
}

// assigned is who has a conversation; nil if that is the bot, a queue, or somebody who did not say a name.
func assigned(c *parley.Conversation) *colleague {
	name := strings.TrimSpace(c.Owner.Name)
	if c.Owner.Kind != parley.OwnerAgent || name == "" {
		return nil
	}
	first, last := name, ""
	if i := strings.LastIndexByte(name, ' '); i > 0 {
		first, last = strings.TrimSpace(name[:i]), name[i+1:]
	}
	return &colleague{ID: ident.Colleague(c.Owner.Application, name).String(), FirstName: first, LastName: last}
}

// withFeedbacks shows a conversation with what users thought of its messages.
func withFeedbacks(a *parley.AgentConversation, all []parley.Feedback) conversation {
	out := showConversation(a)
	shown := make([]feedback, len(all))
	for i := range all {
		shown[i] = showFeedback(&all[i])
	}
	out.Feedbacks = &shown
	return out
}

// A feedback is one as it is shown with a conversation (reference 3.4), or without its times with a message.
type feedback struct {
	ID        string    `json:"id"`
	VoteType  string    `json:"voteType"`
	Question  *string   `json:"question"`
	Answer    *string   `json:"answer"`
	Comment   *string   `json:"comment"`
	UserEmail *string   `json:"userEmail"`
	CreatedAt *api.Time `json:"createdAt,omitempty"`
	UpdatedAt *api.Time `json:"updatedAt,omitempty"`
}

func voteOf(up bool) string {
	if up {
		return "up"
	}
	return "down"
}

func showFeedback(f *parley.Feedback) feedback {
	return feedback{ID: f.ID.String(), VoteType: voteOf(f.Up), Question: f.Question, Answer: f.Answer, Comment: f.Comment, UserEmail: api.Some(f.Email),
		CreatedAt: new(api.Time(f.Created)), UpdatedAt: new(api.Time(f.Modified))}
}

// A state is one as it is shown (reference 3.6).
type state struct {
	ID           string   `json:"id"`
	Name         string   `json:"name"`
	Description  *string  `json:"description"`
	Color        *string  `json:"color"`
	IsPersistent bool     `json:"isPersistent"`
	CreatedAt    api.Time `json:"createdAt"`
	UpdatedAt    api.Time `json:"updatedAt"`
}

func showState(s parley.AgentState) state {
	return state{ID: s.ID.String(), Name: s.Name, Description: api.Some(s.Description), Color: api.Some(s.Color), IsPersistent: s.Persistent, CreatedAt: api.Time(s.Created), UpdatedAt: api.Time(s.Modified)}
}

// A message is one as it is shown (reference 3.5).
type message struct {
	ID           string      `json:"id"`
	Message      string      `json:"message"`
	RawMessage   string      `json:"rawMessage,omitempty"`
	Conversation string      `json:"conversationId"`
	SenderRole   string      `json:"senderRole"`
	Question     string      `json:"conversationMessageId"`
	Source       string      `json:"source"`
	CreatedAt    api.Time    `json:"createdAt"`
	Feedbacks    *[]feedback `json:"conversationMessageFeedbacks,omitempty"` // nil where they were not asked for
	Full         *fullAnswer `json:"fullAIResponse,omitempty"`
	SubAgent     *string     `json:"subagentId"`
	Expanded     *string     `json:"expandedMessage"`
	Files        []file      `json:"files"`
	IsAnonymized bool        `json:"isAnonymized"` // always false: what was scrubbed is not shown

	seq int64
}

// A fullAnswer is what an agent said and thought. Connectors tell no reasons and cite nothing.
type fullAnswer struct {
	Reasoning     *[]string   `json:"reasoning"`
	OutputText    string      `json:"outputText"`
	URLCitations  *[]struct{} `json:"urlCitations"`
	FileCitations *[]struct{} `json:"fileCitations"`
}

// A file is one that a message has.
type file struct {
	ID        string   `json:"id"`
	Name      string   `json:"fileName"`
	AIFileID  string   `json:"openAIFileId"`
	Size      *int64   `json:"size"`
	CreatedAt api.Time `json:"createdAt"`
	UpdatedAt api.Time `json:"updatedAt"`
}
