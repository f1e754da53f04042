package llm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"parley"
	"parley/bots"
	"parley/egress"
	"parley/ident"
)

const planted = "sk-planted"

// asked is a turn with nothing said before.
func asked(text string) *bots.Turn {
	return &bots.Turn{Conversation: ident.New[parley.Conversation](), Seq: 9, Text: text,
		History: func(context.Context, int) ([]parley.Message, error) { return nil, nil }}
}

// serve is an endpoint.
func serve(t testing.TB, handler http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s.URL
}

// A sent is a request that an endpoint got.
type sent struct {
	*http.Request
	body map[string]any
}

// recording is an endpoint that tells what it was asked, and answers by another.
func recording(t testing.TB, next http.HandlerFunc) (url string, requests chan sent) {
	t.Helper()
	requests = make(chan sent, 10)
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		s := sent{Request: r}
		if err := json.Unmarshal(raw, &s.body); err != nil {
			t.Errorf("the request is no JSON: %v", err)
		}
		requests <- s
		next(w, r)
	}), requests
}

// streaming answers with a stream of chunks.
func streaming(chunks ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, c := range chunks {
			fmt.Fprintf(w, "data: %s\n\n", c)
			w.(http.Flusher).Flush()
		}
	}
}

func answering(status int, kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

// say, ends and counted are the chunks of a stream.
func say(text string) string { return delta(map[string]any{"content": text}) }

func delta(d map[string]any) string {
	raw, _ := json.Marshal(map[string]any{"id": "c", "object": "chat.completion.chunk", "choices": []any{map[string]any{"index": 0, "delta": d}}})
	return string(raw)
}

func toolCall(index int, id, name, arguments string) string {
	f := map[string]any{"arguments": arguments}
	c := map[string]any{"index": index, "function": f}
	if name != "" {
		f["name"] = name
	}
	if id != "" {
		c["id"], c["type"] = id, "function"
	}
	return delta(map[string]any{"tool_calls": []any{c}})
}

func ends(why string) string {
	return `{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"` + why + `"}]}`
}

func counted(prompt, completion int) string {
	return fmt.Sprintf(`{"id":"c","choices":[],"usage":{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":0}}`, prompt, completion)
}

const done = "[DONE]"

func settings(url string) parley.BotSettings {
	return parley.BotSettings{URL: url + "/v1", Model: parley.ModelSettings{Name: "m", Key: planted}}
}

func bot(url string) *Bot { return New(Config{Client: http.DefaultClient, Settings: settings(url)}) }

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

// Whatever the endpoint does, it is asked once, the turn ends with the right failure, and what that says holds no address, no key and nothing of the answer.
func TestFailures(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(nil)
	gone.Close()
	refused := func(status int) http.HandlerFunc {
		return answering(status, "application/json", `{"error":{"message":"planted `+planted+`","type":"planted","code":"planted"}}`)
	}
	hangs := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	event := func(body string) http.HandlerFunc { return answering(200, "text/event-stream", body) }
	big := strings.Repeat("x", 1<<20)
	for name, test := range map[string]struct {
		change  func(*parley.BotSettings)
		handler http.HandlerFunc
		client  *http.Client
		want    parley.TurnFailure
		problem string
		unasked bool
		usage   parley.Usage
	}{
		"no URL":       {change: func(s *parley.BotSettings) { s.URL = "" }, want: parley.FailureBotSettings, problem: "no URL", unasked: true},
		"no model":     {change: func(s *parley.BotSettings) { s.Model.Name = "" }, want: parley.FailureBotSettings, problem: "no model", unasked: true},
		"not a header": {change: func(s *parley.BotSettings) { s.Headers[0].Value += "\n" }, want: parley.FailureBotSettings, problem: "headers[0]", unasked: true},
		"not a key":    {change: func(s *parley.BotSettings) { s.Model.Key += "\n" }, want: parley.FailureBotSettings, problem: "key cannot be sent", unasked: true},
		"nobody there": {change: func(s *parley.BotSettings) { s.URL = gone.URL + "/planted" }, want: parley.FailureModel, problem: "no connection", unasked: true},
		"forbidden":    {client: &http.Client{Transport: &http.Transport{DialContext: (&egress.Guard{Allow: []netip.Prefix{}}).DialContext}}, want: parley.FailureModel, problem: "not allowed", unasked: true},
		"refuses":      {handler: refused(401), want: parley.FailureModelRefuses, problem: "status 401"},
		"refuses more": {handler: refused(403), want: parley.FailureModelRefuses, problem: "status 403"},
		"no such":      {handler: refused(404), want: parley.FailureBotSettings, problem: "status 404"},
		"too often":    {handler: refused(429), want: parley.FailureModel, problem: "status 429"},
		"wrong":        {handler: refused(400), want: parley.FailureModel, problem: "status 400"},
		"breaks":       {handler: refused(500), want: parley.FailureModel, problem: "status 500"},
		"breaks badly": {handler: answering(502, "text/html", "<html>planted"), want: parley.FailureModel, problem: "status 502"},
		"asks for a repeat": {handler: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Should-Retry", "true")
			w.Header().Set("Retry-After-Ms", "1")
			refused(503)(w, r)
		}, want: parley.FailureModel, problem: "status 503"},
		"redirects": {handler: func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, want: parley.FailureModel, problem: "status 307"},
		"hangs up":        {handler: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, want: parley.FailureModel, problem: "connection"},
		"says nothing":    {handler: event(""), want: parley.FailureModel, problem: "broke off"},
		"only ends":       {handler: event("data: [DONE]\n\n"), want: parley.FailureModel, problem: "no completion"},
		"a page":          {handler: answering(200, "text/html", "<html>planted"), want: parley.FailureModel, problem: "no completion"},
		"no JSON":         {handler: event("data: planted\n\n"), want: parley.FailureModel, problem: "no completion"},
		"no JSON object":  {handler: answering(200, "application/json", "planted"), want: parley.FailureModel, problem: "no completion"},
		"an error object": {handler: refused(200), want: parley.FailureModel, problem: "no completion"},
		"an error midway": {handler: streaming(say("planted"), `{"error":{"message":"planted"}}`), want: parley.FailureModel, problem: "is an error"},
		"stops midway":    {handler: streaming(say("planted")), want: parley.FailureModel, problem: "broke off"},
		"counts midway":   {handler: streaming(say("planted"), counted(4, 1)), want: parley.FailureModel, problem: "broke off", usage: parley.Usage{Prompt: 4, Completion: 1}},
		"breaks off": {handler: func(w http.ResponseWriter, r *http.Request) {
			streaming(say("planted"))(w, r)
			panic(http.ErrAbortHandler)
		}, want: parley.FailureModel, problem: "connection"},
		"one object breaks off": {handler: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "1000")
			answering(200, "application/json", `{"choices":[`)(w, r)
		}, want: parley.FailureModel, problem: "connection"},
		"streams too much":     {handler: streaming(slices.Repeat([]string{say(big)}, 9)...), want: parley.FailureModel, problem: "more than 8388608 bytes"},
		"one chunk too much":   {handler: event("data: " + strings.Repeat(big, 9)), want: parley.FailureModel, problem: "more than 8388608 bytes"},
		"one object too much":  {handler: answering(200, "application/json", `{"x":"`+strings.Repeat(big, 9)), want: parley.FailureModel, problem: "more than 8388608 bytes"},
		"empty":                {handler: streaming(say(" \n"), counted(4, 1), ends("stop"), done), want: parley.FailureBot, problem: "neither text nor a call", usage: parley.Usage{Prompt: 4, Completion: 1}},
		"only an unknown tool": {handler: streaming(toolCall(0, "1", "planted", "{}"), ends("tool_calls"), counted(-3, -3), done), want: parley.FailureBot, problem: "neither text nor a call"},
		"another choice":       {handler: streaming(`{"choices":[{"index":1,"delta":{"content":"planted"}}]}`, ends("stop"), done), want: parley.FailureBot, problem: "neither text"},
		"hangs":                {handler: hangs, want: parley.FailureDeadline, problem: "in its time"},
		"hangs midway": {handler: func(w http.ResponseWriter, r *http.Request) {
			streaming(say("planted"))(w, r)
			hangs(w, r)
		}, want: parley.FailureDeadline, problem: "in its time"},
		"drips": {handler: func(w http.ResponseWriter, r *http.Request) {
			for tick := time.Tick(5 * time.Millisecond); ; {
				select {
				case <-tick:
					streaming(say("planted"))(w, r)
				case <-r.Context().Done():
					return
				}
			}
		}, want: parley.FailureDeadline, problem: "in its time"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			handler := test.handler
			if handler == nil {
				handler = streaming(say("x"), ends("stop"), done)
			}
			url, requests := recording(t, handler)
			s := settings(url)
			s.URL += "/planted?key=planted"
			s.Headers = []parley.NameValue{{Name: "X-Key", Value: "planted"}}
			if test.change != nil {
				test.change(&s)
			}
			client := test.client
			if client == nil {
				client = http.DefaultClient
			}
			ctx := t.Context()
			if test.want == parley.FailureDeadline {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, 100*time.Millisecond)
				defer cancel()
			}
			reply, err := New(Config{Client: client, Settings: s}).Turn(ctx, asked("the question"), func(string) {})
			failure, ok := errors.AsType[*bots.Failure](err)
			if !ok || failure.Why != test.want || !strings.Contains(failure.Problem, test.problem) {
				t.Fatalf("Turn = %v, want the failure %s: …%s…", err, test.want, test.problem)
			}
			if said := strings.ToLower(fmt.Sprintf("%v %+v %#v", err, err, failure)); strings.Contains(said, "planted") || strings.Contains(said, "127.0.0.1") {
				t.Errorf("the failure tells more than it may: %s", said)
			}
			if !reflect.DeepEqual(reply, parley.BotReply{Usage: test.usage}) {
				t.Errorf("the reply is %+v", reply)
			}
			asked := len(requests)
			if test.unasked != (asked == 0) || asked > 1 {
				t.Fatalf("it was asked %d times", asked)
			}
			if asked == 1 {
				if r := <-requests; !strings.Contains(fmt.Sprint(r.body["messages"]), "the question") || r.body["model"] != "m" {
					t.Errorf("it was asked %v", r.body)
				}
			}
		})
	}
}

// When the hub stops, nobody is to blame.
func TestStoppingIsNoFailure(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	url, _ := recording(t, func(w http.ResponseWriter, r *http.Request) {
		streaming(say("x"))(w, r)
		cancel()
		<-r.Context().Done()
	})
	_, err := bot(url).Turn(ctx, asked("q"), nil)
	if _, blamed := errors.AsType[*bots.Failure](err); blamed || !errors.Is(err, context.Canceled) {
		t.Errorf("Turn = %v, want what cancelled it", err)
	}
}

// An answer that came to its end is one, even if the connection stays open after that.
func TestEndsWithoutTheConnection(t *testing.T) {
	t.Parallel()
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		streaming(say("x"), ends("length"), done)(w, r)
		<-r.Context().Done()
	})
	reply, err := bot(url).Turn(t.Context(), asked("q"), nil)
	if err != nil || len(reply.Answers) != 1 {
		t.Errorf("Turn = %v, %v", reply, err)
	}
}

// Whoever has read enough hangs up.
func TestHangsUp(t *testing.T) {
	t.Parallel()
	left := make(chan struct{})
	url, _ := recording(t, func(w http.ResponseWriter, r *http.Request) {
		answering(200, "application/json", strings.Repeat("x", maxAnswer+1))(w, r)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		close(left)
	})
	if _, err := bot(url).Turn(t.Context(), asked("q"), nil); err == nil {
		t.Error("more than may be was an answer")
	}
	select {
	case <-left:
	case <-time.After(10 * time.Second):
		t.Error("the connection stays open")
	}
}

// Nothing that a stranger writes makes the reading panic, or counts below nothing.
func TestGarbage(t *testing.T) {
	t.Parallel()
	piece := rapid.SampledFrom([]string{"data: ", "\n\n", "\n", "event: error", ":", `{"choices":`, `[{`, `}]`, `}`, `"delta":`, `"content":`, `"tool_calls":`, `"index":`, "-1", "1e999", "null", `"x"`, ",", `"usage":{"prompt_tokens":-5,"completion_tokens":9223372036854775807}`,
		`"finish_reason":"stop"`, "[DONE]", `"function":{"name":7}`, "\xff", "\x00", `"\ud800"`, say("x"), ends("stop"), toolCall(-1, "", "handover", "["), counted(-1, -1), `{"choices":[{"delta":{"tool_calls":{}}}]}`, `{"choices":[{"message":{"tool_calls":[null]}}]}`})
	var kind, body string
	url := serve(t, func(w http.ResponseWriter, r *http.Request) { answering(200, kind, body)(w, r) })
	rapid.Check(t, func(r *rapid.T) {
		kind = rapid.SampledFrom([]string{"application/json", "text/event-stream", "", "\x01"}).Draw(r, "kind")
		body = strings.Join(rapid.SliceOfN(piece, 0, 12).Draw(r, "body"), "")
		reply, err := bot(url).Turn(context.Background(), asked("q"), func(string) {})
		if _, ok := errors.AsType[*bots.Failure](err); err != nil && !ok {
			r.Fatalf("Turn = %v", err)
		}
		if reply.Usage.Prompt < 0 || reply.Usage.Completion < 0 {
			r.Fatalf("the usage is %+v", reply.Usage)
		}
	})
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
