package flow

import (
	"regexp"
	"time"
	_ "time/tzdata" // a flow's time zone must not depend on the machine

	"golang.org/x/text/language"
)

// A Flow is what a bot understands and does.
type Flow struct {
	Name              string
	Languages         []string // tags as written; the first stands in for others
	MinimumConfidence float64  // 0 = not said
	Welcome           string   // steps by id; "" = there is none
	Fallback          string   // always there
	OnContext         string   // for inputs that are nothing but a context; "" = Fallback
	Escalate          string   // "" = never
	EscalateAfter     int      // so many inputs in a row that were not understood
	Warnings          []Problem

	zone       *time.Location
	steps      map[string]*Step
	codes      map[string]string // step by code
	choices    map[string]string // step by the folded value of a button
	intents    []Intent
	entities   []entity
	matcher    language.Matcher
	understand map[string]func() *understanding // by language; made when first asked for
}

// A Step is one thing that a bot does.
type Step struct {
	ID, Name  string
	When      *Expression // nil = always
	Otherwise string      // step if When does not hold; "" = the fallback
	Set       []Assignment
	Answers   []Answer
	Ask       *Ask
	Branches  []Branch
	Goto      string // if no branch holds; "" = the bot is done
	HandOver  bool
	End       bool
}

// A Branch goes to a step if its condition holds.
type Branch struct {
	When *Expression // nil = always
	Goto string
}

// A Place is a member of a context.
type Place struct{ Context, Key string }

// An Assignment puts a value into a context.
type Assignment struct {
	Place
	value value
}

// An Ask waits for an input.
type Ask struct {
	Type       string // of [parley.AwaitedInput]
	Label      Text
	Format     string // what the channel is told: of a date or time, or a regular expression
	Store      *Place // nil = nowhere
	Entity     string // that must be in the input; "" = any
	Again      Text   // said if the input will not do
	Tries      int    // inputs that will not do, until Failed
	Failed     string // "" = the fallback
	Interrupts bool   // an input that will not do may be an intent
	pattern    *regexp.Regexp
}

// An Intent is something that customers want.
type Intent struct {
	Name     string
	Step     string
	examples map[string][]string // by language; "" = every one
	keywords map[string][]string
}

// Step is the one of that id; nil if there is none.
func (f *Flow) Step(id string) *Step { return f.steps[id] }

// Code is the step of a code; "" if there is none.
func (f *Flow) Code(code string) string { return f.codes[code] }

// Choice is the step that a button with this value leads to; "" if there is none.
func (f *Flow) Choice(text string) string { return f.choices[folded(text)] }

// Intent is the one of that name; nil if there is none.
func (f *Flow) Intent(name string) *Intent {
	for i := range f.intents {
		if f.intents[i].Name == name {
			return &f.intents[i]
		}
	}
	return nil
}

// Language is the flow's language for a customer with that locale, such as de-AT.
func (f *Flow) Language(locale string) string {
	tag, err := language.Parse(locale)
	if err != nil {
		return f.Languages[0]
	}
	_, i, sure := f.matcher.Match(tag)
	if sure == language.No {
		return f.Languages[0]
	}
	return f.Languages[i]
}

// Time is a moment as expressions see it.
func (f *Flow) Time(at time.Time) NowValues {
	at = at.In(f.zone)
	return NowValues{Date: at.Format(time.DateOnly), Time: at.Format("15:04"), Weekday: (int(at.Weekday())+6)%7 + 1}
}
