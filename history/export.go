package history

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"parley"
)

// Limits of what an export of conversations reads together; they bound its memory.
const (
	conversationsAtOnce = 64
	messagesAtOnce      = 256
)

// Places knows the order of things; [parley/store.Store] does.
type Places interface {
	// Settled is a key up to which every conversation, or event, is there that ever will be.
	Settled(ctx context.Context, kind parley.CursorKind) (int64, error)
	// Cursor is a place as others see it: a few keys. ParseCursor is the way back; Invalid if the cursor is none of that tenant and kind.
	Cursor(tenant parley.TenantID, kind parley.CursorKind, place ...int64) (string, error)
	ParseCursor(tenant parley.TenantID, kind parley.CursorKind, cursor string, place ...*int64) error
}

// An Exporter writes conversations, visits and events as lines. Safe for concurrent use.
type Exporter struct {
	Record Record
	Places Places
}

// A Selection says which conversations are exported; zero members select all.
type Selection struct {
	Tenant      parley.TenantID // required
	After       string          // cursor of the line after which the export goes on
	From, Until time.Time       // begun from, and before
	Bot         parley.ApplicationID
	ChannelType string
	Status      parley.Status
}

// An Export is one that was begun.
type Export struct {
	*Exporter
	selection Selection
	query     parley.ExportQuery
}

// Begin looks where an export begins and ends. Invalid, if its cursor is none.
func (e *Exporter) Begin(ctx context.Context, s Selection) (*Export, error) {
	x := &Export{Exporter: e, selection: s, query: parley.ExportQuery{Tenant: s.Tenant, From: s.From, Until: s.Until, Status: s.Status, Limit: conversationsAtOnce}}
	if s.After != "" {
		if err := e.Places.ParseCursor(s.Tenant, parley.ConversationCursor, s.After, &x.query.After); err != nil {
			return nil, err
		}
	}
	var err error
	if x.query.Upto, err = e.Places.Settled(ctx, parley.ConversationCursor); err != nil {
		return nil, fmt.Errorf("begin export: %w", err)
	}
	return x, nil
}

// A read is a conversation with the messages that were read with it: all of them, or the first few.
type read struct {
	parley.ExportedConversation
	messages []parley.Message
	turns    []parley.Turn
}

// Write writes the lines. What it reads it writes before it reads more.
func (x *Export) Write(ctx context.Context, to io.Writer) error {
	w := bufio.NewWriterSize(to, 64<<10)
	for {
		page, more, err := x.next(ctx)
		if err != nil {
			return fmt.Errorf("export conversations: %w", err)
		}
		for i := range page {
			if err := x.line(ctx, w, &page[i]); err != nil {
				return fmt.Errorf("export conversation %s: %w", page[i].Conversation.ID, err)
			}
		}
		if !more {
			return w.Flush()
		}
	}
}

// next reads a few conversations with their messages from one snapshot, and moves behind them.
func (x *Export) next(ctx context.Context) (page []read, more bool, err error) {
	err = x.Record.View(ctx, func(tx parley.Tx) error {
		page, more = nil, false
		found, err := tx.Exported(ctx, x.query)
		if err != nil {
			return err
		}
		more = len(found) == x.query.Limit
		budget := int64(messagesAtOnce)
		for _, e := range found {
			if len(page) > 0 && e.Conversation.Seq > budget {
				more = true // with the next page
				return nil
			}
			one := read{ExportedConversation: e}
			if x.selects(&e.Conversation) {
				if one.messages, one.turns, err = messagesOf(ctx, tx, &e.Conversation, 0); err != nil {
					return err
				}
				budget -= e.Conversation.Seq
			}
			page = append(page, one)
		}
		return nil
	})
	if err != nil || len(page) == 0 {
		return nil, false, err
	}
	x.query.After = page[len(page)-1].Key
	return slices.DeleteFunc(page, func(r read) bool { return !x.selects(&r.Conversation) }), more, nil
}

// selects says whether a conversation is selected by what the record cannot look for.
func (x *Export) selects(c *parley.Conversation) bool {
	if x.selection.ChannelType != "" && c.State.ChannelType != x.selection.ChannelType {
		return false
	}
	return x.selection.Bot.IsZero() || slices.ContainsFunc(c.State.Parties, func(p parley.Party) bool { return p.Role.IsBot() && p.Application == x.selection.Bot })
}

// messagesOf reads the next messages of a conversation, up to where it was read, and the turns that begin among them.
func messagesOf(ctx context.Context, tx parley.Tx, c *parley.Conversation, after int64) ([]parley.Message, []parley.Turn, error) {
	messages, err := tx.Messages(ctx, parley.MessageQuery{Tenant: c.Tenant, Conversation: c.ID, After: after, Before: c.Seq + 1, Limit: messagesAtOnce})
	if err != nil || len(messages) == 0 || !hasBot(c) {
		return messages, nil, err
	}
	turns, err := tx.TurnsOf(ctx, c.Tenant, c.ID, after, len(messages))
	return messages, turns, err
}

func hasBot(c *parley.Conversation) bool {
	return slices.ContainsFunc(c.State.Parties, func(p parley.Party) bool { return p.Role.IsBot() })
}

// line writes one conversation. The cursor comes last, so that who has it has the line.
func (x *Export) line(ctx context.Context, w *bufio.Writer, r *read) error {
	c := &r.Conversation
	head, err := json.Marshal(lineOf(&r.ExportedConversation))
	if err != nil {
		return err
	}
	_, _ = w.Write(bytes.TrimSuffix(head, []byte(`null}`))) // of the messages, which come now; the first error of w stays
	_ = w.WriteByte('[')
	said := &saying{steps: map[int64][]parley.FlowStep{}, intents: map[int64]*parley.NLPResult{}}
	for messages, turns := r.messages, r.turns; len(messages) > 0; {
		said.note(turns)
		for i := range messages {
			text, err := json.Marshal(said.message(&messages[i]))
			if err != nil {
				return err
			}
			if messages[i].Seq > 1 {
				_ = w.WriteByte(',')
			}
			_, _ = w.Write(text)
		}
		last := messages[len(messages)-1].Seq
		if messages = nil; last < c.Seq {
			if err := x.Record.View(ctx, func(tx parley.Tx) (err error) {
				messages, turns, err = messagesOf(ctx, tx, c, last)
				return err
			}); err != nil {
				return err
			}
		}
	}
	var tail struct {
		EndedBy    string `json:"endedBy,omitempty"`
		HandedOver *Time  `json:"handedOver,omitempty"`
		Cursor     string `json:"cursor"`
	}
	if tail.EndedBy = string(c.State.Import.EndedBy); c.State.Import.ID == "" && c.Status == parley.Ended {
		tail.EndedBy = said.endedBy
	}
	if tail.HandedOver = someTime(c.State.Import.HandedOver); c.State.Import.ID == "" {
		tail.HandedOver = someTime(said.handedOver)
	}
	if tail.Cursor, err = x.Places.Cursor(x.selection.Tenant, parley.ConversationCursor, r.Key); err != nil {
		return err
	}
	end, err := json.Marshal(tail)
	if err != nil {
		return err
	}
	_, _ = w.WriteString("],")
	_, _ = w.Write(end[1:])
	return w.WriteByte('\n')
}

// lineOf is a conversation as a line without messages and what follows from them.
func lineOf(e *parley.ExportedConversation) *Line {
	c := &e.Conversation
	s := &c.State
	l := &Line{ID: c.ExternalID(), ConversationID: c.ID.String(), ChannelType: cmp.Or(s.ChannelType, "unknown"), Address: s.Address, Language: s.Language, Version: "LIVE",
		Status: string(c.Status), Started: someTime(c.Created), Ended: someTime(c.Ended), Score: cmp.Or(s.Import.Score, e.Score)}
	if s.Bot.Test {
		l.Version = "DRAFT"
	}
	if i := slices.IndexFunc(s.Parties, func(p parley.Party) bool { return p.Role.IsBot() && !p.Application.IsZero() }); i >= 0 {
		l.Bot = s.Parties[i].Application.String()
	}
	if u := &s.Customer; u.Name != "" || u.Type != "" || len(u.Contacts) > 0 || len(u.Attributes) > 0 {
		l.Customer = &Customer{Name: u.Name, Type: u.Type}
		for _, contact := range u.Contacts {
			l.Customer.Contacts = append(l.Customer.Contacts, Contact(contact))
		}
		for _, a := range u.Attributes {
			l.Customer.Attributes = append(l.Customer.Attributes, Attribute(a))
		}
	}
	if s.Campaign != (parley.Campaign{}) {
		l.Campaign = new(Campaign(s.Campaign))
	}
	if v := e.Survey; v != nil && (v.Evaluation > 0 || v.Comments != "") {
		l.Feedback = &Feedback{Evaluation: v.Evaluation, Comments: v.Comments}
	}
	return l
}
