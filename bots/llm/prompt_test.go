package llm

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley"
	"parley/bots"
)

func message(by parley.Role, text string) parley.Message {
	return parley.Message{Type: parley.TypeText, Sender: by, Body: parley.Body{Content: &parley.Content{Text: text}}}
}

// Of what was said before, the model reads what it may, and as much as has room.
func TestHistory(t *testing.T) {
	t.Parallel()
	url, requests := recording(t, streaming(say("x"), ends("stop"), done))
	deleted, erased, masked, rich, state := message(parley.Customer, "del-1"), message(parley.Customer, "del-2"), message(parley.Customer, "4111"), message(parley.CustomBot, ""), message(parley.Customer, "state")
	deleted.Deleted, erased.Deleted, masked.Body.Content.Redact, state.Type = parley.SoftlyDeleted, parley.Erased, true, parley.TypeConversationState
	rich.Type, rich.Body.Content.HTML = parley.TypeRichQuickreply, "which <b>one</b>"
	empty := parley.Message{Type: parley.TypeText, Sender: parley.Customer}
	turn := asked("now")
	turn.History = func(context.Context, int) ([]parley.Message, error) {
		return []parley.Message{message(parley.Customer, "too long ago"), message(parley.EgainBot, strings.Repeat("x", maxHistory-45)), message(parley.Customer, "hello"), deleted, erased, state, empty,
			message(parley.System, "system"), rich, masked, message(parley.CustomAgent, "agent here")}, nil
	}
	if _, err := bot(url).Turn(t.Context(), turn, nil); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range (<-requests).body["messages"].([]any) {
		text := m.(map[string]any)["content"].(string)
		got = append(got, m.(map[string]any)["role"].(string)+" "+text[:min(len(text), 20)])
	}
	if diff := cmp.Diff([]string{"assistant xxxxxxxxxxxxxxxxxxxx", "user hello", "assistant which one", "user [redacted]", "assistant agent here", "user now"}, got); diff != "" {
		t.Errorf("the messages (-want +got)\n%s", diff)
	}
}

// A code or an intent of the channel is nothing that the customer said; what she gave as the input that was waited for is.
func TestCodesAreNoSpeech(t *testing.T) {
	t.Parallel()
	code, intent, given, beside := message(parley.Customer, parley.WelcomeCode), message(parley.Customer, "coverage"), message(parley.Customer, "2026-03-01"), message(parley.Customer, "hello")
	code.Body.Turn, intent.Body.Turn = &parley.TurnInput{Code: parley.WelcomeCode, NoText: true}, &parley.TurnInput{Intent: "coverage", NoText: true}
	given.Body.Turn, beside.Body.Turn = &parley.TurnInput{UserInput: "2026-03-01", NoText: true}, &parley.TurnInput{Code: "go"}
	all := []parley.Message{code, message(parley.CustomBot, "Welcome"), intent, given, beside}
	url, requests := recording(t, streaming(say("x"), ends("stop"), done))
	turn := asked("now")
	turn.History = func(context.Context, int) ([]parley.Message, error) { return all, nil }
	if _, err := bot(url).Turn(t.Context(), turn, nil); err != nil {
		t.Fatal(err)
	}
	want := []any{map[string]any{"role": "assistant", "content": "Welcome"}, map[string]any{"role": "user", "content": "2026-03-01"}, map[string]any{"role": "user", "content": "hello"}, map[string]any{"role": "user", "content": "now"}}
	if diff := cmp.Diff(want, (<-requests).body["messages"]); diff != "" {
		t.Errorf("the messages (-want +got)\n%s", diff)
	}
	if got := transcriptOf(all); got != "Bot: Welcome\nCustomer: 2026-03-01\nCustomer: hello\n" {
		t.Errorf("judged is %q", got)
	}
}

// What steers a turn is asked, in the order of the reference; what does not is a note below.
func TestQuestions(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text, want string
		in         parley.TurnInput
	}{
		{"hi", "hi", parley.TurnInput{}},
		{" hi ", " hi ", parley.TurnInput{}},
		{"", "[The customer has just come. Begin the conversation.]", parley.TurnInput{Code: parley.WelcomeCode}},
		{"hi", "[The customer has just come. Begin the conversation.]\n\n[With it came: {\"text\":\"hi\"}]", parley.TurnInput{Code: parley.WelcomeCode}},
		{"", "[The channel sent the code CODE-1.]", parley.TurnInput{Code: "CODE-1"}},
		{"t", `[The channel sent the code c.]` + "\n\n" + `[With it came: {"intent":"i","userInput":"u","text":"t"}]`, parley.TurnInput{Code: "c", Intent: "i", UserInput: "u"}},
		{"t", `[The customer chose i.]` + "\n\n" + `[With it came: {"userInput":"u","text":"t"}]`, parley.TurnInput{Intent: "i", UserInput: "u"}},
		{"tomorrow", "2026-11-28\n\n" + `[With it came: {"text":"tomorrow"}]`, parley.TurnInput{UserInput: "2026-11-28"}},
		{"1990", "1990", parley.TurnInput{UserInput: "1990"}},
		{"in Kiel", "in Kiel\n\n" + `[With it came: {"entities":{"city":"Kiel"}}]`, parley.TurnInput{Entities: json.RawMessage(`{"city":"Kiel"}`)}},
		{" ", "[The customer sent a message without text.]", parley.TurnInput{}},
	} {
		if got := question(&bots.Turn{Text: test.text, Input: test.in}); got != test.want {
			t.Errorf("question(%q, %+v) = %q, want %q", test.text, test.in, got, test.want)
		}
	}
}
