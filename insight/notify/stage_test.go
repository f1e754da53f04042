package notify

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"parley"
	"parley/ident"
	"parley/rest/analytics"
	"parley/store"
	"parley/store/storetest"
)

// A call is what a target was sent.
type call struct {
	header http.Header
	body   []byte
}

func (c *call) kind() string { return c.header.Get("X-Message-Type") }

// event is the name of the event that a notification tells of.
func (c *call) event() string {
	var told struct {
		Event struct{ Event string }
	}
	_ = json.Unmarshal(c.body, &told)
	return told.Event.Event
}

// A target is a receiver that answers challenges, and notifications as it is told.
type target struct {
	*httptest.Server
	answers func(w http.ResponseWriter, r *http.Request, c *call) // nil = well
	mu      sync.Mutex
	calls   []call
}

func newTarget(t *testing.T, answers func(http.ResponseWriter, *http.Request, *call)) *target {
	g := &target{answers: answers}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		c := call{r.Header.Clone(), body}
		g.mu.Lock()
		g.calls = append(g.calls, c)
		g.mu.Unlock()
		if g.answers != nil {
			g.answers(w, r, &c)
			return
		}
		echo(w, r, &c)
	}))
	t.Cleanup(g.Close)
	return g
}

// echo answers a challenge with it, and all else well.
func echo(w http.ResponseWriter, _ *http.Request, c *call) {
	var asked struct{ Challenge string }
	_ = json.Unmarshal(c.body, &asked)
	fmt.Fprint(w, asked.Challenge)
}

// told are the events that the target was told of, and what else it was sent.
func (g *target) told() (all []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i := range g.calls {
		if c := &g.calls[i]; c.kind() == kindNotification {
			all = append(all, c.event())
		} else {
			all = append(all, c.kind())
		}
	}
	return all
}

// A stage is a record with a bot that is subscribed to, and a clock that only moves when it is told to.
type stage struct {
	t        *testing.T
	store    *store.Store
	bot      parley.ApplicationID
	now      time.Time
	log      bytes.Buffer
	notifier *Notifier
	answer   time.Duration
	n        int
}

func newStage(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) *stage {
	s := &stage{t: t, bot: ident.New[parley.ClientApplication](), now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), answer: 10 * time.Second}
	s.store = open(t, storetest.Clock(func() time.Time { return s.now }))
	s.restart(s.store)
	return s
}

// restart has another notifier go on, as after a crash.
func (s *stage) restart(record Record) {
	s.notifier = New(Config{Record: record, Client: http.DefaultClient, Form: analytics.Notifications{}, Clock: func() time.Time { return s.now },
		Logger: slog.New(slog.NewTextHandler(&s.log, nil)), Answer: s.answer})
}

const secret = "a-secret-of-ours"

func (s *stage) subscribe(g *target, change ...func(*parley.Subscription)) parley.Subscription {
	s.t.Helper()
	sub := parley.Subscription{ID: ident.New[parley.Subscription](), Tenant: parley.DefaultTenant, Bot: s.bot, Version: parley.VersionLive, Type: parley.EventTracked,
		Target: g.URL + "/hook?key=in-the-url", Secret: secret, Status: parley.SubscriptionPending, Created: s.now, Changed: s.now, Due: s.now}
	for _, c := range change {
		c(&sub)
	}
	s.update(func(tx parley.Tx) error { return tx.InsertSubscription(s.t.Context(), &sub) })
	return sub
}

// enabled is one whose target was asked already.
func enabled(s *parley.Subscription) { s.Status = parley.SubscriptionEnabled }

func (s *stage) update(fn func(parley.Tx) error) {
	s.t.Helper()
	if err := s.store.Update(s.t.Context(), fn); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) track(names ...string) {
	s.t.Helper()
	for _, name := range names {
		s.n++
		e := parley.TrackedEvent{Tenant: parley.DefaultTenant, Bot: s.bot, ID: fmt.Sprint("e", s.n), Version: parley.VersionLive, Name: name, User: "anna", At: s.now, Received: s.now,
			Attributes: json.RawMessage(`{}`)}
		s.update(func(tx parley.Tx) error { _, err := tx.TrackEvent(s.t.Context(), &e); return err })
	}
}

// work does all that is due now.
func (s *stage) work() {
	s.t.Helper()
	if err := s.notifier.round(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	s.notifier.running.Wait()
}

func (s *stage) status(sub parley.Subscription) parley.SubscriptionStatus {
	s.t.Helper()
	var status parley.SubscriptionStatus
	s.update(func(tx parley.Tx) error {
		all, err := tx.SubscriptionsOf(s.t.Context(), sub.Tenant, sub.Bot)
		for _, a := range all {
			if a.ID == sub.ID {
				status = a.Status
			}
		}
		return err
	})
	return status
}

func (s *stage) owed(sub parley.Subscription) (n int) {
	s.t.Helper()
	s.update(func(tx parley.Tx) (err error) {
		n, err = tx.CountOwed(s.t.Context(), sub.Key)
		return err
	})
	return n
}
