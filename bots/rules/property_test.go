package rules_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"parley"
	"parley/bots"
	"parley/bots/rules"
	"parley/flow"
)

// drawFlow makes a flow of steps that lead anywhere: round in circles, into the fallback, to several questions in a row.
func drawFlow(t *rapid.T) string {
	n := rapid.IntRange(1, 6).Draw(t, "steps")
	id := func(label string) string { return fmt.Sprintf("s%d", rapid.IntRange(0, n-1).Draw(t, label)) }
	condition := func() string {
		return rapid.SampledFrom([]string{"true", "exists(entities.e)", "open.n == 1", "not exists(hidden.x)", `input.text contains "a"`, "open.x > 3", `input.intent == "i0"`}).Draw(t, "when")
	}
	steps := make([]map[string]any, n+1)
	for i := range n {
		s := map[string]any{"id": fmt.Sprintf("s%d", i)}
		if rapid.Bool().Draw(t, "conditional") {
			s["when"] = condition()
			s["otherwise"] = id("otherwise")
		}
		if rapid.Bool().Draw(t, "sets") {
			s["set"] = map[string]any{"open.x": rapid.SampledFrom([]any{"{{open.x}}{{open.x}}a", "{{open}}", "{{input.text}}", nil, 7, map[string]any{"deep": []any{"{{hidden}}"}}}).Draw(t, "value")}
		}
		s["answers"] = rapid.SliceOfN(rapid.SampledFrom([]any{
			map[string]any{"text": "hello {{input.text}}"}, map[string]any{"text": "{{open.none}}"}, map[string]any{"type": "IMAGE", "url": "https://a.example/{{open.x}}"},
			map[string]any{"text": "which?", "buttons": []any{map[string]any{"name": "A", "step": "s0"}}}, map[string]any{"type": "CUSTOM", "technicalText": "{{open.x}}"},
			map[string]any{"type": "CAROUSEL", "cards": []any{map[string]any{"title": "{{open.x}}"}}},
		}), 0, 3).Draw(t, "answers")
		if rapid.IntRange(0, 2).Draw(t, "asks") == 0 {
			s["ask"] = rapid.SampledFrom([]any{
				map[string]any{"type": "EMPTY", "store": "x"}, map[string]any{"type": "DATE", "again": "a date", "tries": 2}, map[string]any{"type": "CUSTOM", "entity": "e", "failed": "s0"},
				map[string]any{"type": "CUSTOM", "pattern": "a+", "store": "open.x", "interrupts": false}, map[string]any{"type": "HOUR", "label": "{{open.x}}"},
			}).Draw(t, "ask")
		}
		switch rapid.IntRange(0, 4).Draw(t, "goes on") {
		case 0:
			s["end"] = true
		case 1:
			s["handover"] = true
		case 2:
		default:
			s["goto"] = id("goto")
			s["branches"] = []any{map[string]any{"when": condition(), "goto": id("branch")}}
		}
		steps[i] = s
	}
	fallback := "fallback"
	steps[n] = map[string]any{"id": fallback, "answers": []any{map[string]any{"text": "pardon"}}, "goto": id("after the fallback")}
	if rapid.Bool().Draw(t, "the fallback ends") {
		delete(steps[n], "goto")
	}
	raw, err := json.Marshal(map[string]any{"name": "drawn", "languages": []string{"en"}, "welcome": id("welcome"), "fallback": fallback, "steps": steps,
		"escalate": map[string]any{"after": rapid.IntRange(1, 3).Draw(t, "after"), "step": id("escalate")}, "codes": map[string]any{"C": id("code")},
		"entities": []any{map[string]any{"name": "e", "pattern": "a+b"}},
		"intents":  []any{map[string]any{"name": "i0", "keywords": []string{"go"}, "step": id("intent")}}})
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// Whatever a valid flow says and whatever is said to it, a turn ends within its bounds: with answers that may be shown, or as the fault
// of the flow's author. Said again to the same state, it answers the same.
func TestEveryTurnEnds(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		source := drawFlow(rt)
		if _, err := flow.Parse([]byte(source)); err != nil {
			rt.Fatalf("not valid: %v\n%s", err, source)
		}
		bot := rules.New(&shelf{live: source}, nil)(&parley.ClientApplication{})
		turn := bots.Turn{Contexts: parley.Contexts{Open: json.RawMessage(`{"n":1}`)}}
		for range rapid.IntRange(1, 8).Draw(rt, "turns") {
			turn.Text = rapid.SampledFrom([]string{"", "go", "A", "aab", "2026-12-24", "14:30", "<b>", strings.Repeat("a", 5000), "\xff"}).Draw(rt, "text")
			turn.Input = parley.TurnInput{Code: rapid.SampledFrom([]string{"", "", "", parley.WelcomeCode, "C", "D"}).Draw(rt, "code"),
				Intent: rapid.SampledFrom([]string{"", "", "i0", "none"}).Draw(rt, "intent"), UserInput: rapid.SampledFrom([]string{"", "", "aa"}).Draw(rt, "userInput")}
			reply, err := bot.Turn(t.Context(), &turn, nil)
			again, errAgain := bot.Turn(t.Context(), &turn, nil)
			if fmt.Sprintf("%+v %v", shape(rt, &reply), err) != fmt.Sprintf("%+v %v", shape(rt, &again), errAgain) {
				rt.Fatalf("the same turn answers\n%+v %v\nand then\n%+v %v", reply, err, again, errAgain)
			}
			var failure *bots.Failure
			switch {
			case errors.As(err, &failure) && failure.Why == parley.FailureBotSettings:
				continue
			case err != nil:
				rt.Fatalf("error %v", err)
			}
			legal(rt, &reply)
			turn.State = reply.State
			if reply.Contexts != nil {
				turn.Contexts = *reply.Contexts
			}
		}
	})
}

func shape(t *rapid.T, r *parley.BotReply) string {
	raw, err := json.Marshal(r)
	if err != nil {
		t.Fatalf("a reply that is no JSON: %v", err)
	}
	return string(raw)
}

// legal checks what surfaces rely on.
func legal(t *rapid.T, r *parley.BotReply) {
	if len(r.Steps) > rules.MaxSteps+1 { // the step that had asked counts anew
		t.Fatalf("%d steps", len(r.Steps))
	}
	if len(r.State) > 16<<10 || r.HandOver && r.End {
		t.Fatalf("state of %d bytes, hands over %v, ends %v", len(r.State), r.HandOver, r.End)
	}
	for _, a := range r.Answers {
		if !slices.Contains(parley.AnswerTypes(), a.Type) || len(a.Text) > flow.MaxText {
			t.Fatalf("answer %+v", a)
		}
		if a.Type == parley.AnswerImage && !strings.HasPrefix(a.Text, "https://a.example/") || a.Type == parley.AnswerText && strings.TrimSpace(a.Text) == "" ||
			a.Type == parley.AnswerText && strings.Contains(a.Text, "<b>") {
			t.Fatalf("answer %+v", a)
		}
		if a.Technical != nil {
			var object map[string]any
			if json.Unmarshal(a.Technical, &object) != nil || object == nil {
				t.Fatalf("technical text %s", a.Technical)
			}
		}
	}
	if r.Contexts != nil {
		for _, raw := range []json.RawMessage{r.Contexts.Open, r.Contexts.Visible, r.Contexts.Hidden} {
			var object map[string]any
			if raw != nil && json.Unmarshal(raw, &object) != nil || len(raw) > 64<<10 {
				t.Fatalf("context %.100s", raw)
			}
		}
	}
	if r.Await != nil && !slices.Contains([]string{"DATE", "HOUR", "CUSTOM", "EMPTY"}, r.Await.Type) {
		t.Fatalf("awaits %+v", r.Await)
	}
}
