package flow_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"parley/flow"
)

// Every fault is told with its line. The head of each document has four lines.
func TestFaults(t *testing.T) {
	const head = "name: x\nlanguages: [en]\nfallback: a\nwelcome: a\n"
	tests := []struct{ source, want string }{
		{"", "line 1: the document is empty"},
		{"[]", "line 1: must be a mapping of keys and values, not a list"},
		{head + "steps: [{id: a}]\nsteps: []", `line 6: the key "steps" is there twice`},
		{head + "steps: [{id: a}]\ncolour: red", `line 6: unknown key "colour"`},
		{head + "steps:\n- {id: a, goto: b}", `line 6: steps[0].goto: there is no step "b"`},
		{head + "steps:\n- {id: a}\n- {id: a}", `line 7: steps[1].id: there is another step "a", on line 6`},
		{head + "steps:\n- id: a\n  goto: ''", "line 7: steps[0].goto: must be the id of a step"},
		{head + "steps:\n- id: a\n  when: 1 + 1 == 2", "line 7: steps[0].when: the operator + may not be used"},
		{head + "steps:\n- id: a\n  when: len(open.x) > 1", "line 7: steps[0].when: may call exists, lower, number only"},
		{head + "steps:\n- {id: a, end: true, handover: true}", "line 6: steps[0]: may hand over or end, not both"},
		{head + "steps:\n- {id: a, end: true, goto: a}", "line 6: steps[0]: cannot go on to another step after handover or end"},
		{head + "steps:\n- id: a\n  ask: {type: YEAR}", `line 7: steps[0].ask.type: "YEAR" is none of DATE, HOUR, CUSTOM, EMPTY`},
		{head + "steps:\n- id: a\n  ask: {type: CUSTOM, pattern: '\\Qa'}", "line 7: steps[0].ask.pattern: does not end where the pattern ends"},
		{head + "steps:\n- id: a\n  ask: {type: CUSTOM, entity: e}", `line 7: steps[0].ask.entity: there is no entity "e"`},
		{head + "steps:\n- id: a\n  answers:\n  - text: 'x {{ open.y'", "line 8: steps[0].answers[0].text: has {{ without }}"},
		{head + "steps:\n- id: a\n  answers:\n  - type: IMAGE", "line 8: steps[0].answers[0]: an answer of type IMAGE needs url"},
		{head + "steps:\n- id: a\n  answers:\n  - {type: IMAGE, url: 'javascript:x'}", "line 8: steps[0].answers[0].url: must be an absolute http or https address"},
		{head + "steps:\n- id: a\n  answers:\n  - {type: IMAGE, url: 'https://{{ open.x }}'}", "line 8: steps[0].answers[0].url: must be an absolute http or https address"},
		{head + "steps: [{id: a}]\ntimeZone: Mars", `line 6: timeZone: "Mars" is no time zone such as Europe/Berlin`},
		{head + "steps: [{id: a}]\nminimumConfidence: 2", "line 6: minimumConfidence: must be a number from 0 to 1"},
		{head + "steps: [{id: a}]\nentities:\n- {name: e}", "line 7: entities[0]: needs exactly one of list, pattern, builtIn"},
		{"name: x\nlanguages: [en]\nfallback: a\nsteps:\n- {id: a, when: 'open.x == 1'}", "line 5: steps[0]: the fallback must not depend on a condition without otherwise"},
		{head + "steps:\n- {id: a, otherwise: a}", "line 6: steps[0]: has otherwise without when"},
		{head + "steps:\n- id: a\n  ask: {type: EMPTY, pattern: x}", "line 7: steps[0].ask.pattern: EMPTY takes any text: use CUSTOM for one with a pattern"},
		{head + "steps:\n- id: a\n  answers:\n  - text: x\n    buttons: [{name: n, action: x}]", "line 9: steps[0].answers[0].buttons[0].action: a button of type POSTBACK has no action"},
		{head + "steps:\n- id: a\n  answers:\n  - text: x\n    buttons: [{name: n, type: URL}]", "line 9: steps[0].answers[0].buttons[0]: a button of type URL needs action"},
		{head + "steps:\n- id: a\n  answers:\n  - text: x\n    buttons: [{name: n, type: URL, action: 'https://a.example/', step: a}]", "line 9: steps[0].answers[0].buttons[0].step: a button of type URL says nothing, so it leads to no step"},
		{head + "steps:\n- id: a\n  answers:\n  - text: x\n    buttons: [{name: n, type: PHONE, action: call me}]", "line 9: steps[0].answers[0].buttons[0].action: must be a telephone number without placeholders"},
		{head + "steps:\n- id: a\n  answers:\n  - text: x\n    quickReplies:\n    - {name: n, step: a}\n    - {name: n, step: b}\n- {id: b}", `line 11: steps[0].answers[0].quickReplies[1].step: a button of the same value leads to "a" on line 10`},
		{head + "steps:\n- id: a\n  answers:\n  - text: x\n    quickReplies:\n    - {name: n, value: '{{ open.y }}', step: a}", "line 10: steps[0].answers[0].quickReplies[0].step: the value of a button that leads to a step must be a text without placeholders"},
		{head + "steps:\n- id: a\n  answers:\n  - text: x\n    buttons: [{name: 'n {{ open.y }}', step: a}]", "line 9: steps[0].answers[0].buttons[0].step: the value of a button that leads to a step must be a text without placeholders"},
		{head + "steps:\n- id: a\n  answers:\n  - text: x\n    buttons: [{name: n, value: '!', step: a}]", "line 9: steps[0].answers[0].buttons[0].step: the value of a button that leads to a step must be a text without placeholders"},
		{head + "steps:\n- id: a\n  end: true\n  branches: [{when: open.x, goto: a}]", "line 6: steps[0]: cannot go on to another step after handover or end"},
		{head + "steps:\n- id: a\n  answers:\n  - {type: CAROUSEL, cards: []}", "line 8: steps[0].answers[0].cards: needs at least one card"},
		{head + "steps:\n- id: a\n  answers:\n  - {type: IMAGE, url: 'https://a.example{{ open.x }}'}", "line 8: steps[0].answers[0].url: an address with placeholders must begin with its host and a slash"},
		{head + "steps:\n- id: a\n  answers:\n  - {type: CUSTOM, technicalText: [x]}", "line 8: steps[0].answers[0].technicalText: must be a mapping or a text, not a list"},
		{head + "steps:\n- id: a\n  answers:\n  - {type: IMAGE, url: 'https://a.example/', text: x}", "line 8: steps[0].answers[0].text: an answer of type IMAGE has no text"},
		{head + "steps: [{id: a}]\nintents:\n- {name: i, step: a, examples: {fr: [x]}}", `line 7: intents[0].examples: "fr" is none of the flow's languages`},
	}
	for _, tt := range tests {
		_, err := flow.Parse([]byte(tt.source))
		var invalid *flow.Invalid
		if !errors.As(err, &invalid) {
			t.Errorf("%q is valid, want %q", tt.source, tt.want)
			continue
		}
		found := false
		var all []string
		for _, p := range invalid.Problems {
			all = append(all, p.String())
			found = found || p.String() == tt.want
		}
		if !found {
			t.Errorf("%q:\n%s\nwant\n%s", tt.source, strings.Join(all, "\n"), tt.want)
		}
	}
}

// What is strange but works is told and kept.
func TestWarnings(t *testing.T) {
	f, err := flow.Parse([]byte(`name: x
languages: [en, de]
fallback: a
intents:
- {name: i, step: b, examples: {en: [hello]}}
steps:
- {id: a, answers: [{text: {en: sorry}}]}
- {id: b, goto: c}
- {id: c, goto: b}
- {id: d}
`))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range f.Warnings {
		got = append(got, p.String())
	}
	for _, want := range []string{"line 1: warning: there is no welcome", "line 5: intents[0]: warning: nobody who speaks de", "line 7: steps[0].answers[0].text: warning: has no text in de",
		"line 8: steps[1]: warning: these steps go round for ever: b, c", `line 10: steps[3]: warning: nothing leads to the step "d"`} {
		if !strings.Contains(strings.Join(got, "\n"), want) {
			t.Errorf("%s\nwant %s", strings.Join(got, "\n"), want)
		}
	}
	if len(got) != 5 {
		t.Errorf("%d warnings: %s", len(got), strings.Join(got, "\n"))
	}
}

// What is chosen leads where its button does, in whatever language the customer saw it and however they write it. It is the value that counts, not the
// name beside it.
func TestChoices(t *testing.T) {
	f, err := flow.Parse([]byte(`name: x
languages: [en, de]
fallback: a
steps:
- id: a
  answers:
  - text: x
    buttons: [{name: {en: Yes please, de: Ja bitte}, step: b}]
    quickReplies: [{name: {en: No, de: Nein}, value: none, step: c}]
- {id: b}
- {id: c}
`))
	if err != nil {
		t.Fatal(err)
	}
	for said, want := range map[string]string{"Yes please": "b", "ja BITTE!": "b", "none": "c", "No": "", "yes": "", "": "", "!": ""} {
		if got := f.Choice(said); got != want {
			t.Errorf("%q leads to %q, want %q", said, got, want)
		}
	}
}

// No document is small and yet costs much.
func TestDocumentsAreBounded(t *testing.T) {
	const head = "name: x\nlanguages: [en]\nfallback: a\n"
	for name, source := range map[string]string{
		"512 KiB": head + "steps: [{id: a}]\n#" + strings.Repeat("x", flow.MaxSource), "an alias": head + "steps: [&s {id: a}, *s]", "a second document": head + "steps: [{id: a}]\n---\nx: 1",
		"at most 1000": head + "steps: [" + strings.Repeat("{id: a}, ", 1001) + "]", "24 deep": head + "steps: [{id: a, set: {x: " + strings.Repeat("[", 30) + strings.Repeat("]", 30) + "}}]",
		"examples and keywords": head + "steps: [{id: a}]\nintents:\n" + strings.Repeat("- {name: i, step: a, examples: ["+strings.Repeat("hello, ", 1500)+"hi]}\n", 2),
	} {
		_, err := flow.Parse([]byte(source))
		var invalid *flow.Invalid
		if !errors.As(err, &invalid) || len(invalid.Problems) > 201 {
			t.Errorf("%s = %v", name, err)
			continue
		}
		found := false
		for _, p := range invalid.Problems {
			found = found || strings.Contains(p.Message, name)
		}
		if !found {
			t.Errorf("%s = %v", name, invalid.Problems)
		}
	}
}

func TestEntities(t *testing.T) {
	f, err := flow.Parse([]byte(`{name: x, languages: [en], fallback: a, steps: [{id: a}], entities: [
{name: fruit, list: [{value: apple, synonyms: [apples]}]}, {name: nr, pattern: 'no\. (\d+)'}, {name: day, builtIn: date},
{name: hour, builtIn: time}, {name: mail, builtIn: email}, {name: tel, builtIn: phone}, {name: n, builtIn: number}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for input, want := range map[string]string{"ü apples": "fruit=apple", "no. 77": "nr=77", "on 2026-12-24": "day=2026-12-24", "at 14:30": "hour=14:30",
		"anna@example.org": "mail=anna@example.org", "call +44 20 7946 0958": "tel=+442079460958", "take 12": "n=12"} {
		var all []string
		for _, e := range f.Entities(input, "en") {
			all = append(all, e.Name+"="+e.Value)
			if got := string([]rune(input)[e.Start:e.End]); got != e.Original {
				t.Errorf("%q: %s stands at %q, not %q", input, e.Name, got, e.Original)
			}
		}
		if !strings.Contains(" "+strings.Join(all, " ")+" ", " "+want+" ") {
			t.Errorf("%q: %v, want %s", input, all, want)
		}
	}
	if now := f.Time(time.Date(2026, 11, 29, 23, 5, 0, 0, time.UTC)); now != (flow.NowValues{Date: "2026-11-29", Time: "23:05", Weekday: 7}) {
		t.Errorf("now %+v", now)
	}
}

// The flows of the documentation are flows.
func TestDocumentedFlows(t *testing.T) {
	text, err := os.ReadFile("../docs/bots.md")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for rest := string(text); ; n++ {
		_, after, found := strings.Cut(rest, "<!-- flow -->\n```yaml\n")
		if !found {
			break
		}
		source, next, _ := strings.Cut(after, "```\n")
		if _, err := flow.Parse([]byte(source)); err != nil {
			t.Errorf("%v in\n%s", err, source)
		}
		rest = next
	}
	if n == 0 {
		t.Error("docs/bots.md has no flow")
	}
}

func FuzzParse(f *testing.F) {
	demo, err := os.ReadFile("../examples/flows/demo.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(demo)
	f.Add([]byte(`{"name":"\ud83d\ude00","languages":["en"],"fallback":"a","steps":[{"id":"a"}]}`))
	f.Fuzz(func(_ *testing.T, source []byte) {
		if parsed, err := flow.Parse(source); err == nil {
			parsed.Entities("12 apples on 2026-12-24", "en")
		}
	})
}
