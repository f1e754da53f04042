package rules_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"parley"
	"parley/bots"
	"parley/bots/rules"
)

// shelf is a source of flows in memory.
type shelf struct {
	live, draft string
	err         error
	read        int // sources
}

func (s *shelf) Version(_ context.Context, _ parley.TenantID, _ parley.ApplicationID, draft bool) (int64, error) {
	if draft {
		return 2, s.err
	}
	return 1, s.err
}

func (s *shelf) Source(_ context.Context, _ parley.TenantID, _ parley.ApplicationID, version int64) ([]byte, error) {
	s.read++
	if version == 2 {
		return []byte(s.draft), nil
	}
	return []byte(s.live), nil
}

const all = `
name: test
languages: [en, de]
welcome: hello
fallback: sorry
onContext: noted
escalate: {after: 3, step: person}
codes: {PING: pong}
entities:
- {name: size, list: [{value: large, synonyms: [big]}, {value: small}]}
intents:
- {name: order, step: size, examples: {en: [I want to order a shirt, order please], de: [ich will ein Hemd bestellen]}}
- {name: cancel, step: cancelled, keywords: [cancel]}
- {name: date, step: date, keywords: [calendar]}
- {name: hour, step: hour, keywords: [clock]}
- {name: loop, step: round, keywords: [spin]}
- {name: bye, step: bye, keywords: [bye]}
- {name: person, step: person, keywords: [human]}
- {name: rich, step: rich, keywords: [rich]}
- {name: put, step: put, keywords: [put]}
- {name: code, step: code, keywords: [secret]}
steps:
- id: hello
  name: Hello
  answers: [{text: {en: hello, de: hallo}, quickReplies: [{name: Anything, value: say something, step: remark}]}]
- {id: sorry, answers: [{text: sorry}]}
- {id: noted, answers: [{text: 'noted {{ open.order }}'}]}
- {id: pong, answers: [{text: 'pong {{ input.code }}'}]}
- id: size
  name: Which size
  answers: [{text: 'which size?'}]
  ask: {type: CUSTOM, label: Size, entity: size, store: visible.size, again: 'not {{ input.text }}', tries: 2, failed: gaveup}
  branches: [{when: 'visible.size == "large"', goto: extra}]
  goto: done
- {id: extra, answers: [{text: costs more}], goto: done}
- {id: done, answers: [{text: 'a {{ visible.size }} shirt'}]}
- {id: gaveup, answers: [{text: gave up}]}
- {id: cancelled, answers: [{text: cancelled}]}
- {id: date, ask: {type: DATE, pattern: yyyy-MM-dd, store: day, again: a date, interrupts: false}, goto: dated}
- {id: dated, answers: [{text: 'on {{ hidden.day }}'}]}
- {id: hour, ask: {type: HOUR, store: hour, tries: 1}, goto: houred}
- {id: houred, answers: [{text: 'at {{ hidden.hour }}'}]}
- {id: code, ask: {type: CUSTOM, pattern: '[0-9]{4}', store: code}, goto: coded}
- {id: coded, answers: [{text: 'code {{ hidden.code }}'}]}
- {id: remark, answers: [{text: 'what?'}], ask: {type: EMPTY, store: remark}, goto: remarked}
- {id: remarked, answers: [{text: '<i>{{ hidden.remark }}</i>'}]}
- {id: round, goto: round2}
- {id: round2, goto: round}
- {id: bye, answers: [{text: bye}], end: true}
- {id: person, answers: [{text: a person}], handover: true}
- {id: rich, when: 'open.tier == "gold"', otherwise: poor, answers: [{text: rich}, {text: 'at night', when: 'now.time >= "20:00"'}]}
- {id: poor, answers: [{text: poor}]}
- {id: put, set: {open.seen: true, open.old: null, visible.n: '{{ open.number }}'}, answers: [{text: put}]}
`

// A talk is a conversation with a bot.
type talk struct {
	t    *testing.T
	bot  bots.Connector
	turn bots.Turn
}

func begin(t *testing.T, s *shelf, minimum float64) *talk {
	t.Helper()
	now := func() time.Time { return time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC) }
	app := &parley.ClientApplication{Bot: &parley.BotSettings{MinimumConfidence: minimum}}
	return &talk{t: t, bot: rules.New(s, now)(app)}
}

// turnOf asks for a turn, and keeps what the hub would.
func (k *talk) turnOf(text string, in parley.TurnInput) parley.BotReply {
	k.t.Helper()
	r, err := k.try(text, in)
	if err != nil {
		k.t.Fatalf("turn %q %+v: %v", text, in, err)
	}
	return r
}

func (k *talk) try(text string, in parley.TurnInput) (parley.BotReply, error) {
	k.turn.Text, k.turn.Input = text, in
	r, err := k.bot.Turn(k.t.Context(), &k.turn, nil)
	if err == nil {
		k.turn.State = r.State
		if r.Contexts != nil {
			k.turn.Contexts = *r.Contexts
		}
	}
	return r, err
}

// says checks the texts of an answer to a text.
func (k *talk) says(text string, want ...string) parley.BotReply {
	k.t.Helper()
	r := k.turnOf(text, parley.TurnInput{})
	k.same(text, r, want...)
	return r
}

func (k *talk) same(what string, r parley.BotReply, want ...string) {
	k.t.Helper()
	var got []string
	for _, a := range r.Answers {
		got = append(got, a.Text)
	}
	if !slices.Equal(got, want) {
		k.t.Errorf("%s: answers %q, want %q", what, got, want)
	}
}

func TestWhatSteersATurn(t *testing.T) {
	tests := []struct {
		name, text string
		in         parley.TurnInput
		want       string
		nlp        parley.NLPResult
	}{
		{"welcome", "", parley.TurnInput{Code: parley.WelcomeCode}, "hello", parley.NLPResult{Type: parley.NLPNone}},
		{"code", "cancel", parley.TurnInput{Code: "PING", Intent: "cancel"}, "pong PING", parley.NLPResult{Type: parley.NLPNone}},
		{"unknown code", "cancel", parley.TurnInput{Code: "PONG"}, "sorry", parley.NLPResult{Type: parley.NLPNone}},
		{"intent", "bye", parley.TurnInput{Intent: "cancel", Confidence: 0.7}, "cancelled", parley.NLPResult{Type: parley.NLPIntent, Name: "cancel", Score: 0.7}},
		{"sure intent", "", parley.TurnInput{Intent: "cancel", Confidence: 1}, "cancelled", parley.NLPResult{Type: parley.NLPIntent, Name: "cancel", Score: 1}},
		{"not at all sure intent", "", parley.TurnInput{Intent: "cancel"}, "sorry", parley.NLPResult{Type: parley.NLPNone}},
		{"unsure intent", "bye", parley.TurnInput{Intent: "cancel", Confidence: 0.59}, "sorry", parley.NLPResult{Type: parley.NLPNone}},
		{"unknown intent", "bye", parley.TurnInput{Intent: "dance", Confidence: 1}, "sorry", parley.NLPResult{Type: parley.NLPNone}},
		{"userInput", "bye", parley.TurnInput{UserInput: "cancel"}, "cancelled", parley.NLPResult{Type: parley.NLPIntent, Name: "cancel", Score: 1}},
		{"keyword", "please CANCEL it", parley.TurnInput{}, "cancelled", parley.NLPResult{Type: parley.NLPIntent, Name: "cancel", Score: 1}},
		{"example", "Order, please!", parley.TurnInput{}, "which size?", parley.NLPResult{Type: parley.NLPIntent, Name: "order", Score: 1}},
		{"context", "", parley.TurnInput{}, "noted 7", parley.NLPResult{Type: parley.NLPNone}},
		{"nothing understood", "qwertz", parley.TurnInput{}, "sorry", parley.NLPResult{Type: parley.NLPNone}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := begin(t, &shelf{live: all}, 0.6)
			k.turn.Contexts.Open = json.RawMessage(`{"order":7}`)
			r := k.turnOf(tt.text, tt.in)
			k.same(tt.name, r, tt.want)
			if r.NLP.Type != tt.nlp.Type || r.NLP.Name != tt.nlp.Name || r.NLP.Score != tt.nlp.Score {
				t.Errorf("understood %+v, want %+v", *r.NLP, tt.nlp)
			}
		})
	}
}

// The source of a version is read once: it never changes.
func TestSourcesAreReadOnce(t *testing.T) {
	s := &shelf{live: all, draft: all}
	k := begin(t, s, 0)
	k.turnOf("order please", parley.TurnInput{})
	k.turnOf("order please", parley.TurnInput{})
	k.turn.Test = true
	k.turnOf("order please", parley.TurnInput{})
	k.turnOf("order please", parley.TurnInput{})
	if s.read != 2 {
		t.Errorf("read %d times, want once a version", s.read)
	}
}

func TestLanguageOfTheCustomer(t *testing.T) {
	k := begin(t, &shelf{live: all}, 0)
	k.turn.Client.Locale = "de-AT"
	k.same("welcome", k.turnOf("", parley.TurnInput{Code: parley.WelcomeCode}), "hallo")
	k.says("Ich will ein Hemd bestellen", "which size?")
	k.turn.Client.Locale, k.turn.State = "fr", nil
	k.same("welcome", k.turnOf("", parley.TurnInput{Code: parley.WelcomeCode}), "hello")
}

func TestWaitsForAnEntity(t *testing.T) {
	k := begin(t, &shelf{live: all}, 0)
	r := k.says("order please", "which size?")
	if r.Await == nil || *r.Await != (parley.AwaitedInput{Type: "CUSTOM", CallToAction: "Size"}) {
		t.Errorf("awaits %+v", r.Await)
	}
	if r = k.says("<b>", "not &lt;b&gt;"); r.Await == nil {
		t.Error("a refused input ends the question")
	}
	r = k.says("the big one", "costs more", "a large shirt")
	if want := []parley.FlowStep{{ID: "size", Name: "Which size"}, {ID: "extra"}, {ID: "done"}}; !slices.Equal(r.Steps, want) {
		t.Errorf("steps %v, want %v", r.Steps, want)
	}
	if r.Await != nil || string(k.turn.Contexts.Visible) != `{"size":"large"}` {
		t.Errorf("awaits %+v with %s", r.Await, k.turn.Contexts.Visible)
	}
	if e := r.NLP.Entities; len(e) != 1 || e[0].Name != "size" || e[0].Value != "large" || e[0].Original != "big" || e[0].Start != 4 || e[0].End != 7 {
		t.Errorf("entities %+v", e)
	}
	k.says("small", "sorry") // nothing waits any more

	k.same("said with the intent", k.turnOf("a small one", parley.TurnInput{Intent: "order", Confidence: 1}), "a small shirt")
	k.same("the channel's entity", k.turnOf("a small one", parley.TurnInput{Intent: "order", Confidence: 1, Entities: json.RawMessage(`{"size":["large"],"":"x"}`)}), "costs more", "a large shirt")
	k.same("an entity without a name", k.turnOf("", parley.TurnInput{Intent: "code", Confidence: 1, Entities: json.RawMessage(`{"":"x"}`)}))
	if k.says("1234", "code 1234"); k.t.Failed() {
		t.Log("a channel's entity without a name answered a question")
	}
}

func TestTriesAndInterrupts(t *testing.T) {
	k := begin(t, &shelf{live: all}, 0)
	k.says("order please", "which size?")
	k.says("hm", "not hm")
	k.says("hm", "gave up")
	k.says("large", "sorry")

	k.says("order please", "which size?")
	k.says("cancel", "cancelled") // an intent interrupts
	k.says("large", "sorry")

	k.says("calendar")
	k.says("cancel", "a date") // and may not here
	k.says("calendar", "a date")
	k.says("no", "sorry") // the third try, without failed
}

func TestWaitsForDatesHoursAndTexts(t *testing.T) {
	k := begin(t, &shelf{live: all}, 0)
	if r := k.says("calendar"); r.Await == nil || *r.Await != (parley.AwaitedInput{Type: "DATE", Pattern: "yyyy-MM-dd"}) {
		t.Errorf("awaits %+v", r.Await)
	}
	k.says("the 40th", "a date")
	k.says("on 2026-12-24, please", "on 2026-12-24")
	k.says("clock")
	k.says("at 14:30", "at 14:30")
	k.says("clock")
	k.says("soon", "sorry")
	k.says("secret")
	k.says("12345")
	k.same("userInput", k.turnOf("", parley.TurnInput{UserInput: " 1234 "}), "code 1234")
	k.says("Say something!", "what?") // the value of a quick reply
	k.says("cancel <all>", "<i>cancel &lt;all&gt;</i>")
	k.says("Say something!", "what?")
	k.says("say something", "what?") // wins over what is waited for
}

func TestConditionsAndEnds(t *testing.T) {
	k := begin(t, &shelf{live: all}, 0)
	k.says("rich", "poor")
	k.turn.Contexts.Open = json.RawMessage(`{"tier":"gold"}`)
	k.says("rich", "rich") // not at night
	if r := k.says("bye", "bye"); !r.End || r.HandOver {
		t.Errorf("bye: %+v", r)
	}
	if r := k.says("human", "a person"); !r.HandOver || r.End {
		t.Errorf("human: %+v", r)
	}
}

// What is for the channel alone is an object or nothing, and what customers say is never one.
func TestTechnicalText(t *testing.T) {
	for technical, want := range map[string]string{`{a: {{ open.n }}, b: ['{{ input.text }}']}`: "", `{a: '{{ open.n }}', b: ['{{ input.text }}']}`: `{"a":7,"b":["{\"x\":1}"]}`,
		`'{"a":"{{ input.text }}"}'`: `{"a":"{\"x\":1}"}`, `'{{ input.text }}'`: `{"text":"{\"x\":1}"}`, `plain`: `{"text":"plain"}`, `'{{ open.n }}'`: `{"text":"7"}`, `'{{ open.none }}'`: ``, `' '`: ``,
		`'{{ open.o }}'`: `{"k":true}`, `'{broken'`: `{"text":"{broken"}`, `' {"a":1}'`: `{"a":1}`} {
		source := "{name: x, languages: [en], fallback: a, steps: [{id: a, answers: [{type: CUSTOM, technicalText: " + technical + "}]}]}"
		k := begin(t, &shelf{live: source}, 0)
		k.turn.Contexts.Open = json.RawMessage(`{"n":7,"o":{"k":true}}`)
		r, err := k.try(`{"x":1}`, parley.TurnInput{})
		if technical[0] == '{' && want == "" { // {{ in YAML is a mapping
			blamed(t, err, "not valid")
			continue
		}
		if err != nil || string(r.Answers[0].Technical) != want {
			t.Errorf("%s = %s, %v; want %s", technical, r.Answers[0].Technical, err, want)
		}
	}
}

// What a flow does not touch stays as it was, digit by digit.
func TestContexts(t *testing.T) {
	k := begin(t, &shelf{live: all}, 0)
	k.turn.Contexts = parley.Contexts{Open: json.RawMessage(`{"big":12345678901234567890,"number":5,"old":1}`), Visible: json.RawMessage(`null`), Hidden: json.RawMessage(`{"x": 1}`)}
	if r := k.says("cancel", "cancelled"); r.Contexts != nil {
		t.Errorf("contexts %+v of a turn that changes none", r.Contexts)
	}
	r := k.says("put", "put")
	if r.Contexts == nil {
		t.Fatal("no contexts")
	}
	for _, c := range [][2]string{{string(r.Contexts.Open), `{"big":12345678901234567890,"number":5,"seen":true}`}, {string(r.Contexts.Visible), `{"n":5}`}, {string(r.Contexts.Hidden), `{"x": 1}`}} {
		if c[0] != c[1] {
			t.Errorf("context %s, want %s", c[0], c[1])
		}
	}
	k.turn.Contexts.Open = json.RawMessage(`{"huge":1e999,"number":5}`)
	if r := k.says("put", "put"); string(r.Contexts.Open) != `{"huge":1e999,"number":5,"seen":true}` || string(r.Contexts.Visible) != `{"n":5}` {
		t.Errorf("beside a number that is too large the contexts are %s and %s", r.Contexts.Open, r.Contexts.Visible)
	}
	large := begin(t, &shelf{live: all}, 0)
	large.turn.Contexts.Open = json.RawMessage(`{"x":"` + strings.Repeat("x", 64<<10) + `"}`)
	_, err := large.try("put", parley.TurnInput{})
	blamed(t, err, "64 KiB")
	deep := begin(t, &shelf{live: all}, 0)
	deep.turn.Contexts.Open = json.RawMessage(strings.Repeat(`{"x":`, parley.MaxDepth) + `{}` + strings.Repeat("}", parley.MaxDepth))
	_, err = deep.try("put", parley.TurnInput{})
	blamed(t, err, "50 deep")
}

func TestEscalatesAfterMissesInARow(t *testing.T) {
	k := begin(t, &shelf{live: all}, 0)
	k.says("qq", "sorry")
	k.says("qq", "sorry")
	k.says("cancel", "cancelled")
	k.says("qq", "sorry")
	k.says("qq", "sorry")
	if r := k.says("qq", "a person"); !r.HandOver {
		t.Error("the escalation does not hand over")
	}
	k.says("qq", "sorry")
}

// blamed checks that an error is the fault of the flow's author.
func blamed(t *testing.T, err error, problem string) {
	t.Helper()
	var f *bots.Failure
	if !errors.As(err, &f) || f.Why != parley.FailureBotSettings || !strings.Contains(f.Problem, problem) {
		t.Errorf("error %v, want a settings failure about %q", err, problem)
	}
}

func TestFailuresOfFlows(t *testing.T) {
	const small = "name: x\nlanguages: [en]\nfallback: a\n"
	chain := func(n int) string {
		s := small + "steps:\n- {id: a, goto: s1}\n"
		for i := 1; i < n-1; i++ {
			s += fmt.Sprintf("- {id: s%d, goto: s%d}\n", i, i+1)
		}
		return s + fmt.Sprintf("- {id: s%d, answers: [{text: done}]}\n", n-1)
	}
	chatty := func(more string) string { // 100 answers, and more
		s := small + "steps:\n- {id: a, goto: s1}\n"
		for i := 1; i <= 5; i++ {
			s += fmt.Sprintf("- {id: s%d, goto: s%d, answers: [%s]}\n", i, i+1, strings.Repeat("{text: hm}, ", 20))
		}
		return s + "- {id: s6, answers: [" + more + "]}\n"
	}
	tests := []struct {
		name    string
		shelf   shelf
		text    string
		in      parley.TurnInput
		problem string
	}{
		{"no flow", shelf{err: &parley.Error{Kind: parley.NotFound}}, "x", parley.TurnInput{}, "no flow"},
		{"empty flow", shelf{}, "x", parley.TurnInput{}, "no flow"},
		{"broken flow", shelf{live: "name: ["}, "x", parley.TurnInput{}, "not valid"},
		{"no welcome", shelf{live: small + "steps: [{id: a}]"}, "", parley.TurnInput{Code: parley.WelcomeCode}, "welcome"},
		{"circle", shelf{live: all}, "spin", parley.TurnInput{}, "endless loop"},
		{"51 steps", shelf{live: chain(51)}, "x", parley.TurnInput{}, "endless loop"},
		{"101 answers", shelf{live: chatty("{text: hm}")}, "x", parley.TurnInput{}, "more than 100 things"},
		{"long text", shelf{live: small + "steps: [{id: a, answers: [{text: '{{ open.x }}{{ open.x }}'}]}]"}, "x", parley.TurnInput{}, "too long"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := begin(t, &tt.shelf, 0)
			k.turn.Contexts.Open = json.RawMessage(`{"x":"` + strings.Repeat("x", 9<<10) + `"}`)
			_, err := k.try(tt.text, tt.in)
			blamed(t, err, tt.problem)
		})
	}
	if r := begin(t, &shelf{live: chain(50)}, 0).says("x", "done"); len(r.Steps) != rules.MaxSteps {
		t.Errorf("%d steps, want %d", len(r.Steps), rules.MaxSteps)
	}
	if r := begin(t, &shelf{live: chatty("")}, 0).turnOf("x", parley.TurnInput{}); len(r.Answers) != 100 {
		t.Errorf("%d answers, want 100", len(r.Answers))
	}
	gone := errors.New("disk")
	if _, err := begin(t, &shelf{err: gone}, 0).try("x", parley.TurnInput{}); !errors.Is(err, gone) || errors.As(err, new(*bots.Failure)) {
		t.Errorf("error %v, want ours", err)
	}
}

// A state that cannot be read, or waits where nothing asks, is a new beginning.
func TestStatesThatCannotBeRead(t *testing.T) {
	for _, raw := range []string{``, `nonsense`, `[]`, `{"v":2,"waiting":"size"}`, `{"v":1,"waiting":"gone"}`, `{"v":1,"waiting":"done"}`, `{"v":1,"tries":-5,"misses":-5}`} {
		k := begin(t, &shelf{live: all}, 0)
		k.turn.State = json.RawMessage(raw)
		k.says("large", "sorry")
		k.says("order please", "which size?")
		k.says("large", "costs more", "a large shirt")
	}
	k := begin(t, &shelf{live: all}, 0)
	k.turn.State = json.RawMessage(`{"v":1,"waiting":"size"}`)
	k.says("large", "costs more", "a large shirt")
}

func TestTestsUseTheDraft(t *testing.T) {
	k := begin(t, &shelf{live: all, draft: strings.ReplaceAll(all, "cancelled}]", "draft}]")}, 0)
	k.says("cancel", "cancelled")
	k.turn.Test = true
	k.says("cancel", "draft")
}
