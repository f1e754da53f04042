package bots_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley"
	"parley/bots"
	"parley/store/storetest"
)

// What a bot understood, waits for and went through is kept with its turn; of what was said before, it reads the newest.
func TestRepliesAreKeptWhole(t *testing.T) {
	nlp, await, steps := parley.NLPResult{Type: parley.NLPIntent, Name: "track", Score: 0.9}, parley.AwaitedInput{Type: "DATE", Pattern: "dd"}, []parley.FlowStep{{ID: "a", Name: "A"}, {ID: "b"}}
	s := newStage(t, storetest.Open(t), func(ctx context.Context, turn *bots.Turn, _ func(string)) (parley.BotReply, error) {
		before, err := turn.History(ctx, 2)
		var said []string
		for _, m := range before {
			said = append(said, m.Body.Content.Text)
		}
		return parley.BotReply{Answers: []parley.BotAnswer{{Type: parley.AnswerText, Text: "re " + turn.Text + " (" + strings.Join(said, ", ") + ")"}}, NLP: &nlp, Await: &await, Steps: steps, Fallback: true}, err
	}, parley.BotSettings{})
	id, first := s.ask(parley.ConversationID{}, "one")
	s.ask(id, "two")
	want := []string{"customer: one", "custom_bot: re one ()", "customer: two", "custom_bot: re two (one, re one ())", "customer: three", "custom_bot: re three (two, re two (one, re one ()))"}
	s.ask(id, "three")
	if diff := cmp.Diff(want, s.said(id)); diff != "" {
		t.Errorf("said (-want +got)\n%s", diff)
	}
	r := first.Result
	if diff := cmp.Diff([]any{&nlp, &await, steps, true}, []any{r.NLP, r.Await, r.Steps, r.Fallback}); diff != "" {
		t.Errorf("kept (-want +got)\n%s", diff)
	}
}
