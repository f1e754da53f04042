package llm

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley"
)

// Calls of tools are pieced together, whatever way they come.
func TestTools(t *testing.T) {
	t.Parallel()
	before := parley.Contexts{Open: json.RawMessage(`{"o":1}`), Hidden: json.RawMessage(`{"h":1}`)}
	because := func(reason string) *parley.Contexts {
		raw, _ := json.Marshal(reason)
		return &parley.Contexts{Open: before.Open, Hidden: json.RawMessage(`{"h":1,"handoverReason":` + string(raw) + `}`)}
	}
	text := []parley.BotAnswer{{Type: parley.AnswerText, Text: "One moment."}}
	for name, test := range map[string]struct {
		chunks []string
		want   parley.BotReply
	}{
		"split":           {[]string{say("One moment."), toolCall(0, "1", "handover", ""), toolCall(0, "", "", `{"rea`), toolCall(0, "", "", `son":"she asked"}`)}, parley.BotReply{Answers: text, HandOver: true, Contexts: because("she asked")}},
		"a split name":    {[]string{toolCall(0, "1", "end_", ""), toolCall(0, "", "conversation", "{}")}, parley.BotReply{End: true}},
		"a repeated name": {[]string{toolCall(0, "1", "handover", ""), toolCall(0, "1", "handover", `{"reason":"r"}`)}, parley.BotReply{HandOver: true, Contexts: because("r")}},
		"two":             {[]string{toolCall(0, "1", "end_conversation", "{}"), toolCall(1, "2", "handover", "{}")}, parley.BotReply{HandOver: true}},
		"one index":       {[]string{toolCall(0, "1", "end_conversation", "{}"), toolCall(0, "2", "handover", `{"reason":"r"}`)}, parley.BotReply{HandOver: true, Contexts: because("r")}},
		"interleaved":     {[]string{toolCall(0, "1", "handover", `{"reason":`), toolCall(1, "2", "end_conversation", ""), toolCall(0, "", "", `"r"}`), toolCall(1, "", "", "{}")}, parley.BotReply{HandOver: true, Contexts: because("r")}},
		"no arguments":    {[]string{toolCall(0, "1", "handover", "")}, parley.BotReply{HandOver: true}},
		"other arguments": {[]string{toolCall(0, "1", "handover", `{"reason":["r"]}`)}, parley.BotReply{HandOver: true}},
		"no JSON":         {[]string{toolCall(0, "1", "handover", `{"reason":`)}, parley.BotReply{HandOver: true}},
		"a long reason":   {[]string{toolCall(0, "1", "handover", `{"reason":"`+strings.Repeat("é", 501)+`"}`)}, parley.BotReply{HandOver: true, Contexts: because(strings.Repeat("é", 500))}},
		"an unknown one":  {[]string{say("One moment."), toolCall(0, "1", "rm", `{}`)}, parley.BotReply{Answers: text}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			turn := asked("q")
			turn.Contexts = before
			got, err := bot(serve(t, streaming(append(test.chunks, ends("tool_calls"), done)...))).Turn(t.Context(), turn, nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	for hidden, want := range map[string]bool{``: true, `null`: false, `[1]`: false, `{"x":"` + strings.Repeat("x", parley.MaxContext-20) + `"}`: false} {
		if got := withReason(parley.Contexts{Hidden: json.RawMessage(hidden)}, "r"); (got != nil) != want {
			t.Errorf("a reason beside the hidden context %.20s: %v, want one: %v", hidden, got, want)
		}
	}
}

// An endpoint that does not stream is understood, too.
func TestOneObject(t *testing.T) {
	t.Parallel()
	url, requests := recording(t, answering(200, "application/json; charset=utf-8", `{"choices":[{"index":0,"finish_reason":"tool_calls","message":{"role":"assistant","content":"Bye.",
		"tool_calls":[{"id":"1","type":"function","function":{"name":"end_conversation","arguments":"{}"}}]}}],"usage":{"prompt_tokens":5,"completion_tokens":-2}}`))
	reply, err := bot(url).Turn(t.Context(), asked("thanks"), func(string) {})
	want := parley.BotReply{Answers: []parley.BotAnswer{{Type: parley.AnswerText, Text: "Bye."}}, End: true, Usage: parley.Usage{Prompt: 5}}
	if diff := cmp.Diff(want, reply); diff != "" || err != nil {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
	if (<-requests).body["stream"] != true {
		t.Error("it was not asked for a stream")
	}
}
