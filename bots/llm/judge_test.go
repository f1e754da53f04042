package llm

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley"
	"parley/bots"
)

// A conversation goes to the model as a transcript, and comes back named, summed up and scored.
func TestJudge(t *testing.T) {
	t.Parallel()
	url, requests := recording(t, streaming(say(`{"title":" Lost parcel","summary":"Found.",`), say(`"score":8}`), ends("stop"), counted(9, 4), done))
	s := settings(url)
	s.Model.Prompt = "You are a bot."
	masked := message(parley.Customer, "4111")
	masked.Body.Content.Redact = true
	got, err := Judge(t.Context(), Config{Client: http.DefaultClient, Settings: s}, []parley.Message{message(parley.Customer, "where is it"), message(parley.CustomBot, "here"), masked, message(parley.EgainAgent, "ok")})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Judgement{Title: "Lost parcel", Summary: "Found.", Score: 8, Usage: parley.Usage{Prompt: 9, Completion: 4}}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	r := <-requests
	if diff := cmp.Diff([]any{map[string]any{"role": "system", "content": judging}, map[string]any{"role": "user", "content": "Customer: where is it\nBot: here\nCustomer: [redacted]\nAgent: ok\n"}}, r.body["messages"]); diff != "" {
		t.Errorf("the messages (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(map[string]any{"type": "json_object"}, r.body["response_format"]); diff != "" || r.body["tools"] != nil || r.body["model"] != "m" {
		t.Errorf("asked %v", r.body)
	}
	if got, err := Judge(t.Context(), Config{Client: http.DefaultClient, Settings: s}, nil); err != nil || got != (Judgement{}) || len(requests) != 0 {
		t.Errorf("of a conversation without a word: %v, %v, after %d requests", got, err, len(requests))
	}
}

// A judgement that cannot be had is a failure, with what it took.
func TestJudgeFails(t *testing.T) {
	t.Parallel()
	said := []parley.Message{message(parley.Customer, "hi")}
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		want    parley.TurnFailure
	}{
		"refuses":   {answering(401, "application/json", "{}"), parley.FailureModelRefuses},
		"breaks":    {answering(500, "application/json", "{}"), parley.FailureModel},
		"says more": {streaming(say(planted), ends("stop"), counted(9, 4), done), parley.FailureBot},
	} {
		got, err := Judge(t.Context(), Config{Client: http.DefaultClient, Settings: settings(serve(t, test.handler))}, said)
		failure, ok := errors.AsType[*bots.Failure](err)
		if !ok || failure.Why != test.want || strings.Contains(err.Error(), planted) || (got.Usage.Prompt == 9) != (test.want == parley.FailureBot) {
			t.Errorf("%s: %+v, %v, want %s", name, got, err, test.want)
		}
	}
	s := settings("http://unused.invalid")
	s.Model.Name = ""
	_, err := Judge(t.Context(), Config{Client: http.DefaultClient, Settings: s}, said)
	if failure, ok := errors.AsType[*bots.Failure](err); !ok || failure.Why != parley.FailureBotSettings {
		t.Errorf("without a model: %v", err)
	}
}

// Models wrap their JSON, and write numbers as they like; what is out of range is no judgement.
func TestReadJudgement(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		`{"title":"t","summary":"s","score":0}`:                                    0,
		`{"title":"t","summary":"s","score":10}`:                                   10,
		"Here:\n```json\n{\"title\":\"t\",\"summary\":\"s\",\"score\":\"7\"}\n```": 7,
		`{"title":"t","summary":"s","score":6.6,"more":[1]}`:                       7,
	} {
		if j, err := readJudgement(text); err != nil || j != (Judgement{Title: "t", Summary: "s", Score: want}) {
			t.Errorf("readJudgement(%s) = %+v, %v", text, j, err)
		}
	}
	for _, text := range []string{"", "}{", "[]", "null", `{"title":"t","summary":"s"}`, `{"title":"t","summary":"s","score":11}`, `{"title":"t","summary":"s","score":-1}`, `{"title":"t","summary":"s","score":"NaN"}`,
		`{"title":" ","summary":"s","score":1}`, `{"title":"t","summary":"","score":1}`, `{"title":["t"],"summary":"s","score":1}`} {
		if j, err := readJudgement(text); err == nil {
			t.Errorf("readJudgement(%s) = %+v, want an error", text, j)
		}
	}
	j, err := readJudgement(`{"title":"` + strings.Repeat("é", 200) + `","summary":"` + strings.Repeat("é", 3000) + `","score":1}`)
	if err != nil || j.Title != strings.Repeat("é", maxTitle) || j.Summary != strings.Repeat("é", maxSummary) {
		t.Errorf("a long one: %d and %d bytes, %v", len(j.Title), len(j.Summary), err)
	}
}
