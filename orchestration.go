package parley

// An Orchestration says who takes part in a conversation and in which order: bots first, then agents.
type Orchestration struct {
	ID OrchestrationID `json:"-"`
	Base
	Bots     *BotConfiguration `json:"bots,omitempty"`
	Agents   []AgentReference  `json:"agents,omitempty"`  // nil = no agent configuration
	Customer ApplicationID     `json:"customer,omitzero"` // application that gets the replies on custom channels
}

// BotConfiguration is the part of the bots.
type BotConfiguration struct {
	ForwardTranscript bool           `json:"forwardTranscript"` // hand the transcript over when a bot-only conversation ends
	BypassMinutes     float64        `json:"bypassMinutes"`     // customer back within this time skips the bot; 0 = off
	Bots              []BotReference `json:"bots"`              // the first whose objects are active is the entry bot
}

// A BotReference names a bot program and the persona it plays.
type BotReference struct {
	Application ApplicationID `json:"application"`
	Participant ParticipantID `json:"participant"`
	EscalateTo  ApplicationID `json:"escalateTo,omitzero"` // agent program that takes over; zero = the first agent
}

// An AgentReference names an agent program.
type AgentReference struct {
	Application ApplicationID `json:"application"`
}

// An Account is a business address on a Channel, tied to an Orchestration.
type Account struct {
	ID AccountID `json:"-"`
	Base
	Address            string          `json:"address"`
	Channel            ChannelID       `json:"channel"`
	Orchestration      OrchestrationID `json:"orchestration"`
	EntryPoint         string          `json:"entryPoint,omitempty"` // routing key for the agent program, opaque to us
	SameCaseMinutes    float64         `json:"sameCaseMinutes,omitempty"`
	CopyAttributes     bool            `json:"copyAttributes,omitempty"` // with bypass: copy attributes of the previous conversation
	CaseManagement     bool            `json:"caseManagement,omitempty"` // the object was present
	TimeoutMinutes     float64         `json:"timeoutMinutes"`           // idle time after which the conversation is over
	DefaultLanguage    string          `json:"defaultLanguage"`
	Unavailable        Unavailability  `json:"unavailable"`
	LogoutWithOpen     bool            `json:"logoutWithOpen,omitempty"`
	QueueIfUnavailable bool            `json:"queueIfUnavailable,omitempty"`
	Options            []NameValue     `json:"options,omitempty"`
}

// Option is the value of the account's option of that name, "" if it has none.
func (a *Account) Option(name string) string {
	for _, o := range a.Options {
		if o.Name == name {
			return o.Value
		}
	}
	return ""
}

// Options of a web_chat account that Parley reads; they are ours, vendor clients do not know them.
const (
	OptionAnonymous      = "anonymous"      // "true": the widget may be used without a signed identity
	OptionAllowedOrigins = "allowedOrigins" // blank-separated origins of pages that may hold the widget; "" = same origin
)

// Unavailability says what happens when no agent can take a conversation.
type Unavailability string

const (
	OffHours       Unavailability = "off_hours"        // say so, then end
	RetainAndRetry Unavailability = "retain_and_retry" // hold the messages until an agent is there
)
