package analytics

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"parley"
)

// A definition says what events of one name are. Its id is the name, by which funnels call it, too.
type definition struct {
	ID          string                `json:"id"`
	BotID       string                `json:"bot_id"`
	Name        string                `json:"name"`
	Description string                `json:"description"`
	Attributes  []definitionAttribute `json:"attributes"`
	Defined     bool                  `json:"defined"` // else it was only seen
	CreatedAt   string                `json:"created_at"`
	UpdatedAt   string                `json:"updated_at"`
}

type definitionAttribute struct {
	Key         string `json:"key"`
	Type        string `json:"type"`
	Description string `json:"description"`
}

type definitionPage struct {
	EventDefinitions []definition `json:"event_definitions"`
	NextPageToken    string       `json:"next_page_token"`
}

func (p *definitionPage) add(d *parley.EventDefinition) {
	shown := definition{ID: d.Name, BotID: d.Bot.String(), Name: d.Name, Description: d.Description, Attributes: []definitionAttribute{}, Defined: d.Defined,
		CreatedAt: timestamp(d.Created.UnixMilli()), UpdatedAt: timestamp(d.Modified.UnixMilli())}
	for _, a := range d.Attributes {
		shown.Attributes = append(shown.Attributes, definitionAttribute{a.Key, string(a.Type), a.Description})
	}
	p.EventDefinitions = append(p.EventDefinitions, shown)
}

// definitions of a bot: a page of them, or with a POST that has a name the one that is kept.
func (s *Surface) definitions(r *request) (any, error) {
	if r.Method != http.MethodPost {
		return s.listDefinitions(r, r.bot, r.params)
	}
	var raw json.RawMessage
	if err := r.body(&raw); err != nil {
		return nil, err
	}
	var body map[string]any
	if err := json.Unmarshal(raw, &body); err != nil {
		return nil, invalid("the body must be a JSON object")
	}
	if body["name"] == nil {
		p, err := bodyParams(body, []string{"page_token"})
		if err != nil {
			return nil, err
		}
		return s.listDefinitions(r, r.bot, p)
	}
	d, err := readDefinition(raw)
	if err != nil {
		return nil, err
	}
	d.Tenant, d.Bot, d.Modified = r.tenant, r.bot, s.Clock().UTC().Truncate(time.Millisecond)
	if err := s.Record.Update(r.Context(), func(tx parley.Tx) error { return tx.DefineEvent(r.Context(), &d) }); err != nil {
		return nil, err
	}
	var out definitionPage
	out.add(&d)
	return out, nil
}

// teamDefinitions are those of all bots of a team.
func (s *Surface) teamDefinitions(r *request) (any, error) {
	return s.listDefinitions(r, parley.ApplicationID{}, r.params)
}

func readDefinition(raw json.RawMessage) (d parley.EventDefinition, err error) {
	var body definition
	if err := unmarshal(raw, &body); err != nil {
		return d, err
	}
	body.Name = strings.TrimSpace(body.Name)
	if body.Name == "" {
		return d, invalid("name is required")
	}
	if err := plain("name", body.Name, parley.MaxEventText); err != nil {
		return d, err
	}
	if err := plain("description", body.Description, parley.MaxEventDefinition); err != nil {
		return d, err
	}
	if len(body.Attributes) > parley.MaxAttributes {
		return d, invalid("attributes must not be more than %d", parley.MaxAttributes)
	}
	d.Name, d.Description = body.Name, body.Description
	for i, a := range body.Attributes {
		if a.Key == "" {
			return d, invalid("attributes[%d].key is required", i)
		}
		if err := plain("the key of an attribute", a.Key, parley.MaxAttributeName); err != nil {
			return d, err
		}
		if err := plain("the description of an attribute", a.Description, parley.MaxEventDefinition); err != nil {
			return d, err
		}
		if !slices.Contains(parley.AttributeTypes(), parley.AttributeType(a.Type)) {
			return d, invalid("attributes[%d].type must be string, number or boolean", i)
		}
		if slices.ContainsFunc(d.Attributes, func(b parley.EventAttribute) bool { return b.Key == a.Key }) {
			return d, invalid("attributes[%d].key is there twice", i)
		}
		d.Attributes = append(d.Attributes, parley.EventAttribute{Key: a.Key, Type: parley.AttributeType(a.Type), Description: a.Description})
	}
	return d, nil
}

func (s *Surface) listDefinitions(r *request, bot parley.ApplicationID, p params) (any, error) {
	size, err := p.pageSize()
	if err != nil {
		return nil, err
	}
	after, err := readNamePlace(p.one("page_token"))
	if err != nil {
		return nil, err
	}
	var found []parley.EventDefinition
	err = s.Record.View(r.Context(), func(tx parley.Tx) (err error) {
		found, err = tx.EventDefinitions(r.Context(), r.tenant, bot, after, size+1)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := definitionPage{EventDefinitions: []definition{}}
	if len(found) > size {
		found = found[:size]
		out.NextPageToken = namePlace(&found[size-1])
	}
	for i := range found {
		out.add(&found[i])
	}
	return out, nil
}

// namePlace names the place of a definition in a list: the bot, and what the events are called.
func namePlace(d *parley.EventDefinition) string {
	return base64.RawURLEncoding.EncodeToString([]byte(d.Bot.String() + d.Name))
}

func readNamePlace(token string) (p parley.NamePlace, err error) {
	if token == "" {
		return p, nil
	}
	const id = 36
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) <= id || plain("", string(raw[id:]), parley.MaxEventText) != nil {
		return p, errPageToken
	}
	p.Name = string(raw[id:])
	if p.Bot, err = parley.ParseID[parley.ClientApplication](string(raw[:id])); err != nil {
		return p, errPageToken
	}
	return p, nil
}
