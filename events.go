package parley

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// A TrackedEvent is something that a program outside tells of: an order was placed, a page was looked at (reference/analytics.md 9). It is
// no message and changes nothing; figures count it, and subscriptions tell of it.
type TrackedEvent struct {
	Key          int64  // its place in the order in which events came; zero until stored
	ID           string // the sender's, or one that the hub made; unique for the bot
	Tenant       TenantID
	Bot          ApplicationID
	Version      string         // VersionDraft or VersionLive
	Name         string         // what happened: order_placed
	User         string         // whose event it is, as the sender calls them; "" = not told, or forgotten
	Conversation ConversationID // in which it happened; zero = in none. It need not be one of the hub's
	Called       string         // what the sender calls the conversation
	Campaign     Campaign
	Attributes   json.RawMessage // an object of texts, numbers and booleans
	At           time.Time       // the sender's clock, milliseconds
	Received     time.Time       // the hub's
}

// What an event may be. Texts are counted in bytes, since the database's indexes are.
const (
	MaxEventText       = 255 // id, name, user and conversation
	MaxAttributes      = 50
	MaxAttributeName   = 100
	MaxAttributeValue  = 1000 // of a text
	MaxEventNames      = 1000 // different names of one bot's events
	MaxEventAhead      = 24 * time.Hour
	MaxEventDefinition = 1000 // of a description
)

// An EventDefinition says what a bot's events of one name are. Each name that was tracked has one, which nobody wrote until Defined.
type EventDefinition struct {
	Tenant      TenantID         `json:"-"`
	Bot         ApplicationID    `json:"-"`
	Name        string           `json:"-"`
	Defined     bool             `json:"-"`
	Description string           `json:"description,omitempty"`
	Attributes  []EventAttribute `json:"attributes,omitempty"`
	Created     time.Time        `json:"-"`
	Modified    time.Time        `json:"-"`
}

// An EventAttribute is one that events of a name have.
type EventAttribute struct {
	Key         string        `json:"key"`
	Type        AttributeType `json:"type"`
	Description string        `json:"description,omitempty"`
}

// An AttributeType is what the values of an attribute are. Nothing holds events to it.
type AttributeType string

const (
	AttributeText    AttributeType = "string"
	AttributeNumber  AttributeType = "number"
	AttributeBoolean AttributeType = "boolean"
)

// AttributeTypes lists every type.
func AttributeTypes() []AttributeType {
	return []AttributeType{AttributeText, AttributeNumber, AttributeBoolean}
}

// AttributeValues are an event's attributes with their values as texts: a boolean is true or false, and a number has one text however it
// was written, so that 7.50 is 7.5. Whole numbers stay as they are: they may be ids of many digits.
func AttributeValues(attributes json.RawMessage) (map[string]string, error) {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(attributes, &raw); err != nil {
		return nil, err
	}
	values := make(map[string]string, len(raw))
	for name, v := range raw {
		var text string
		if len(v) > 0 && v[0] == '"' {
			if err := json.Unmarshal(v, &text); err != nil {
				return nil, err
			}
		} else {
			text = string(v)
			if f, err := strconv.ParseFloat(text, 64); err == nil && strings.ContainsAny(text, ".eE") {
				text = strconv.FormatFloat(f, 'g', -1, 64)
			}
		}
		values[name] = text
	}
	return values, nil
}

// An EventQuery says which events are wanted. What is zero does not matter.
type EventQuery struct {
	Tenant       TenantID // required
	Bot          ApplicationID
	Version      string
	Names        []string
	User         string
	Conversation ConversationID
	Campaign     string    // its id
	From, Until  time.Time // by the sender's clock, the later one excluded
	Before       int64     // Key smaller than this
	Limit        int
}

// A NamePlace is where a page of definitions ends: they go by name, then by bot.
type NamePlace struct {
	Name string
	Bot  ApplicationID
}

// Events keeps what programs outside tell of.
type Events interface {
	// TrackEvent keeps an event, its name among the bot's definitions, and what is owed of it to subscriptions. An event whose ID is there
	// already is left as it is: then added is false, and the event becomes what it was. Invalid if the name would be one too many. Of a
	// conversation that was forgotten an event is kept without user and attributes.
	TrackEvent(ctx context.Context, e *TrackedEvent) (added bool, err error)
	// TrackedEvents are those of a query, the newest first, at most Limit.
	TrackedEvents(ctx context.Context, q EventQuery) ([]TrackedEvent, error)
	// EachUsersEvents calls fn for the events of a query that have a user: all of one user's together, in order of time. fn must not use
	// the transaction.
	EachUsersEvents(ctx context.Context, q EventQuery, fn func(*TrackedEvent) error) error
	// EventDefinitions are those of a bot, or of all bots of a tenant if it is zero, by name and bot, after a place, at most limit.
	EventDefinitions(ctx context.Context, tenant TenantID, bot ApplicationID, after NamePlace, limit int) ([]EventDefinition, error)
	// DefineEvent keeps a definition in place of the one of its name. It sets Created. Invalid if the name would be one too many.
	DefineEvent(ctx context.Context, d *EventDefinition) error
	// EventValues are the different values that an attribute has in a bot's events and that have a text in them, in any case, in order,
	// at most limit.
	EventValues(ctx context.Context, tenant TenantID, bot ApplicationID, attribute, has string, limit int) ([]string, error)
	// ForgetEventsOf takes the user and the attributes from every event of a user, and says of how many. The events stay: their ids keep
	// them from being told again.
	ForgetEventsOf(ctx context.Context, tenant TenantID, user string) (int, error)
}
