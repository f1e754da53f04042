package dispatch

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"parley"
	"parley/ident"
	"parley/store"
	"parley/store/storetest"
)

// A receiver is a real HTTP server that records what it gets and answers as it is told.
type receiver struct {
	*httptest.Server
	answer func(n int, r *http.Request) (status int, header map[string]string, body string) // n counts from 1

	mu   sync.Mutex
	seen []seen
}

type seen struct {
	id, text, authorization, trace, kind string
	count                                int
	at                                   time.Time
}

func newReceiver(t testing.TB, answer func(n int, r *http.Request) (int, map[string]string, string)) *receiver {
	r := &receiver{answer: answer}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		var e struct {
			Messages struct {
				Message []struct {
					Type    struct{ Value string }
					Content struct{ Text string }
				}
			}
		}
		if err := json.Unmarshal(body, &e); err != nil || len(e.Messages.Message) == 0 {
			t.Errorf("callback body %q: %v", body, err)
			return
		}
		last := e.Messages.Message[len(e.Messages.Message)-1]
		r.mu.Lock()
		r.seen = append(r.seen, seen{req.Header.Get("Webhook-Id"), last.Content.Text, req.Header.Get("Authorization"),
			req.Header.Get("Traceparent"), last.Type.Value, len(e.Messages.Message), time.Now()})
		n := len(r.seen)
		r.mu.Unlock()
		status, header, text := http.StatusOK, map[string]string(nil), ""
		if r.answer != nil {
			status, header, text = r.answer(n, req)
		}
		for k, v := range header {
			w.Header().Set(k, v)
		}
		w.WriteHeader(status)
		io.WriteString(w, text)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) got() []seen {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.seen)
}

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// application stores a client application with one bot role.
func application(t testing.TB, s *store.Store, id parley.ApplicationID, callback string, a *parley.Authentication, changes ...func(*parley.ApplicationRole)) {
	t.Helper()
	now := time.Now()
	app := parley.ClientApplication{ID: id, Base: parley.Base{Tenant: parley.DefaultTenant, Name: id.String(), Active: true, Created: now, Modified: now},
		Roles: []parley.ApplicationRole{{Name: parley.CustomBot, Version: "v3", Callback: callback, NotificationEmail: "x@example.org"}}}
	for _, change := range changes {
		change(&app.Roles[0])
	}
	err := s.Update(t.Context(), func(tx parley.Tx) error {
		if a != nil {
			a.ID, a.Base = ident.New[parley.Authentication](), parley.Base{Tenant: parley.DefaultTenant, Name: id.String(), Active: true, Created: now, Modified: now}
			if err := tx.Authentications().Insert(t.Context(), a, nil); err != nil {
				return err
			}
			app.Roles[0].Authentication = a.ID
		}
		return tx.Applications().Insert(t.Context(), &app, nil)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// start runs a dispatcher until the test ends. Its sweeper is out of the way unless the test wants it.
func start(t testing.TB, s *store.Store, change func(*Config)) *Dispatcher {
	t.Helper()
	c := Config{Store: s, Work: true, Allow: loopback, Random: func() float64 { return 0.1 }, Sweep: time.Hour,
		Logger: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&c)
	}
	d := New(c)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = d.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return d
}

func waitFor(t testing.TB, what string, done func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for !done() {
		select {
		case <-time.After(2 * time.Millisecond):
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// says commits n messages of a new conversation to the bot and returns the lanes to wake.
func says(t testing.TB, s *store.Store, n int, to parley.ApplicationID) (steps []*parley.Step, wake []int64) {
	t.Helper()
	step := storetest.Start("")
	step.Conversation.State.Parties[1].Application = to
	for i := range n {
		if i > 0 {
			step = storetest.Say(step.Conversation, parley.Customer, "", 2)
		}
		steps = append(steps, step)
	}
	for _, c := range storetest.MustCommit(t, s, steps...) {
		wake = append(wake, c.Wake...)
	}
	return steps, wake
}

func TestDeliveriesComeInOrderWithOneIDEach(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) {
		s, app := open(t), ident.New[parley.ClientApplication]()
		var mu sync.Mutex
		refused := map[string]int{}
		r := newReceiver(t, func(n int, req *http.Request) (int, map[string]string, string) {
			mu.Lock()
			defer mu.Unlock()
			if id := req.Header.Get("Webhook-Id"); n%3 == 0 && refused[id] == 0 { // every third comes twice
				refused[id]++
				return http.StatusServiceUnavailable, nil, "busy"
			}
			return http.StatusNoContent, nil, ""
		})
		application(t, s, app, r.URL, &parley.Authentication{Basic: &parley.BasicAuth{Username: "hub", Password: "p:w"}})
		d := start(t, s, nil)
		_, wake := says(t, s, 30, app)
		d.Wake(parley.Committed{Wake: wake})
		waitFor(t, "30 deliveries", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(r.got()) >= 30+len(refused) && slices.ContainsFunc(r.got(), func(x seen) bool { return x.text == "message 30" })
		})
		var order []string
		ids := map[string]string{}
		for _, x := range r.got() {
			if x.authorization != "Basic aHViOnA6dw==" {
				t.Fatalf("Authorization = %q", x.authorization)
			}
			if before, ok := ids[x.text]; ok && before != x.id {
				t.Errorf("%q came under the ids %s and %s", x.text, before, x.id)
			}
			ids[x.text] = x.id
			if len(order) == 0 || order[len(order)-1] != x.text {
				order = append(order, x.text)
			}
		}
		for i := range 30 {
			if want := fmt.Sprintf("message %d", i+1); i >= len(order) || order[i] != want {
				t.Fatalf("order = %q, want %q at %d", order, want, i)
			}
		}
	})
}

// Hazard: a message is committed while the worker finishes the lane, and its wake-up is lost. Nobody sweeps here.
func TestLateMessageIsNotForgotten(t *testing.T) {
	s, app := storetest.Open(t), ident.New[parley.ClientApplication]()
	var steps []*parley.Step
	r := newReceiver(t, nil)
	r.answer = func(n int, _ *http.Request) (int, map[string]string, string) {
		if n == 1 { // the worker has read what is owed; this one comes after that, and nobody wakes the lane
			storetest.MustCommit(t, s, storetest.Say(steps[0].Conversation, parley.Customer, "", 2))
		}
		return http.StatusOK, nil, ""
	}
	application(t, s, app, r.URL, nil)
	d := start(t, s, nil)
	steps, wake := says(t, s, 1, app)
	d.Wake(parley.Committed{Wake: wake})
	waitFor(t, "the late message", func() bool { return len(r.got()) == 2 })
}

// Hazard: a worker is stuck until another one has its lane. It must record nothing.
func TestStuckWorkerLosesItsLane(t *testing.T) {
	var c clock
	s, app := storetest.Open(t, storetest.Clock(c.now)), ident.New[parley.ClientApplication]()
	stuck, release := make(chan struct{}), make(chan struct{})
	r := newReceiver(t, func(n int, _ *http.Request) (int, map[string]string, string) {
		if n == 1 {
			close(stuck)
			<-release
			return http.StatusBadRequest, nil, "" // the stuck one would make the delivery dead
		}
		return http.StatusOK, nil, ""
	})
	application(t, s, app, r.URL, nil)
	_, wake := says(t, s, 1, app)
	lane, err := s.Claim(t.Context(), wake, lease)
	if err != nil || len(lane) != 1 {
		t.Fatal(lane, err)
	}
	slow := New(Config{Store: s, Allow: loopback, Clock: c.now, Logger: slog.New(slog.DiscardHandler)})
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		slow.work(t.Context(), lane[0], nil)
	}()
	<-stuck
	c.set(2 * lease)
	d := start(t, s, func(config *Config) { config.Clock = c.now })
	waitFor(t, "another worker", func() bool { d.Wake(parley.Committed{Wake: wake}); return len(r.got()) >= 2 })
	close(release)
	<-finished
	waitFor(t, "the other's report", func() bool { return states(t, s, lane[0].Conversation).Acked[1] == 1 })
	if after := states(t, s, lane[0].Conversation); len(after.Dead) != 0 || after.Sent[1].IsZero() {
		t.Errorf("states = %+v, want delivered and not dead", after)
	}
}

// Hazard: a lane waited for its turn until its lease was over, and somebody else has it. It is left alone.
func TestLaneThatWaitedTooLongIsLeftAlone(t *testing.T) {
	var c clock
	s, app := storetest.Open(t, storetest.Clock(c.now)), ident.New[parley.ClientApplication]()
	r := newReceiver(t, nil)
	application(t, s, app, r.URL, nil)
	_, wake := says(t, s, 1, app)
	waited, err := s.Claim(t.Context(), wake, lease)
	if err != nil || len(waited) != 1 {
		t.Fatal(waited, err)
	}
	c.set(lease + time.Second)
	if other, err := s.Claim(t.Context(), wake, lease); err != nil || len(other) != 1 {
		t.Fatal(other, err)
	}
	New(Config{Store: s, Allow: loopback, Clock: c.now, Logger: slog.New(slog.DiscardHandler)}).work(t.Context(), waited[0], nil)
	if got := r.got(); len(got) != 0 {
		t.Errorf("%d requests for a lane that is somebody else's", len(got))
	}
}

// What a commit claims for the dispatcher goes out without the queue. A receiver for which enough lanes wait has no more of them
// claimed; that takes nothing away from another one.
func TestLanesAreClaimedAsTheyAreCommitted(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) {
		s, app, other := open(t), ident.New[parley.ClientApplication](), ident.New[parley.ClientApplication]()
		release := make(chan struct{})
		r := newReceiver(t, func(int, *http.Request) (int, map[string]string, string) { <-release; return http.StatusOK, nil, "" })
		well := newReceiver(t, nil)
		application(t, s, app, r.URL, nil)
		application(t, s, other, well.URL, nil)
		d := start(t, s, func(config *Config) { config.AtOnce, config.PerTarget = 4, 2 })
		say := func(to parley.ApplicationID) parley.Committed {
			step := storetest.Start("")
			step.Conversation.State.Parties[1].Application = to
			step.Lease, step.LeaseNot = d.Lease()
			c := storetest.MustCommit(t, s, step)[0]
			d.Wake(c)
			return c
		}
		for i := range 6 {
			if c, claimed := say(app), i < 4; (len(c.Claimed) == 1) != claimed || (len(c.Wake) == 1) == claimed {
				t.Fatalf("commit %d claimed %v and wakes %v; there is room for two that run and two that wait", i, c.Claimed, c.Wake)
			}
		}
		if c := say(other); len(c.Claimed) != 1 {
			t.Errorf("commit for another receiver claimed %v", c.Claimed)
		}
		waitFor(t, "the other receiver's", func() bool { return len(well.got()) == 1 })
		close(release)
		waitFor(t, "all six", func() bool { return len(r.got()) == 6 })
	})
}

// A receiver that hangs keeps its own share of attempts busy and nobody else's.
func TestDeadReceiverDoesNotDelayAnother(t *testing.T) {
	s, dead, alive := storetest.Open(t), ident.New[parley.ClientApplication](), ident.New[parley.ClientApplication]()
	release := make(chan struct{})
	hanging := newReceiver(t, func(int, *http.Request) (int, map[string]string, string) { <-release; return 500, nil, "" })
	defer close(release) // before the dispatcher is told to end, which waits for its attempts
	good := newReceiver(t, nil)
	application(t, s, dead, hanging.URL, nil)
	application(t, s, alive, good.URL, nil)
	d := start(t, s, func(c *Config) { c.AtOnce, c.PerTarget = 8, 4 })
	for range 50 {
		_, wake := says(t, s, 1, dead)
		d.Wake(parley.Committed{Wake: wake})
	}
	waitFor(t, "the dead receiver's share", func() bool { return len(hanging.got()) == 4 })
	for range 20 {
		_, wake := says(t, s, 1, alive)
		d.Wake(parley.Committed{Wake: wake})
	}
	waitFor(t, "the other's deliveries while the dead one hangs", func() bool { return len(good.got()) == 20 })
	if n := len(hanging.got()); n != 4 {
		t.Errorf("the dead receiver has %d attempts at the same time, want 4", n)
	}
}

func TestTokenIsFetchedOnceAndRenewedOn401(t *testing.T) {
	s, app := storetest.Open(t), ident.New[parley.ClientApplication]()
	var mu sync.Mutex
	fetched := 0
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Method != http.MethodPost || string(body) != `{"clientSecret":"planted"}` || r.Header.Get("X-Tenant") != "one" {
			t.Errorf("token call %s %q %v", r.Method, body, r.Header)
		}
		mu.Lock()
		fetched++
		n := fetched
		mu.Unlock()
		fmt.Fprintf(w, `{"data":[{"access_token":"token-%d"}]}`, n)
	}))
	t.Cleanup(issuer.Close)
	valid := "Bearer token-1"
	r := newReceiver(t, func(_ int, req *http.Request) (int, map[string]string, string) {
		mu.Lock()
		defer mu.Unlock()
		if req.Header.Get("Authorization") != valid {
			return http.StatusUnauthorized, nil, "what is " + req.Header.Get("Authorization")
		}
		return http.StatusOK, nil, ""
	})
	application(t, s, app, r.URL, &parley.Authentication{OAuth2: &parley.TokenRecipe{URL: issuer.URL, Method: http.MethodPost,
		Headers: []parley.NameValue{{Name: "X-Tenant", Value: "one"}}, Payload: `{"clientSecret":"planted"}`, TokenPath: "$.data[0].access_token"}})
	d := start(t, s, nil)
	for range 10 {
		_, wake := says(t, s, 1, app)
		d.Wake(parley.Committed{Wake: wake})
	}
	waitFor(t, "10 deliveries", func() bool { return len(r.got()) == 10 })
	mu.Lock()
	if fetched != 1 {
		t.Errorf("%d tokens fetched for 10 deliveries, want 1", fetched)
	}
	valid = "Bearer token-2"
	mu.Unlock()
	_, wake := says(t, s, 1, app)
	d.Wake(parley.Committed{Wake: wake})
	waitFor(t, "the renewal and the repeat", func() bool {
		got := r.got()
		return got[len(got)-1].authorization == "Bearer token-2"
	})
	if got := r.got(); len(got) != 12 || got[10].id != got[11].id {
		t.Errorf("%d requests, want one refused and repeated at once under the same id", len(got))
	}
}

// What is kept of failures has no secret in it, whatever the receiver echoes: what it was told, and what it knows.
func TestAttemptsKeepNoSecrets(t *testing.T) {
	const signing, old = "whsec_cGxhbnRlZC1zaWduaW5nLXNlY3JldC0x", "whsec_cGxhbnRlZC1zaWduaW5nLXNlY3JldC0y"
	r := newReceiver(t, func(_ int, req *http.Request) (int, map[string]string, string) {
		user, password, _ := req.BasicAuth()
		return http.StatusBadRequest, nil, fmt.Sprintf("no: %s %v %s:%s %s %s %s", req.URL, req.Header, user, password, signing, strings.TrimPrefix(old, "whsec_"), strings.Repeat("ä", 2000))
	})
	role := parley.ApplicationRole{Callback: r.URL + "/planted-path?key=planted-query", Headers: []parley.NameValue{{Name: "X-Key", Value: "planted \"header\""}, {Name: "X-Auth", Value: "Basic dTpwbGFudGVk"}},
		Signing: parley.Signing{Secret: signing, Old: old, OldUntil: time.Now().Add(time.Hour)}}
	to := target{role: role, authentication: &parley.Authentication{Basic: &parley.BasicAuth{Username: "u", Password: "planted-password"}}}
	d := New(Config{Store: storetest.Open(t), Allow: loopback})
	res := d.sender.attempt(t.Context(), to, request{id: "x", body: []byte(`{"messages":{"message":[{}]}}`)}, func() bool { return true })
	if res.outcome != Rejected || len(res.answer) > keptAnswer || !strings.Contains(res.answer, "[cut]") {
		t.Errorf("result = %+v; want it rejected, with at most 1 KiB of the answer", res)
	}
	for _, secret := range []string{"planted", "dTpwbGFudGVk", "cGxhbnRlZC1zaWduaW5nLXNlY3JldC"} {
		if strings.Contains(res.answer+res.problem, secret) {
			t.Errorf("result = %+v; it holds %s", res, secret)
		}
	}
	r.Close()
	res = d.sender.attempt(t.Context(), to, request{id: "x", body: []byte(`{}`)}, func() bool { return true })
	if res.outcome != Retry || strings.Contains(res.problem, "planted") || strings.Contains(res.problem, "127.0.0.1") {
		t.Errorf("result without a receiver = %+v; want a retry that names neither URL nor address", res)
	}
}

// 410 disables the receiver; what it is owed is held, and goes out when it is enabled again.
func TestGoneReceiverIsHeld(t *testing.T) {
	s, app := storetest.Open(t), ident.New[parley.ClientApplication]()
	r := newReceiver(t, func(n int, _ *http.Request) (int, map[string]string, string) {
		if n == 1 {
			return http.StatusGone, nil, ""
		}
		return http.StatusOK, nil, ""
	})
	application(t, s, app, r.URL, nil)
	disabled := logged{line: "receiver is disabled; what it is owed is held", seen: make(chan struct{})}
	d := start(t, s, func(c *Config) { c.Sweep, c.Logger = 10*time.Millisecond, slog.New(disabled) })
	_, wake := says(t, s, 2, app)
	lanes, err := s.Claim(t.Context(), wake, time.Millisecond)
	if err != nil || len(lanes) != 1 {
		t.Fatal(lanes, err)
	}
	waitFor(t, "the 410", func() bool { d.Wake(parley.Committed{Wake: wake}); return len(r.got()) == 1 })
	<-disabled.seen
	if won, err := s.Claim(t.Context(), wake, time.Millisecond); err != nil || len(won) != 0 {
		t.Errorf("Claim while disabled = %v, %v; want nothing", won, err)
	}
	if err := s.Disable(t.Context(), lanes[0].Receiver.Key, ""); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "what was held", func() bool { d.Wake(parley.Committed{Wake: wake}); return len(r.got()) == 3 })
	if got := r.got(); got[0].id != got[1].id || got[2].text != "message 2" {
		t.Errorf("after enabling: %+v; want both messages in order", got)
	}
}

// logged is a log handler that tells when a line was logged for the first time.
type logged struct {
	line string
	seen chan struct{}
}

func (l logged) Enabled(context.Context, slog.Level) bool { return true }
func (l logged) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l logged) WithGroup(string) slog.Handler            { return l }
func (l logged) Handle(_ context.Context, r slog.Record) error {
	if r.Message == l.line {
		close(l.seen)
	}
	return nil
}

// A lost wake-up costs seconds, never a message.
func TestSweeperFindsWhatNobodyWoke(t *testing.T) {
	s, app := storetest.Open(t), ident.New[parley.ClientApplication]()
	r := newReceiver(t, nil)
	application(t, s, app, r.URL, nil)
	start(t, s, func(c *Config) { c.Sweep = 10 * time.Millisecond })
	says(t, s, 3, app)
	waitFor(t, "three deliveries", func() bool { return len(r.got()) == 3 })
}

// A hand-over brings the conversation so far, then the message itself; the trace goes on.
func TestHandOverBringsTheTranscript(t *testing.T) {
	s, app := storetest.Open(t), ident.New[parley.ClientApplication]()
	r := newReceiver(t, nil)
	application(t, s, app, r.URL, nil)
	d := start(t, s, nil)
	begin := storetest.Start("")
	begin.Conversation.State.Parties[1].Application = app
	begin.Messages[0].To = 0
	more := storetest.Say(begin.Conversation, parley.Customer, "", 0)
	hand := storetest.Say(more.Conversation, parley.CustomBot, "", 2)
	hand.Messages[0].Type, hand.Messages[0].Body.Transcript = parley.TypeEscalationTransfer, 2
	hand.Messages[0].Body.Trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	committed := storetest.MustCommit(t, s, begin, more, hand)
	d.Wake(committed[2])
	waitFor(t, "two requests", func() bool { return len(r.got()) == 2 })
	got := r.got()
	if got[0].count != 2 || got[0].text != "message 2" || got[1].count != 1 || got[1].kind != "escalation.transfer" || got[0].id == got[1].id {
		t.Errorf("requests = %+v; want the transcript of two, then the hand-over, under ids of their own", got)
	}
	if !strings.Contains(got[1].trace, "4bf92f3577b34da6a3ce929d0e0e4736") {
		t.Errorf("traceparent = %q, want the trace of the request that caused it", got[1].trace)
	}
}
