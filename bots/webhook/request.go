package webhook

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"parley/bots"
)

// A request is what a bot is asked (reference/broker.md 12). Every member is always there; answer is not, since no answer of ours is
// transactional.
type request struct {
	Text           string          `json:"text"`
	Code           string          `json:"code"`
	UserInput      *string         `json:"userInput"`
	Info           info            `json:"info"`
	Intents        []intent        `json:"intents"`
	Entities       []entity        `json:"entities"`
	OpenContext    json.RawMessage `json:"openContext"`
	VisibleContext json.RawMessage `json:"visibleContext"`
	HiddenContext  json.RawMessage `json:"hiddenContext"`
	Background     string          `json:"background"` // ours, as is note: what the channel's program says about customer and conversation
	Note           string          `json:"note"`       // and about this message
}

type info struct {
	Bot                    string `json:"bot"`
	ChannelName            string `json:"channelName"`
	ChannelType            string `json:"channelType"`
	ChannelClassification  string `json:"channelClassification"` // channels of ours have none: ""
	OperatingSystem        string `json:"operatingSystem"`
	OperatingSystemVersion string `json:"operatingSystemVersion"`
	Browser                string `json:"browser"`
	BrowserVersion         string `json:"browserVersion"`
	UserRef                string `json:"userRef"`
	BusinessKey            string `json:"businessKey"`
	Locale                 string `json:"locale"`
	SessionCode            string `json:"sessionCode"`
}

type intent struct {
	Name       string  `json:"name"`
	Confidence float64 `json:"confidence"` // 0 to 1
}

type entity struct {
	Name          string   `json:"name"`
	Value         string   `json:"value"`
	OriginalValue string   `json:"originalValue"`
	Position      position `json:"position"`
}

// A position counts characters; {0, 0} = not in the text.
type position struct {
	Start int `json:"start"`
	End   int `json:"end"` // exclusive
}

func requestOf(t *bots.Turn) request {
	r := request{Text: t.Text, Code: t.Input.Code, Intents: []intent{}, Entities: entitiesOf(t.Input.Entities, t.Text),
		OpenContext: object(t.Contexts.Open), VisibleContext: object(t.Contexts.Visible), HiddenContext: object(t.Contexts.Hidden), Background: t.Background, Note: t.Input.Note,
		Info: info{Bot: t.BotName, ChannelName: t.Client.ChannelName, ChannelType: t.Client.ChannelType, OperatingSystem: t.Client.System,
			OperatingSystemVersion: t.Client.SystemVersion, Browser: t.Client.Browser, BrowserVersion: t.Client.BrowserVersion,
			UserRef: t.Client.UserRef, BusinessKey: t.Client.BusinessKey, Locale: t.Client.Locale, SessionCode: cmp.Or(t.Client.Session, t.Conversation.String())}}
	if t.Input.UserInput != "" {
		r.UserInput = &t.Input.UserInput
	}
	if t.Input.Intent != "" {
		r.Intents = append(r.Intents, intent{t.Input.Intent, t.Input.Confidence})
	}
	return r
}

// object is a context as bots see it.
func object(context json.RawMessage) json.RawMessage {
	if len(context) == 0 {
		return json.RawMessage("{}")
	}
	return context
}

// entitiesOf are those that the channel decided, by name. A value that is no text goes as the JSON it is.
func entitiesOf(decided json.RawMessage, text string) []entity {
	all := []entity{}
	var byName map[string]json.RawMessage
	_ = json.Unmarshal(decided, &byName) // whoever took them in saw to it that they are an object
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		var values []json.RawMessage
		if json.Unmarshal(byName[name], &values) != nil {
			values = []json.RawMessage{byName[name]}
		}
		for _, raw := range values {
			if bytes.Equal(raw, []byte("null")) {
				continue
			}
			var value string
			if json.Unmarshal(raw, &value) != nil {
				value = string(raw)
			}
			all = append(all, entity{name, value, value, find(text, value)})
		}
	}
	return all
}

// find is where a value first stands in a text.
func find(text, value string) position {
	at := strings.Index(text, value)
	if at < 0 || value == "" {
		return position{}
	}
	start := utf8.RuneCountInString(text[:at])
	return position{start, start + utf8.RuneCountInString(value)}
}
