package parley

import (
	"context"
	"time"
)

// A BotSession is what the broker surface knows of a conversation beside it.
type BotSession struct {
	Tenant       TenantID
	Conversation ConversationID
	Bot          ApplicationID
	BusinessKey  string    // who the customer is to the business; "" = not told
	Told         time.Time // when the channel heard what people said at its end, in seconds; zero = it did not
	ToldTo       uint32    // which request heard it: 31 bits made of its name; 0 = it had none
	Created      time.Time
}

// A Rating says whether an answer helped.
type Rating struct {
	Conversation ConversationID
	Seq          int64  // of the answer
	Requester    string // who rates
	Helpful      bool
	At           time.Time
}

// A Survey is what a customer thought of a session.
type Survey struct {
	ID           MessageID
	Conversation ConversationID
	Evaluation   int // 1 to 5; 0 = none
	Answered     bool
	Comments     string
	At           time.Time
}

// BotSessions keeps what the broker surface knows beside conversations.
type BotSessions interface {
	// PutBotSession keeps a session in place of the one of its conversation; Created stays. NotFound if there is no such conversation.
	PutBotSession(ctx context.Context, s BotSession) error
	// BotSession is the one of a conversation; NotFound if there is none.
	BotSession(ctx context.Context, tenant TenantID, conversation ConversationID) (BotSession, error)
	// BotSessionsOf are the newest sessions of a business key, newest first, at most limit.
	BotSessionsOf(ctx context.Context, tenant TenantID, businessKey string, limit int) ([]BotSession, error)
	// Interaction is where a message of a conversation is in which somebody waits for answers; NotFound if there is none of that id.
	Interaction(ctx context.Context, tenant TenantID, id MessageID) (ConversationID, int64, error)
	// PutRating keeps a rating in place of the one of its answer; Ratings are those of a conversation by Seq.
	PutRating(ctx context.Context, tenant TenantID, r Rating) error
	Ratings(ctx context.Context, tenant TenantID, conversation ConversationID) (map[int64]Rating, error)
	// PutSurvey keeps a survey in place of the one of its conversation. Survey is that of a conversation; NotFound if there is none. Of a forgotten
	// conversation neither comments nor who rated it are kept.
	PutSurvey(ctx context.Context, tenant TenantID, s Survey) error
	Survey(ctx context.Context, tenant TenantID, conversation ConversationID) (Survey, error)
}
