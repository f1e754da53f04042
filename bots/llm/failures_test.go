package llm

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"parley"
	"parley/bots"
	"parley/egress"
)

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
