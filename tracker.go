package parley

import "time"

// A Tracker looks for a meaning in what is said: for its phrases, word by word, and for sentences of similar meaning.
type Tracker struct {
	Number      Number
	Tenant      TenantID
	Name        string
	Description string
	Categories  []string
	Languages   []string // codes as en-US of the conversations that it looks at
	Vocabulary  []string // phrases, of which one is enough
	Exclude     []string // a message that has one of these word by word is no hit
	Action      TrackerAction
	Created     time.Time
	Modified    time.Time
}

// A TrackerAction is what a hit does in an open conversation, besides being recorded; the zero one does nothing. It is ours, vendor
// clients do not know it.
type TrackerAction struct {
	Label    string        `json:"label,omitempty"`    // is put on the conversation
	Callback bool          `json:"callback,omitempty"` // whoever has the turn hears of it
	HandOver bool          `json:"handOver,omitempty"` // from a bot to an agent program, when the customer said it
	To       ApplicationID `json:"to,omitzero"`        // of HandOver; zero, or not part of the orchestration = the next one
}

// IsZero says whether a hit does nothing besides.
func (a TrackerAction) IsZero() bool { return a == TrackerAction{} }

// An Entity is a list of words that mean one thing, as "cargo max" means a model of vans. They are found word by word only.
type Entity struct {
	Number   Number
	Tenant   TenantID
	Type     string
	SubType  string // unique within its type
	Values   []string
	Created  time.Time
	Modified time.Time
}

// A Group is the conversations that satisfy its criteria at the moment somebody asks.
type Group struct {
	Number      Number
	Tenant      TenantID
	Name        string
	Description string
	Criteria    string
	Created     time.Time
	Modified    time.Time
}

// UserSettings are those of a tenant on the manage surface, as the JSON object that it shows under "settings", without its id.
type UserSettings struct {
	Number   Number // made with the first setting
	Tenant   TenantID
	Document []byte // JSON object; empty = nothing is set
}
