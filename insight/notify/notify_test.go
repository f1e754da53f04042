package notify

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
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
