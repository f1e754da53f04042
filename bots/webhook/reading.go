package webhook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"parley"
	"parley/bots"
)

// A value is a part of what a bot answered.
type value struct {
	at      string // where it stands, in words of ours: "answers[2].content"
	raw     json.RawMessage
	members map[string]json.RawMessage // once it was read as an object
}

// absent says whether the value is missing, null, or "", which stands for null.
func (v value) absent() bool {
	return len(v.raw) == 0 || bytes.Equal(v.raw, []byte("null")) || bytes.Equal(v.raw, []byte(`""`))
}

// first is the character it begins with: whether it is an object, a list or a text. 0 = it is missing.
func (v value) first() byte {
	if len(v.raw) == 0 {
		return 0
	}
	return v.raw[0]
}

// member is a part of an object that was read by [reading.open]; others have none.
func (v value) member(name string) value {
	at := name
	if v.at != "" {
		at = v.at + "." + name
	}
	return value{at: at, raw: v.members[name]}
}

// A reading notes the first thing that is not as agreed. What it reads from then on is zero.
type reading struct{ failure *bots.Failure }

func (r *reading) fail(why parley.TurnFailure, problem string) {
	if r.failure == nil {
		r.failure = &bots.Failure{Why: why, Problem: problem}
	}
}

func (r *reading) wrong(v value, what string) {
	r.fail(parley.FailureBot, fmt.Sprintf("the answer of %s is not as agreed: %s %s", whom, v.at, what))
}

// unknown is for a word that is none of those that there are.
func (r *reading) unknown(v value, why parley.TurnFailure, words []string) {
	r.fail(why, fmt.Sprintf("the answer of %s is not as agreed: %s is none of %s", whom, v.at, strings.Join(words, ", ")))
}

// text reads a text; numbers and booleans are taken as they are written.
func (r *reading) text(v value) (text string) {
	switch {
	case v.absent():
	case v.first() == '{' || v.first() == '[':
		r.wrong(v, "must be a text")
	case v.first() == '"':
		_ = json.Unmarshal(v.raw, &text) // it was parsed before
	default:
		text = string(v.raw)
	}
	return text
}

// word reads one of several words, in any case; absent = otherwise.
func (r *reading) word(v value, otherwise string, why parley.TurnFailure, words []string) string {
	text := strings.ToUpper(strings.TrimSpace(r.text(v)))
	if text == "" {
		return otherwise
	}
	for _, w := range words {
		if w == text {
			return w
		}
	}
	r.unknown(v, why, words)
	return otherwise
}

// number reads a number, or a text that is one.
func (r *reading) number(v value) float64 {
	text := strings.TrimSpace(r.text(v))
	if text == "" {
		return 0
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(n) {
		r.wrong(v, "must be a number")
		return 0
	}
	return n
}

// flag reads a boolean, or a text or number that stands for one.
func (r *reading) flag(v value) bool {
	switch strings.ToLower(strings.TrimSpace(r.text(v))) {
	case "true", "1":
		return true
	case "false", "0", "":
	default:
		r.wrong(v, "must be true or false")
	}
	return false
}

// open reads an object, so that its members can be read.
func (r *reading) open(v value) value {
	if v.absent() {
		return v
	}
	if v.first() != '{' {
		r.wrong(v, "must be an object")
		return v
	}
	_ = json.Unmarshal(v.raw, &v.members) // it was parsed before
	return v
}

// maxItems bounds every list, so that a small answer does not become much in memory.
const maxItems = 1000

// items reads a list; one object stands for a list of it.
func (r *reading) items(v value) (items []value) {
	var raw []json.RawMessage
	switch {
	case v.absent():
	case v.first() == '{':
		raw = []json.RawMessage{v.raw}
	case v.first() == '[':
		_ = json.Unmarshal(v.raw, &raw) // it was parsed before
	default:
		r.wrong(v, "must be a list")
	}
	if len(raw) > maxItems {
		r.wrong(v, fmt.Sprintf("has more than %d items", maxItems))
		return nil
	}
	for i, one := range raw {
		items = append(items, value{at: v.at + "[" + strconv.Itoa(i) + "]", raw: one})
	}
	return items
}

// object reads an object that is passed on: written anew, so that names stand in it once, and all of it is UTF-8. Numbers stay as they are.
func (r *reading) object(v value) json.RawMessage {
	if v.first() != '{' {
		r.wrong(v, "must be an object")
		return nil
	}
	if parley.TooDeep(v.raw) {
		r.wrong(v, parley.DepthProblem)
		return nil
	}
	var members map[string]any
	d := json.NewDecoder(bytes.NewReader(v.raw))
	d.UseNumber()
	if err := d.Decode(&members); err != nil {
		r.wrong(v, "must be an object")
		return nil
	}
	return bots.Encode(members)
}
