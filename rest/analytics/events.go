package analytics

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/gorilla/mux"

	"parley"
)

// An event as it is shown.
type event struct {
	ID         string          `json:"id"`
	BotID      string          `json:"bot_id"`
	Version    string          `json:"version"`
	UserID     string          `json:"user_id"`
	Event      string          `json:"event"`
	Attributes json.RawMessage `json:"attributes"`
	Context    eventContext    `json:"context"`
	Timestamp  string          `json:"timestamp"`
}

type eventContext struct {
	ConversationID string   `json:"conversation_id"`
	Campaign       campaign `json:"campaign"`
}

func toEvent(e *parley.TrackedEvent) event {
	return event{ID: e.ID, BotID: e.Bot.String(), Version: e.Version, UserID: e.User, Event: e.Name, Attributes: e.Attributes,
		Context: eventContext{e.Called, campaign(e.Campaign)}, Timestamp: timestamp(e.At.UnixMilli())}
}

// An eventPage is a page of events.
type eventPage struct {
	Events        []event `json:"events"`
	NextPageToken string  `json:"next_page_token"` // "" = there are no more
}

// page reads events of a query, the newest first.
func (s *Surface) page(r *request, q parley.EventQuery, p params) (any, error) {
	for _, name := range []string{"event", "conversation_id", "user_id", "campaign_id"} {
		if err := plain(name, p.one(name), parley.MaxEventText); err != nil {
			return nil, err
		}
	}
	size, err := p.pageSize()
	if err != nil {
		return nil, err
	}
	if token := p.one("page_token"); token != "" {
		if err = s.Record.ParseCursor(r.tenant, parley.EventPageCursor, token, &q.Before); err != nil {
			return nil, errPageToken
		}
	}
	q.Tenant, q.Limit = r.tenant, size+1
	var found []parley.TrackedEvent
	err = s.Record.View(r.Context(), func(tx parley.Tx) (err error) {
		found, err = tx.TrackedEvents(r.Context(), q)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := eventPage{Events: []event{}}
	if len(found) > size {
		found = found[:size]
		if out.NextPageToken, err = s.Record.Cursor(r.tenant, parley.EventPageCursor, found[size-1].Key); err != nil {
			return nil, err
		}
	}
	for i := range found {
		out.Events = append(out.Events, toEvent(&found[i]))
	}
	return out, nil
}

var errPageToken = invalid("page_token is no token of this list")

// pageParams are the parameters of a page: of the query, and of a POST those of the body.
func (r *request) pageParams(names ...string) (params, error) {
	if r.Method != http.MethodPost {
		return r.params, nil
	}
	var body map[string]any
	if err := r.body(&body); err != nil {
		return nil, err
	}
	return bodyParams(body, append(names, "page_token"))
}

// bodyParams makes parameters of a body, so that both are held to the same: texts of those names, and the size of a page.
func bodyParams(body map[string]any, texts []string) (params, error) {
	p := params{}
	for _, name := range texts {
		switch v := body[name].(type) {
		case nil:
		case string:
			p[name] = []string{v}
		default:
			return nil, invalid("%s must be a text", name)
		}
	}
	switch v := body["page_size"].(type) {
	case nil:
	case float64, string: // a 64-bit number may be a text
		p["page_size"] = []string{fmt.Sprint(v)}
	default:
		return nil, invalid("page_size must be a whole number")
	}
	return p, nil
}

// stream is the events of a bot.
func (s *Surface) stream(r *request) (any, error) {
	p, err := r.pageParams("event", "conversation_id", "user_id", "campaign_id", "version", "start_time", "end_time")
	if err != nil {
		return nil, err
	}
	q := parley.EventQuery{Bot: r.bot, User: p.one("user_id"), Conversation: conversationOf(r.tenant, p.one("conversation_id")), Campaign: p.one("campaign_id")}
	if name := p.one("event"); name != "" {
		q.Names = []string{name}
	}
	if p.one("version") != "" {
		if q.Version, err = p.versionNamed(); err != nil {
			return nil, err
		}
	}
	if q.From, q.Until, err = p.someTime(); err != nil {
		return nil, err
	}
	return s.page(r, q, p)
}

// teamEvents is the events of all bots of a team.
func (s *Surface) teamEvents(r *request) (any, error) {
	return s.page(r, parley.EventQuery{User: r.params.one("user_id")}, r.params)
}

// eventValues is the values that an attribute has.
func (s *Surface) eventValues(r *request) (any, error) {
	var body struct {
		Query string `json:"query"`
	}
	if err := r.body(&body); err != nil {
		return nil, err
	}
	key := mux.Vars(r.Request)["attribute_key"]
	if err := plain("attribute_key", key, parley.MaxAttributeName); err != nil {
		return nil, err
	}
	if err := plain("query", body.Query, parley.MaxAttributeValue); err != nil {
		return nil, err
	}
	type value struct {
		Key   string `json:"key"`
		Value string `json:"value"`
	}
	out := struct {
		Attributes []value `json:"attributes"`
	}{Attributes: []value{}}
	var values []string
	err := s.Record.View(r.Context(), func(tx parley.Tx) (err error) {
		values, err = tx.EventValues(r.Context(), r.tenant, r.bot, key, body.Query, pageSize)
		return err
	})
	for _, v := range values {
		out.Attributes = append(out.Attributes, value{key, v})
	}
	return out, err
}
