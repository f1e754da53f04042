package ws_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"parley"
	"parley/hub"
	"parley/ident"
	"parley/rest/api"
	"parley/store"
	"parley/store/storetest"
	"parley/tokens"
	"parley/ws"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/golang/glog.(*fileSink).flushDaemon"))
}

// A site is a hub with one account on the web chat: agents answer in the console.
type site struct {
	t      testing.TB
	file   string // of the store, if it is SQLite
	store  *store.Store
	hub    *hub.Hub
	server *ws.Server
	http   *httptest.Server

	away    atomic.Bool  // the store does not answer the hub's reads
	writes  sync.RWMutex // held = it writes nothing but messages
	account parley.Account
	mu      sync.Mutex
	grants  map[string]tokens.Grant
}

// An unsteady store is sometimes away.
type unsteady struct {
	parley.Store
	away   *atomic.Bool
	writes *sync.RWMutex
}

func (u unsteady) Update(ctx context.Context, fn func(parley.Tx) error) error {
	u.writes.RLock()
	defer u.writes.RUnlock()
	return u.Store.Update(ctx, fn)
}

func (u unsteady) View(ctx context.Context, fn func(parley.Tx) error) error {
	if u.away.Load() {
		return errors.New("the database is away")
	}
	return u.Store.View(ctx, fn)
}

// VerifySession implements ws.Authenticator.
func (s *site) VerifySession(_ context.Context, token string) (tokens.Grant, error) {
	s.mu.Lock()
	g, ok := s.grants[token]
	s.mu.Unlock()
	if !ok {
		return g, &parley.Error{Kind: parley.Unauthenticated}
	}
	return g, nil
}

// code is how errors are told.
func code(err error) (string, string) {
	b := api.BodyOf(err)
	return b.Code, b.DeveloperMessage
}

// grant makes a token good; revoke makes it no good any more.
func (s *site) grant(token string, g tokens.Grant) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.grants[token] = g
}

func (s *site) revoke(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.grants, token)
}

// unavailable changes the account's rule for when no agent is there.
func (s *site) unavailable(rule parley.Unavailability) {
	s.t.Helper()
	ctx := s.t.Context()
	s.account.Unavailable = rule
	err := s.store.Update(ctx, func(tx parley.Tx) error {
		return tx.Accounts().Replace(ctx, &s.account, []parley.Reference{{Kind: parley.KindChannel, ID: parley.WebChatChannel}})
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.hub.ConfigChanged(ctx, parley.DefaultTenant)
}

// forget takes messages out of the record, as retention does: those between two seqs, of every conversation.
func (s *site) forget(after, before int64) {
	s.t.Helper()
	db, err := sql.Open("sqlite", "file:"+s.file+"?_pragma=busy_timeout(10000)")
	if err != nil {
		s.t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(s.t.Context(), "DELETE FROM messages WHERE seq > ? AND seq < ?", after, before); err != nil {
		s.t.Fatal(err)
	}
}

func newSite(t testing.TB, change func(*ws.Config)) *site {
	t.Helper()
	file := filepath.Join(t.TempDir(), "parley.db")
	s := newSiteOn(t, storetest.OpenURL(t, file), change)
	s.file = file
	return s
}

// newSiteOn makes a site on a store of any kind.
func newSiteOn(t testing.TB, on *store.Store, change func(*ws.Config)) *site {
	t.Helper()
	s := &site{t: t, store: on}
	ctx, now := t.Context(), time.Now().UTC()
	base := parley.Base{Tenant: parley.DefaultTenant, Name: "site", Active: true, Created: now, Modified: now}
	orchestration := parley.Orchestration{ID: ident.New[parley.Orchestration](), Base: base, Agents: []parley.AgentReference{{Application: parley.ConsoleApplication}}}
	account := parley.Account{ID: ident.New[parley.Account](), Base: base, Address: "site", Channel: parley.WebChatChannel, Orchestration: orchestration.ID,
		TimeoutMinutes: 30, DefaultLanguage: "en-US", Unavailable: parley.OffHours,
		Options: []parley.NameValue{{Name: parley.OptionAllowedOrigins, Value: "https://shop.example.org"}}}
	err := s.store.Update(ctx, func(tx parley.Tx) error {
		if err := tx.Orchestrations().Insert(ctx, &orchestration, nil); err != nil {
			return err
		}
		return tx.Accounts().Insert(ctx, &account, []parley.Reference{{Kind: parley.KindChannel, ID: parley.WebChatChannel}})
	})
	if err != nil {
		t.Fatal(err)
	}
	s.account = account
	expires := now.Add(time.Hour)
	customer := func(contact string) tokens.Grant {
		return tokens.Grant{Tenant: parley.DefaultTenant, Name: contact, Expires: expires,
			Speaker: parley.Speaker{Tenant: parley.DefaultTenant, Account: account.ID, Contact: contact}}
	}
	s.grants = map[string]tokens.Grant{"anna": customer("anna"), "bert": customer("bert"),
		"dana": {Tenant: parley.DefaultTenant, Expires: expires, Speaker: parley.Speaker{Tenant: parley.DefaultTenant,
			Application: parley.ConsoleApplication, Roles: []parley.Role{parley.CustomAgent}}},
		"unbound": {Tenant: parley.DefaultTenant, Expires: expires, Speaker: parley.Speaker{Tenant: parley.DefaultTenant}},
		"brief":   {Tenant: parley.DefaultTenant, Expires: now.Add(300 * time.Millisecond), Speaker: customer("anna").Speaker},
	}
	quiet := slog.New(slog.DiscardHandler)
	s.hub = hub.New(hub.Config{Store: unsteady{s.store, &s.away, &s.writes}, Logger: quiet, TypingFor: 300 * time.Millisecond})
	c := ws.Config{Rate: 1e6, Burst: 1e6, Hub: s.hub, Tokens: s, Logger: quiet, Code: code}
	if change != nil {
		change(&c)
	}
	s.server = ws.New(c)
	s.http = httptest.NewServer(s.server)
	running, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.hub.Run(running)
	}()
	t.Cleanup(func() {
		drain, stop := context.WithTimeout(context.Background(), time.Second)
		defer stop()
		s.server.Drain(drain)
		s.http.Close()
		cancel()
		<-done
		http.DefaultClient.CloseIdleConnections()
	})
	return s
}

// A client is a raw client of the protocol.
type client struct {
	t    testing.TB
	conn *websocket.Conn
	in   []map[string]json.RawMessage // read, not yet looked at
	n    int

	heartbeats bool // are looked at
}

func (s *site) dial(header http.Header) *client {
	s.t.Helper()
	conn, _, err := websocket.Dial(s.t.Context(), s.http.URL, &websocket.DialOptions{Subprotocols: []string{ws.Subprotocol}, HTTPHeader: header})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.CloseNow() })
	conn.SetReadLimit(1 << 20)
	return &client{t: s.t, conn: conn}
}

// connect opens a session.
func (s *site) connect(token string, resume ...any) (*client, map[string]any) {
	s.t.Helper()
	c := s.dial(nil)
	return c, c.ask("connect", map[string]any{"token": token, "resume": resume})
}

func (c *client) send(raw string) {
	c.t.Helper()
	if err := c.conn.Write(c.t.Context(), websocket.MessageText, []byte(raw)); err != nil {
		c.t.Fatalf("write: %v", err)
	}
}

// next is the next object from the server, heartbeats apart.
func (c *client) next() (map[string]json.RawMessage, error) {
	for len(c.in) == 0 {
		ctx, cancel := context.WithTimeout(c.t.Context(), 10*time.Second)
		_, data, err := c.conn.Read(ctx)
		cancel()
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(data)) {
			var o map[string]json.RawMessage
			if err := json.Unmarshal([]byte(line), &o); err != nil {
				c.t.Fatalf("the server sent %q: %v", line, err)
			}
			if o["heartbeat"] == nil || c.heartbeats {
				c.in = append(c.in, o)
			}
		}
	}
	o := c.in[0]
	c.in = c.in[1:]
	return o, nil
}

// ask sends a request and wants its ok. What comes before the reply is kept for later.
func (c *client) ask(op string, in any) map[string]any {
	c.t.Helper()
	o := c.request(op, in)
	var ok map[string]any
	if o["ok"] == nil || json.Unmarshal(o["ok"], &ok) != nil {
		c.t.Fatalf("%s = %s, want ok", op, o["error"])
	}
	return ok
}

// refused sends a request and returns the code of the error that it wants.
func (c *client) refused(op string, in any) string {
	c.t.Helper()
	o := c.request(op, in)
	var e struct{ Code string }
	if o["error"] == nil || json.Unmarshal(o["error"], &e) != nil {
		c.t.Fatalf("%s = %s, want an error", op, o["ok"])
	}
	return e.Code
}

func (c *client) request(op string, in any) map[string]json.RawMessage {
	c.t.Helper()
	c.n++
	id := fmt.Sprint(c.n)
	body, err := json.Marshal(map[string]any{"id": id, op: in})
	if err != nil {
		c.t.Fatal(err)
	}
	c.send(string(body))
	var kept []map[string]json.RawMessage
	for {
		o, err := c.next()
		if err != nil {
			c.t.Fatalf("%s: %v", op, err)
		}
		if string(o["id"]) == `"`+id+`"` {
			c.in = append(kept, c.in...)
			return o
		}
		kept = append(kept, o)
	}
}

type shown struct {
	Conversation string
	Seq, Prev    int64
	Message      struct {
		Type    struct{ Value string }
		Content struct{ Text string }
	}
}

// message is the next message.
func (c *client) message() shown {
	c.t.Helper()
	for {
		o, err := c.next()
		if err != nil {
			c.t.Fatalf("waiting for a message: %v", err)
		}
		var m shown
		if o["message"] != nil {
			if err := json.Unmarshal(o["message"], &m); err != nil {
				c.t.Fatal(err)
			}
			return m
		}
	}
}

// closed is the code with which the server ended the session.
func (c *client) closed() websocket.StatusCode {
	for {
		if _, err := c.next(); err != nil {
			return websocket.CloseStatus(err)
		}
	}
}

func text(s string) map[string]any {
	return map[string]any{"messageId": s, "type": map[string]string{"value": "text"}, "content": map[string]string{"text": s}}
}

func in(conversation any, m map[string]any) map[string]any {
	m["conversation"] = map[string]any{"id": conversation}
	return m
}

func TestCustomerAndAgentSeeOneOrder(t *testing.T) {
	s := newSite(t, nil)
	agent, _ := s.connect("dana")
	agent.ask("subscribe", map[string]any{"all": true})
	anna, ok := s.connect("anna")
	if ok["role"] != "customer" || ok["heartbeatSeconds"] != 20.0 {
		t.Errorf("connect = %v", ok)
	}
	opened := anna.ask("open", map[string]any{"message": text("hello")})
	id := opened["conversation"]
	if m := agent.message(); m.Conversation != id || m.Seq != 1 || m.Message.Content.Text != "hello" {
		t.Errorf("agent sees %+v", m)
	}
	if second := anna.ask("post", in(id, text("are you there"))); second["seq"] != 2.0 {
		t.Errorf("post = %v, want seq 2", second)
	}
	agent.message()
	join := map[string]any{"type": map[string]string{"value": "agent.join"}, "content": map[string]any{"json": map[string]string{"agentName": "Dana"}}}
	agent.ask("post", in(id, join))
	answer := agent.ask("post", in(id, text("yes")))
	if m := anna.message(); m.Message.Type.Value != "agent.join" || m.Seq != 3 || m.Prev != 2 {
		t.Errorf("customer sees %+v, want agent.join at 3 after her own 2", m)
	}
	if m := anna.message(); m.Message.Content.Text != "yes" || m.Seq != int64(answer["seq"].(float64)) || m.Prev != 3 {
		t.Errorf("customer sees %+v, want the answer %v", m, answer)
	}
	if again := anna.ask("post", in(id, text("are you there"))); again["seq"] != 2.0 {
		t.Errorf("repeat = %v, want the first result", again)
	}
	history := anna.ask("history", map[string]any{"conversation": id, "limit": 2})
	if got := history["messages"].([]any); len(got) != 2 || history["more"] != true || got[1].(map[string]any)["seq"] != 4.0 {
		t.Errorf("history = %v, want the last two, and that there is more", history)
	}
	older := anna.ask("history", map[string]any{"conversation": id, "before": 3})
	if got := older["messages"].([]any); len(got) != 2 || older["more"] != false {
		t.Errorf("history before 3 = %v", older)
	}
}

// After a drop a session gets exactly what it missed, in order.
func TestResume(t *testing.T) {
	s := newSite(t, nil)
	anna, _ := s.connect("anna")
	id := anna.ask("open", map[string]any{"message": text("m1")})["conversation"]
	anna.conn.CloseNow()
	agent, _ := s.connect("dana")
	agent.ask("subscribe", map[string]any{"conversation": id, "after": 1})
	const missed = 250 // more than a page
	for i := range missed {
		agent.ask("post", in(id, text(fmt.Sprint("a", i))))
	}
	back, ok := s.connect("anna", map[string]any{"conversation": id, "after": 1}, map[string]any{"conversation": ident.New[parley.Conversation](), "after": 0})
	resumed := ok["resumed"].([]any)
	if len(resumed) != 1 || resumed[0].(map[string]any)["seq"] != float64(missed+1) || resumed[0].(map[string]any)["after"] != 1.0 {
		t.Errorf("resumed = %v", resumed)
	}
	if refused := ok["refused"].([]any); len(refused) != 1 {
		t.Errorf("refused = %v, want the unknown conversation", refused)
	}
	for i := range missed {
		if m := back.message(); m.Seq != int64(i+2) || m.Prev != int64(i+1) || m.Message.Content.Text != fmt.Sprint("a", i) {
			t.Fatalf("missed message %d = %+v", i, m)
		}
	}
	agent.ask("post", in(id, text("live")))
	if m := back.message(); m.Message.Content.Text != "live" {
		t.Errorf("after the missed ones: %+v", m)
	}
}

// Guarantee G8 among customers: another one's conversation does not exist.
func TestStrangersConversationIsUnknown(t *testing.T) {
	s := newSite(t, nil)
	anna, _ := s.connect("anna")
	id := anna.ask("open", map[string]any{"message": text("mine")})["conversation"]
	bert, ok := s.connect("bert", map[string]any{"conversation": id, "after": 0})
	if len(ok["resumed"].([]any)) != 0 || len(ok["conversations"].([]any)) != 0 {
		t.Errorf("connect of a stranger = %v", ok)
	}
	for op, in := range map[string]any{
		"subscribe": map[string]any{"conversation": id}, "open": map[string]any{"conversation": id}, "history": map[string]any{"conversation": id},
		"post": in(id, text("let me in")), "typing": map[string]any{"conversation": id, "on": true}} {
		if code := bert.refused(op, in); code != "404-101" && code != "400-630" {
			t.Errorf("%s of a stranger's conversation = %s, want that it is unknown", op, code)
		}
	}
	forged := text("as an agent")
	forged["sender"] = map[string]string{"type": "custom_agent"}
	if code := anna.refused("post", in(id, forged)); code != "403-603" {
		t.Errorf("post as an agent = %s", code)
	}
	if code := anna.refused("subscribe", map[string]any{"all": true}); code != "403-112" {
		t.Errorf("subscribe to all = %s", code)
	}
}

func TestTypingReachesTheOtherSideOnly(t *testing.T) {
	s := newSite(t, nil)
	anna, _ := s.connect("anna")
	id := anna.ask("open", map[string]any{"message": text("m1")})["conversation"]
	agent, _ := s.connect("dana")
	agent.ask("subscribe", map[string]any{"conversation": id, "after": 1})
	anna.ask("typing", map[string]any{"conversation": id, "on": true})
	o, err := agent.next()
	if err != nil || o["typing"] == nil || !strings.Contains(string(o["typing"]), `"on":true`) {
		t.Errorf("agent hears %v, %v; want typing", o, err)
	}
	agent.ask("post", in(id, text("hi")))
	if o, err := anna.next(); err != nil || o["message"] == nil {
		t.Errorf("customer hears %v, %v; want the message, not her own typing", o, err)
	}
}

func TestRefusedSessionsSayWhy(t *testing.T) {
	s := newSite(t, func(c *ws.Config) { c.MaxFrame = 4096 })
	page := func(origin string) http.Header { return http.Header{"Origin": {origin}} }
	connect := func(token string) string { return `{"id":"1","connect":{"token":"` + token + `"}}` }
	for _, test := range []struct {
		what   string
		header http.Header
		frames []string
		want   websocket.StatusCode
	}{
		{"no token that is good", nil, []string{connect("nobody")}, 4401},
		{"a client without an application", nil, []string{connect("unbound")}, 4403},
		{"something else before connect", nil, []string{`{"id":"1","ping":{}}`}, 4400},
		{"no JSON", nil, []string{"hello"}, 4400},
		{"two operations in one object", nil, []string{`{"id":"1","ping":{},"connect":{}}`}, 4400},
		{"connect twice", nil, []string{connect("anna"), connect("anna")}, 4400},
		{"a page from elsewhere", page("https://evil.example"), []string{connect("anna")}, 1008},
		{"an agent's token in a page from elsewhere", page("https://shop.example.org"), []string{connect("dana")}, 1008},
		{"a huge frame", nil, []string{connect("anna"), `{"id":"2","ping":{}}` + strings.Repeat(" ", 5000)}, 1009},
		{"an expired token", nil, []string{connect("brief")}, 4410},
	} {
		c := s.dial(test.header)
		for _, f := range test.frames {
			c.send(f)
		}
		if got := c.closed(); got != test.want {
			t.Errorf("%s ends with %d, want %d", test.what, got, test.want)
		}
	}
	allowed := s.dial(page("https://shop.example.org"))
	allowed.send(connect("anna"))
	if o, err := allowed.next(); err != nil || o["ok"] == nil {
		t.Errorf("a page of an allowed origin = %v, %v", o, err)
	}
}

// A client that does not read is closed and told to come back; nobody waits for it, and it has everything after resume.
func TestSlowClientIsClosedAndLosesNothing(t *testing.T) {
	s := newSite(t, func(c *ws.Config) { c.QueueLen = 16 })
	anna, _ := s.connect("anna")
	id := anna.ask("open", map[string]any{"message": text("m1")})["conversation"]
	conversation, err := parley.ParseID[parley.Conversation](id.(string))
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 30_000)
	const n = 800 // 24 MB: more than the socket's buffers and the queue hold
	for range n {
		_, err := s.hub.Post(t.Context(), hub.PostRequest{Speaker: parley.Speaker{Tenant: parley.DefaultTenant}, Drafts: []parley.Draft{
			{Conversation: conversation, Type: parley.TypeText, Sender: parley.CustomAgent, Body: parley.Body{Content: &parley.Content{Text: long}}}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	deadline := time.After(30 * time.Second)
	for s.server.Sessions() > 0 {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-deadline:
			t.Fatal("a client that reads nothing is still there")
		}
	}
	back, _ := s.connect("anna", map[string]any{"conversation": id, "after": 1})
	for i := range n {
		if m := back.message(); m.Seq != int64(i+2) {
			t.Fatalf("message %d has seq %d", i, m.Seq)
		}
	}
}

// Operators see what waits for clients that do not read, and that it is gone when they do.
func TestQueuesAreShown(t *testing.T) {
	meter := prometheus.NewRegistry()
	s := newSite(t, func(c *ws.Config) { c.QueueLen, c.Meter = 1000, meter })
	shown := func() (total, most float64) {
		t.Helper()
		families, err := meter.Gather()
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]float64{}
		for _, f := range families {
			found[f.GetName()] = f.GetMetric()[0].GetGauge().GetValue()
		}
		return found["parley_session_queued"], found["parley_session_queued_most"]
	}
	for range 9 {
		s.connect("bert") // has nothing waiting
	}
	anna, _ := s.connect("anna")
	conversation, err := parley.ParseID[parley.Conversation](anna.ask("open", map[string]any{"message": text("m1")})["conversation"].(string))
	if err != nil {
		t.Fatal(err)
	}
	const n = 800 // 24 MB: more than the socket's buffers hold
	for range n {
		_, err := s.hub.Post(t.Context(), hub.PostRequest{Speaker: parley.Speaker{Tenant: parley.DefaultTenant}, Drafts: []parley.Draft{
			{Conversation: conversation, Type: parley.TypeText, Sender: parley.CustomAgent, Body: parley.Body{Content: &parley.Content{Text: strings.Repeat("x", 30_000)}}}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	if total, most := shown(); most == 0 || most > n || total < most {
		t.Errorf("%v objects wait, %v for one session; want some of the %d", total, most, n)
	}
	for range n {
		anna.message()
	}
	deadline := time.After(30 * time.Second)
	for total, most := shown(); total > 0 || most > 0; total, most = shown() {
		select {
		case <-time.After(10 * time.Millisecond): // the writer takes what it writes before the client has it, but a heartbeat may come
		case <-deadline:
			t.Fatalf("everything was read, and %v objects wait, %v for one session", total, most)
		}
	}
}

func TestDrainSaysGoodbye(t *testing.T) {
	s := newSite(t, nil)
	anna, _ := s.connect("anna")
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.server.Drain(t.Context())
	}()
	o, err := anna.next()
	if err != nil || o["goodbye"] == nil {
		t.Errorf("drain says %v, %v; want goodbye", o, err)
	}
	if code := anna.closed(); code != 1012 {
		t.Errorf("drain ends with %d, want 1012", code)
	}
	<-done
}

func TestHeartbeatNamesTheLastSeq(t *testing.T) {
	s := newSite(t, func(c *ws.Config) { c.Heartbeat = 20 * time.Millisecond })
	anna, _ := s.connect("anna")
	id := anna.ask("open", map[string]any{"message": text("m1")})["conversation"]
	deadline := time.Now().Add(10 * time.Second)
	for {
		ctx, cancel := context.WithDeadline(t.Context(), deadline)
		_, data, err := anna.conn.Read(ctx)
		cancel()
		if err != nil {
			t.Fatalf("no heartbeat with the conversation: %v", err)
		}
		if strings.Contains(string(data), fmt.Sprintf(`{"heartbeat":{"last":{"%s":1}}}`, id)) {
			return
		}
	}
}

// Every close code is in the table once, with what the client should do, and the protocol's document says so.
func TestCloseCodes(t *testing.T) {
	seen := map[websocket.StatusCode]bool{}
	var comeBack, newToken, stay []string
	for _, c := range ws.CloseCodes() {
		if seen[c.Code] || c.Meaning == "" || c.Name == "" {
			t.Errorf("close code %+v is there twice, or says nothing", c)
		}
		seen[c.Code] = true
		if c.NewToken && c.ComeBack {
			t.Errorf("%d: come back at once, or with a new token?", c.Code)
		}
		what := fmt.Sprintf("%d (%s)", c.Code, c.Name)
		switch {
		case c.ComeBack:
			comeBack = append(comeBack, what)
		case c.NewToken:
			newToken = append(newToken, what)
		default:
			stay = append(stay, what)
		}
	}
	want := fmt.Sprintf("Close codes. Come back, with jitter, and resume: %s. Come back with a new token: %s. Do not come back by yourself: %s.",
		strings.Join(comeBack, ", "), strings.Join(newToken, ", "), strings.Join(stay, ", "))
	if !strings.Contains(string(ws.Document), want) {
		t.Errorf("asyncapi.yaml does not say %q", want)
	}
}

// Guarantee G4 when somebody speaks just while a session resumes, and nothing is said after that: the message comes, and
// only once.
func TestResumeMissesNothingSaidMeanwhile(t *testing.T) {
	s := newSite(t, nil)
	anna, _ := s.connect("anna")
	id := anna.ask("open", map[string]any{"message": text("m1")})["conversation"]
	agent, _ := s.connect("dana")
	agent.ask("subscribe", map[string]any{"conversation": id, "after": 1})
	for i := range 200 {
		anna.conn.CloseNow()
		anna = s.dial(nil)
		said := make(chan struct{})
		go func() {
			defer close(said)
			agent.ask("post", in(id, text(fmt.Sprint("a", i))))
		}()
		anna.ask("connect", map[string]any{"token": "anna", "resume": []any{map[string]any{"conversation": id, "after": i + 1}}})
		if m := anna.message(); m.Seq != int64(i+2) || m.Prev != int64(i+1) {
			t.Fatalf("resumed after %d, the next is %+v", i+1, m)
		}
		<-said
	}
}
