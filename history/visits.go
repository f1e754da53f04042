package history

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"parley"
)

// A VisitSelection says which visits are exported; zero members select all.
type VisitSelection struct {
	Tenant      parley.TenantID // required
	After       string          // cursor of the line after which the export goes on
	From, Until time.Time       // started from, and before
	Bot         parley.ApplicationID
	ChannelType string // in any case
}

// A VisitExport is an export of visits that was begun.
type VisitExport struct {
	*Exporter
	query parley.VisitQuery
}

// BeginVisits looks where an export of visits begins. Invalid, if its cursor is none.
//
// They come in the order in which they last changed (see [parley.VisitPlace]), until there are no more. So whoever keeps the last line of each
// ID has every visit that there is at the end as it is then, over any number of drops, a day later, and when everything was counted anew
// meanwhile. What changed since comes once more; what counting anew left as it was does not. Nobody is told of a visit that is gone: one
// of a deleted conversation, or a part that is none any more since threads are split otherwise.
func (e *Exporter) BeginVisits(_ context.Context, s VisitSelection) (*VisitExport, error) {
	x := &VisitExport{e, parley.VisitQuery{Tenant: s.Tenant, From: s.From, Until: s.Until, Bot: s.Bot, Channel: strings.ToLower(s.ChannelType), Limit: linesAtOnce}}
	if s.After != "" {
		at := &x.query.After
		if err := e.Places.ParseCursor(s.Tenant, parley.VisitCursor, s.After, &at.Changed, &at.Conversation, &at.Part); err != nil {
			return nil, err
		}
	}
	return x, nil
}

// Write writes the lines.
func (x *VisitExport) Write(ctx context.Context, to io.Writer) error {
	err := (&pager[parley.ExportedVisit]{x.Record, func(ctx context.Context, tx parley.Tx) ([]parley.ExportedVisit, error) {
		return tx.ExportedVisits(ctx, x.query)
	}, x.line}).write(ctx, to)
	if err != nil {
		return fmt.Errorf("export visits: %w", err)
	}
	return nil
}

// A VisitLine is a visit as it is exported: what is known of it beside who the customer is. A hash of that would tell it to whoever
// tries addresses, and name the person for good, also after the hub forgot it; so there is none.
type VisitLine struct {
	ID             string `json:"id"`                       // the same whenever the visit comes
	ConversationID string `json:"conversationId,omitempty"` // left out once the conversation is not in the record any more
	Part           int    `json:"part"`                     // of a thread that never ends: 0, 1, …
	Bot            string `json:"bot,omitempty"`            // that had the turn when the first message came, as have the others up to Owner
	Version        string `json:"version,omitempty"`        // of the bot
	ChannelType    string `json:"channelType,omitempty"`    // in lower case
	Language       string `json:"language,omitempty"`
	Campaign       string `json:"campaign,omitempty"` // its id
	CampaignSource string `json:"campaignSource,omitempty"`
	Owner          string `json:"owner"`
	CustomerKnown  bool   `json:"customerKnown"` // there is an address, or a name, by which customers are told apart
	Started        *Time  `json:"started"`       // when the first and the last message was said
	Last           *Time  `json:"last"`

	UserMessages  int `json:"userMessages"`
	BotMessages   int `json:"botMessages"`
	AgentMessages int `json:"agentMessages"`

	FirstUserMessage *Time  `json:"firstUserMessage,omitempty"`
	FirstBotAnswer   *Time  `json:"firstBotAnswer,omitempty"`
	HandedOver       *Time  `json:"handedOver,omitempty"`       // when people were asked for
	FirstAgentAnswer *Time  `json:"firstAgentAnswer,omitempty"` // if they were, after that
	Ended            *Time  `json:"ended,omitempty"`
	Ending           string `json:"ending,omitempty"`

	Turns         int                        `json:"turns"` // that the bot finished, well or not
	NotUnderstood int                        `json:"notUnderstood"`
	Failures      map[parley.TurnFailure]int `json:"failures,omitempty"` // of turns, by why
	Intents       map[string]int             `json:"intents,omitempty"`  // turns
	Transitions   []VisitTransition          `json:"transitions,omitempty"`

	Helpful     int    `json:"helpful"` // answers that were rated so
	Unhelpful   int    `json:"unhelpful"`
	SurveyAsked bool   `json:"surveyAsked"`
	SurveyRated int    `json:"surveyRated,omitempty"` // 1 to 5
	Cursor      string `json:"cursor"`
}

// A VisitTransition is a change from one step of a conversation to another.
type VisitTransition struct {
	From string `json:"from"` // id of a dialog, or START, HANDOVER, END or DROPOFF
	To   string `json:"to"`
	At   *Time  `json:"at"`
}

// line is a visit as a line, and moves behind it.
func (x *VisitExport) line(v *parley.ExportedVisit) (any, error) {
	f := &v.Facts
	l := VisitLine{ID: v.ID.String(), ConversationID: v.Of.String(), Part: v.Part, Bot: v.Bot.String(), Version: v.Version, ChannelType: v.Channel, Language: v.Language,
		Campaign: v.Campaign, CampaignSource: v.CampaignSource, Owner: string(v.Owner), CustomerKnown: v.Person != 0, Started: someTime(v.Started), Last: someTime(v.Last),
		UserMessages: f.User, BotMessages: f.Bot, AgentMessages: f.Agent, FirstUserMessage: factTime(f.FirstUser), FirstBotAnswer: factTime(f.FirstBot),
		HandedOver: factTime(f.HandedOver), FirstAgentAnswer: factTime(f.FirstAgent), Ended: factTime(f.Ended), Ending: string(f.Ending),
		Turns: f.Turns, NotUnderstood: f.Missed, Failures: f.Failures, Intents: f.Intents, Helpful: f.Helped, Unhelpful: f.Unhelpful, SurveyAsked: f.Asked > 0, SurveyRated: f.Rated}
	for _, s := range f.Steps {
		l.Transitions = append(l.Transitions, VisitTransition{s.From.Name(), s.To.Name(), factTime(s.At)})
	}
	x.query.After = v.Place
	var err error
	l.Cursor, err = x.Places.Cursor(x.query.Tenant, parley.VisitCursor, v.Place.Changed, v.Place.Conversation, v.Place.Part)
	return &l, err
}

// factTime is a time of the facts of a visit; 0 is left out.
func factTime(ms int64) *Time {
	if ms == 0 {
		return nil
	}
	return someTime(time.UnixMilli(ms))
}
