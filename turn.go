package parley

import (
	"cmp"
	"encoding/json"
	"time"
)

// A Turn is one input to a bot and all its answers. Turns are kept for conversations in which somebody waits for the answer, or
// whose bot answers in turns: see [Connector]. In one conversation they go one after the other.
type Turn struct {
	Conversation ConversationID
	Seq          int64     // of the question: what the customer said
	Question     MessageID // its id
	Request      string    // how whoever asked calls the request (x-request-id); "" = not at all
	Status       TurnStatus
	Failure      TurnFailure // why it failed
	Problem      string      // the same for people; holds no secret
	First, Last  int64       // Seq of the first and last answer; 0 = there is none
	Result       TurnResult  // what else there is to say about the answers
	Opened       time.Time
	Closed       time.Time // zero while it is open
	ClosedSeq    int64     // of its last answer, or what else was said last before it was over; the store notes it. 0 while it is open, or not known
}

// A TurnStatus says how far a turn is.
type TurnStatus string

const (
	TurnOpen     TurnStatus = "open"     // nobody has answered yet, or not to the end
	TurnAnswered TurnStatus = "answered" // to the end; maybe with nothing
	TurnFailed   TurnStatus = "failed"
	TurnHuman    TurnStatus = "human"   // the question is for people: no bot will answer it
	TurnDropped  TurnStatus = "dropped" // the conversation ended before
)

// A TurnFailure is why a turn failed. It is a closed set.
type TurnFailure string

const (
	FailureNone         TurnFailure = ""
	FailureBot          TurnFailure = "bot"          // it could not be reached, answered with an error, or not as agreed
	FailureDeadline     TurnFailure = "deadline"     // it did not answer in its time
	FailureBotSettings  TurnFailure = "settings"     // nobody could answer with these: no URL, no flow, an endless loop
	FailureModel        TurnFailure = "model"        // the language model, or whatever understands, could not be reached
	FailureModelRefuses TurnFailure = "modelRefuses" // it does not take our credentials
	FailureInternal     TurnFailure = "internal"     // the hub's own
)

// A TurnResult is what a bot says about its answers.
type TurnResult struct {
	NLP      *NLPResult      `json:"nlp,omitempty"`      // nil = nothing was understood, or nothing tried
	Await    *AwaitedInput   `json:"await,omitempty"`    // what the bot waits for; nil = plain text
	Open     json.RawMessage `json:"open,omitempty"`     // context after the turn, an object; nil = {}
	Visible  json.RawMessage `json:"visible,omitempty"`  // likewise
	HandOver bool            `json:"handOver,omitempty"` // the bot handed over to people
	Fallback bool            `json:"fallback,omitempty"` // the bot did not understand
	Steps    []FlowStep      `json:"steps,omitempty"`    // of a flow that were gone through, in order
}

// NLPTypes are those of an [NLPResult].
const (
	NLPQuestion = "QUESTION" // of a knowledge base
	NLPIntent   = "INTENT"
	NLPNone     = "NONE"
)

// An NLPResult is what was understood of an input.
type NLPResult struct {
	Type     string      `json:"type"`
	Name     string      `json:"name"`
	Score    float64     `json:"score"` // 0 to 1
	Entities []NLPEntity `json:"entities,omitempty"`
}

// An NLPEntity is an entity that was understood.
type NLPEntity struct {
	Name     string `json:"name"`
	Value    string `json:"value"`
	Original string `json:"original"` // as it was said
	Start    int    `json:"start"`    // in characters of the text
	End      int    `json:"end"`      // exclusive; 0, 0 = not found in the text
}

// An AwaitedInput is what a bot waits for next.
type AwaitedInput struct {
	Type         string `json:"type"` // "DATE", "HOUR", "CUSTOM" or "EMPTY", which is free text
	CallToAction string `json:"callToAction,omitempty"`
	Pattern      string `json:"pattern,omitempty"`
}

// Contexts are what a conversation with a bot carries along, each a JSON object; nil = {}. The open one is written by the channel,
// too, the visible one is shown to it, the hidden one is the bot's alone.
type Contexts struct {
	Open    json.RawMessage `json:"open,omitempty"`
	Visible json.RawMessage `json:"visible,omitempty"`
	Hidden  json.RawMessage `json:"hidden,omitempty"`
}

// MaxContext bounds each of them, in bytes (reference/broker.md 6).
const MaxContext = 64 << 10

// ClientInfo is where a customer is, as channels of bots say it; it is kept as the conversation's client information.
type ClientInfo struct {
	System         string `json:"os,omitempty"` // operating system
	SystemVersion  string `json:"osVersion,omitempty"`
	Browser        string `json:"browser,omitempty"`
	BrowserVersion string `json:"browserVersion,omitempty"`
	UserRef        string `json:"userRef,omitempty"`
	BusinessKey    string `json:"businessKey,omitempty"`
	Locale         string `json:"locale,omitempty"` // as sent, such as es-ES
}

// WelcomeCode asks a bot to begin; it is the only code with a meaning of its own.
const WelcomeCode = "%EVA_WELCOME_MSG"

// A TurnInput is what a customer's message says to a bot besides its text. Code wins over Intent, that over UserInput, that over the
// text.
type TurnInput struct {
	Code       string          `json:"code,omitempty"`
	Intent     string          `json:"intent,omitempty"`     // decided by the channel
	Confidence float64         `json:"confidence,omitempty"` // of Intent, 0 to 1; 1 where the channel does not say
	UserInput  string          `json:"userInput,omitempty"`  // what the bot had waited for
	Entities   json.RawMessage `json:"entities,omitempty"`   // an object: name → value or list of values
	Context    json.RawMessage `json:"context,omitempty"`    // an object that is merged into the open context; null removes a member
	Note       string          `json:"note,omitempty"`       // about this message, for the bot alone
	NoText     bool            `json:"noText,omitempty"`     // the channel sent no text: the message shows what it sent instead
	Request    string          `json:"request,omitempty"`    // see [Turn]
	Surface    string          `json:"surface,omitempty"`    // that asks and gets the answer, as in hub.PostRequest; "" = not told
}

// The types of a [BotAnswer].
const (
	AnswerText     = "TEXT"
	AnswerOptions  = "TEXT_OPTIONS" // with buttons or quick replies
	AnswerImage    = "IMAGE"
	AnswerCarousel = "CAROUSEL"
	AnswerVideo    = "VIDEO"
	AnswerAudio    = "AUDIO"
	AnswerDocument = "DOCUMENT"
	AnswerCustom   = "CUSTOM" // what it says is in Technical
)

// AnswerTypes lists every type of answer.
func AnswerTypes() []string {
	return []string{AnswerText, AnswerOptions, AnswerImage, AnswerCarousel, AnswerVideo, AnswerAudio, AnswerDocument, AnswerCustom}
}

// A BotAnswer is one thing that a bot answers.
type BotAnswer struct {
	ID           string          `json:"id,omitempty"` // the author's, if there is one
	Type         string          `json:"type"`
	Text         string          `json:"text,omitempty"`  // or the URL of a medium; may hold simple HTML
	Cards        []AnswerCard    `json:"cards,omitempty"` // of a CAROUSEL
	Description  string          `json:"description,omitempty"`
	Technical    json.RawMessage `json:"technical,omitempty"` // an object for the channel; nil = none
	Buttons      []AnswerButton  `json:"buttons,omitempty"`
	QuickReplies []QuickReply    `json:"quickReplies,omitempty"`
	Evaluable    bool            `json:"evaluable,omitempty"` // the customer may be asked whether it helped
	Masked       bool            `json:"masked,omitempty"`    // the text holds masked personal data
}

// An AnswerCard is one card of a carousel.
type AnswerCard struct {
	ImageURL string         `json:"imageUrl,omitempty"`
	Title    string         `json:"title"`
	SubTitle string         `json:"subTitle,omitempty"`
	Buttons  []AnswerButton `json:"buttons,omitempty"`
}

// The types of an [AnswerButton].
const (
	ButtonPostback = "POSTBACK" // its value is what the customer says next
	ButtonURL      = "URL"      // Action is where it leads; nothing is said
	ButtonPhone    = "PHONE"    // Action is the number
)

// An AnswerButton stays below its answer.
type AnswerButton struct {
	Name   string `json:"name"` // its label
	Value  string `json:"value"`
	Type   string `json:"type,omitempty"` // "" = POSTBACK
	Action string `json:"action,omitempty"`
}

// A QuickReply is a button that vanishes with the next turn.
type QuickReply struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// A BotReply is all that a bot answers in one turn.
type BotReply struct {
	Answers  []BotAnswer
	NLP      *NLPResult
	Await    *AwaitedInput
	Contexts *Contexts       // in place of those of the conversation; nil = as they are
	State    json.RawMessage // the connector's own, given to it with the next turn; nil = as it is
	HandOver bool            // people go on
	Fallback bool            // the bot did not understand
	End      bool            // the conversation is over
	Steps    []FlowStep      // of a flow that were gone through, in order
	Usage    Usage
}

// A FlowStep is a step of a bot's flow that a conversation came by.
type FlowStep struct {
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
}

// Usage is what a language model counted of a turn, in tokens.
type Usage struct {
	Prompt     int64 `json:"prompt,omitempty"`
	Completion int64 `json:"completion,omitempty"`
}

// BotCallback in place of a callback's URL says that the hub itself runs the bot, as its [BotSettings] say.
const BotCallback = "urn:parley:bot"

// A Connector is how a bot is asked.
type Connector string

const (
	ConnectorCallback Connector = "callback" // as a client application of conversationmgr
	ConnectorWebhook  Connector = "webhook"  // one HTTP call a turn, with the answers in its answer
	ConnectorRules    Connector = "rules"    // flows, without any outside program
	ConnectorLLM      Connector = "llm"      // a language model behind an OpenAI-compatible endpoint
)

// Connectors lists every connector.
func Connectors() []Connector {
	return []Connector{ConnectorCallback, ConnectorWebhook, ConnectorRules, ConnectorLLM}
}

// BotSettings are how a bot is asked and how its conversations go. They are part of its client application, whose record is sealed.
type BotSettings struct {
	Connector         Connector     `json:"connector"`
	URL               string        `json:"url,omitempty"`     // of a webhook, or of a model's endpoint
	Headers           []NameValue   `json:"headers,omitempty"` // of calls to it; may hold secrets
	Language          string        `json:"language,omitempty"`
	TurnDeadline      time.Duration `json:"turnDeadline,omitempty"`      // 1 to 60 s; zero = by default: see Deadline
	SessionTimeout    time.Duration `json:"sessionTimeout,omitempty"`    // without a user's turn; zero = [DefaultSession]
	RenewExpired      bool          `json:"renewExpired,omitempty"`      // a turn in a session that is over begins a new one
	MinimumConfidence float64       `json:"minimumConfidence,omitempty"` // 0 to 1; zero = [DefaultConfidence]
	Settle            time.Duration `json:"settle,omitempty"`            // callback: after an answer without another one the turn is over; 50 ms to 30 s; zero = [DefaultSettle]
	Model             ModelSettings `json:"model,omitzero"`

	// Made with the bot: the persona it plays, and the orchestration of its channels.
	Participant   ParticipantID   `json:"participant,omitzero"`
	Orchestration OrchestrationID `json:"orchestration,omitzero"`
	Hooks         []ApplicationID `json:"hooks,omitempty"` // see [Hook]
}

// Deadline is the time that the bot has for an answer. Whoever begins a lasting conversation waits longer for one unless the settings say otherwise
// than whoever is in a session of a channel (reference/agent-conversations.md 4.9, broker.md 9).
func (s *BotSettings) Deadline(lasting bool) time.Duration {
	if lasting {
		return cmp.Or(s.TurnDeadline, DefaultLastingDeadline)
	}
	return cmp.Or(s.TurnDeadline, DefaultBotDeadline)
}

// ModelSettings are how a language model is asked.
type ModelSettings struct {
	Name        string  `json:"name,omitempty"`
	Key         string  `json:"key,omitempty"` // a secret
	Prompt      string  `json:"prompt,omitempty"`
	History     int     `json:"history,omitempty"`     // messages that go along; zero = 20
	MaxTokens   int64   `json:"maxTokens,omitempty"`   // of an answer; zero = 1024
	Temperature float64 `json:"temperature,omitempty"` // zero = the model's own
}

// The defaults of [BotSettings].
const (
	DefaultBotDeadline     = 15 * time.Second
	DefaultLastingDeadline = time.Minute
	MaxBotDeadline         = time.Minute
	DefaultSession         = 30 * time.Minute
	DefaultConfidence      = 0.5
	DefaultSettle          = 300 * time.Millisecond
)

// MaxTurn is how long whoever asked waits at most for the end of a turn. The hub sees to that end: each bot of the orchestration that is tried has
// its own time, and turns before it have theirs. So this is not the time of one bot, but a bound on what a fault of the hub's may hold.
const MaxTurn = 10 * MaxBotDeadline
