package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	exampleflows "parley/examples/flows"
)

const demoDialogs = "../../examples/flows/demo.dialogs.yaml"

func TestDemoDialogs(t *testing.T) {
	if status, out, errs := command(t, "bot", "test", demoDialogs); status != 0 {
		t.Errorf("bot test = %d\n%s%s", status, out, errs)
	}
}

// The dialogs come by every step of the flow, and each is what the dialog says: so no step is broken unseen.
func TestDemoDialogsComeByEveryStep(t *testing.T) {
	dialogs, err := os.ReadFile(demoDialogs)
	if err != nil {
		t.Fatal(err)
	}
	_, steps, _ := strings.Cut(string(exampleflows.Demo), "\nsteps:\n")
	ids := regexp.MustCompile(`(?m)^- id: (\w+)$`).FindAllStringSubmatch(steps, -1)
	if len(ids) < 10 {
		t.Fatalf("the flow has %d steps", len(ids))
	}
	for _, id := range ids {
		if !regexp.MustCompile(`step: ` + id[1] + `\b`).Match(dialogs) {
			t.Errorf("no dialog comes by the step %s", id[1])
		}
	}
}

// The dialogs of the documentation are true of its flow.
func TestDocumentedDialogs(t *testing.T) {
	text, err := os.ReadFile("../../docs/bots.md")
	if err != nil {
		t.Fatal(err)
	}
	write, paths := inFolder(t), map[string]string{}
	for name, mark := range map[string]string{"shop.yaml": "flow", "dialogs.yaml": "dialogs"} {
		_, after, found := strings.Cut(string(text), "<!-- "+mark+" -->\n```yaml\n")
		source, _, _ := strings.Cut(after, "```\n")
		if !found {
			t.Fatalf("docs/bots.md has no %s", mark)
		}
		paths[name] = write(name, source)
	}
	if status, out, errs := command(t, "bot", "test", paths["dialogs.yaml"]); status != 0 {
		t.Errorf("bot test = %d\n%s%s", status, out, errs)
	}
}

// inFolder returns what writes files into a folder of the test, and says where they are.
func inFolder(t *testing.T) func(name, text string) (path string) {
	dir := t.TempDir()
	return func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
}

func TestBotCommands(t *testing.T) {
	write := inFolder(t)
	const good = "name: x\nlanguages: [en]\nfallback: a\nsteps:\n- {id: a, answers: [{text: sorry}]}\n"
	fine, broken := write("f.yaml", good), write("b.yaml", good+"colour: red\n")
	if status, out, _ := command(t, "bot", "validate", fine); status != 0 || !strings.Contains(out, "f.yaml:1: warning: ") {
		t.Errorf("validate = %d %s, want a warning and status 0", status, out)
	}
	if status, out, _ := command(t, "bot", "validate", fine, broken); status != 1 || !strings.Contains(out, `b.yaml:6: unknown key "colour"`) {
		t.Errorf("validate = %d %s, want line 6 and status 1", status, out)
	}
	d := write("d.yaml", "flow: f.yaml\ndialogs:\n- {name: one, turns: [{text: hi, answers: [hello], step: a, end: true}]}\n")
	status, out, _ := command(t, "bot", "test", "-v", d)
	for _, want := range []string{"> hi", "< sorry", "- hello", "+ sorry", "end:", "1 dialogs, 1 failed"} {
		if status != 1 || !strings.Contains(out, want) {
			t.Errorf("test = %d %s, want %q", status, out, want)
		}
	}
	d = write("more.yaml", "flow: f.yaml\ndialogs:\n- name: one\n  turns:\n  - {text: hi, says: [orr], understood: '', contexts: {open: {x: null}}}\n  - {text: hi, says: [hello], understood: greeting, contexts: {open: {x: 1}}}\n")
	status, out, _ = command(t, "bot", "test", d)
	for _, want := range []string{"more.yaml:6: one, turn 2 (hi): says:", "understood:\n    - greeting", "open.x:\n    - 1\n    + null"} {
		if status != 1 || !strings.Contains(out, want) || strings.Contains(out, "more.yaml:5") {
			t.Errorf("test = %d %s, want %q", status, out, want)
		}
	}
	d = write("rest.yaml", "flow: f.yaml\ndialogs:\n- name: one\n  turns:\n  - {text: hi, step: b, awaits: DATE, handover: true, contexts: {visible: {x: 1}, hidden: {y: 2}}}\n")
	status, out, _ = command(t, "bot", "test", d)
	for _, want := range []string{"step:\n    - b\n    + a", "awaits:\n    - DATE", "handover:\n    - true\n    + false", "visible.x:\n    - 1\n    + null", "hidden.y:\n    - 2\n    + null"} {
		if status != 1 || !strings.Contains(out, want) {
			t.Errorf("test = %d %s, want %q", status, out, want)
		}
	}
	if status, _, errs := command(t, "bot", "test", write("u.yaml", "flow: f.yaml\ndialogs:\n- name: one\n  turns:\n  - {txt: hi}\n")); status != 1 || !strings.Contains(errs, `line 5: unknown key "txt"`) {
		t.Errorf("test of an unknown key of a turn = %d %s", status, errs)
	}
	if status, _, errs := command(t, "bot", "test", write("e.yaml", "flow: f.yaml\nturns: []\n")); status != 1 || !strings.Contains(errs, "turns") {
		t.Errorf("test of an unknown key = %d %s", status, errs)
	}
	const one = "flow: f.yaml\ndialogs:\n- name: one\n  turns:\n  - {text: hi}\n"
	for text, want := range map[string]string{
		one + "---\n" + one:                       "second document",
		one + "--- {\n":                           "second document",
		one + "  - {context: {a: .nan}}\n":        "dialog one: a context that JSON cannot hold",
		one + "  context: {a: {1: 2, x: .inf}}\n": "dialog one: a context that JSON cannot hold",
	} {
		if status, _, errs := command(t, "bot", "test", write("n.yaml", text)); status != 1 || !strings.Contains(errs, want) {
			t.Errorf("test of %q = %d %s, want status 1 and %q", text, status, errs, want)
		}
	}
}

// A dialog is played as a hub plays it, and one that goes wrong says how; the dialogs after it are played nevertheless.
func TestDialogs(t *testing.T) {
	write := inFolder(t)
	write("talks.yaml", `name: talks
languages: [en, de]
minimumConfidence: 0.6
fallback: sorry
intents:
- {name: bye, keywords: [bye], step: bye}
- {name: person, keywords: [person], step: person}
- {name: loop, keywords: [loop], step: loop}
- {name: note, keywords: [note], step: note}
steps:
- {id: sorry, answers: [{text: {en: 'Sorry {{open.name}} {{hidden.noted}}', de: 'Leider {{open.name}}'}}]}
- {id: bye, answers: [{text: Bye}], end: true}
- {id: person, answers: [{text: Wait}], handover: true}
- {id: loop, goto: loop}
- {id: note, ask: {type: CUSTOM, store: noted}}
`)
	for name, c := range map[string]struct {
		dialogs string // below a file that speaks German
		want    string // in the output; "" = all is well
	}{
		"locale of the file":    {`- {name: x, turns: [{text: hm, answers: ['Leider ']}]}`, ""},
		"locale of the dialog":  {`- {name: x, locale: en-GB, turns: [{text: hm, answers: ['Sorry  ']}]}`, ""},
		"context":               {`- {name: x, context: {name: Anna}, turns: [{text: hm, answers: [Leider Anna]}, {text: hm, context: {name: null}, answers: ['Leider '], contexts: {open: {name: null}}}]}`, ""},
		"context of its own":    {`- {name: x, context: {name: Anna}, turns: [{text: hm}]}` + "\n" + `- {name: y, turns: [{text: hm, answers: ['Leider ']}]}`, ""},
		"what is kept":          {`- {name: x, locale: en, turns: [{text: note, awaits: CUSTOM}, {userInput: this, contexts: {hidden: {noted: this}}}, {text: hm, answers: [Sorry  this]}]}`, ""},
		"confidence":            {`- {name: x, turns: [{intent: bye, confidence: 0.5, understood: ''}, {intent: bye, confidence: 0.6, understood: bye, end: true}]}`, ""},
		"without confidence":    {`- {name: x, turns: [{intent: bye, understood: bye, end: true}]}`, ""},
		"no answers":            {`- {name: x, turns: [{text: hm, answers: []}]}`, "x, turn 1 (hm): answers:\n    - \n    + Leider \n"},
		"an answer too few":     {`- {name: x, turns: [{text: hm, answers: ['Leider ', more]}]}`, "answers:\n      Leider \n    - more\n"},
		"no welcome":            {`- {name: x, turns: [{code: '%EVA_WELCOME_MSG'}, {text: hm}]}`, "x, turn 1 (code %EVA_WELCOME_MSG): the turn:\n    - an answer\n    + settings: the bot's flow has no welcome\n1 dialogs, 1 failed"},
		"endless":               {`- {name: x, turns: [{text: loop}]}`, "+ settings: endless loop: "},
		"on after its end":      {`- {name: x, turns: [{text: bye, end: true}, {text: hm}, {text: hm}]}`, "x, turn 2 (hm): the turn:\n    - an answer\n    + none: the conversation was ended before\n1 dialogs, 1 failed"},
		"on with a person":      {`- {name: x, turns: [{text: person, handover: true}, {text: hm}]}`, "+ none: the conversation was handed over before"},
		"all dialogs are tried": {`- {name: x, turns: [{text: bye}]}` + "\n" + `- {name: y, turns: [{text: hm, says: [Ja]}]}` + "\n" + `- {name: z, turns: [{text: hm}]}`, "3 dialogs, 2 failed"},
	} {
		status, out, errs := command(t, "bot", "test", write("d.yaml", "flow: talks.yaml\nlocale: de-AT\ndialogs:\n"+c.dialogs+"\n"))
		if failed := status != 0; failed != (c.want != "") || !strings.Contains(out, c.want) {
			t.Errorf("%s: %d\n%s%s\nwant %q", name, status, out, errs, c.want)
		}
	}
}
