package llm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley"
	"parley/bots"
)

// A question goes out as configured, and the answer comes bit by bit, escaped and counted.
func TestAnswersAsItComes(t *testing.T) {
	for _, name := range []string{"OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"} {
		t.Setenv(name, "of-the-hub")
	}
	t.Setenv("OPENAI_CUSTOM_HEADERS", "X-Hub: of-the-hub")
	next := make(chan struct{}, 1)
	url, requests := recording(t, func(w http.ResponseWriter, r *http.Request) {
		flow := []string{delta(map[string]any{"role": "assistant", "content": ""}), say("a <b> "), say("it's\nso "), ends("stop"), counted(12, 3), done}
		streaming(flow[:2]...)(w, r)
		select {
		case <-next: // until the first part was told of
		case <-r.Context().Done():
			return
		}
		streaming(flow[2:]...)(w, r)
	})
	s := settings(url)
	s.URL += "?api-version=1"
	s.Headers = []parley.NameValue{{Name: "X-Team", Value: "t"}}
	s.Model.Prompt, s.Model.MaxTokens, s.Model.Temperature = "Be brief.", 77, 0.5
	b := Factory(http.DefaultClient)(&parley.ClientApplication{Bot: &s})
	turn := asked("where is my parcel")
	turn.Background, turn.Input.Note = "She is a regular.", "It was dictated."
	turn.Contexts = parley.Contexts{Open: json.RawMessage(`{"tier":"gold"}`), Visible: json.RawMessage(`{"step":1}`), Hidden: json.RawMessage(`{"secret":1}`)}
	var told []string
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // if nothing is told of
	defer cancel()
	reply, err := b.Turn(ctx, turn, func(text string) {
		if told = append(told, text); len(told) == 1 {
			next <- struct{}{}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	want := parley.BotReply{Answers: []parley.BotAnswer{{Type: parley.AnswerText, Text: "a &lt;b&gt; it&#39;s<br>so"}}, Usage: parley.Usage{Prompt: 12, Completion: 3}}
	if diff := cmp.Diff(want, reply); diff != "" {
		t.Errorf("answered (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a <b> ", "a <b> it's\nso "}, told); diff != "" {
		t.Errorf("told of (-want +got)\n%s", diff)
	}
	r := <-requests
	if r.Method != "POST" || r.URL.Path != "/v1/chat/completions" || r.URL.RawQuery != "api-version=1" || r.Header.Get("Authorization") != "Bearer "+planted || r.Header.Get("X-Team") != "t" {
		t.Errorf("asked %s %s with %v", r.Method, r.URL, r.Header)
	}
	if strings.Contains(fmt.Sprint(r.Header), "of-the-hub") {
		t.Errorf("what the hub's environment names went to the endpoint: %v", r.Header)
	}
	messages := r.body["messages"]
	var called []string
	for _, tool := range r.body["tools"].([]any) {
		called = append(called, tool.(map[string]any)["function"].(map[string]any)["name"].(string))
	}
	delete(r.body, "messages")
	delete(r.body, "tools")
	if diff := cmp.Diff(map[string]any{"model": "m", "stream": true, "stream_options": map[string]any{"include_usage": true}, "max_tokens": 77.0, "temperature": 0.5}, r.body); diff != "" {
		t.Errorf("the request (-want +got)\n%s", diff)
	}
	if !slices.Equal(called, []string{"handover", "end_conversation"}) {
		t.Errorf("the tools are %v", called)
	}
	system := "Be brief.\n\nAbout the customer and the conversation:\nShe is a regular.\n\nAbout the customer's last message:\nIt was dictated.\n\n" +
		"The open context, as JSON:\n{\"tier\":\"gold\"}\n\nThe visible context, as JSON:\n{\"step\":1}"
	if diff := cmp.Diff([]any{map[string]any{"role": "system", "content": system}, map[string]any{"role": "user", "content": "where is my parcel"}}, messages); diff != "" {
		t.Errorf("the messages (-want +got)\n%s", diff)
	}
}

// Without settings there are defaults, and without a key nothing stands for one.
func TestDefaults(t *testing.T) {
	t.Setenv("OPENAI_API_KEY", "of-the-hub")
	url, requests := recording(t, streaming(say("x"), ends("stop"), done))
	s := settings(url)
	s.Model.Key = ""
	var limit int
	turn := asked("q")
	turn.Contexts = parley.Contexts{Open: json.RawMessage("{}"), Visible: json.RawMessage("null")}
	turn.History = func(_ context.Context, n int) ([]parley.Message, error) { limit = n; return nil, nil }
	reply, err := New(Config{Client: http.DefaultClient, Settings: s}).Turn(t.Context(), turn, nil)
	if err != nil || len(reply.Answers) != 1 || reply.Answers[0].Text != "x" {
		t.Fatalf("Turn = %v, %v", reply, err)
	}
	r := <-requests
	if _, has := r.body["temperature"]; has || r.body["max_tokens"] != 1024.0 || r.Header.Get("Authorization") != "" || limit != 20 || len(r.body["messages"].([]any)) != 1 {
		t.Errorf("asked with history %d, headers %v, %v", limit, r.Header, r.body)
	}
	s.Model.History = -1
	turn.History = func(context.Context, int) ([]parley.Message, error) { t.Error("asked for history"); return nil, nil }
	if _, err := New(Config{Client: http.DefaultClient, Settings: s}).Turn(t.Context(), turn, nil); err != nil {
		t.Fatal(err)
	}
	s.Model.History = 1
	turn.History = func(context.Context, int) ([]parley.Message, error) { return nil, io.ErrNoProgress }
	_, err = New(Config{Client: http.DefaultClient, Settings: s}).Turn(t.Context(), turn, nil)
	if _, blamed := errors.AsType[*bots.Failure](err); blamed || !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("history that cannot be read: %v, want that, and nobody to blame", err)
	}
}

// The vendor's hosts get the limit by its new name: their newer models refuse the old one.
func TestLimitAtTheVendor(t *testing.T) {
	t.Parallel()
	url, requests := recording(t, streaming(say("x"), ends("stop"), done))
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, strings.TrimPrefix(url, "http://"))
	}}}
	for host, want := range map[string]string{"api.openai.com": "max_completion_tokens", "x.openai.azure.com": "max_completion_tokens", "notopenai.com": "max_tokens"} {
		if _, err := New(Config{Client: client, Settings: settings("http://" + host)}).Turn(t.Context(), asked("q"), nil); err != nil {
			t.Fatal(err)
		}
		r := <-requests
		if r.body[want] != 1024.0 || (r.body["max_tokens"] == nil) == (r.body["max_completion_tokens"] == nil) {
			t.Errorf("%s was asked for max_tokens %v, max_completion_tokens %v", host, r.body["max_tokens"], r.body["max_completion_tokens"])
		}
	}
}

// The document says what the code does.
func TestDocument(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/bots.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "## Language model\n")
	for _, said := range []string{toolHandover, toolEnd, redacted, "handoverReason", fmt.Sprint(defaultHistory, " if"), fmt.Sprint(defaultMaxTokens, " if"),
		fmt.Sprint(maxHistory>>10, " KiB"), fmt.Sprint(maxAnswer>>20, " MiB"), fmt.Sprint(maxReason, " characters"), "`" + string(parley.FailureModel) + "`", "`" + string(parley.FailureModelRefuses) + "`"} {
		if !found || !strings.Contains(section, said) {
			t.Errorf("docs/bots.md does not say %q of language models", said)
		}
	}
}
