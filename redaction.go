package parley

import (
	"context"
	"encoding/json"
	"strings"
)

// A Redactor makes unrecognisable what a tenant's settings say must not be shown. It is pure and safe for concurrent use. The language
// is the conversation's, on which depends what counts as a date or as a telephone number; "" = the default one.
type Redactor interface {
	Text(said, language string) string
	HTML(rich, language string) string // of what a reader sees; tags stay
}

// A Redaction makes the redactor of a tenant from what the transaction shows of its settings; nil if everything stays as it was said.
type Redaction func(ctx context.Context, tx Tx, tenant TenantID) (Redactor, error)

// RedactedText is a text as it is stored; by may be nil.
func RedactedText(by Redactor, language, said string) string {
	if by == nil || said == "" {
		return said
	}
	return by.Text(said, language)
}

// Redacted is content as it is stored: with its texts redacted, those inside JSON too. What is stored, delivered and shown is made of
// this, so the original is nowhere. It is a copy, or c itself if by is nil.
func (c *Content) Redacted(by Redactor, language string) *Content {
	if by == nil || c == nil {
		return c
	}
	clean := *c
	clean.Text, clean.HTML = RedactedText(by, language, c.Text), redactedHTML(by, language, c.HTML)
	clean.JSON = redactedJSON(by, language, c.JSON)
	if c.Extra != nil {
		clean.Extra = make(map[string]json.RawMessage, len(c.Extra))
		for name, value := range c.Extra {
			clean.Extra[name] = redactedJSON(by, language, value)
		}
	}
	return &clean
}

// redactedHTML redacts a text that may hold simple HTML, by the rule of [BotAnswer] and of pages: without these characters it is plain.
func redactedHTML(by Redactor, language, rich string) string {
	if !strings.ContainsAny(rich, "<&") {
		return RedactedText(by, language, rich)
	}
	return by.HTML(rich, language)
}

// redactedJSON redacts the strings of a JSON value, names of members apart. Numbers stay as they were written.
func redactedJSON(by Redactor, language string, raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 {
		return raw
	}
	var walk func(json.RawMessage) (json.RawMessage, error)
	walk = func(raw json.RawMessage) (json.RawMessage, error) {
		var text string
		var list []json.RawMessage
		var object map[string]json.RawMessage
		switch first := raw[0]; {
		case first == '"' && json.Unmarshal(raw, &text) == nil:
			if clean := by.Text(text, language); clean != text {
				return json.Marshal(clean)
			}
		case first == '[' && json.Unmarshal(raw, &list) == nil:
			for i := range list {
				var err error
				if list[i], err = walk(list[i]); err != nil {
					return nil, err
				}
			}
			return json.Marshal(list)
		case first == '{' && json.Unmarshal(raw, &object) == nil:
			for name, value := range object {
				clean, err := walk(value)
				if err != nil {
					return nil, err
				}
				object[name] = clean
			}
			return json.Marshal(object)
		}
		return raw, nil
	}
	clean, err := walk(raw)
	if err != nil {
		return json.RawMessage("{}") // better nothing than what must not be shown
	}
	return clean
}
