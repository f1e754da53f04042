package parley

import (
	"context"
	"slices"
	"strings"
	"time"
)

// A Visit is a conversation as figures count it, or, of a thread that never ends, what was said between two long silences in it
// (reference/analytics.md 3). A conversation in which nobody said anything has none.
type Visit struct {
	Conversation int64 // its row, see [Story]
	Part         int   // 0, 1, … in order
	Dimensions
	FirstSeq, LastSeq int64     // of what was said
	Started, Last     time.Time // when the first and the last of it was said
	Closes            time.Time // the thread's next part begins unless something is said before; zero = nothing is waited for
	Person            int64     // a hash of who the customer is; 0 = nobody knows
	Facts             VisitFacts
}

// Dimensions are what visits are counted by. Two visits with the same are counted together.
type Dimensions struct {
	Tenant         TenantID
	Bot            ApplicationID // that had the turn when the first message came; zero = no bot
	Version        string        // VersionDraft or VersionLive; "" without a bot
	Channel        string        // in lower case; "" = not known, as with the next one
	Language       string
	Campaign       string // its id; "" = none
	CampaignSource string
	Owner          OwnerKind // who had the turn when the first message came
}

// The versions of a bot (reference/analytics.md 1.2).
const (
	VersionDraft = "DRAFT"
	VersionLive  = "LIVE"
)

// VisitFacts is what is known of one visit beside when it was. Times are milliseconds since 1970; 0 = it has not happened.
type VisitFacts struct {
	User  int `json:"u,omitempty"` // messages of the customer, of bots and of agents
	Bot   int `json:"b,omitempty"`
	Agent int `json:"a,omitempty"`

	FirstUser  int64      `json:"fu,omitempty"`
	FirstBot   int64      `json:"fb,omitempty"` // first answer of a bot to the customer
	HandedOver int64      `json:"ho,omitempty"` // when people were asked for
	FirstAgent int64      `json:"fa,omitempty"` // first thing an agent said after that
	Ended      int64      `json:"e,omitempty"`
	Ending     EndingKind `json:"ek,omitempty"`

	Turns    int                 `json:"t,omitempty"` // that the bot finished, well or not
	Missed   int                 `json:"m,omitempty"` // of those: what the bot did not understand
	Took     []int64             `json:"tk,omitempty"`
	Failures map[TurnFailure]int `json:"f,omitempty"`
	Intents  map[string]int      `json:"i,omitempty"`
	Steps    []Transition        `json:"s,omitempty"`
	Said     map[string]int      `json:"sm,omitempty"` // messages by the step in which they were said
	Hours    map[int64][3]int    `json:"h,omitempty"`  // messages of customer, bots and agents by the hour in which they were said, in hours since 1970

	Helped    int `json:"up,omitempty"` // answers that were rated
	Unhelpful int `json:"dn,omitempty"`
	Asked     int `json:"sa,omitempty"` // surveys that were shown, 0 or 1
	Rated     int `json:"sr,omitempty"` // from 1 to 5; 0 = not answered

	// How far the conversation was read: the greatest Seq of its messages, and of the questions whose turns are over.
	ReadSeq  int64 `json:"rs"`
	ReadTurn int64 `json:"rt,omitempty"`
}

// Messages is how many were said.
func (f *VisitFacts) Messages() int { return f.User + f.Bot + f.Agent }

// An EndingKind is how a visit came to its end.
type EndingKind string

const (
	EndingByBot     EndingKind = "bot"
	EndingByAgent   EndingKind = "agent"
	EndingByUser    EndingKind = "user"
	EndingByHub     EndingKind = "hub"     // there was nobody to answer
	EndingBySilence EndingKind = "silence" // the customer fell silent
	EndingUntold    EndingKind = "untold"  // whoever imported the conversation did not say
)

// A Transition is a change from one step of a conversation to another (reference/analytics.md 5). Its depth is its place in the visit.
type Transition struct {
	From     FlowPlace `json:"f"`
	To       FlowPlace `json:"t"`
	At       int64     `json:"at"`          // milliseconds since 1970
	Question int64     `json:"q,omitempty"` // Seq of the message that caused it
	First    int64     `json:"a,omitempty"` // Seq of the first and last answer that did; 0 = none
	Last     int64     `json:"z,omitempty"`
}

// A FlowPlace is where a conversation is.
type FlowPlace struct {
	ID   string    `json:"i,omitempty"` // of a dialog; "" = its type says it all
	Type PlaceType `json:"t"`
}

// A PlaceType is the kind of a [FlowPlace], in the words of the wire.
type PlaceType string

const (
	PlaceStart    PlaceType = "START"
	PlaceDialog   PlaceType = "DIALOG"
	PlaceHandover PlaceType = "HANDOVER"
	PlaceEnd      PlaceType = "END"
	PlaceDropoff  PlaceType = "DROPOFF"
)

// Name is the id as it is shown.
func (p FlowPlace) Name() string {
	if p.Type != PlaceDialog {
		return string(p.Type)
	}
	return p.ID
}

// A Story is what the record says of one conversation that was not counted yet.
type Story struct {
	Key       int64 // of its row
	ID        ConversationID
	Tenant    TenantID
	State     ConversationState
	Ended     time.Time // zero = it is not
	Forgotten bool
	Whole     bool          // it is all there; else what came after the last visit was counted
	Visits    []StoredVisit // that are there: all of them, else the last one
	Messages  []SaidMessage // after the last visit's ReadSeq, or all
	Turns     []Turn        // with a question after its ReadTurn, or all
	Ratings   []Rating      // all; like the survey only with whole stories
	Survey    *Survey
}

// A SaidMessage is a message as far as figures need it.
type SaidMessage struct {
	Seq         int64
	Type        MessageType
	Sender      Role
	Created     time.Time
	To          int64
	Application ApplicationID // of a bot that speaks
	Question    int64         // see [Body], as with the next two
	HandOver    bool
	Idle        time.Duration
	NoText      bool // it is no more than a code

	// Of imported conversations, which have no turns.
	Intent string     // that was understood of it
	Steps  []FlowStep // of a flow that led to it
}

// A Cell counts the visits with the same dimensions that began in the same hour, at most [MaxCell] of them, or on the same day (UTC).
type Cell struct {
	CellName
	Count
	Said   [3]int64 // messages of customers, bots and agents that were said in that time, whenever their visits began; of an hour all in part 0
	Totals []byte   // what else there is to add up, see package insight/figures; nil = it was not asked for
}

// A CellName says which visits a [Cell] counts.
type CellName struct {
	Dimension int64 // key of a [KnownDimension]
	Start     int64 // of the hour or day, in milliseconds since 1970
	Part      int   // several cells share an hour in which many visits began; a day has one
}

// MaxCell bounds the visits of an hour's [Cell]: so much is read when it cannot be counted on (docs/adr/0020-counting-on.md).
const MaxCell = 500

// A Count is what the published operations add up.
type Count struct {
	Visits   int64
	Messages Spread
	Seconds  Spread // from the first to the last message, each rounded down
}

// A Spread is the sum of a figure over visits, with the least and the greatest; zero for no visits.
type Spread struct{ Sum, Min, Max int64 }

// A FedPlace is a message's place in the order of commits.
type FedPlace struct {
	Key          int64
	Conversation int64
}

// A ChangedConversation is one of which something changed that is no message.
type ChangedConversation struct {
	Key          int64
	Conversation int64
	Whole        bool // it has to be counted anew from its beginning; else a turn is over
}

// A KnownDimension is one that was met, with its key.
type KnownDimension struct {
	Key    int64
	Series int64 // the same for all of one bot in one tenant and generation
	Dimensions
}

// A FigureChange is one step of counting.
type FigureChange struct {
	Generation int64
	Visits     []StoredVisit // each in place of the one of its conversation and part
	Gone       []VisitName
	Hours      []Cell // each in place of the one of its name
	Days       []Cell
	Changed    []int64 // keys of those [ChangedConversation] that were seen to
	News       []News  // what subscriptions may want to hear of, if the generation is the one that answers
}

// A StoredVisit is a visit with the hour's cell that counts it.
type StoredVisit struct {
	Visit
	Cell CellName
}

// A VisitName names a visit.
type VisitName struct {
	Conversation int64
	Part         int
}

// FigureSettings are a tenant's.
type FigureSettings struct {
	// Silence is after how long of it the next message begins another visit, in seconds, by channel type in lower case; 0 = never: a
	// conversation is one visit. See [FigureSettings.SilenceOf] for those that are not named.
	Silence map[string]int64 `json:"silence,omitempty"`
}

// DefaultSilence is for threads that never end (reference/analytics.md 3).
const DefaultSilence = 15 * time.Minute

// messengers are the types of channels whose threads never end.
var messengers = []string{"whatsapp", "messenger", "facebook", "facebook_messenger", "instagram", "telegram", "viber", "line", "wechat", "sms", "rcs", "apple_messages", "apple_business_chat"}

// SilenceOf is after how long of it the next message of a conversation begins another visit; 0 = never.
func (s *FigureSettings) SilenceOf(state *ConversationState) time.Duration {
	channel := strings.ToLower(state.ChannelType)
	if seconds, ok := s.Silence[channel]; ok {
		return time.Duration(seconds) * time.Second
	}
	if state.Bot.Lasting || slices.Contains(messengers, channel) {
		return DefaultSilence
	}
	return 0
}

// Figures keeps visits and what they add up to. All but the first group is for the one who counts: see package insight/figures.
type Figures interface {
	// FigureSettings are those of a tenant. PutFigureSettings keeps them; visits that were counted stay as they are until they are
	// counted anew.
	FigureSettings(ctx context.Context, tenant TenantID) (FigureSettings, error)
	PutFigureSettings(ctx context.Context, tenant TenantID, s FigureSettings) error
	// FigureProgress is how far counting is.
	FigureProgress(ctx context.Context) (FigureProgress, error)
	// FindBot is the bot with the id of an application or a participant, whichever tenant it is of; NotFound if there is none. What
	// belongs to another tenant must not be told of any further.
	FindBot(ctx context.Context, id [16]byte) (TenantID, ApplicationID, error)
	// VisitDimensions are those that visits of a tenant have.
	VisitDimensions(ctx context.Context, tenant TenantID) ([]KnownDimension, error)
	// HourCells and DayCells call fn for the cells of dimensions that start between two times, the later one excluded, with totals only if
	// they are wanted. fn must not keep the cell, nor use the transaction.
	HourCells(ctx context.Context, dimensions []KnownDimension, from, until time.Time, totals bool, fn func(*Cell) error) error
	DayCells(ctx context.Context, dimensions []KnownDimension, from, until time.Time, totals bool, fn func(*Cell) error) error
	// EachVisit calls fn for the visits of dimensions that started between two times, the later one excluded. fn must not use the
	// transaction.
	EachVisit(ctx context.Context, dimensions []int64, from, until time.Time, fn func(*Visit) error) error
	// NewPeople are how many people have their first visit ever in visits of these dimensions between two times, the later one excluded.
	NewPeople(ctx context.Context, dimensions []int64, from, until time.Time) (int64, error)
	// VisitsOf are those of a conversation, in order.
	VisitsOf(ctx context.Context, tenant TenantID, conversation ConversationID) ([]Visit, error)

	// MessagesFed are the places of messages whose keys lie between two, both exclusive, in order, at most limit.
	MessagesFed(ctx context.Context, after, before int64, limit int) ([]FedPlace, error)
	// ConversationKeys are those of conversations after one, in order, at most limit. LastConversation is the greatest.
	ConversationKeys(ctx context.Context, after int64, limit int) ([]int64, error)
	LastConversation(ctx context.Context) (int64, error)
	// ChangedConversations are those that were not seen to, oldest first.
	ChangedConversations(ctx context.Context, limit int) ([]ChangedConversation, error)
	// SilentVisits are the conversations that have visits which close at a time or before.
	SilentVisits(ctx context.Context, generation int64, now time.Time, limit int) ([]int64, error)
	// Stories are what the record has of conversations, whole or since they were counted last; those that are not there are left out.
	Stories(ctx context.Context, generation int64, conversations []int64, whole bool) ([]Story, error)
	// AllDimensions are those of all tenants. AddDimensions adds some, which may be there, and says which keys they have.
	AllDimensions(ctx context.Context, generation int64) ([]KnownDimension, error)
	AddDimensions(ctx context.Context, generation int64, d []Dimensions) ([]KnownDimension, error)
	// CellsOn are the hours' cells of days, with totals.
	CellsOn(ctx context.Context, days []CellName) ([]Cell, error)
	// VisitsIn are the visits that hours' cells count.
	VisitsIn(ctx context.Context, cells []CellName) ([]StoredVisit, error)
	// PutFigures makes a change true, all of it or nothing, and the progress with it. Conflict unless the progress has the version that
	// it was made on; it gets the next one. Of several changes that of the generation that answers comes first.
	PutFigures(ctx context.Context, p *FigureProgress, changes []FigureChange) error
	// DropFigures removes some of what a generation counted, and says whether there is more.
	DropFigures(ctx context.Context, generation int64) (more bool, err error)
}

// FigureProgress is how far counting is. Everything is counted once in each generation; the one that answers is Generation.
type FigureProgress struct {
	Version    int64     `json:"-"`
	Generation int64     `json:"generation"`         // 0 = counting never began
	Cursor     int64     `json:"cursor"`             // key of the message up to which all are counted, those that Building has yet to come to aside
	Building   int64     `json:"building,omitempty"` // generation that goes through the whole record; 0 = none
	Built      int64     `json:"built,omitempty"`    // how far it is: key of a conversation
	BuildUntil int64     `json:"buildUntil,omitempty"`
	Carried    int64     `json:"carried,omitempty"` // once it is through: how far visits of conversations that are gone were taken over, as a key of one
	BuildBegan time.Time `json:"buildBegan,omitzero"`
	BuildEnded time.Time `json:"buildEnded,omitzero"` // of the last one
	Old        int64     `json:"old,omitempty"`       // generation that is being removed; 0 = none
}
