package hub

import (
	"context"

	"parley"
)

// A PostRequest is what one caller wants said, in one conversation, together or not at all.
type PostRequest struct {
	Speaker parley.Speaker
	Surface string // for metrics: "conversationmgr", "ws", …
	Drafts  []parley.Draft
}

// A Posted says where a message is.
type Posted struct {
	Conversation parley.ConversationID
	ID           parley.MessageID
	MessageID    string // as sent, else the text of ID
	Seq          int64  // 0 for messages that are not stored
}

// Post adds messages to a conversation and tells everyone concerned.
//
// It returns once they are committed; delivery goes on after that. A repeat of a sender's messageId returns the first
// result, so a caller who lost the answer may simply call again.
func (h *Hub) Post(ctx context.Context, r PostRequest) ([]Posted, error) { panic("soon") }

// Ended returns a completed conversation with its stored messages and how far they were delivered. NotFound while it
// is open, for what belongs to another tenant, and after retention.
func (h *Hub) Ended(ctx context.Context, tenant parley.TenantID, id parley.ConversationID) (parley.Conversation, []parley.Message, parley.DeliveryStates, error) {
	panic("soon")
}

// EndAccount ends every open conversation of an account; called before the account is deleted.
func (h *Hub) EndAccount(ctx context.Context, tenant parley.TenantID, account parley.AccountID) error {
	panic("soon")
}

// ConfigChanged forgets what the hub had cached of a tenant's configuration, here and on the other nodes.
func (h *Hub) ConfigChanged(ctx context.Context, tenant parley.TenantID) { panic("soon") }

type Hub struct{}
