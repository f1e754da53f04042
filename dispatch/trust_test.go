package dispatch

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"go.opentelemetry.io/otel/trace/noop"

	"parley"
	"parley/ident"
	"parley/store"
	"parley/store/storetest"
)

const secretA, secretB = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"

// Every callback is signed; after a rotation by both secrets, until the overlap is over.
func TestCallbacksAreSigned(t *testing.T) {
	var c clock
	s, app := storetest.Open(t, storetest.Clock(c.now)), ident.New[parley.ClientApplication]()
	type signed struct {
		header http.Header
		body   []byte
	}
	seen := make(chan signed, 10)
	r := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		seen <- signed{req.Header, body}
	}))
	t.Cleanup(r.Close)
	application(t, s, app, r.URL, nil, func(role *parley.ApplicationRole) {
		role.Signing = parley.Signing{Secret: secretB, Old: secretA, OldUntil: time.Now().Add(parley.SigningOverlap)}
	})
	d := start(t, s, func(config *Config) { config.Clock = c.now })
	for off, valid := range map[time.Duration][]string{0: {secretA, secretB}, parley.SigningOverlap + time.Second: {secretB}} {
		c.set(off)
		_, wake := says(t, s, 1, app)
		d.Wake(parley.Committed{Wake: wake})
		got := <-seen
		for _, secret := range []string{secretA, secretB} {
			hook, err := standardwebhooks.NewWebhook(secret)
			if err != nil {
				t.Fatal(err)
			}
			err = hook.VerifyIgnoringTimestamp(got.body, got.header)
			if want := slices.Contains(valid, secret); (err == nil) != want {
				t.Errorf("%v after the rotation the signature by %s: %v", off, secret, err)
			}
			if err := hook.VerifyIgnoringTimestamp(append(got.body, ' '), got.header); err == nil {
				t.Error("another body has the same signature")
			}
		}
	}
}

// refuse makes a receiver that answers 422 to what holds a text, "" = to all, while refusing is true.
func refuse(t testing.TB, text string) (r *receiver, refusing *atomic.Bool) {
	refusing = &atomic.Bool{}
	refusing.Store(true)
	r = newReceiver(t, nil)
	r.answer = func(n int, _ *http.Request) (int, map[string]string, string) {
		if refusing.Load() && (text == "" || r.got()[n-1].text == text) {
			return http.StatusUnprocessableEntity, nil, "no"
		}
		return http.StatusOK, nil, ""
	}
	return r, refusing
}

func texts(r *receiver) []string {
	var all []string
	for _, x := range r.got() {
		all = append(all, strings.TrimPrefix(x.text, "message "))
	}
	return all
}

func givenUp(t testing.TB, s *store.Store, state parley.DeadState) (found []parley.DeadLetter) {
	t.Helper()
	err := s.View(t.Context(), func(tx parley.Tx) (err error) {
		found, _, err = tx.DeadLetters(t.Context(), parley.DeadLetterQuery{Tenant: parley.DefaultTenant, State: state}, 0, 100)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// Guarantee G5 with the policy block: nothing after a dead delivery comes before somebody decides, and then in order.
func TestDeadDeliveryBlocksItsLane(t *testing.T) {
	for _, decision := range []string{"replay", "skip"} {
		t.Run(decision, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) {
				var c clock
				s, app := open(t, storetest.Clock(c.now)), ident.New[parley.ClientApplication]()
				r, refusing := refuse(t, "message 2")
				application(t, s, app, r.URL, nil, func(role *parley.ApplicationRole) { role.Delivery.Block = true })
				d := start(t, s, func(config *Config) { config.Clock, config.Sweep = c.now, 10*time.Millisecond })
				steps, wake := says(t, s, 3, app)
				d.Wake(parley.Committed{Wake: wake})
				waitFor(t, "the dead delivery", func() bool { return len(givenUp(t, s, parley.StateDead)) == 1 })
				later := storetest.Say(steps[2].Conversation, parley.Customer, "", 2)
				later.Lease, later.LeaseNot = d.Lease()
				committed := storetest.MustCommit(t, s, later)[0]
				if len(committed.Claimed)+len(committed.Wake) != 0 {
					t.Errorf("a message behind a dead delivery gives work: %+v", committed)
				}
				c.set(time.Hour)
				dead := givenUp(t, s, parley.StateDead)[0]
				if !dead.Blocks || dead.Delivery.String() != r.got()[1].id || dead.Message.ID != steps[1].Messages[0].ID || !strings.Contains(dead.Reason, "422") {
					t.Errorf("dead letter = %+v", dead)
				}
				refusing.Store(false)
				q := parley.DeadLetterQuery{Tenant: parley.DefaultTenant, Delivery: dead.Delivery}
				want := []string{"1", "2", "2", "3", "4"}
				err := s.Update(t.Context(), func(tx parley.Tx) (err error) {
					if decision == "replay" {
						_, err = tx.Replay(t.Context(), q, 10, c.now(), 0)
						return err
					}
					want = slices.Delete(want, 2, 3)
					_, err = tx.Skip(t.Context(), q, 10)
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
				c.set(2 * time.Hour)
				waitFor(t, "the rest", func() bool { return len(r.got()) >= len(want) })
				waitFor(t, "its record", func() bool { return states(t, s, steps[0].Conversation.ID).Acked[1] == 4 })
				if got := texts(r); !slices.Equal(got, want) {
					t.Errorf("came in the order %v, want %v", got, want)
				}
			})
		})
	}
}

// A rate holds, in its own place: the others do not wait.
func TestRateAndConcurrencyOfAReceiver(t *testing.T) {
	s, app, other := storetest.Open(t), ident.New[parley.ClientApplication](), ident.New[parley.ClientApplication]()
	var running, most atomic.Int64
	release := make(chan struct{})
	r := newReceiver(t, func(int, *http.Request) (int, map[string]string, string) {
		most.Store(max(most.Load(), running.Add(1)))
		<-release
		running.Add(-1)
		return http.StatusOK, nil, ""
	})
	healthy := newReceiver(t, nil)
	application(t, s, app, r.URL, nil, func(role *parley.ApplicationRole) { role.Delivery.AtOnce = 2 })
	application(t, s, other, healthy.URL, nil, func(role *parley.ApplicationRole) { role.Delivery.PerSecond = 20 })
	d := start(t, s, nil)
	if _, err := d.targets.of(t.Context(), parley.Receiver{Tenant: parley.DefaultTenant, Application: app, Role: parley.CustomBot}); err != nil {
		t.Fatal(err)
	}
	for range 6 {
		_, wake := says(t, s, 1, app)
		d.Wake(parley.Committed{Wake: wake})
	}
	waitFor(t, "two attempts", func() bool { return running.Load() == 2 })
	_, wake := says(t, s, 5, other)
	d.Wake(parley.Committed{Wake: wake})
	waitFor(t, "the other's five", func() bool { return len(healthy.got()) == 5 })
	got := healthy.got()
	if took := got[4].at.Sub(got[0].at); took < 150*time.Millisecond {
		t.Errorf("five attempts at 20 a second took %v", took)
	}
	close(release)
	waitFor(t, "all six", func() bool { return len(r.got()) == 6 })
	if n := most.Load(); n != 2 {
		t.Errorf("%d attempts at the same time, want 2", n)
	}
}

func senderOver(t roundTripper) *sender {
	via := &clients{common: &http.Client{Transport: t}}
	return &sender{clients: via, clock: time.Now, tracer: noop.NewTracerProvider().Tracer(""), tokens: newTokens(via, nil, func(string) {})}
}

// An attempt is over at its deadline even if what it is made with ignores its context, and a panic in it is our fault.
func TestAttemptIsOverAtItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := make(chan struct{})
		s := senderOver(func(*http.Request) (*http.Response, error) {
			<-stuck
			return nil, errors.New("too late")
		})
		begin := time.Now()
		res := s.attempt(t.Context(), target{role: parley.ApplicationRole{Callback: "https://example.org"}}, request{}, func() bool { return true })
		if took := time.Since(begin); took != hardDeadline || res.outcome != Retry || res.problem == "" {
			t.Errorf("attempt = %+v after %v", res, took)
		}
		close(stuck)
	})
	s := senderOver(func(*http.Request) (*http.Response, error) { panic("planted") })
	if res := s.attempt(t.Context(), target{role: parley.ApplicationRole{Callback: "https://example.org"}}, request{}, func() bool { return true }); res.ours == nil || !strings.Contains(res.ours.Error(), "trust_test.go") {
		t.Errorf("attempt with a bug = %+v, want a fault of ours that says where", res)
	}
}

// A fault of ours does not count: the delivery is tried again, without an attempt in the record or against the schedule.
func TestOurFaultsDoNotCount(t *testing.T) {
	var c clock
	s, app := storetest.Open(t, storetest.Clock(c.now)), ident.New[parley.ClientApplication]()
	r := newReceiver(t, nil)
	application(t, s, app, r.URL, nil)
	d := New(Config{Store: s, Allow: loopback, Clock: c.now, Logger: slog.New(slog.DiscardHandler)})
	working := d.sender.clients.common.Transport
	d.sender.clients.common.Transport = roundTripper(func(*http.Request) (*http.Response, error) { panic("planted") })
	steps, wake := says(t, s, 1, app)
	work := func() {
		lanes, err := s.Claim(t.Context(), wake, lease)
		if err != nil || len(lanes) != 1 {
			t.Fatal(lanes, err)
		}
		if lanes[0].Attempts != 0 {
			t.Errorf("%d failed attempts are counted", lanes[0].Attempts)
		}
		d.work(context.Background(), lanes[0], nil)
	}
	work()
	d.sender.clients.common.Transport = working
	c.set(2 * ourFault)
	work()
	if n := attempts(t, s, steps[0].Conversation.ID); n != 1 {
		t.Errorf("%d attempts in the record, want the good one", n)
	}
	all, err := s.Healths(t.Context(), parley.DefaultTenant)
	if err != nil || len(all) != 1 || !all[0].Failing.IsZero() {
		t.Errorf("health = %+v, %v", all, err)
	}
}

func attempts(t testing.TB, s *store.Store, id parley.ConversationID) (n int) {
	t.Helper()
	err := s.View(t.Context(), func(tx parley.Tx) error {
		all, err := tx.Attempts(t.Context(), parley.DefaultTenant, id, 0, 1000)
		n = len(all)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
