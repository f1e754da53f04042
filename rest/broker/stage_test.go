package broker_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"parley"
	"parley/bots"
	"parley/bots/llm"
	"parley/bots/webhook"
	"parley/directory"
	"parley/dispatch"
	"parley/hub"
	"parley/rest"
	"parley/rest/broker"
	"parley/rest/resttest"
	"parley/store"
	"parley/store/storetest"
	"parley/tokens"
)

// A stage is the surface with hub, dispatch and a scripted bot on a real store, over real HTTP.
type stage struct {
	*resttest.Caller
	t       *testing.T
	store   *store.Store
	hub     *hub.Hub
	tokens  *tokens.Tokens
	admin   *directory.Administration
	bots    *directory.Bots
	server  string
	late    atomic.Int64              // how far the clock of surface and hub is ahead
	ahead   atomic.Int64              // by how much the clock of the surface is ahead of the hub's
	stands  atomic.Pointer[time.Time] // where that clock stands; nil = it goes
	bot     directory.Bot
	channel parley.AccountID
	key     string
	hold    chan struct{} // what "slow" waits for
	thinks  chan struct{} // closed when it does
	asked   atomic.Int64
	told    atomic.Pointer[bots.Turn] // what the bot was asked last
	flow    bots.Connector            // asked in place of the script, if set before the first turn
}

// deaf hubs end accounts, and hear of nothing.
type deaf struct{ *hub.Hub }

// loopback is where bots of tests are.
var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}

// reply is the script of the bot.
func (s *stage) reply(ctx context.Context, t *bots.Turn) (parley.BotReply, error) {
	s.asked.Add(1)
	s.told.Store(t)
	text := func(text string) parley.BotReply {
		return parley.BotReply{Answers: []parley.BotAnswer{{Type: parley.AnswerText, Text: text, Evaluable: true, ID: "author-1"}}}
	}
	if why, ok := strings.CutPrefix(t.Text, "fail "); ok {
		return parley.BotReply{}, &bots.Failure{Why: parley.TurnFailure(why), Problem: "it failed"}
	}
	switch {
	case t.Input.Code == parley.WelcomeCode:
		return parley.BotReply{Answers: []parley.BotAnswer{{Type: parley.AnswerOptions, Text: "Welcome", Buttons: []parley.AnswerButton{{Name: "Last order", Value: "last"}, {Name: "Site", Value: "", Type: parley.ButtonURL, Action: "https://shop.example"}},
			QuickReplies: []parley.QuickReply{{Name: "Bye", Value: "bye"}}}}}, nil
	case t.Text == "slow":
		close(s.thinks)
		select {
		case <-s.hold:
			return text("at last"), nil
		case <-ctx.Done():
			return parley.BotReply{}, ctx.Err()
		}
	case t.Text == "human":
		r := text("A colleague will help.")
		r.HandOver = true
		return r, nil
	case t.Text == "bye":
		r := text("Bye.")
		r.End = true
		return r, nil
	case t.Text == "when":
		r := text("When?")
		r.Await = &parley.AwaitedInput{Type: "DATE", CallToAction: "Pick a day", Pattern: "yyyy-MM-dd"}
		r.NLP = &parley.NLPResult{Type: parley.NLPIntent, Name: "ask_date", Score: 0.91, Entities: []parley.NLPEntity{{Name: "object", Value: "when", Original: "when", Start: 0, End: 4}}}
		return r, nil
	case t.Text == "contexts":
		r := text("set")
		r.Contexts = &parley.Contexts{Open: json.RawMessage(`{"open":1}`), Visible: json.RawMessage(`{"visible":2}`), Hidden: json.RawMessage(`{"hidden":3}`)}
		return r, nil
	case t.Text == "nothing":
		return parley.BotReply{}, nil
	case t.Text == "all":
		return parley.BotReply{Answers: []parley.BotAnswer{
			{Type: parley.AnswerText, Text: "<b>bold</b>", Description: "alt", Masked: true}, {Type: parley.AnswerOptions, Text: "plain"},
			{Type: parley.AnswerImage, Text: "https://a.example/i.png", Description: "a picture"}, {Type: parley.AnswerVideo, Text: "https://a.example/v.mp4"},
			{Type: parley.AnswerAudio, Text: "https://a.example/a.mp3"}, {Type: parley.AnswerDocument, Text: "https://a.example/d.pdf"},
			{Type: parley.AnswerCustom, Text: "", Technical: json.RawMessage(`{"type":"map"}`)},
			{Type: parley.AnswerCarousel, Cards: []parley.AnswerCard{{ImageURL: "https://a.example/1.png", Title: "One", SubTitle: "first", Buttons: []parley.AnswerButton{{Name: "Call", Value: "call", Type: parley.ButtonPhone, Action: "+491"}}}}},
		}}, nil
	}
	return text(strings.Join([]string{"you said", t.Text, t.Input.Code, t.Input.Intent, t.Input.UserInput, string(t.Input.Entities), string(t.Contexts.Open), t.Client.System, t.Client.Locale}, "|")), nil
}

type scripted struct{ s *stage }

func (c scripted) Turn(ctx context.Context, t *bots.Turn, partial func(string)) (parley.BotReply, error) {
	if c.s.flow != nil {
		return c.s.flow.Turn(ctx, t, partial)
	}
	return c.s.reply(ctx, t)
}

// clock is that of the surface and the hub.
func (s *stage) clock() time.Time {
	if at := s.stands.Load(); at != nil {
		return *at
	}
	return time.Now().Add(time.Duration(s.late.Load()))
}

func newStage(t *testing.T, settings ...func(*parley.BotSettings)) *stage {
	t.Helper()
	return newStageOn(t, storetest.Open(t), nil, settings...)
}

// newStageOn is a stage on that record; live = nil: alone.
func newStageOn(t *testing.T, record *store.Store, live parley.Live, settings ...func(*parley.BotSettings)) *stage {
	t.Helper()
	s := &stage{t: t, store: record, hold: make(chan struct{}), thinks: make(chan struct{})}
	s.start(live, s)
	made := directory.Bot{Name: "Rex", Active: true, Settings: parley.BotSettings{Connector: parley.ConnectorRules, Language: "en-US"}}
	for _, change := range settings {
		change(&made.Settings)
	}
	var err error
	if s.bot, s.channel, err = s.bots.Create(t.Context(), parley.DefaultTenant, made); err != nil {
		t.Fatal(err)
	}
	s.key = s.newKey(parley.DefaultTenant)
	s.serve(s.hub)
	return s
}

// start runs what is behind the surface. The bot is that of the stage that is named.
func (s *stage) start(live parley.Live, script *stage) {
	log := slog.New(slog.DiscardHandler)
	late := &struct{ *hub.Hub }{}
	runner := bots.New(bots.Config{Store: s.store, Hub: late, Logger: log, Connectors: map[parley.Connector]bots.Factory{
		parley.ConnectorRules: func(*parley.ClientApplication) bots.Connector { return scripted{script} }, parley.ConnectorWebhook: webhook.Factory(http.DefaultClient),
		parley.ConnectorLLM: llm.Factory(http.DefaultClient)}})
	d := dispatch.New(dispatch.Config{Store: s.store, Hub: late, Work: true, Sweep: 20 * time.Millisecond, Logger: log, Bots: runner, Allow: loopback})
	s.hub = hub.New(hub.Config{Store: s.store, Live: live, Dispatcher: d, Logger: log, Clock: s.clock})
	late.Hub = s.hub
	ctx, stop := context.WithCancel(context.Background())
	var parts sync.WaitGroup
	for _, run := range []func(context.Context) error{d.Run, s.hub.Run} {
		parts.Go(func() { _ = run(ctx) }) // both end with ctx
	}
	s.t.Cleanup(func() {
		stop()
		parts.Wait()
	})
	s.tokens = tokens.New(tokens.Config{Issuer: "https://hub.example"}, s.store)
	s.admin = directory.NewAdministration(directory.Config{}, s.store, s.tokens.Forget)
	s.bots = directory.NewBots(directory.Config{Allow: loopback}, s.store, deaf{s.hub})
}

// serve is the surface over HTTP.
func (s *stage) serve(h broker.Hub) {
	router := rest.NewRouter()
	broker.New(broker.Deps{Store: s.store, Hub: h, Keys: s.admin, Authority: s.tokens,
		Clock: func() time.Time { return s.clock().Add(time.Duration(s.ahead.Load())) }}).Register(router)
	server := httptest.NewServer(rest.Handler(rest.Config{}, router))
	s.t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	s.server = server.URL
	s.Caller = resttest.NewCaller(s.t, server.URL, "", broker.Document)
	s.Refuses(func(status int, body []byte) (string, bool) {
		var p struct {
			Status      int
			Code, Error string
			Message     string
			Path        string
			Timestamp   time.Time
			Description string `json:"error_description"`
		}
		err := json.Unmarshal(body, &p)
		if p.Description != "" { // of the token endpoint
			return p.Error, true
		}
		return p.Code, err == nil && p.Status == status && p.Code != "" && p.Error != "" && p.Message != "" && p.Path != "" && !p.Timestamp.IsZero()
	})
}

func (s *stage) newKey(tenant parley.TenantID) string {
	s.t.Helper()
	k, secret, err := s.admin.CreateKey(s.t.Context(), administrator, parley.APIClient{Kind: parley.KeyBroker, Tenant: tenant})
	if err != nil {
		s.t.Fatal(err)
	}
	return directory.WholeKey(&k, secret)
}

// keysFor are keys for callers that come together: no key has more of them than its rate lets pass at once.
func (s *stage) keysFor(callers int) (keys []string) {
	s.t.Helper()
	for len(keys) < callers {
		key := s.newKey(parley.DefaultTenant)
		for range min(ofOneKey, callers-len(keys)) {
			keys = append(keys, key)
		}
	}
	return keys
}

// newEnvironment is one of another organisation.
func (s *stage) newEnvironment() parley.Tenant {
	s.t.Helper()
	organisation, err := s.admin.CreateOrganisation(s.t.Context(), administrator, "Other")
	if err != nil {
		s.t.Fatal(err)
	}
	other, err := s.admin.CreateEnvironment(s.t.Context(), administrator, parley.Tenant{Organisation: organisation, Name: "other"})
	if err != nil {
		s.t.Fatal(err)
	}
	return other
}

// token is one of a client with the scopes.
func (s *stage) token(tenant parley.TenantID, scopes ...string) string {
	s.t.Helper()
	c, _, err := s.admin.CreateClient(s.t.Context(), administrator, parley.APIClient{Tenant: tenant, Scopes: scopes})
	if err != nil {
		s.t.Fatal(err)
	}
	token, _, err := s.tokens.Issue(s.t.Context(), &c, scopes)
	if err != nil {
		s.t.Fatal(err)
	}
	return token
}

// The paths of the stage.
func (s *stage) environment() string {
	return "/org/" + parley.DefaultOrganisation.String() + "/env/" + parley.DefaultTenant.String()
}

func (s *stage) turns() string {
	return s.environment() + "/bot/" + s.bot.ID.String() + "/channel/" + s.channel.String() + "/v1/conversations"
}

// headers are those of a good turn, with some in place of them; "" leaves one out.
func (s *stage) headers(more ...string) []string {
	return append([]string{"Api-Key", s.key, "Os", "Windows", "User-Ref", "203.0.113.7", "Locale", "es-ES"}, more...)
}

// A said is the answer to a turn.
type said struct {
	Text                *string
	SessionCode         string
	UserInteractionUUID string
	UserInput           *struct{ Type, CallToAction, Pattern string }
	NLPResponse         struct {
		Type, Name string
		Score      float64
	}
	Answers []struct {
		Content       any
		TechnicalText map[string]any
		Type          string
		InteractionID string
		Evaluable     bool
	}
	Context, ContextReadOnly map[string]any
}

// turn has a turn in a session, "" = a new one, and wants the status.
func (s *stage) turn(session, body string, want int, more ...string) said {
	s.t.Helper()
	path := s.turns()
	if session != "" {
		path += "/" + session
	}
	res, text := s.Do("POST", path, body, s.headers(more...)...)
	if res.StatusCode != want {
		s.t.Fatalf("turn %s answered %d %s, want %d", body, res.StatusCode, text, want)
	}
	var out said
	if err := json.Unmarshal([]byte(text), &out); err != nil && want == http.StatusOK {
		s.t.Fatal(err)
	}
	return out
}

// first is the content of the first answer.
func (a *said) first() string {
	if len(a.Answers) == 0 {
		return ""
	}
	text, _ := a.Answers[0].Content.(string)
	return text
}
