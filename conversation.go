package parley

import (
	"encoding/json"
	"slices"
	"time"
)

// A Conversation is an ordered thread of messages with the state that routing needs. The hub holds the state of active
// conversations in memory; the store holds all of them.
type Conversation struct {
	ID      ConversationID
	Tenant  TenantID
	Account AccountID

	// Hot: written with every message.
	Epoch   int64     // grows when the owner changes, and with every other change that adds no message
	Seq     int64     // of the last message; 0 before the first
	Touched time.Time // when the last message was stored; the idle timeout counts from here
	Waiting time.Time // since when the owner owes the customer an answer; zero = it does not
	WakeAt  time.Time // not later than the next deadline; zero = none (ended)

	Status Status
	Owner  Owner
	State  ConversationState

	Created time.Time
	Ended   time.Time // zero while open
}

// Status says whether a conversation can take messages.
type Status string

const (
	Open  Status = "open"
	Ended Status = "ended"
)

// OwnerKind says what kind of party has the turn.
type OwnerKind string

const (
	OwnerNone  OwnerKind = "none"  // ended
	OwnerBot   OwnerKind = "bot"   // the bot answers
	OwnerQueue OwnerKind = "queue" // waits for an agent
	OwnerAgent OwnerKind = "agent" // an agent program answers
)

// An Owner has the turn: at any Seq exactly one party (guarantee G6). For OwnerQueue the application is the agent
// program that is waited for.
type Owner struct {
	Kind        OwnerKind     `json:"kind"`
	Application ApplicationID `json:"application,omitzero"`
	Role        Role          `json:"role,omitempty"`
	Participant ParticipantID `json:"participant,omitzero"` // bots only
	Name        string        `json:"name,omitempty"`       // of the bot, or of the agent who joined
}

// ConversationState is the part of a conversation that changes seldom; the store keeps it as one JSON object and
// writes it only when a step says that it changed. Slices are replaced, never changed in place.
type ConversationState struct {
	ChannelType         string          `json:"channelType"`
	Address             string          `json:"address"`
	Language            string          `json:"language,omitempty"`
	EntryPoint          string          `json:"entryPoint,omitempty"`
	LookupContact       string          `json:"lookupContact,omitempty"`
	ConversationContact string          `json:"conversationContact,omitempty"`
	ClientInfo          json.RawMessage `json:"clientInfo,omitempty"`
	Customer            CustomerData    `json:"customer"`
	Parties             []Party         `json:"parties"`             // index = slot; the customer is slot 0
	Escalated           bool            `json:"escalated,omitempty"` // was ever given to agents
	Held                bool            `json:"held,omitempty"`      // the queue's agent program is unavailable: messages are retained
	HeldTold            bool            `json:"heldTold,omitempty"`  // msg_hub_retain_and_retry was sent
	TriedBots           []ParticipantID `json:"triedBots,omitempty"`
	TriedAgents         []ApplicationID `json:"triedAgents,omitempty"`
	Previous            ConversationID  `json:"previous,omitzero"` // same case: the customer's conversation before this one
	Case                ConversationID  `json:"case,omitzero"`     // first conversation of the case
	Bot                 BotState        `json:"bot,omitzero"`
	Campaign            Campaign        `json:"campaign,omitzero"`
	Import              Import          `json:"import,omitzero"` // of a conversation that took place elsewhere
}

// Manual says whether people answer: the mode of the agent-conversations surface.
func (c *Conversation) Manual() bool { return c.Owner.Kind != OwnerBot || c.State.Bot.Leaving }

// A BotState is what a conversation with a bot carries along.
type BotState struct {
	Asked      bool            `json:"asked,omitempty"`   // somebody waits for the answers: its turns are kept, whoever the bot is
	Lasting    bool            `json:"lasting,omitempty"` // neither bot nor agent ends it: it goes back to the bot
	Leaving    bool            `json:"leaving,omitempty"` // it is people's once the open turns are over
	Test       bool            `json:"test,omitempty"`    // begun as a test: flows in DRAFT answer, figures leave it out
	Background string          `json:"background,omitempty"`
	Active     time.Time       `json:"active,omitzero"` // when the last question was asked that was answered, or was people's
	Contexts   Contexts        `json:"contexts,omitzero"`
	Connector  json.RawMessage `json:"connector,omitempty"` // the connector's own
	Open       []OpenTurn      `json:"open,omitempty"`      // turns that are not over, oldest first; the first one is the bot's to answer
}

// An OpenTurn is a turn that is not over.
type OpenTurn struct {
	Seq      int64     `json:"seq"` // of the question
	Question MessageID `json:"question"`
	Request  string    `json:"request,omitempty"`
	Opened   time.Time `json:"opened"`
	First    int64     `json:"first,omitempty"` // Seq of the first and last answer so far
	Last     int64     `json:"last,omitempty"`
	Settles  time.Time `json:"settles,omitzero"` // it is over then unless there is another answer
}

// CustomerData is what is known of the customer.
type CustomerData struct {
	Name       string      `json:"name,omitempty"`
	Type       string      `json:"type,omitempty"`
	Attributes []NameValue `json:"attributes,omitempty"`
	Contacts   []Contact   `json:"contacts,omitempty"`
}

// A Contact is one address of a customer.
type Contact struct {
	Type    string `json:"type"`
	SubType string `json:"subType,omitempty"`
	Address string `json:"address"`
}

// A Party is someone messages of a conversation may be addressed to. Its place in the list is its slot, a bit in
// [Message.To]; parties are never removed, so a slot keeps its meaning.
type Party struct {
	Application ApplicationID `json:"application,omitzero"` // zero: the customer of a channel without a customer program
	Role        Role          `json:"role"`
	Participant ParticipantID `json:"participant,omitzero"`
	Name        string        `json:"name,omitempty"`
	Callback    bool          `json:"callback,omitempty"` // messages are owed to it through a Lane
}

// MaxParties is how many parties a conversation may see in its life: one bit each in [Message.To], the sign and [Held] apart.
const MaxParties = 62

// Held in [Message.To] marks a message that waits in the hub for an agent program: it is addressed to that program's slot
// when the conversation is released.
const Held int64 = 1 << 62

// CustomerSlot is the customer's place in the list of parties.
const CustomerSlot = 0

// Slot is the place of the party with that application, role and participant, -1 if there is none.
func (s *ConversationState) Slot(app ApplicationID, role Role, participant ParticipantID) int {
	return slices.IndexFunc(s.Parties, func(p Party) bool {
		return p.Application == app && p.Role == role && p.Participant == participant
	})
}

// Contact is the contact that identifies the customer: the one that LookupContact names ("phone.mobile"), else the
// first; ok is false if there is none.
func (s *ConversationState) Contact() (c Contact, ok bool) {
	return PickContact(s.LookupContact, s.Customer.Contacts)
}

// PickContact is the contact of that kind, "type" or "type.subType", else the first.
func PickContact(kind string, contacts []Contact) (c Contact, ok bool) {
	for _, c := range contacts {
		if kind != "" && (c.Type == kind || c.Type+"."+c.SubType == kind) {
			return c, true
		}
	}
	if len(contacts) == 0 {
		return Contact{}, false
	}
	return contacts[0], true
}
