package parley

// A Hook makes a [ClientApplication] hear of what happens in the conversations of a bot: a webhook of the agent-conversations surface. It
// is a party of those conversations in the role [BusinessNotification], which never speaks, so its events are deliveries like all others.
type Hook struct {
	Agent       ApplicationID `json:"agent"`
	Title       string        `json:"title"`
	Description string        `json:"description"`
	Trigger     HookTrigger   `json:"trigger"`
}

// A HookTrigger says of what a [Hook] hears (reference/agent-conversations.md 5).
type HookTrigger string

const (
	HookMessage     HookTrigger = "each_message"               // of customers, bots and people
	HookStart       HookTrigger = "start_dialog"               // the first message of a conversation
	HookEnd         HookTrigger = "end_dialog"                 // somebody ended it
	HookUnavailable HookTrigger = "chat_currently_unavailable" // nobody is there to take over
	HookArchive     HookTrigger = "auto_archive_conversation"  // it ended by itself, since nothing was said any more
	HookManual      HookTrigger = "manual"                     // it was given to people
)

// HookTriggers lists every trigger.
func HookTriggers() []HookTrigger {
	return []HookTrigger{HookMessage, HookEnd, HookStart, HookUnavailable, HookArchive, HookManual}
}

// MaxHooks is how many hooks a bot may have: each is a party of its conversations.
const MaxHooks = 10
