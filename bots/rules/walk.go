package rules

import (
	"cmp"
	"encoding/json"
	"fmt"

	"parley"
	"parley/bots"
	"parley/flow"
)

// Bounds of a turn.
const (
	// MaxSteps is how many steps it goes through (reference/broker.md 11).
	MaxSteps   = 50
	maxAnswers = 100
)

// A walk is one turn on its way through a flow.
type walk struct {
	flow    *flow.Flow
	turn    *bots.Turn
	minimum float64
	state   state
	values  flow.Values
	raw     map[string]map[string]json.RawMessage // the contexts that were changed: what a flow does not touch stays as it was written
	used    map[string]bool                       // entities of the input that a question took
	reply   parley.BotReply
	home    string // the bot's own language
}

func (c *connector) begin(f *flow.Flow, t *bots.Turn) *walk {
	w := &walk{flow: f, turn: t, home: c.language, minimum: cmp.Or(c.minimum, f.MinimumConfidence, parley.DefaultConfidence), state: stateOf(t.State, f), used: map[string]bool{}, raw: map[string]map[string]json.RawMessage{},
		reply: parley.BotReply{NLP: &parley.NLPResult{Type: parley.NLPNone}}}
	w.values = flow.Values{Open: contextOf(t.Contexts.Open), Visible: contextOf(t.Contexts.Visible), Hidden: contextOf(t.Contexts.Hidden), Entities: map[string]any{},
		Now:   f.Time(c.now()),
		Input: flow.InputValues{Text: t.Text, Code: t.Input.Code, Channel: t.Client.ChannelType, Locale: w.locale(), Language: f.Language(w.locale())}}
	w.entities()
	return w
}

// locale is the customer's, or else the bot's.
func (w *walk) locale() string { return cmp.Or(w.turn.Client.Locale, w.home, w.flow.Languages[0]) }

// contextOf is a context to read and change; what is no object is an empty one.
func contextOf(raw json.RawMessage) map[string]any {
	var members map[string]json.RawMessage
	_ = json.Unmarshal(raw, &members)
	m := map[string]any{}
	for name, member := range members {
		var value any
		if json.Unmarshal(member, &value) == nil { // a number that is too large hides no other member
			m[name] = value
		}
	}
	return m
}

// run goes through steps from one on until nothing follows.
func (w *walk) run(id string) error {
	for id != "" {
		s := w.flow.Step(id)
		if s == nil { // Parse lets no such thing through
			return misconfigured("the bot's flow leads to a step that is not there")
		}
		if len(w.reply.Steps) >= MaxSteps {
			return misconfigured("endless loop: the bot's flow goes through more than 50 steps in one turn")
		}
		w.reply.Steps = append(w.reply.Steps, parley.FlowStep{ID: s.ID, Name: s.Name})
		next, err := w.step(s)
		if err != nil {
			return err
		}
		id = next
	}
	return nil
}

// step does what a step says, and is where it goes on; "" = nowhere.
func (w *walk) step(s *flow.Step) (string, error) {
	if s.When != nil && !s.When.Holds(&w.values) {
		return cmp.Or(s.Otherwise, w.flow.Fallback), nil
	}
	for i := range s.Set {
		a := &s.Set[i]
		value, err := a.Value(&w.values)
		if err != nil {
			return "", err
		}
		w.put(a.Place, value)
	}
	if s.Ask != nil && s.Ask.Entity != "" {
		if value, ok := w.values.Entities[s.Ask.Entity].(string); ok && !w.used[s.Ask.Entity] { // said already
			w.store(s.Ask, value)
			return w.leave(s), nil
		}
	}
	if err := w.say(s); err != nil {
		return "", err
	}
	if s.Ask != nil {
		w.state.Tries = 0
		return "", w.wait(s)
	}
	return w.leave(s), nil
}

// say answers what a step has to say.
func (w *walk) say(s *flow.Step) error {
	for i := range s.Answers {
		a := &s.Answers[i]
		if a.When != nil && !a.When.Holds(&w.values) {
			continue
		}
		out, some, err := a.Render(w.values.Input.Language, &w.values)
		if err != nil {
			return err
		}
		if !some {
			continue
		}
		if len(w.reply.Answers) >= maxAnswers {
			return misconfigured("the bot's flow says more than 100 things in one turn")
		}
		w.reply.Answers = append(w.reply.Answers, out)
	}
	return nil
}

// wait ends the turn with a question.
func (w *walk) wait(s *flow.Step) error {
	label, err := s.Ask.Label.Render(w.values.Input.Language, &w.values)
	w.state.Waiting = s.ID
	w.reply.Await = &parley.AwaitedInput{Type: s.Ask.Type, CallToAction: label, Pattern: s.Ask.Format}
	return err
}

// after goes on behind the question of a step.
func (w *walk) after(s *flow.Step) error {
	w.reply.Steps = append(w.reply.Steps, parley.FlowStep{ID: s.ID, Name: s.Name})
	return w.run(w.leave(s))
}

// leave ends a step, and is where it goes on.
func (w *walk) leave(s *flow.Step) string {
	for _, b := range s.Branches {
		if b.When == nil || b.When.Holds(&w.values) {
			return b.Goto
		}
	}
	w.reply.HandOver, w.reply.End = s.HandOver, s.End
	return s.Goto
}

// store keeps the answer to a question. What was in the input and is the same answers no further question.
func (w *walk) store(a *flow.Ask, value string) {
	if a.Store != nil {
		w.put(*a.Store, value)
	}
	for name, v := range w.values.Entities {
		if v == value {
			w.used[name] = true
		}
	}
}

// put changes a context; nil removes a member.
func (w *walk) put(at flow.Place, value any) {
	to := map[string]map[string]any{"open": w.values.Open, "visible": w.values.Visible, "hidden": w.values.Hidden}[at.Context]
	if w.raw[at.Context] == nil {
		members := map[string]json.RawMessage{}
		_ = json.Unmarshal(w.given(at.Context), &members) // what is no object is an empty one
		if members == nil {
			members = map[string]json.RawMessage{}
		}
		w.raw[at.Context] = members
	}
	raw, err := json.Marshal(value)
	if value == nil || err != nil { // values are of JSON: they have one
		delete(to, at.Key)
		delete(w.raw[at.Context], at.Key)
		return
	}
	to[at.Key], w.raw[at.Context][at.Key] = value, raw
}

// given is a context as it came.
func (w *walk) given(name string) json.RawMessage {
	switch name {
	case "open":
		return w.turn.Contexts.Open
	case "visible":
		return w.turn.Contexts.Visible
	}
	return w.turn.Contexts.Hidden
}

// finish is the reply. Its contexts replace all that the conversation has, so those that were not changed are in it as they came.
func (w *walk) finish() (parley.BotReply, error) {
	if len(w.raw) > 0 {
		contexts := w.turn.Contexts
		w.reply.Contexts = &contexts
	}
	for name, members := range w.raw {
		raw, err := json.Marshal(members)
		if err != nil {
			return parley.BotReply{}, err
		}
		if len(raw) > parley.MaxContext {
			return parley.BotReply{}, misconfigured("the bot's flow makes a context larger than 64 KiB")
		}
		if parley.TooDeep(raw) {
			return parley.BotReply{}, misconfigured(fmt.Sprintf("the bot's flow nests a context more than %d deep", parley.MaxDepth))
		}
		switch name {
		case "open":
			w.reply.Contexts.Open = raw
		case "visible":
			w.reply.Contexts.Visible = raw
		default:
			w.reply.Contexts.Hidden = raw
		}
	}
	w.reply.State = w.state.raw()
	return w.reply, nil
}
