package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"parley"
	"parley/bots"
	"parley/bots/rules"
	"parley/flow"
)

// A dialogFile has dialogs with one flow. docs/bots.md describes it.
type dialogFile struct {
	Flow    string    `yaml:"flow"` // relative to this file
	Now     time.Time `yaml:"now"`  // zero = the time at which it is played
	Locale  string    `yaml:"locale"`
	Dialogs []dialog  `yaml:"dialogs"`
	source  []byte    // of the flow
}

type dialog struct {
	Name    string         `yaml:"name"`
	Locale  string         `yaml:"locale"` // "" = the file's
	Context map[string]any `yaml:"context"`
	Turns   []dialogTurn   `yaml:"turns"`
}

// A dialogTurn is what a customer says, and what must be answered. What is nil is not checked.
type dialogTurn struct {
	Text       string         `yaml:"text"`
	Code       string         `yaml:"code"`
	Intent     string         `yaml:"intent"`
	Confidence *float64       `yaml:"confidence"` // of the intent; nil = 1
	UserInput  string         `yaml:"userInput"`
	Context    map[string]any `yaml:"context"` // merged into the open one; null removes a member

	Answers  *[]string `yaml:"answers"`
	Says     []string  `yaml:"says"`       // texts that are somewhere in the answers
	Means    *string   `yaml:"understood"` // the intent; "" = none
	Step     *string   `yaml:"step"`       // the last one
	Awaits   *string   `yaml:"awaits"`
	HandOver bool      `yaml:"handover"`
	End      bool      `yaml:"end"`
	Contexts struct {  // members that the contexts have after the turn; null = not there
		Open    map[string]any `yaml:"open"`
		Visible map[string]any `yaml:"visible"`
		Hidden  map[string]any `yaml:"hidden"`
	} `yaml:"contexts"`

	line int // where it stands
}

// UnmarshalYAML implements [yaml.Unmarshaler]: it also keeps the line, and refuses keys that nobody knows.
func (t *dialogTurn) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: a turn must be a mapping", n.Line)
	}
	for i := 0; i < len(n.Content); i += 2 {
		if !slices.Contains(turnKeys, n.Content[i].Value) {
			return fmt.Errorf("line %d: unknown key %q in a turn", n.Content[i].Line, n.Content[i].Value)
		}
	}
	type plain dialogTurn // without this method
	err := n.Decode((*plain)(t))
	t.line = n.Line
	return err
}

// turnKeys are the keys of a turn.
var turnKeys = strings.Fields("text code intent confidence userInput context answers says understood step awaits handover end contexts")

func readDialogs(path string) (*dialogFile, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var d dialogFile
	decoder := yaml.NewDecoder(bytes.NewReader(raw))
	decoder.KnownFields(true)
	if err := decoder.Decode(&d); err != nil {
		return nil, err
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) { // its dialogs would not be played
		return nil, errors.Join(errors.New("there is a second document"), err)
	}
	if d.Flow == "" || len(d.Dialogs) == 0 {
		return nil, errors.New("flow and dialogs must be there")
	}
	for i := range d.Dialogs {
		if d.Dialogs[i].Name == "" || len(d.Dialogs[i].Turns) == 0 {
			return nil, fmt.Errorf("dialog %d needs a name and turns", i+1)
		}
		contexts := []map[string]any{d.Dialogs[i].Context}
		for _, t := range d.Dialogs[i].Turns {
			contexts = append(contexts, t.Context)
		}
		for _, c := range contexts {
			if _, err := json.Marshal(c); err != nil { // YAML has more than JSON: .nan, keys that are no texts
				return nil, fmt.Errorf("dialog %s: a context that JSON cannot hold: %w", d.Dialogs[i].Name, err)
			}
		}
	}
	if d.source, err = os.ReadFile(filepath.Join(filepath.Dir(path), d.Flow)); err != nil {
		return nil, err
	}
	if _, err := flow.Parse(d.source); err != nil {
		return nil, fmt.Errorf("flow %s: %w", d.Flow, err)
	}
	return &d, nil
}

// Version implements [rules.Source].
func (p *player) Version(context.Context, parley.TenantID, parley.ApplicationID, bool) (int64, error) {
	return 1, nil
}

// Source implements [rules.Source].
func (p *player) Source(context.Context, parley.TenantID, parley.ApplicationID, int64) ([]byte, error) {
	return p.source, nil
}

// A player plays a dialog as a hub would.
type player struct {
	file    string
	out     io.Writer
	verbose bool
	now     time.Time
	locale  string
	source  []byte
	failed  bool
	turn    bots.Turn
}

// play says whether the bot answered as it should.
func (p *player) play(ctx context.Context, d *dialog) bool {
	clock := func() time.Time { return p.now }
	if p.now.IsZero() {
		clock = time.Now
	}
	bot := rules.New(p, clock)(&parley.ClientApplication{})
	p.turn.Client.Locale = cmp.Or(d.Locale, p.locale)
	p.merge(d.Context)
	p.tell("%s: %s\n", p.file, d.Name)
	over := ""
	for i := range d.Turns {
		t := &d.Turns[i]
		at := fmt.Sprintf("%s:%d: %s, turn %d (%s)", p.file, t.line, d.Name, i+1, t.said())
		if over != "" {
			p.wrong(at, "the turn", "an answer", "none: the conversation was "+over+" before")
			break
		}
		p.merge(t.Context)
		p.turn.Seq++
		p.turn.Text = t.Text
		p.turn.Input = parley.TurnInput{Code: t.Code, Intent: t.Intent, Confidence: 1, UserInput: t.UserInput}
		if t.Confidence != nil {
			p.turn.Input.Confidence = *t.Confidence
		}
		p.tell("  > %s\n", t.said())
		r, err := bot.Turn(ctx, &p.turn, nil)
		if err != nil {
			p.wrong(at, "the turn", "an answer", err.Error())
			break
		}
		p.turn.State = r.State
		if r.Contexts != nil {
			p.turn.Contexts = *r.Contexts
		}
		p.check(at, t, &r)
		switch {
		case r.End:
			over = "ended"
		case r.HandOver:
			over = "handed over"
		}
	}
	return !p.failed
}

func (p *player) check(at string, t *dialogTurn, r *parley.BotReply) {
	var got []string
	for i := range r.Answers {
		got = append(got, shown(&r.Answers[i]))
		p.tell("  < %s\n", shown(&r.Answers[i]))
	}
	if t.Answers != nil && !slices.Equal(*t.Answers, got) {
		p.wrong(at, "answers", strings.Join(*t.Answers, "\n"), strings.Join(got, "\n"))
	}
	for _, text := range t.Says {
		if !slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, text) }) {
			p.wrong(at, "says", text, strings.Join(got, "\n"))
		}
	}
	if t.Means != nil && *t.Means != r.NLP.Name {
		p.wrong(at, "understood", *t.Means, r.NLP.Name)
	}
	p.checkContext(at, "open", t.Contexts.Open, p.turn.Contexts.Open)
	p.checkContext(at, "visible", t.Contexts.Visible, p.turn.Contexts.Visible)
	p.checkContext(at, "hidden", t.Contexts.Hidden, p.turn.Contexts.Hidden)
	step, awaits := "", ""
	if len(r.Steps) > 0 {
		step = r.Steps[len(r.Steps)-1].ID
	}
	if r.Await != nil {
		awaits = r.Await.Type
	}
	if t.Step != nil && *t.Step != step {
		p.wrong(at, "step", *t.Step, step)
	}
	if t.Awaits != nil && *t.Awaits != awaits {
		p.wrong(at, "awaits", *t.Awaits, awaits)
	}
	if t.HandOver != r.HandOver {
		p.wrong(at, "handover", strconv.FormatBool(t.HandOver), strconv.FormatBool(r.HandOver))
	}
	if t.End != r.End {
		p.wrong(at, "end", strconv.FormatBool(t.End), strconv.FormatBool(r.End))
	}
}

// checkContext looks for members of a context.
func (p *player) checkContext(at, name string, want map[string]any, raw json.RawMessage) {
	got := map[string]any{}
	_ = json.Unmarshal(raw, &got) // empty at first; after that the bot wrote it
	for _, key := range slices.Sorted(maps.Keys(want)) {
		wanted, _ := json.Marshal(want[key])
		has, _ := json.Marshal(got[key])
		if !bytes.Equal(wanted, has) {
			p.wrong(at, name+"."+key, string(wanted), string(has))
		}
	}
}

// wrong shows what should have been, and what was; equal lines at the beginning and the end stand once.
func (p *player) wrong(at, what, want, got string) {
	p.failed = true
	fmt.Fprintf(p.out, "%s: %s:\n", at, what)
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for len(w) > 0 && len(g) > 0 && w[0] == g[0] {
		fmt.Fprintln(p.out, "     ", w[0])
		w, g = w[1:], g[1:]
	}
	var same []string
	for len(w) > 0 && len(g) > 0 && w[len(w)-1] == g[len(g)-1] {
		same = append([]string{w[len(w)-1]}, same...)
		w, g = w[:len(w)-1], g[:len(g)-1]
	}
	for mark, lines := range []([]string){w, g, same} {
		for _, line := range lines {
			fmt.Fprintf(p.out, "    %c %s\n", "-+ "[mark], line)
		}
	}
}

func (p *player) tell(format string, args ...any) {
	if p.verbose {
		fmt.Fprintf(p.out, format, args...)
	}
}

// merge puts members into the open context; nil removes one.
func (p *player) merge(members map[string]any) {
	if len(members) == 0 {
		return
	}
	open := map[string]any{}
	_ = json.Unmarshal(p.turn.Contexts.Open, &open) // empty at first; after that we or the bot wrote it
	for k, v := range members {
		if v == nil {
			delete(open, k)
		} else {
			open[k] = v
		}
	}
	p.turn.Contexts.Open, _ = json.Marshal(open) // readDialogs tried
}

// said is what a customer does, on one line.
func (t *dialogTurn) said() string {
	switch {
	case t.Code != "":
		return "code " + t.Code
	case t.Intent != "":
		return "intent " + t.Intent
	case t.UserInput != "":
		return "userInput " + t.UserInput
	case t.Text != "":
		return t.Text
	}
	return "context"
}

// shown is an answer as dialogs write it: its text or address, the titles of its cards, or what is for the channel.
func shown(a *parley.BotAnswer) string {
	switch {
	case a.Type == parley.AnswerCarousel:
		titles := make([]string, len(a.Cards))
		for i := range a.Cards {
			titles[i] = a.Cards[i].Title
		}
		return strings.Join(titles, " | ")
	case a.Text == "" && a.Technical != nil:
		return string(a.Technical)
	}
	return a.Text
}
