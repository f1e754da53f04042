package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

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

// A target is told nothing before it has answered the challenge, in either form and in time; one that never does is told nothing at all.
func TestATargetIsAskedFirst(t *testing.T) {
	for name, c := range map[string]struct {
		answers func(http.ResponseWriter, *http.Request, *call)
		ends    parley.SubscriptionStatus
	}{
		"text": {echo, parley.SubscriptionEnabled},
		"JSON": {func(w http.ResponseWriter, _ *http.Request, c *call) {
			w.WriteHeader(http.StatusCreated)
			w.Write(c.body)
		}, parley.SubscriptionEnabled},
		"wrong":   {func(w http.ResponseWriter, _ *http.Request, _ *call) { fmt.Fprint(w, "yes") }, parley.SubscriptionUnverified},
		"nothing": {func(http.ResponseWriter, *http.Request, *call) {}, parley.SubscriptionUnverified},
		"500":     {func(w http.ResponseWriter, r *http.Request, c *call) { w.WriteHeader(500); echo(w, r, c) }, parley.SubscriptionUnverified},
		"redirect": {func(w http.ResponseWriter, r *http.Request, _ *call) {
			http.Redirect(w, r, "/", http.StatusNotModified)
		}, parley.SubscriptionUnverified},
		"slow": {func(_ http.ResponseWriter, r *http.Request, _ *call) { <-r.Context().Done() }, parley.SubscriptionUnverified},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, storetest.Open)
			if name == "slow" {
				s.answer = 20 * time.Millisecond
				s.restart(s.store)
			}
			g := newTarget(t, c.answers)
			sub := s.subscribe(g)
			s.track("early")
			s.work()
			if c.ends == parley.SubscriptionUnverified {
				if got := s.status(sub); got != parley.SubscriptionPending {
					t.Errorf("after the first call: %s", got)
				}
				s.work() // too early
				for range challenges {
					s.now = s.now.Add(time.Minute)
					s.work()
				}
			}
			if got := s.status(sub); got != c.ends {
				t.Fatalf("status = %s, want %s", got, c.ends)
			}
			s.track("late")
			s.now = s.now.Add(time.Minute)
			s.work()
			want := []string{kindChallenge, "late"}
			if c.ends == parley.SubscriptionUnverified {
				want = []string{kindChallenge, kindChallenge, kindChallenge}
			}
			if diff := cmp.Diff(want, g.told()); diff != "" {
				t.Errorf("the target was sent (-want +got)\n%s", diff)
			}
			s.now = s.now.Add(parley.KeepSubscriptions + time.Hour)
			s.work()
			if got := s.status(sub); (got == "") != (c.ends == parley.SubscriptionUnverified) {
				t.Errorf("a week later: %q", got)
			}
		})
	}
}

// Each event that is wanted is told, in order, and signed in both ways; the rest is not.
func TestWhatIsOwedIsTold(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) {
		s := newStage(t, open)
		all, some, draft, other := newTarget(t, nil), newTarget(t, nil), newTarget(t, nil), newTarget(t, nil)
		s.subscribe(all, enabled)
		s.subscribe(some, enabled, func(s *parley.Subscription) { s.Names = []string{"b", "d"} })
		s.subscribe(draft, enabled, func(s *parley.Subscription) { s.Version = parley.VersionDraft })
		s.subscribe(other, enabled, func(s *parley.Subscription) { s.Bot = ident.New[parley.ClientApplication]() })
		var want []string
		for range 15 { // more than a page
			s.track("a", "b", "c")
			want = append(want, "a", "b", "c")
		}
		s.n -= 3
		s.track("a", "b", "c") // the same again
		s.work()
		if diff := cmp.Diff(want, all.told()); diff != "" {
			t.Errorf("told (-want +got)\n%s", diff)
		}
		if got := some.told(); len(got) != 15 || slices.ContainsFunc(got, func(s string) bool { return s != "b" }) {
			t.Errorf("who wants b is told %v", got)
		}
		if got := slices.Concat(draft.told(), other.told()); len(got) > 0 {
			t.Errorf("others are told %v", got)
		}
		hook, err := standardwebhooks.NewWebhook(standardSecret(secret))
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, c := range all.calls {
			h := c.header
			seen[h.Get("Webhook-Id")] = true
			if err := hook.VerifyIgnoringTimestamp(c.body, h); err != nil {
				t.Errorf("Standard Webhooks: %v", err)
			}
			if want := Signature(secret, h.Get("X-Message-Id"), h.Get("X-Message-Timestamp"), c.body); h.Get("X-Message-Signature") != want || h.Get("X-Message-Id") != h.Get("Webhook-Id") {
				t.Errorf("headers %v, want the signature %s", h, want)
			}
		}
		if len(seen) != len(want) {
			t.Errorf("%d different ids of %d", len(seen), len(want))
		}
	})
}

// The vector was made with openssl: printf 'id12026-03-01T12:00:00Z{}' | openssl dgst -sha256 -hmac a-secret-of-ours.
func TestSignature(t *testing.T) {
	if got, want := Signature(secret, "id1", "2026-03-01T12:00:00Z", []byte("{}")), "sha256=bc35b3f9041f5c89df1453ce550ccec4a66e3ac4657f55782dd6ede2071a9b34"; got != want {
		t.Errorf("Signature = %s, want %s", got, want)
	}
}

// crashed is a record to which nothing can be written any more: its process is gone.
type crashed struct {
	*store.Store
	gone bool
}

var errCrashed = errors.New("killed")

func (c *crashed) Update(ctx context.Context, fn func(parley.Tx) error) error {
	if c.gone {
		return errCrashed
	}
	return c.Store.Update(ctx, fn)
}

// A hub that is killed while it tells, at any place, loses nothing: who goes on tells the rest in order, and what may have been told again
// under the same id.
func TestNothingIsLostOverACrash(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) {
		s := newStage(t, open)
		names := []string{"a", "b", "c", "d", "e", "f", "g"}
		for at := 1; at <= len(names); at++ {
			record := &crashed{Store: s.store}
			s.restart(record)
			var g *target
			heard := 0
			g = newTarget(t, func(http.ResponseWriter, *http.Request, *call) {
				if heard++; heard == at {
					record.gone = true
				}
			})
			sub := s.subscribe(g, enabled, func(p *parley.Subscription) { p.Bot = ident.New[parley.ClientApplication]() })
			s.bot = sub.Bot
			s.track(names...)
			_ = s.notifier.round(t.Context())
			s.notifier.running.Wait()
			if !record.gone {
				t.Fatal("it was not killed")
			}
			s.restart(s.store)
			s.now = s.now.Add(time.Minute)
			s.work()
			ids, first := map[string]string{}, []string{}
			for _, c := range g.calls {
				id := c.header.Get("Webhook-Id")
				if before, again := ids[id]; again && before != c.event() {
					t.Errorf("the id of %s came with %s", before, c.event())
				} else if !again {
					ids[id] = c.event()
					first = append(first, c.event())
				}
			}
			if diff := cmp.Diff(names, first); diff != "" {
				t.Errorf("killed at %d: told (-want +got)\n%s", at, diff)
			}
			if n := s.owed(sub); n != 0 {
				t.Errorf("%d are owed in the end", n)
			}
		}
	})
}

// What fails is tried again by the schedule, and nothing overtakes it. One good answer is enough to go on.
func TestFailuresAreTriedAgain(t *testing.T) {
	s := newStage(t, storetest.Open)
	works := false
	g := newTarget(t, func(w http.ResponseWriter, _ *http.Request, _ *call) {
		if !works {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	sub := s.subscribe(g, enabled)
	s.track("a", "b")
	for _, wait := range Schedule[:len(Schedule)-1] {
		s.work()
		s.now = s.now.Add(wait/2 - 1)
		s.work() // too early
		s.now = s.now.Add(wait/2 + 1)
	}
	works = true
	s.work()
	want := slices.Concat(slices.Repeat([]string{"a"}, len(Schedule)), []string{"b"})
	if diff := cmp.Diff(want, g.told()); diff != "" {
		t.Errorf("told (-want +got)\n%s", diff)
	}
	if got := s.status(sub); got != parley.SubscriptionEnabled {
		t.Errorf("status = %s", got)
	}
}

// Who fails too often, or answers that it is gone, loses the subscription, and hears so; nothing is owed to it any more.
func TestWhoFailsTooOftenIsToldNoMore(t *testing.T) {
	for status, calls := range map[int]int{http.StatusBadGateway: len(Schedule) + 1, http.StatusNotFound: len(Schedule) + 1, http.StatusGone: 1} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			s := newStage(t, storetest.Open)
			g := newTarget(t, func(w http.ResponseWriter, _ *http.Request, _ *call) { w.WriteHeader(status) })
			sub := s.subscribe(g, enabled)
			s.track("a", "b")
			for range len(Schedule) + 2 {
				s.work()
				s.now = s.now.Add(time.Hour)
			}
			if diff := cmp.Diff(append(slices.Repeat([]string{"a"}, calls), kindRevocation), g.told()); diff != "" {
				t.Errorf("the target was sent (-want +got)\n%s", diff)
			}
			if !strings.Contains(string(g.calls[len(g.calls)-1].body), string(parley.SubscriptionFailed)) {
				t.Errorf("the revocation is %s", g.calls[len(g.calls)-1].body)
			}
			s.track("c")
			if got := s.status(sub); got != parley.SubscriptionFailed || s.owed(sub) != 0 {
				t.Errorf("status = %s, %d are owed", got, s.owed(sub))
			}
			if log := s.log.String(); !strings.Contains(log, "a subscription is over") || strings.Contains(log, "in-the-url") || strings.Contains(log, secret) {
				t.Errorf("the log says %s", log)
			}
		})
	}
}

// Too much that piled up behind a failure ends it, too: what nobody takes is not kept for ever.
func TestTooMuchPilesUp(t *testing.T) {
	s := newStage(t, storetest.Open)
	g := newTarget(t, func(w http.ResponseWriter, _ *http.Request, _ *call) { w.WriteHeader(http.StatusBadGateway) })
	sub := s.subscribe(g, enabled)
	s.notifier.config.Owed = 3
	s.track("a", "b", "c")
	s.work()
	if got := s.status(sub); got != parley.SubscriptionEnabled {
		t.Errorf("with three: %s", got)
	}
	s.track("d")
	s.now = s.now.Add(time.Minute)
	s.work()
	if got := s.status(sub); got != parley.SubscriptionFailed || s.owed(sub) != 0 {
		t.Errorf("status = %s, %d are owed", got, s.owed(sub))
	}
}

// Whoever takes long keeps nobody else waiting.
func TestSlowTargetsHoldNobodyUp(t *testing.T) {
	s := newStage(t, storetest.Open)
	release, arrived := make(chan struct{}), make(chan struct{}, 16)
	slow := newTarget(t, func(http.ResponseWriter, *http.Request, *call) {
		arrived <- struct{}{}
		<-release
	})
	heard := make(chan struct{}, 1)
	quick := newTarget(t, func(http.ResponseWriter, *http.Request, *call) { heard <- struct{}{} })
	for range 5 {
		s.subscribe(slow, enabled)
	}
	s.subscribe(quick, enabled)
	s.track("a")
	if err := s.notifier.round(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		<-arrived
	}
	<-heard // while five wait
	s.track("b")
	if err := s.notifier.round(t.Context()); err != nil { // the five are not begun again
		t.Fatal(err)
	}
	close(release)
	s.notifier.running.Wait()
	s.work()
	if n := len(slow.told()); n != 10 {
		t.Errorf("the slow ones were told %d times, want 2 each", n)
	}
}

// What was forgotten since it became owed is told without the user, or not at all.
func TestWhatIsForgottenIsNotTold(t *testing.T) {
	s := newStage(t, storetest.Open)
	g := newTarget(t, nil)
	s.subscribe(g, enabled)
	s.track("a")
	s.update(func(tx parley.Tx) error {
		_, err := tx.ForgetEventsOf(t.Context(), parley.DefaultTenant, "anna")
		return err
	})
	s.work()
	if len(g.calls) != 1 || strings.Contains(string(g.calls[0].body), "anna") {
		t.Errorf("told: %q", g.calls)
	}
}

// Secret and target are in no file of the record as they are.
func TestSecretsAreSealed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "parley.db")
	s := newStage(t, func(t testing.TB, o ...storetest.Option) *store.Store { return storetest.OpenURL(t, path, o...) })
	s.subscribe(newTarget(t, nil), enabled)
	s.track("a")
	s.work()
	files, err := filepath.Glob(path + "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		bytes, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, hidden := range []string{secret, "in-the-url"} {
			if strings.Contains(string(bytes), hidden) {
				t.Errorf("%s holds %s", filepath.Base(file), hidden)
			}
		}
	}
}

// Run does it all by itself, while it leads, and leaves nothing behind.
func TestRun(t *testing.T) {
	s := newStage(t, storetest.Open)
	heard := make(chan string, 2)
	g := newTarget(t, func(w http.ResponseWriter, r *http.Request, c *call) {
		echo(w, r, c)
		heard <- c.kind()
	})
	ctx, stop := context.WithCancel(t.Context())
	n := New(Config{Record: s.store, Client: http.DefaultClient, Form: analytics.Notifications{}, Poll: time.Millisecond, Live: &leader{}})
	sub := s.subscribe(g)
	ended := make(chan error)
	go func() { ended <- n.Run(ctx) }()
	if got := <-heard; got != kindChallenge {
		t.Fatalf("first came %s", got)
	}
	for s.status(sub) != parley.SubscriptionEnabled { // it is being noted
		if ctx.Err() != nil {
			t.Fatal("it was never enabled")
		}
	}
	s.track("a")
	if got := <-heard; got != kindNotification {
		t.Errorf("then came %s", got)
	}
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Run = %v", err)
	}
}

// leader leads from the second time on.
type leader struct{ asked int }

func (l *leader) Lock(context.Context, string, string, time.Duration) (bool, error) {
	l.asked++
	return l.asked > 1, nil
}
