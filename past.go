package parley

import (
	"cmp"
	"context"
	"encoding/json"
	"strings"
	"time"
)

// A Campaign is where a customer came from, as the channel said it when the conversation began. The zero Campaign is none.
type Campaign struct {
	ID      string `json:"id,omitempty"`
	Source  string `json:"source,omitempty"`
	Medium  string `json:"medium,omitempty"`
	Name    string `json:"name,omitempty"`
	Content string `json:"content,omitempty"`
	Term    string `json:"term,omitempty"`
}

// MaxCampaign bounds each member of a [Campaign], in bytes.
const MaxCampaign = 255

// Cut is the campaign with its members trimmed to what is kept of them: a channel that says too much loses no conversation by it.
func (c Campaign) Cut() Campaign {
	for _, member := range []*string{&c.ID, &c.Source, &c.Medium, &c.Name, &c.Content, &c.Term} {
		*member = cut(strings.TrimSpace(*member), MaxCampaign)
	}
	return c
}

// cut is the beginning of a text, of whole characters in so many bytes.
func cut(s string, limit int) string {
	s = strings.ToValidUTF8(s, "")
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "")
}

// CampaignIn is the campaign in an open context of a bot, which channels write: the member "campaign", an object, or a text that is its
// id. What is neither is none.
func CampaignIn(open json.RawMessage) Campaign {
	var context struct {
		Campaign json.RawMessage `json:"campaign"`
	}
	if len(open) == 0 || json.Unmarshal(open, &context) != nil {
		return Campaign{}
	}
	var id string
	if json.Unmarshal(context.Campaign, &id) == nil {
		return Campaign{ID: id}.Cut()
	}
	var members map[string]any
	if json.Unmarshal(context.Campaign, &members) != nil {
		return Campaign{}
	}
	text := func(name string) string {
		switch v := members[name].(type) {
		case string:
			return v
		case float64: // an id may be a number
			n, _ := json.Marshal(v) // a number that was read can be written
			return string(n)
		}
		return ""
	}
	return Campaign{text("id"), text("source"), text("medium"), text("name"), text("content"), text("term")}.Cut()
}

// An Import is what is known of a conversation that took place in another system. The zero Import is none: the conversation took place here.
type Import struct {
	ID         string    `json:"id,omitempty"`        // what the other system calls it
	EndedBy    EndedBy   `json:"endedBy,omitempty"`   // "" = not told
	HandedOver time.Time `json:"handedOver,omitzero"` // when a human was asked for; zero = never
	Score      *float64  `json:"score,omitempty"`     // from 0 to 10, how well it went; nil = not told
}

// An EndedBy says who ended a conversation.
type EndedBy string

const (
	EndedByBot      EndedBy = "bot"
	EndedByAgent    EndedBy = "agent"
	EndedByCustomer EndedBy = "customer"
	EndedByTimeout  EndedBy = "timeout"
)

// A PastConversation is an imported conversation as it is stored: over, whole, and owed to nobody.
type PastConversation struct {
	Conversation Conversation // its ID follows from that of the other system, see [parley/ident.Imported]
	Messages     []Message    // Seq 1 to n
	Survey       *Survey      // what the customer thought of it; nil = nothing
}

// ExternalID is what the conversation is called by whoever imported it, else by the hub.
func (c *Conversation) ExternalID() string { return cmp.Or(c.State.Import.ID, c.ID.String()) }

// An ExportQuery selects conversations of a tenant; zero members select all.
type ExportQuery struct {
	Tenant      TenantID // required
	After, Upto int64    // keys: those after the first, up to the second, both required
	From, Until time.Time
	Status      Status
	Limit       int
}

// An ExportedConversation is one with what is kept beside it and its messages. Its Key is its place in the order in which conversations
// became part of the record.
type ExportedConversation struct {
	Key          int64
	Conversation Conversation
	Survey       *Survey
	Score        *float64 // from 0 to 10; nil = not scored
}

// History takes whole conversations in and gives them out.
type History interface {
	// Import stores those that are not there yet, and says which they are; another one is there already if its ID is, or, where the
	// other system's id is one of the tenant's own conversations, if that is. Nothing is owed to anybody for them.
	Import(ctx context.Context, tenant TenantID, all []PastConversation) (made map[ConversationID]bool, err error)
	// Exported are conversations in the order of their keys.
	Exported(ctx context.Context, q ExportQuery) ([]ExportedConversation, error)
}
