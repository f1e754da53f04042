package flow

import (
	"encoding/json"
	"strings"

	"parley"
)

// An Answer is something that a bot says.
type Answer struct {
	When         *Expression // nil = always
	ID, Type     string
	content      Text // a text, or the address of a medium
	description  Text
	cards        []card
	technical    value // an object, or a text that may be one; nil = none
	buttons      []button
	quickReplies []button
	evaluable    bool
	masked       bool
}

type card struct {
	image, title, subTitle Text
	buttons                []button
}

// A button is also a quick reply.
type button struct {
	name, value, action Text
	kind                string
}

// Render is the answer in a language; false if nothing is left to say.
func (a *Answer) Render(language string, v *Values) (out parley.BotAnswer, some bool, err error) {
	r := rendering{language: language, values: v}
	out = parley.BotAnswer{ID: a.ID, Type: a.Type, Description: r.plain(&a.description), Evaluable: a.evaluable, Masked: a.masked}
	switch a.Type {
	case parley.AnswerText, parley.AnswerOptions, parley.AnswerCustom:
		out.Text = r.with(&a.content, escapeHTML)
	case parley.AnswerCarousel:
		for i := range a.cards {
			c := &a.cards[i]
			out.Cards = append(out.Cards, parley.AnswerCard{ImageURL: r.with(&c.image, escapeURL), Title: r.plain(&c.title), SubTitle: r.plain(&c.subTitle), Buttons: r.buttons(c.buttons)})
		}
	default:
		out.Text = r.with(&a.content, escapeURL)
	}
	out.Buttons = r.buttons(a.buttons)
	for i := range a.quickReplies {
		q := &a.quickReplies[i]
		out.QuickReplies = append(out.QuickReplies, parley.QuickReply{Name: r.plain(&q.name), Value: r.plain(&q.value)})
	}
	if a.technical != nil {
		out.Technical = r.technical(a.technical)
	}
	silent := (a.Type == parley.AnswerText || a.Type == parley.AnswerOptions) && strings.TrimSpace(out.Text) == "" && len(out.Buttons)+len(out.QuickReplies) == 0
	return out, !silent, r.err
}

// A rendering keeps the first error.
type rendering struct {
	language string
	values   *Values
	err      error
}

func (r *rendering) with(t *Text, escape func(string) string) string {
	s, err := t.in(r.language).render(r.values, escape)
	if err != nil && r.err == nil {
		r.err = err
	}
	return s
}

func (r *rendering) plain(t *Text) string { return r.with(t, asIs) }

func (r *rendering) buttons(all []button) (out []parley.AnswerButton) {
	for i := range all {
		b := &all[i]
		out = append(out, parley.AnswerButton{Name: r.plain(&b.name), Value: r.plain(&b.value), Type: b.kind, Action: r.with(&b.action, escapeURL)})
	}
	return out
}

// technical is an object for the channel; a text that is none becomes {"text": …} (reference/broker.md 4.5).
func (r *rendering) technical(v value) json.RawMessage {
	tree, err := v.in(r.values)
	if err != nil {
		if r.err == nil {
			r.err = err
		}
		return nil
	}
	if _, ok := tree.(map[string]any); !ok {
		text := show(tree)
		if strings.TrimSpace(text) == "" {
			return nil
		}
		tree = map[string]any{"text": text}
	}
	raw, err := json.Marshal(tree)
	if err != nil && r.err == nil {
		r.err = err
	}
	return raw
}
