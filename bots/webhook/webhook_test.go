package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"go.opentelemetry.io/otel/trace"

	"parley"
	"parley/bots"
	"parley/egress"
	"parley/ident"
)

// documented is the JSON of docs/bots.md below a mark.
func documented(t testing.TB, mark string) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/bots.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(text), "<!-- "+mark+" -->\n```json\n")
	example, _, closed := strings.Cut(after, "```\n")
	if !found || !closed {
		t.Fatalf("docs/bots.md has no example marked %q", mark)
	}
	return example
}

// asked is the turn of the document's example.
func asked() *bots.Turn {
	return &bots.Turn{Conversation: ident.New[parley.Conversation](), Bot: ident.New[parley.ClientApplication](), BotName: "Rex", Seq: 3, Text: "where is my parcel", Background: "She is a regular.",
		Input: parley.TurnInput{Note: "She is on the page of her order.", Intent: "track_parcel", Confidence: 0.91, Entities: json.RawMessage(`{"object":["parcel"]}`)},
		Client: bots.Client{ChannelName: "shop.example", ChannelType: "web_chat", ClientInfo: parley.ClientInfo{System: "iOS", SystemVersion: "19.1", Browser: "Safari", BrowserVersion: "19",
			UserRef: "203.0.113.7", BusinessKey: "customer-4711", Locale: "en-GB"}, Session: "0b7d5f2e-6c1c-7a0e-9a39-0e9f6a1c7a10"},
		Contexts: parley.Contexts{Open: json.RawMessage(`{"tier":"gold"}`), Hidden: json.RawMessage(`{"asked":1}`)}}
}

// serve is a bot that answers with what a handler writes, and tells what it was asked.
func serve(t testing.TB, handler http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s.URL
}

func answering(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

func decoded(t testing.TB, text string) (v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}

// The document's request is what a bot is sent, and the document's answer is read with nothing left out.
func TestExamplesOfTheDocument(t *testing.T) {
	t.Parallel()
	sent := make(chan string, 1)
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		sent <- r.Method + " " + string(body)
		io.WriteString(w, documented(t, "response"))
	})
	got, err := New(Config{Client: http.DefaultClient, Settings: parley.BotSettings{URL: url}}).Turn(t.Context(), asked(), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, post := strings.CutPrefix(<-sent, "POST ")
	if diff := cmp.Diff(decoded(t, documented(t, "request")), decoded(t, body)); diff != "" || !post {
		t.Errorf("asked otherwise than documented (-document +sent)\n%s", diff)
	}
	want := parley.BotReply{
		Answers: []parley.BotAnswer{
			{Type: parley.AnswerText, Text: "It is on its <b>way</b>.", Evaluable: true, Masked: true},
			{Type: parley.AnswerOptions, Text: "Which number?", Description: "a choice of orders", Technical: json.RawMessage(`{"keyboard":"numeric"}`),
				Buttons: []parley.AnswerButton{{Name: "Last order", Value: "last", Type: parley.ButtonPostback},
					{Name: "All orders", Value: "all", Type: parley.ButtonURL, Action: "https://shop.example/orders"},
					{Name: "Call us", Value: "call", Type: parley.ButtonPhone, Action: "+441632960000"}},
				QuickReplies: []parley.QuickReply{{Name: "None of them", Value: "none"}}},
			{Type: parley.AnswerCarousel, Cards: []parley.AnswerCard{{ImageURL: "https://shop.example/1.png", Title: "Boots", SubTitle: "size 42",
				Buttons: []parley.AnswerButton{{Name: "These", Value: "1", Type: parley.ButtonPostback}}}}},
		},
		NLP: &parley.NLPResult{Type: parley.NLPIntent, Name: "track_parcel", Score: 0.91,
			Entities: []parley.NLPEntity{{Name: "object", Value: "parcel", Original: "parcel", Start: 12, End: 18}}},
		Await: &parley.AwaitedInput{Type: "CUSTOM", CallToAction: "Order number", Pattern: "[0-9]{6}"},
		Contexts: &parley.Contexts{Open: json.RawMessage(`{"order":"last","tier":"gold"}`), Visible: json.RawMessage(`{"step":"number"}`),
			Hidden: json.RawMessage(`{"asked":2}`)},
		Steps: []parley.FlowStep{{ID: "parcel", Name: "Where is my parcel?"}, {ID: "number"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("read otherwise than documented (-want +got)\n%s", diff)
	}
}

// A turn that is asked for again has the same id and a valid signature, whatever headers the bot was given; another one has another id.
func TestQuestionsCanBeRecognised(t *testing.T) {
	t.Parallel()
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	verify, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	seen := make(chan http.Header, 10)
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if err := verify.Verify(body, r.Header); err != nil {
			t.Errorf("the signature does not hold: %v", err)
		}
		seen <- r.Header
		io.WriteString(w, "{}")
	})
	app := &parley.ClientApplication{Bot: &parley.BotSettings{URL: url, Headers: []parley.NameValue{{Name: "X-Api-Key", Value: "k"}, {Name: "Webhook-Id", Value: "mine"}}},
		Roles: []parley.ApplicationRole{{Name: parley.CustomBot, Callback: parley.BotCallback, Signing: parley.Signing{Secret: secret}}}}
	bot := Factory(http.DefaultClient)(app)
	span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled})
	ctx := trace.ContextWithSpanContext(t.Context(), span)
	first := asked()
	second, trial := *first, *first
	second.Seq, trial.Conversation = 4, parley.ConversationID{}
	ids := map[string]int{}
	for _, turn := range []*bots.Turn{first, first, &second, &trial, &trial} {
		if _, err := bot.Turn(ctx, turn, nil); err != nil {
			t.Fatal(err)
		}
		h := <-seen
		ids[h.Get("Webhook-Id")]++
		if h.Get("X-Api-Key") != "k" || h.Get("Content-Type") != "application/json" || !strings.Contains(h.Get("Traceparent"), span.TraceID().String()) {
			t.Errorf("the headers are %v", h)
		}
	}
	if ids["mine"] > 0 || len(ids) != 4 || ids[ident.Question(first.Conversation, first.Bot, 3).String()] != 2 {
		t.Errorf("ids of a question that was asked twice, another, and two trials: %v", ids)
	}
}

// Whatever the bot's program does, the turn ends with the right failure, and what it says holds no address, no secret and nothing of the answer.
func TestFailures(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(nil)
	gone.Close()
	elsewhere := serve(t, answering(200, `{"answers":[{"content":"from elsewhere"}]}`))
	secret := []parley.NameValue{{Name: "X-Key", Value: "planted"}}
	hangs := func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // a server notices that its client left only after that
		<-r.Context().Done()
	}
	for name, test := range map[string]struct {
		url     string
		handler http.HandlerFunc
		headers []parley.NameValue
		signing parley.Signing
		client  *http.Client
		want    parley.TurnFailure
		problem string
	}{
		"no URL":       {url: "none", want: parley.FailureBotSettings, problem: "no URL"},
		"not absolute": {url: "planted/path", want: parley.FailureBotSettings, problem: "absolute"},
		"not http":     {url: "ftp://planted.example", want: parley.FailureBotSettings, problem: "absolute"},
		"not a header": {handler: answering(200, "{}"), headers: []parley.NameValue{{Name: "X", Value: "planted\n"}}, want: parley.FailureBotSettings, problem: "headers[0]"},
		"not a secret": {handler: answering(200, "{}"), signing: parley.Signing{Secret: "planted"}, want: parley.FailureBotSettings, problem: "signing secret"},
		"nobody there": {url: gone.URL + "/planted", want: parley.FailureBot, problem: "no connection"},
		"no such name": {url: "http://planted.invalid/", want: parley.FailureBot, problem: "cannot be asked"},
		"forbidden":    {handler: answering(200, "{}"), client: &http.Client{Transport: &http.Transport{DialContext: (&egress.Guard{Allow: []netip.Prefix{}}).DialContext}}, want: parley.FailureBot, problem: "not allowed"},
		"redirects": {handler: func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere, http.StatusTemporaryRedirect)
		}, want: parley.FailureBot, problem: "status 307"},
		"refuses":  {handler: answering(401, "planted"), want: parley.FailureBot, problem: "status 401"},
		"breaks":   {handler: answering(500, "planted"), want: parley.FailureBot, problem: "status 500"},
		"hangs up": {handler: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, want: parley.FailureBot, problem: "connection"},
		"breaks off": {handler: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, `{"answers":[`)
		}, want: parley.FailureBot, problem: "connection"},
		"says too much":  {handler: answering(200, `{"x":"`+strings.Repeat("x", maxAnswer)+`"}`), want: parley.FailureBot, problem: "more than 1048576 bytes"},
		"says nothing":   {handler: answering(204, ""), want: parley.FailureBot, problem: "no JSON"},
		"says a page":    {handler: answering(200, "<html>planted"), want: parley.FailureBot, problem: "no JSON"},
		"says two":       {handler: answering(200, `{} {"planted":1}`), want: parley.FailureBot, problem: "no JSON"},
		"no UTF-8":       {handler: answering(200, "{\"a\":\"\xff\"}"), want: parley.FailureBot, problem: "no JSON"},
		"says a list":    {handler: answering(200, `["planted"]`), want: parley.FailureBot, problem: "the body must be an object"},
		"unknown answer": {handler: answering(200, `{"answers":[{"type":"PLANTED","content":"x"}]}`), want: parley.FailureBotSettings, problem: "answers[0].type is none of TEXT, TEXT_OPTIONS"},
		"hangs":          {handler: hangs, want: parley.FailureDeadline, problem: "in its time"},
		"hangs midway": {handler: func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, `{"answers":`)
			w.(http.Flusher).Flush()
			hangs(w, r)
		},
			want: parley.FailureDeadline, problem: "in its time"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			settings := parley.BotSettings{Headers: append(test.headers, secret...)}
			switch {
			case test.handler != nil:
				settings.URL = serve(t, test.handler) + "/planted?key=planted"
			case test.url != "none":
				settings.URL = test.url
			}
			client := test.client
			if client == nil {
				client = http.DefaultClient
			}
			ctx := t.Context()
			if test.want == parley.FailureDeadline {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, 50*time.Millisecond)
				defer cancel()
			}
			_, err := New(Config{Client: client, Settings: settings, Signing: test.signing}).Turn(ctx, asked(), nil)
			failure, ok := errors.AsType[*bots.Failure](err)
			if !ok || failure.Why != test.want || !strings.Contains(failure.Problem, test.problem) {
				t.Fatalf("Turn = %v, want the failure %s: …%s…", err, test.want, test.problem)
			}
			if said := strings.ToLower(err.Error()); strings.Contains(said, "planted") || strings.Contains(said, "127.0.0.1") {
				t.Errorf("the failure tells more than it may: %v", err)
			}
		})
	}
}

// When the hub stops, the bot is not to blame.
func TestStoppingIsNoFailure(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		cancel()
		<-r.Context().Done()
	})
	_, err := New(Config{Client: http.DefaultClient, Settings: parley.BotSettings{URL: url}}).Turn(ctx, asked(), nil)
	if _, blamed := errors.AsType[*bots.Failure](err); blamed || !errors.Is(err, context.Canceled) {
		t.Errorf("Turn = %v, want what cancelled it", err)
	}
}

// Values that the channel decided become entities, whatever they are.
func TestEntitiesOfTheChannel(t *testing.T) {
	t.Parallel()
	for decided, want := range map[string]string{
		``:                                    `[]`,
		`null`:                                `[]`,
		`{"b":["zwei",null],"a":"Züge"}`:      `[{a Züge Züge {5 9}} {b zwei zwei {0 4}}]`,
		`{"n":2.50,"o":{"x":1},"t":true}`:     `[{n 2.50 2.50 {0 0}} {o {"x":1} {"x":1} {0 0}} {t true true {0 0}}]`,
		`{"empty":"","none":[],"deep":[[1]]}`: `[{deep [1] [1] {0 0}} {empty   {0 0}}]`,
	} {
		if got := fmt.Sprint(entitiesOf(json.RawMessage(decided), "zwei Züge")); got != want {
			t.Errorf("entitiesOf(%s) = %s, want %s", decided, got, want)
		}
	}
}

// A bot that says that it matched nothing did not understand, if it was asked something: figures count that (reference/analytics.md 5).
func TestNothingMatchedIsNotUnderstood(t *testing.T) {
	for _, test := range []struct {
		name, nlp, text, code string
		want                  bool
	}{
		{"nothing matched", `{"type":"NONE"}`, "where", "", true},
		{"an intent matched", `{"type":"INTENT","name":"x","score":0.9}`, "where", "", false},
		{"it does not say", "null", "where", "", false},
		{"nothing was asked", `{"type":"NONE"}`, "", "", false},
		{"a code was sent", `{"type":"NONE"}`, "where", parley.WelcomeCode, false},
	} {
		b := New(Config{Client: http.DefaultClient, Settings: parley.BotSettings{URL: serve(t, answering(http.StatusOK, `{"nlp":`+test.nlp+`}`))}})
		turn := asked()
		turn.Text, turn.Input.Code = test.text, test.code
		if reply, err := b.Turn(t.Context(), turn, nil); err != nil || reply.Fallback != test.want {
			t.Errorf("%s: Fallback = %t, %v; want %t", test.name, reply.Fallback, err, test.want)
		}
	}
}
