package rules

import (
	"encoding/json"

	"parley/flow"
)

// maxState bounds what is read as a state, in bytes.
const maxState = 16 << 10

// stateForm is the number of the form below. A state of another form counts as none.
const stateForm = 1

// A state is what the bot knows of a conversation between turns.
type state struct {
	Form    int    `json:"v"`
	Waiting string `json:"waiting,omitempty"` // step whose question is open
	Tries   int    `json:"tries,omitempty"`   // answers to it that would not do
	Misses  int    `json:"misses,omitempty"`  // inputs in a row that were not understood
}

// stateOf reads a state. What cannot be read, or waits at a step that the flow has no more, is a new beginning: what is said then is
// understood as if nothing had been asked, and the fallback answers if nothing is.
func stateOf(raw json.RawMessage, f *flow.Flow) state {
	var s state
	if len(raw) > maxState || json.Unmarshal(raw, &s) != nil || s.Form != stateForm {
		return state{Form: stateForm}
	}
	if step := f.Step(s.Waiting); step == nil || step.Ask == nil {
		s.Waiting, s.Tries = "", 0
	}
	s.Tries, s.Misses = max(s.Tries, 0), max(s.Misses, 0)
	return s
}

func (s state) raw() json.RawMessage {
	raw, _ := json.Marshal(s) // texts and numbers: cannot fail
	return raw
}
