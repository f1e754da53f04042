package hub

import (
	"encoding/json"

	"parley"
)

// redacted is content as it is stored: with its texts redacted, those inside JSON too. What is stored, delivered and shown is
// made of this, so the original is nowhere.
func (p *plan) redacted(c *parley.Content) *parley.Content {
	if p.redact == nil || c == nil {
		return c
	}
	clean := *c // the draft may be routed again
	clean.Text, clean.HTML = p.redact(c.Text), p.redact(c.HTML)
	clean.JSON = redactJSON(c.JSON, p.redact)
	if c.Extra != nil {
		clean.Extra = make(map[string]json.RawMessage, len(c.Extra))
		for name, value := range c.Extra {
			clean.Extra[name] = redactJSON(value, p.redact)
		}
	}
	return &clean
}

// redactJSON redacts the strings of a JSON value, names of members apart. Numbers stay as they were written.
func redactJSON(raw json.RawMessage, redact Redactor) json.RawMessage {
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
			if clean := redact(text); clean != text {
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
