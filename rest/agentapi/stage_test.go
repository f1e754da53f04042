package agentapi_test

import (
	"context"
	"encoding/json"
	"fmt"
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
	"parley/assets"
	"parley/bots"
	"parley/bots/judge"
	"parley/directory"
	"parley/dispatch"
	"parley/hub"
	"parley/rest"
	"parley/rest/agentapi"
	"parley/rest/resttest"
	"parley/store"
	"parley/store/blob"
	"parley/store/storetest"
	"parley/tokens"
)

// A stage is the surface with hub, dispatch and a scripted agent on a real store, over real HTTP.
type stage struct {
	*resttest.Caller
	t             *testing.T
	store         *store.Store
	hub           *hub.Hub
	admin         *directory.Administration
	bots          *directory.Bots
	judge         *judge.Judge
	server        string
	agent         directory.Bot
	key           string
	user          string
	late          atomic.Int64              // how far all clocks are ahead
	stands        atomic.Pointer[time.Time] // where they stand; nil = they go
	hold          chan struct{}             // what "slow" waits for
	thinks        chan struct{}             // told when it does
	asked         atomic.Int64
	now, together atomic.Int64              // how many questions the agent has, and how many it had at most
	told          atomic.Pointer[bots.Turn] // what the agent was asked last
}

// told hubs end accounts, and tell everyone who caches.
type telling struct {
	*hub.Hub
	d *dispatch.Dispatcher
}

func (h telling) ConfigChanged(ctx context.Context, tenant parley.TenantID) {
	h.d.Forget()
	h.Hub.ConfigChanged(ctx, tenant)
}

// loopback is where webhooks of tests are.
var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}

type scripted struct{ s *stage }

// Turn is the script of the agent.
func (c scripted) Turn(ctx context.Context, t *bots.Turn, _ func(string)) (parley.BotReply, error) {
	s := c.s
	s.asked.Add(1)
	s.told.Store(t)
	defer s.now.Add(-1)
	for n := s.now.Add(1); ; {
		if most := s.together.Load(); n <= most || s.together.CompareAndSwap(most, n) {
			break
		}
	}
	says := func(texts ...string) (r parley.BotReply) {
		for _, text := range texts {
			r.Answers = append(r.Answers, parley.BotAnswer{Type: parley.AnswerText, Text: text})
		}
		return r
	}
	if why, ok := strings.CutPrefix(t.Text, "fail "); ok {
		return parley.BotReply{}, &bots.Failure{Why: parley.TurnFailure(why), Problem: "it failed"}
	}
	switch t.Text {
	case "time":
		until, _ := ctx.Deadline()
		return says(fmt.Sprintf("you have %.0f s", time.Until(until).Round(5*time.Second).Seconds())), nil
	case "slow":
		s.thinks <- struct{}{}
		select {
		case <-s.hold:
			return says("at last"), nil
		case <-ctx.Done():
			return parley.BotReply{}, ctx.Err()
		}
	case "human":
		r := says("A colleague will help.")
		r.HandOver = true
		return r, nil
	case "silent human":
		return parley.BotReply{HandOver: true}, nil
	case "bye":
		r := says("Bye.")
		r.End = true
		return r, nil
	case "nothing":
		return parley.BotReply{}, nil
	case "much":
		channelOnly := parley.BotAnswer{Type: parley.AnswerCustom, Technical: json.RawMessage(`{"light":"on"}`)}
		r := says("<b>One</b>", "Two")
		r.Answers = append(append([]parley.BotAnswer{channelOnly}, r.Answers...), channelOnly, parley.BotAnswer{Type: parley.AnswerImage, Text: "https://a.example/i.png", Description: "A picture"},
			parley.BotAnswer{Type: parley.AnswerOptions, Text: "Which?", Buttons: []parley.AnswerButton{{Name: "This", Value: "this"}}})
		return r, nil
	}
	return says("you said " + t.Text), nil
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := newNode(t, storetest.Open(t), nil)
	s.agent, s.key = s.newAgent("Rex")
	s.user = s.must("POST", "/users", `{"firstName":"Ines","lastName":"Okafor","email":"ines@example.org","fkId":"crm-881","context":"likes blue"}`, 201)["id"].(string)
	return s
}

// newNode is a stage on that record, with neither agent nor user. What it asks of its hub goes through between; nil = as it is.
func newNode(t *testing.T, record *store.Store, between func(agentapi.Hub) agentapi.Hub) *stage {
	t.Helper()
	s := &stage{t: t, store: record, hold: make(chan struct{}), thinks: make(chan struct{}, 100)}
	log := slog.New(slog.DiscardHandler)
	late := &struct{ *hub.Hub }{}
	runner := bots.New(bots.Config{Store: s.store, Hub: late, Logger: log, Connectors: map[parley.Connector]bots.Factory{
		parley.ConnectorRules: func(*parley.ClientApplication) bots.Connector { return scripted{s} }}})
	d := dispatch.New(dispatch.Config{Store: s.store, Hub: late, Work: true, Sweep: 20 * time.Millisecond, Logger: log, Bots: runner, Allow: loopback, Hooks: agentapi.Hooks{Store: s.store}, Schedule: []time.Duration{time.Millisecond, time.Millisecond}})
	coarse := func() time.Time { return s.clock().Truncate(time.Second) } // so that much is said in one moment
	s.hub = hub.New(hub.Config{Store: s.store, Dispatcher: d, Logger: log, Clock: coarse})
	late.Hub = s.hub
	ctx, stop := context.WithCancel(context.Background())
	var parts sync.WaitGroup
	for _, run := range []func(context.Context) error{d.Run, s.hub.Run} {
		parts.Go(func() { _ = run(ctx) }) // both end with ctx
	}
	t.Cleanup(func() {
		stop()
		parts.Wait()
	})
	authority := tokens.New(tokens.Config{Issuer: "https://hub.example", Now: s.clock}, s.store)
	s.admin = directory.NewAdministration(directory.Config{Now: s.clock}, s.store, authority.Forget)
	s.bots = directory.NewBots(directory.Config{Allow: loopback}, s.store, telling{s.hub, d})
	s.judge = judge.New(judge.Config{Store: s.store, Logger: log})
	bucket, err := blob.OpenDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bucket.Close() })
	router := rest.NewRouter()
	server := httptest.NewServer(rest.Handler(rest.Config{}, router))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	var its agentapi.Hub = s.hub
	if between != nil {
		its = between(its)
	}
	agentapi.New(agentapi.Deps{Store: s.store, Hub: its, Keys: s.admin, Channels: s.bots, Clock: s.clock,
		Files: assets.New(assets.Config{URL: server.URL + agentapi.FilesPath, Lifetime: agentapi.FileLifetime, Now: s.clock}, s.store, bucket, authority)}).Register(router)
	s.server = server.URL
	s.Caller = resttest.NewCaller(t, server.URL, "", agentapi.Document)
	s.Refuses(refused)
	return s
}

// refused reads an error body (reference 2).
func refused(status int, body []byte) (string, bool) {
	var p map[string]any
	if json.Unmarshal(body, &p) != nil || p["status"] != float64(status) {
		return "", false
	}
	message, _ := p["message"].(string)
	if status == http.StatusInternalServerError {
		return message, len(p) == 2 && message == "Internal Server Error"
	}
	want := map[int]string{400: "BAD_REQUEST INVALID_REQUEST", 403: "FORBIDDEN_ERROR INVALID_CREDENTIALS", 404: "ENTITY_NOT_FOUND_ERROR ENTITY_NOT_FOUND"}[status]
	name, _ := p["name"].(string)
	_, details := p["details"].([]any)
	return name, len(p) == 4 && details && name+" "+message == want
}

// clock is that of everything; the hub's goes in seconds.
func (s *stage) clock() time.Time {
	if at := s.stands.Load(); at != nil {
		return *at
	}
	return time.Now().Add(time.Duration(s.late.Load()))
}

// newAgentElsewhere makes a bot of another tenant, and returns a key of it.
func (s *stage) newAgentElsewhere(name string) string {
	s.t.Helper()
	organisation, err := s.admin.CreateOrganisation(s.t.Context(), administrator, "Other")
	if err != nil {
		s.t.Fatal(err)
	}
	tenant, err := s.admin.CreateEnvironment(s.t.Context(), administrator, parley.Tenant{Organisation: organisation, Name: "other"})
	if err != nil {
		s.t.Fatal(err)
	}
	bot, _, err := s.bots.Create(s.t.Context(), tenant.ID, directory.Bot{Name: name, Active: true, Settings: parley.BotSettings{Connector: parley.ConnectorRules, Language: "en-US"}})
	if err != nil {
		s.t.Fatal(err)
	}
	return s.makeKey(parley.APIClient{Kind: parley.KeyAgent, Tenant: tenant.ID, Application: bot.ID})
}

// newAgent makes a bot and a key of it.
func (s *stage) newAgent(name string, settings ...func(*parley.BotSettings)) (directory.Bot, string) {
	s.t.Helper()
	made := directory.Bot{Name: name, Active: true, Settings: parley.BotSettings{Connector: parley.ConnectorRules, Language: "en-US"}}
	for _, change := range settings {
		change(&made.Settings)
	}
	bot, _, err := s.bots.Create(s.t.Context(), parley.DefaultTenant, made)
	if err != nil {
		s.t.Fatal(err)
	}
	return bot, s.newKey(bot.ID, time.Time{})
}

func (s *stage) newKey(bot parley.ApplicationID, expires time.Time) string {
	s.t.Helper()
	return s.makeKey(parley.APIClient{Kind: parley.KeyAgent, Application: bot, Expires: expires})
}

// newBrokerKey is a key of another surface.
func (s *stage) newBrokerKey() string {
	s.t.Helper()
	return s.makeKey(parley.APIClient{Kind: parley.KeyBroker})
}

func (s *stage) makeKey(of parley.APIClient) string {
	s.t.Helper()
	k, secret, err := s.admin.CreateKey(s.t.Context(), administrator, of)
	if err != nil {
		s.t.Fatal(err)
	}
	return directory.WholeKey(&k, secret)
}

// call makes a request below /external with the stage's key, unless headers say otherwise.
func (s *stage) call(method, path, body string, headers ...string) (int, string) {
	s.t.Helper()
	res, text := s.Do(method, agentapi.Prefix+path, body, append([]string{"Agent-Secret-Key", s.key}, headers...)...)
	return res.StatusCode, text
}

// must makes a request and wants a status.
func (s *stage) must(method, path, body string, want int, headers ...string) map[string]any {
	s.t.Helper()
	status, text := s.call(method, path, body, headers...)
	if status != want {
		s.t.Fatalf("%s %s answered %d %s, want %d", method, path, status, text, want)
	}
	var out map[string]any
	if len(text) > 0 && text[0] == '{' && json.Unmarshal([]byte(text), &out) != nil {
		s.t.Fatalf("%s %s answered %s", method, path, text)
	}
	return out
}

// open begins a conversation and returns its path.
func (s *stage) open() string {
	s.t.Helper()
	return "/conversations/" + s.must("POST", "/conversations", `{"conversationUserId":"`+s.user+`"}`, 201)["id"].(string)
}

// transcript is what was said, a line a message.
func (s *stage) transcript(conversation string) (lines []string) {
	s.t.Helper()
	for _, m := range s.must("GET", conversation+"/messages", "", 200)["messages"].([]any) {
		m := m.(map[string]any)
		lines = append(lines, m["senderRole"].(string)+" "+m["source"].(string)+": "+m["message"].(string))
	}
	return lines
}

// say sends a text and waits.
func (s *stage) say(conversation, text string) map[string]any {
	s.t.Helper()
	return s.must("POST", conversation+"/messages", `{"message":"`+text+`"}`, 201)
}

// thinking waits until the agent thinks.
func (s *stage) thinking() {
	s.t.Helper()
	select {
	case <-s.thinks:
	case <-time.After(20 * time.Second):
		s.t.Fatal("the agent was not asked")
	}
}

// poll asks for a response until it is no longer pending.
func (s *stage) poll(path string) map[string]any {
	s.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; {
		out := s.must("GET", path+"/response-on", "", 200)
		if out["status"] != "pending" {
			return out
		}
		if time.Now().After(deadline) {
			s.t.Fatal("the response stays pending")
		}
	}
}

// administrator may do everything.
var administrator = directory.Administrator(parley.DefaultTenant)
