package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.opentelemetry.io/otel/trace/noop"

	"parley"
	"parley/ident"
	"parley/store"
	"parley/store/storetest"
)

// A deadLetters is a Hub that keeps what it hears of.
type deadLetters struct {
	mu   sync.Mutex
	seqs []int64
	slot int
	down bool
}

func (d *deadLetters) DeliveryFailed(_ context.Context, _ parley.TenantID, slot int, m parley.Message) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.down {
		return errors.New("the hub is down")
	}
	d.seqs, d.slot = append(d.seqs, m.Seq), slot
	return nil
}

func (d *deadLetters) heard() []int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.seqs)
}

func states(t testing.TB, s *store.Store, id parley.ConversationID) (states parley.DeliveryStates) {
	t.Helper()
	err := s.View(context.WithoutCancel(t.Context()), func(tx parley.Tx) (err error) {
		states, err = tx.MessageStates(t.Context(), parley.DefaultTenant, id)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return states
}

// A delivery ends when the receiver refuses it, or when the schedule is over. The hub hears of it, it is in the record
// with its reason, and the lane goes on with the next message.
func TestGivenUpDeliveries(t *testing.T) {
	for name, test := range map[string]struct {
		status, attempts int
		reason           string
	}{
		"refused":              {http.StatusUnprocessableEntity, 1, "422"},
		"redirected":           {http.StatusFound, 1, "302"},
		"never able":           {http.StatusServiceUnavailable, 4, "503"},
		"Basic is not renewed": {http.StatusUnauthorized, 1, "401"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, app := storetest.Open(t), ident.New[parley.ClientApplication]()
			var first string
			var mu sync.Mutex
			r := newReceiver(t, func(n int, req *http.Request) (int, map[string]string, string) {
				mu.Lock()
				defer mu.Unlock()
				if n == 1 {
					first = req.Header.Get("Webhook-Id")
				}
				if req.Header.Get("Webhook-Id") == first {
					return test.status, nil, "no"
				}
				return http.StatusOK, nil, ""
			})
			application(t, s, app, r.URL, &parley.Authentication{Basic: &parley.BasicAuth{Username: "u", Password: "p"}})
			hub := &deadLetters{}
			d := start(t, s, func(c *Config) {
				c.Hub, c.Schedule = hub, []time.Duration{time.Millisecond, time.Millisecond, time.Millisecond}
			})
			steps, wake := says(t, s, 2, app)
			d.Wake(parley.Committed{Wake: wake})
			id := steps[0].Conversation.ID
			waitFor(t, "the second message", func() bool { return states(t, s, id).Acked[1] == 2 })
			if n := len(r.got()); n != test.attempts+1 {
				t.Errorf("%d requests, want %d for the first message and one for the second", n, test.attempts)
			}
			after := states(t, s, id)
			if len(after.Dead) != 1 || !strings.Contains(after.Dead[1], test.reason) || after.Sent[2].IsZero() || !after.Sent[1].IsZero() {
				t.Errorf("record has %+v, want message 1 dead for %s and message 2 sent", after, test.reason)
			}
			waitFor(t, "the hub to hear of it", func() bool { return slices.Equal(hub.heard(), []int64{1}) && hub.slot == 1 })
		})
	}
}

// Guarantee G7 over a crash: a delivery was given up, and whoever did so is gone, or the hub could not act on it, before
// the hub heard. It is told later, once.
func TestHubHearsOfDeadDeliveriesAfterACrash(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) {
		s, app := open(t), ident.New[parley.ClientApplication]()
		r := newReceiver(t, func(int, *http.Request) (int, map[string]string, string) { return http.StatusBadRequest, nil, "" })
		application(t, s, app, r.URL, nil)
		steps, wake := says(t, s, 2, app)
		hub := &deadLetters{down: true}
		d := New(Config{Store: s, Hub: hub, Allow: loopback, Logger: slog.New(slog.DiscardHandler)})
		lanes, err := s.Claim(t.Context(), wake, time.Minute)
		if err != nil || len(lanes) != 1 {
			t.Fatal(lanes, err)
		}
		d.work(t.Context(), lanes[0], nil)
		if dead := states(t, s, steps[0].Conversation.ID).Dead; len(dead) != 2 {
			t.Fatalf("dead: %v, want both messages", dead)
		}
		d.retell(t.Context(), 0) // still down
		hub.down = false
		d.retell(t.Context(), time.Hour) // not long enough ago
		if heard := hub.heard(); len(heard) != 0 {
			t.Errorf("the hub heard of %v before its time", heard)
		}
		d.retell(t.Context(), 0)
		d.retell(t.Context(), 0)
		if heard := hub.heard(); !slices.Equal(heard, []int64{1, 2}) || hub.slot != 1 {
			t.Errorf("the hub heard of %v at slot %d, want 1 and 2 at slot 1, once", heard, hub.slot)
		}
	})
}

// A hub that panics over a dead delivery hears of the others, its lane goes on, and the process lives; when the bug is mended it hears of that
// one, too.
func TestHubThatPanicsOverADeadDelivery(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) {
		s, app := open(t), ident.New[parley.ClientApplication]()
		r := newReceiver(t, func(int, *http.Request) (int, map[string]string, string) { return http.StatusBadRequest, nil, "" })
		application(t, s, app, r.URL, nil)
		steps, wake := says(t, s, 3, app)
		hub := &panicking{poison: 2}
		d := New(Config{Store: s, Hub: hub, Allow: loopback, Logger: slog.New(slog.DiscardHandler)})
		lanes, err := s.Claim(t.Context(), wake, time.Minute)
		if err != nil || len(lanes) != 1 {
			t.Fatal(lanes, err)
		}
		d.work(t.Context(), lanes[0], nil)
		if got := hub.heard(); !slices.Equal(got, []int64{1, 3}) || states(t, s, steps[0].Conversation.ID).Acked[1] != 3 {
			t.Errorf("the hub heard of %v, want 1 and 3, and the lane to be done", got)
		}
		d.retell(t.Context(), 0)
		hub.poison = 0
		d.retell(t.Context(), 0)
		d.retell(t.Context(), 0)
		if got := hub.heard(); !slices.Equal(got, []int64{1, 3, 2}) {
			t.Errorf("the hub heard of %v after the bug was mended, want 2, once, too", got)
		}
	})
}

// A panicking hub does so over the message with one seq.
type panicking struct {
	deadLetters
	poison int64
}

func (p *panicking) DeliveryFailed(ctx context.Context, tenant parley.TenantID, slot int, m parley.Message) error {
	if m.Seq == p.poison {
		panic("planted")
	}
	return p.deadLetters.DeliveryFailed(ctx, tenant, slot, m)
}

// roundTripper is a receiver in memory, for which time can be anything.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A receiver has five seconds, and so has a token URL.
func TestReceiverHasFiveSeconds(t *testing.T) {
	hang := func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	for name, a := range map[string]*parley.Authentication{
		"callback": nil,
		"token":    {OAuth2: &parley.TokenRecipe{URL: "https://id.example/", Method: http.MethodPost, TokenPath: "$.t"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := &http.Client{Transport: roundTripper(hang)}
				via := &clients{common: client}
				s := &sender{clients: via, clock: time.Now, tracer: noop.NewTracerProvider().Tracer(""), tokens: newTokens(via, nil, func(string) {})}
				to := target{role: parley.ApplicationRole{Callback: "https://bot.example/"}, authentication: a}
				begin := time.Now()
				res := s.attempt(t.Context(), to, request{id: "x", body: []byte("{}")}, func() bool { return true })
				if took := time.Since(begin); res.outcome != Retry || took != 5*time.Second || !strings.Contains(res.problem, "no answer in time") {
					t.Errorf("after %v: %+v; want a retry after 5 s", took, res)
				}
			})
		})
	}
}

// What every callback carries, besides what the role asks for.
func TestHeadersOfACallback(t *testing.T) {
	var got http.Header
	client := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		got = r.Header
		return nil, errors.New("seen")
	})}
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	via := &clients{common: client}
	s := &sender{clients: via, clock: func() time.Time { return at }, tracer: noop.NewTracerProvider().Tracer(""), tokens: newTokens(via, nil, nil)}
	role := parley.ApplicationRole{Callback: "https://bot.example/", Headers: []parley.NameValue{{Name: "X-Team", Value: "support"}, {Name: "webhook-id", Value: "mine"}}}
	const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	s.attempt(t.Context(), target{role: role, authentication: &parley.Authentication{Basic: &parley.BasicAuth{Username: "ü", Password: "p:w"}}},
		request{id: "delivery", body: []byte("{}"), trace: trace}, func() bool { return true })
	for name, want := range map[string]string{"Content-Type": "application/json", "X-Team": "support", "Webhook-Id": "delivery", "Webhook-Timestamp": "1772366400",
		"Authorization": "Basic w7w6cDp3", "Traceparent": trace} {
		if got.Get(name) != want {
			t.Errorf("%s = %q, want %q", name, got.Get(name), want)
		}
	}
}

// Typing is told once, whatever the receiver answers, and not at all while messages are under way to it.
func TestTypingIsToldOnce(t *testing.T) {
	s, app := storetest.Open(t), ident.New[parley.ClientApplication]()
	stuck, release := make(chan struct{}), make(chan struct{})
	r := newReceiver(t, func(n int, _ *http.Request) (int, map[string]string, string) {
		switch n {
		case 1:
			return http.StatusServiceUnavailable, nil, ""
		case 2:
			close(stuck)
			<-release
		}
		return http.StatusOK, nil, ""
	})
	application(t, s, app, r.URL, nil)
	d := start(t, s, func(c *Config) { c.Schedule = []time.Duration{time.Millisecond} })
	steps, wake := says(t, s, 1, app)
	c := steps[0].Conversation
	typing := parley.Whisper{Conversation: c, Slot: 1, Message: parley.Message{ID: ident.New[parley.Message](), Conversation: c.ID, Type: parley.TypeTypingStart, Sender: parley.Customer}}
	d.Whisper(typing)
	waitFor(t, "the typing mark", func() bool { return len(r.got()) == 1 })
	d.Wake(parley.Committed{Wake: wake})
	<-stuck
	if outcome := d.whisperOnce(t.Context(), typing); outcome != "overtaken" {
		t.Errorf("typing while a message is under way = %q", outcome)
	}
	broken := typing
	broken.Conversation = &parley.Conversation{} // without parties: a bug, which is not the process's end
	if outcome := d.whisperOnce(t.Context(), broken); outcome != "error" {
		t.Errorf("typing that makes the hub panic = %q", outcome)
	}
	close(release)
	waitFor(t, "the message", func() bool { return states(t, s, c.ID).Acked[1] == 1 })
	if got := r.got(); len(got) != 2 || got[0].kind != "typing.start" || got[1].kind != "text" {
		t.Errorf("requests = %+v, want the mark once and the message", got)
	}
}

// Operators see how much is waiting and how long deliveries take.
func TestBacklogIsShown(t *testing.T) {
	s, app := storetest.Open(t), ident.New[parley.ClientApplication]()
	r := newReceiver(t, nil)
	application(t, s, app, r.URL, nil)
	says(t, s, 3, app)
	meter := prometheus.NewRegistry()
	now := time.Now().Add(time.Minute)
	d := New(Config{Store: s, Allow: loopback, Meter: meter, Clock: func() time.Time { return now }, Logger: slog.New(slog.DiscardHandler)})
	shown := func(name string) float64 {
		t.Helper()
		families, err := meter.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() == name {
				m := f.GetMetric()[0]
				return m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
		t.Fatalf("%s is not shown", name)
		return 0
	}
	d.count(t.Context(), now)
	if due, oldest := shown("parley_lanes_due"), shown("parley_oldest_due_seconds"); due != 1 || oldest < 59 || oldest > 61 {
		t.Errorf("%v lanes due for %v s, want one for a minute", due, oldest)
	}
	lanes, err := s.Claim(t.Context(), []int64{1}, time.Hour)
	if err != nil || len(lanes) != 1 {
		t.Fatal(lanes, err)
	}
	d.work(t.Context(), lanes[0], nil)
	d.count(t.Context(), now)
	if due, oldest, sent := shown("parley_lanes_due"), shown("parley_oldest_due_seconds"), shown("parley_delivery_seconds"); due != 0 || oldest != 0 || sent != 3 {
		t.Errorf("afterwards %v due for %v s, %v delivered; want 0, 0, 3", due, oldest, sent)
	}
	for name, outcomes := range map[string]int{"parley_deliveries_total": 3, "parley_token_renewals_total": 2, "parley_breakers_total": 2} {
		if n, err := testutil.GatherAndCount(meter, name); n != outcomes || err != nil {
			t.Errorf("%d outcomes of %s are shown from the start, %v; want %d", n, name, err, outcomes)
		}
	}
	d.metrics.backlog(parley.Backlog{Blocked: 2, Dead: 3, Receivers: parley.ReceiverStates{OK: 4, Failing: 5, Broken: 6, Disabled: 7}}, now)
	if blocked, dead := shown("parley_lanes_blocked"), shown("parley_dead_letters"); blocked != 2 || dead != 3 {
		t.Errorf("%v lanes blocked, %v dead letters; want 2, 3", blocked, dead)
	}
	for state, want := range map[string]float64{"ok": 4, "failing": 5, "broken": 6, "disabled": 7} {
		if got := testutil.ToFloat64(d.metrics.receivers.WithLabelValues(state)); got != want {
			t.Errorf("%v receivers are %s, want %v", got, state, want)
		}
	}
}
