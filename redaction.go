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

// Redacted is an answer as it is stored, beside its content. The addresses of pictures and other files stay. It is a copy, or a itself
// if by is nil.
func (a *BotAnswer) Redacted(by Redactor, language string) *BotAnswer {
	if by == nil || a == nil {
		return a
	}
	text := func(s string) string { return RedactedText(by, language, s) }
	clean := *a
	clean.Description, clean.Technical, clean.Buttons = text(a.Description), redactedJSON(by, language, a.Technical), redactedButtons(a.Buttons, text)
	switch a.Type {
	case AnswerImage, AnswerVideo, AnswerAudio, AnswerDocument:
	default:
		clean.Text = redactedHTML(by, language, a.Text)
	}
	if a.Cards != nil {
		clean.Cards = make([]AnswerCard, len(a.Cards))
	}
	for i, c := range a.Cards {
		clean.Cards[i] = AnswerCard{ImageURL: c.ImageURL, Title: text(c.Title), SubTitle: text(c.SubTitle), Buttons: redactedButtons(c.Buttons, text)}
	}
	if a.QuickReplies != nil {
		clean.QuickReplies = make([]QuickReply, len(a.QuickReplies))
	}
	for i, q := range a.QuickReplies {
		clean.QuickReplies[i] = QuickReply{Name: text(q.Name), Value: text(q.Value)}
	}
	return &clean
}

func redactedButtons(all []AnswerButton, text func(string) string) []AnswerButton {
	if all == nil {
		return nil
	}
	clean := make([]AnswerButton, len(all))
	for i, b := range all {
		clean[i] = AnswerButton{Name: text(b.Name), Value: text(b.Value), Type: b.Type, Action: text(b.Action)}
	}
	return clean
}

// Redacted is a result as it is stored: what was understood is cut out of what was said. It is a copy.
func (r TurnResult) Redacted(by Redactor, language string) TurnResult {
	if by == nil {
		return r
	}
	if r.NLP != nil {
		clean := *r.NLP
		clean.Entities = make([]NLPEntity, len(r.NLP.Entities))
		for i, e := range r.NLP.Entities {
			e.Value, e.Original = by.Text(e.Value, language), by.Text(e.Original, language)
			clean.Entities[i] = e
		}
		r.NLP = &clean
	}
	if r.Await != nil {
		clean := *r.Await
		clean.CallToAction = by.Text(clean.CallToAction, language)
		r.Await = &clean
	}
	return r
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
