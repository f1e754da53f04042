package parley

import "encoding/json"

// A Draft is a message as its sender wrote it, before the hub has seen it.
type Draft struct {
	Conversation ConversationID // zero = start a new one; customers only
	Type         MessageType
	Sender       Role
	Body         Body
	After        int64 // is taken only if nothing was said after the message with this Seq, on whatever node, else Conflict; 0 = whatever was said

	// The rest starts a conversation, or updates the customer's data of one that goes on.
	ChannelType         string
	Address             string
	EntryPoint          string
	Language            string
	LookupContact       string
	ConversationContact string
	ClientInfo          json.RawMessage // an object; nil = not told
	Customer            *CustomerData   // nil = not told
	Asks                bool            // somebody waits for the answer: the turn is kept, see [Turn]
	Test                bool            // starts a test
	Campaign            Campaign        // where the customer came from
	Background          *string         // for bots, about customer and conversation; nil = not told
	NewID               ConversationID  // starts a conversation under this id; zero = the hub makes one
}

// A Speaker is who a credential lets one speak as.
type Speaker struct {
	Tenant      TenantID
	Application ApplicationID // zero = unbound: the sender's role says who speaks
	Roles       []Role        // with Application: only as these; empty = all roles the application has
	// Contact is set for a customer's own session: it may speak only as this customer on this account, and only in
	// conversations of that contact.
	Contact string
	Account AccountID
}
