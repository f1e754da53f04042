package analytics

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"parley"
	"parley/ident"
)

// A trackBody is an event as it is told.
type trackBody struct {
	ID         string          `json:"id"`
	Version    string          `json:"version"`
	UserID     string          `json:"user_id"`
	Event      string          `json:"event"`
	Attributes json.RawMessage `json:"attributes"`
	Context    struct {
		ConversationID string   `json:"conversation_id"`
		Campaign       campaign `json:"campaign"`
	} `json:"context"`
	Timestamp string `json:"timestamp"`
}

// A campaign is where a customer came from (reference 6). All of it is there, always.
type campaign struct {
	ID      string `json:"id"`
	Source  string `json:"source"`
	Medium  string `json:"medium"`
	Name    string `json:"name"`
	Content string `json:"content"`
	Term    string `json:"term"`
}

// plain says what is wrong with a text of so many bytes at most, "" if nothing is: it must be one that every database keeps.
func plain(name, v string, limit int) error {
	switch {
	case len(v) > limit:
		return invalid("%s must not be longer than %d bytes", name, limit)
	case strings.ContainsRune(v, 0) || !utf8.ValidString(v):
		return invalid("%s must not have the character U+0000", name)
	}
	return nil
}

// read is the event of a body, or what is wrong with it.
func (b *trackBody) read(now time.Time) (e parley.TrackedEvent, err error) {
	p := params{"version": {b.Version}}
	if e.Version, err = p.versionNamed(); err != nil {
		return e, err
	}
	for _, text := range []*string{&b.ID, &b.Event, &b.UserID, &b.Context.ConversationID} {
		*text = strings.TrimSpace(*text) // as parameters are, which look for them
	}
	c := parley.Campaign(b.Context.Campaign)
	for _, text := range []struct {
		name, value string
		limit       int
	}{{"id", b.ID, parley.MaxEventText}, {"event", b.Event, parley.MaxEventText}, {"user_id", b.UserID, parley.MaxEventText},
		{"context.conversation_id", b.Context.ConversationID, parley.MaxEventText},
		{"context.campaign.id", c.ID, parley.MaxCampaign}, {"context.campaign.source", c.Source, parley.MaxCampaign}, {"context.campaign.medium", c.Medium, parley.MaxCampaign},
		{"context.campaign.name", c.Name, parley.MaxCampaign}, {"context.campaign.content", c.Content, parley.MaxCampaign}, {"context.campaign.term", c.Term, parley.MaxCampaign}} {
		if err := plain(text.name, text.value, text.limit); err != nil {
			return e, err
		}
	}
	if b.Event == "" {
		return e, invalid("event is required")
	}
	if e.Attributes, err = readAttributes(b.Attributes); err != nil {
		return e, err
	}
	e.Received = now.UTC().Truncate(time.Millisecond)
	e.At = e.Received
	if b.Timestamp != "" {
		at, ok := readTime(b.Timestamp)
		if !ok {
			return e, invalid("timestamp must be a time like 2026-03-01T00:00:00Z or a day like 2026-03-01")
		}
		if at.After(now.Add(parley.MaxEventAhead)) {
			return e, invalid("timestamp must not be more than 24 hours ahead")
		}
		e.At = at.UTC().Truncate(time.Millisecond)
	}
	e.ID, e.Name, e.User, e.Called, e.Campaign = b.ID, b.Event, b.UserID, b.Context.ConversationID, c
	return e, nil
}

// readAttributes are attributes as they are kept: an object of texts, numbers and booleans. What is null counts as absent.
func readAttributes(raw json.RawMessage) (json.RawMessage, error) {
	if len(raw) == 0 {
		return json.RawMessage(`{}`), nil
	}
	var values map[string]any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber() // as it was written
	if err := d.Decode(&values); err != nil {
		return nil, invalid("attributes must be an object")
	}
	maps.DeleteFunc(values, func(_ string, v any) bool { return v == nil })
	if len(values) > parley.MaxAttributes {
		return nil, invalid("attributes must not be more than %d", parley.MaxAttributes)
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if name == "" {
			return nil, invalid("attributes must have names")
		}
		if err := plain("the name of an attribute", name, parley.MaxAttributeName); err != nil {
			return nil, err
		}
		text := ""
		switch v := values[name].(type) {
		case string:
			text = v
		case json.Number:
			text = v.String()
		case bool:
		default:
			return nil, invalid("attributes.%s must be a text, a number or a boolean", name)
		}
		if err := plain("attributes."+name, text, parley.MaxAttributeValue); err != nil {
			return nil, err
		}
	}
	if values == nil {
		values = map[string]any{}
	}
	return json.Marshal(values)
}

// conversationOf is the hub's id of a conversation that is called so: the hub's own, or what whoever imported it calls it.
func conversationOf(tenant parley.TenantID, called string) parley.ConversationID {
	if called == "" {
		return parley.ConversationID{}
	}
	if id, err := parley.ParseID[parley.Conversation](called); err == nil && !id.IsZero() {
		return id
	}
	return ident.Imported(tenant, called)
}

// track takes an event. One whose id was told before is that one.
func (s *Surface) track(r *request) (any, error) {
	var body trackBody
	if err := r.body(&body); err != nil {
		return nil, err
	}
	e, err := body.read(s.Clock())
	if err != nil {
		return nil, err
	}
	e.Tenant, e.Bot, e.Conversation = r.tenant, r.bot, conversationOf(r.tenant, e.Called)
	if e.ID == "" {
		e.ID = ident.New[parley.TrackedEvent]().String()
	}
	err = s.Record.Update(r.Context(), func(tx parley.Tx) error {
		told := e // as it is told, should the transaction run again
		_, err := tx.TrackEvent(r.Context(), &told)
		return err
	})
	return struct {
		EventID string `json:"event_id"`
	}{e.ID}, err
}
