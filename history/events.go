package history

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"parley"
)

// An EventSelection says which tracked events are exported; zero members select all.
type EventSelection struct {
	Tenant      parley.TenantID // required
	After       string          // cursor of the line after which the export goes on
	From, Until time.Time       // by the sender's clock: from, and before
	Bot         parley.ApplicationID
	Name        string
}

// An EventExport is an export of tracked events that was begun.
type EventExport struct {
	*Exporter
	query       parley.EventQuery
	after, upto int64
}

// BeginEvents looks where an export of events begins and ends. Invalid, if its cursor is none.
//
// They come in the order in which the hub was told of them, up to what was there at the beginning, each exactly once. An event does not
// change but by being forgotten, which does not make it come again.
func (e *Exporter) BeginEvents(ctx context.Context, s EventSelection) (*EventExport, error) {
	x := &EventExport{Exporter: e, query: parley.EventQuery{Tenant: s.Tenant, From: s.From, Until: s.Until, Bot: s.Bot, Limit: linesAtOnce}}
	if s.Name != "" {
		x.query.Names = []string{s.Name}
	}
	if s.After != "" {
		if err := e.Places.ParseCursor(s.Tenant, parley.EventCursor, s.After, &x.after); err != nil {
			return nil, err
		}
	}
	var err error
	if x.upto, err = e.Places.Settled(ctx, parley.EventCursor); err != nil {
		return nil, fmt.Errorf("begin export of events: %w", err)
	}
	return x, nil
}

// Write writes the lines.
func (x *EventExport) Write(ctx context.Context, to io.Writer) error {
	err := (&pager[parley.TrackedEvent]{x.Record, func(ctx context.Context, tx parley.Tx) ([]parley.TrackedEvent, error) {
		return tx.ExportedEvents(ctx, x.query, x.after, x.upto)
	}, x.line}).write(ctx, to)
	if err != nil {
		return fmt.Errorf("export events: %w", err)
	}
	return nil
}

// An EventLine is a tracked event as it is exported.
type EventLine struct {
	ID             string          `json:"id"` // unique for the bot
	Bot            string          `json:"bot"`
	Version        string          `json:"version"`
	Name           string          `json:"name"`
	User           string          `json:"user,omitempty"`           // as the sender calls them; left out if not told, or forgotten
	Conversation   string          `json:"conversation,omitempty"`   // as the sender calls it
	ConversationID string          `json:"conversationId,omitempty"` // what the hub would call it
	Campaign       *Campaign       `json:"campaign,omitempty"`
	Attributes     json.RawMessage `json:"attributes"`
	At             *Time           `json:"at"`       // the sender's clock
	Received       *Time           `json:"received"` // the hub's
	Cursor         string          `json:"cursor"`
}

// line is an event as a line, and moves behind it.
func (x *EventExport) line(e *parley.TrackedEvent) (any, error) {
	l := EventLine{ID: e.ID, Bot: e.Bot.String(), Version: e.Version, Name: e.Name, User: e.User, Conversation: e.Called, ConversationID: e.Conversation.String(),
		Attributes: e.Attributes, At: someTime(e.At), Received: someTime(e.Received)}
	if e.Campaign != (parley.Campaign{}) {
		l.Campaign = new(Campaign(e.Campaign))
	}
	x.after = e.Key
	var err error
	l.Cursor, err = x.Places.Cursor(x.query.Tenant, parley.EventCursor, e.Key)
	return &l, err
}
