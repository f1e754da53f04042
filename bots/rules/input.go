package rules

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"parley"
	"parley/flow"
)

// answer decides what an input is, and goes where it leads. Code wins over intent, that over what was waited for, that over
// the text (reference/broker.md 4.1).
func (w *walk) answer() error {
	in := &w.turn.Input
	text := strings.TrimSpace(w.turn.Text)
	switch {
	case in.Code == parley.WelcomeCode:
		if w.flow.Welcome == "" {
			return misconfigured("the bot's flow has no welcome")
		}
		return w.understood(w.flow.Welcome)
	case in.Code != "":
		if step := w.flow.Code(in.Code); step != "" {
			return w.understood(step)
		}
		return w.missed()
	case in.Intent != "":
		return w.intent(w.flow.Intent(in.Intent), in.Confidence)
	case strings.TrimSpace(in.UserInput) != "":
		return w.said(strings.TrimSpace(in.UserInput))
	case text != "":
		return w.said(text)
	case w.flow.OnContext != "":
		return w.understood(w.flow.OnContext)
	}
	return w.missed()
}

// said is a text, typed or chosen.
func (w *walk) said(text string) error {
	if step := w.flow.Choice(text); step != "" {
		return w.understood(step)
	}
	if step := w.flow.Step(w.state.Waiting); step != nil {
		return w.replied(step, text)
	}
	return w.intent(w.flow.Understand(text, w.values.Input.Language))
}

// replied is what was said when a step had asked.
func (w *walk) replied(step *flow.Step, text string) error {
	if value, ok := step.Ask.Accept(w.flow, text, w.locale()); ok {
		w.store(step.Ask, value)
		w.state = state{Form: stateForm}
		return w.after(step)
	}
	if step.Ask.Interrupts {
		if i, score := w.flow.Understand(text, w.values.Input.Language); i != nil && score >= w.minimum {
			return w.intent(i, score)
		}
	}
	if w.state.Tries++; w.state.Tries >= step.Ask.Tries {
		w.state.Waiting, w.state.Tries = "", 0
		if step.Ask.Failed != "" {
			return w.run(step.Ask.Failed)
		}
		return w.missed()
	}
	again, err := step.Ask.Again.RenderHTML(w.values.Input.Language, &w.values)
	if err != nil {
		return err
	}
	if again != "" {
		w.reply.Answers = append(w.reply.Answers, parley.BotAnswer{Type: parley.AnswerText, Text: again})
	}
	return w.wait(step)
}

// intent goes to the step of an intent if it is sure enough.
func (w *walk) intent(i *flow.Intent, score float64) error {
	if i == nil || score < w.minimum {
		return w.missed()
	}
	w.values.Input.Intent = i.Name
	w.reply.NLP.Type, w.reply.NLP.Name, w.reply.NLP.Score = parley.NLPIntent, i.Name, score
	return w.understood(i.Step)
}

// understood begins at a step: nothing is waited for any more.
func (w *walk) understood(step string) error {
	w.state = state{Form: stateForm}
	return w.run(step)
}

// missed answers what was not understood.
func (w *walk) missed() error {
	w.reply.Fallback = true
	misses := w.state.Misses + 1
	w.state = state{Form: stateForm, Misses: misses}
	if w.flow.Escalate != "" && misses >= w.flow.EscalateAfter {
		w.state.Misses = 0
		return w.run(w.flow.Escalate)
	}
	return w.run(w.flow.Fallback)
}

// entities finds what is in the text, and takes what the channel decided, which wins.
func (w *walk) entities() {
	w.reply.NLP.Entities = w.flow.Entities(w.turn.Text, w.locale())
	if strings.TrimSpace(w.turn.Text) == "" && w.turn.Input.UserInput != "" {
		w.reply.NLP.Entities = w.flow.Entities(w.turn.Input.UserInput, w.locale())
		for i := range w.reply.NLP.Entities { // not in the text
			w.reply.NLP.Entities[i].Start, w.reply.NLP.Entities[i].End = 0, 0
		}
	}
	for _, e := range w.reply.NLP.Entities {
		if _, ok := w.values.Entities[e.Name]; !ok {
			w.values.Entities[e.Name] = e.Value
		}
	}
	var given map[string]json.RawMessage
	if json.Unmarshal(w.turn.Input.Entities, &given) != nil {
		return // there are none
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if len(w.reply.NLP.Entities) >= maxEntities {
			return
		}
		var all []json.RawMessage
		if json.Unmarshal(given[name], &all) != nil {
			all = []json.RawMessage{given[name]}
		}
		for i, raw := range all[:min(len(all), maxEntities)] {
			value := plain(raw)
			if value == "" {
				continue
			}
			if i == 0 {
				w.values.Entities[name] = value
			}
			w.reply.NLP.Entities = append(w.reply.NLP.Entities, parley.NLPEntity{Name: name, Value: value, Original: value})
		}
	}
}

// maxEntities bounds what is told of an input.
const maxEntities = 100

// plain is a JSON value as a text; "" for null.
func plain(raw json.RawMessage) string {
	var s string
	switch {
	case json.Unmarshal(raw, &s) == nil: // also null
		return s
	case len(raw) > flow.MaxText:
		return ""
	}
	return string(raw)
}
