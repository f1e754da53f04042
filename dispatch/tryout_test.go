package dispatch

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"parley"
	"parley/ident"
	"parley/store"
	"parley/store/storetest"
)

// A test message is marked and signed, each has an id of its own, and whatever becomes of it is told, without secrets, and neither recorded nor
// held for or against the receiver.
func TestTryoutTellsAndLeavesNothing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) {
		s, app := open(t), ident.New[parley.ClientApplication]()
		hook, err := standardwebhooks.NewWebhook(secretA)
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		ids := map[string]bool{}
		answers := []func(http.ResponseWriter, *http.Request){
			func(http.ResponseWriter, *http.Request) {},
			func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(http.StatusUnprocessableEntity)
				_, _ = io.WriteString(w, "no "+r.Header.Get("X-Key"))
			},
			func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) },
			func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		}
		r := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			if !strings.HasPrefix(string(body), `{"metadata":{"attributes":[{"name":"parley.test","value":"true"}]}`) {
				t.Errorf("a test message is %s; want it marked", body)
			}
			if err := hook.Verify(body, r.Header); err != nil {
				t.Errorf("its signature: %v", err)
			}
			mu.Lock()
			ids[r.Header.Get("Webhook-Id")] = true
			answer := answers[0]
			answers = answers[1:]
			mu.Unlock()
			answer(w, r)
		}))
		t.Cleanup(r.Close)
		application(t, s, app, r.URL, nil, func(role *parley.ApplicationRole) {
			role.Signing, role.Headers = parley.Signing{Secret: secretA}, []parley.NameValue{{Name: "X-Key", Value: "planted-key"}}
		})
		d := New(Config{Store: s, Allow: loopback, Logger: slog.New(slog.DiscardHandler)})
		of := parley.Receiver{Tenant: parley.DefaultTenant, Application: app, Role: parley.CustomBot}
		for i, want := range []Tryout{{Outcome: Delivered, Status: 200}, {Outcome: Rejected, Status: 422, Answer: "no [cut]"}, {Outcome: Gone, Status: 410}, {Outcome: Retry}} {
			got, err := d.Try(t.Context(), of)
			if err != nil || got.Outcome != want.Outcome || got.Status != want.Status || (got.Problem == "") != (want.Outcome == Delivered) || !got.Signed ||
				!strings.HasPrefix(got.Answer, "no ") && want.Answer != "" || strings.Contains(got.Answer+got.Problem, "planted") {
				t.Errorf("Try %d = %+v, %v; want %+v", i+1, got, err, want)
			}
			mu.Lock()
			if !ids[got.Delivery.String()] {
				t.Errorf("Try %d tells the id %s, which nobody saw", i+1, got.Delivery)
			}
			mu.Unlock()
		}
		if len(ids) != 4 {
			t.Errorf("four test messages have %d ids", len(ids))
		}
		if all, err := s.Healths(t.Context(), parley.DefaultTenant); err != nil || len(all) != 0 {
			t.Errorf("receivers = %+v, %v; want none to be noted", all, err)
		}
	})
}

// Where there is no callback there is nothing to try, and the answer says so.
func TestTryoutWithoutACallback(t *testing.T) {
	for name, callback := range map[string]string{"over a session": parley.SessionCallback, "run by the hub": parley.BotCallback} {
		t.Run(name, func(t *testing.T) {
			s, app := storetest.Open(t), ident.New[parley.ClientApplication]()
			application(t, s, app, callback, nil)
			d := New(Config{Store: s, Allow: loopback, Logger: slog.New(slog.DiscardHandler)})
			out, err := d.Try(t.Context(), parley.Receiver{Tenant: parley.DefaultTenant, Application: app, Role: parley.CustomBot})
			if parley.KindOf(err) != parley.Forbidden {
				t.Errorf("Try = %+v, %v; want it forbidden", out, err)
			}
		})
	}
}

// The headers of a role are sent as they are configured: also a name for the hub, and two values under one name.
func TestHeadersOfARole(t *testing.T) {
	s, app := storetest.Open(t), ident.New[parley.ClientApplication]()
	got := make(chan http.Header, 1)
	r := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r.Header }))
	t.Cleanup(r.Close)
	application(t, s, app, r.URL, nil, func(role *parley.ApplicationRole) {
		role.Headers = []parley.NameValue{{Name: "User-Agent", Value: "shop/1"}, {Name: "X-Tag", Value: "a"}, {Name: "x-tag", Value: "b"}}
	})
	d := New(Config{Store: s, Allow: loopback, Logger: slog.New(slog.DiscardHandler)})
	if out, err := d.Try(t.Context(), parley.Receiver{Tenant: parley.DefaultTenant, Application: app, Role: parley.CustomBot}); err != nil || out.Outcome != Delivered {
		t.Fatalf("Try = %+v, %v", out, err)
	}
	if h := <-got; h.Get("User-Agent") != "shop/1" || !slices.Equal(h.Values("X-Tag"), []string{"a", "b"}) {
		t.Errorf("the receiver got %v", h)
	}
}

// A webhook of a bot gets a test in the form in which it hears of conversations.
func TestTryoutOfAHook(t *testing.T) {
	s, app := storetest.Open(t), ident.New[parley.ClientApplication]()
	got := make(chan string, 1)
	r := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- string(body)
	}))
	t.Cleanup(r.Close)
	application(t, s, app, r.URL, nil, func(role *parley.ApplicationRole) { role.Name = parley.BusinessNotification })
	d := New(Config{Store: s, Allow: loopback, Logger: slog.New(slog.DiscardHandler), Hooks: hooksOf{}})
	out, err := d.Try(t.Context(), parley.Receiver{Tenant: parley.DefaultTenant, Application: app, Role: parley.BusinessNotification})
	if err != nil || out.Outcome != Delivered {
		t.Fatalf("Try = %+v, %v", out, err)
	}
	select {
	case body := <-got:
		if !strings.HasPrefix(body, "hook hears ") {
			t.Errorf("the hook got %s", body)
		}
	case <-time.After(20 * time.Second):
		t.Error("the hook got nothing")
	}
}

// What a webhook is owed is given up when it, or the bot that it is of, is gone; it is not tried for ever as if the hub were at fault.
func TestHookThatIsGone(t *testing.T) {
	s, app := storetest.Open(t), ident.New[parley.ClientApplication]()
	application(t, s, app, "https://hook.example/", nil, func(role *parley.ApplicationRole) { role.Name = parley.BusinessNotification })
	d := start(t, s, func(c *Config) { c.Hooks = hooksOf{gone: true} })
	step := storetest.Start("")
	step.Conversation.State.Parties[1].Application, step.Conversation.State.Parties[1].Role = app, parley.BusinessNotification
	d.Wake(storetest.MustCommit(t, s, step)[0])
	waitFor(t, "the end of it", func() bool { return len(givenUp(t, s, parley.StateDead)) == 1 })
	replay := func() error {
		return s.Update(t.Context(), func(tx parley.Tx) error {
			_, err := tx.Replay(t.Context(), parley.DeadLetterQuery{Tenant: parley.DefaultTenant}, 1, time.Now(), 0)
			return err
		})
	}
	before := givenUp(t, s, parley.StateDead)[0]
	if err := replay(); err != nil || !strings.Contains(before.Reason, "does not exist any more") {
		t.Fatalf("dead letter = %+v; replay = %v", before, err)
	}
	d.Wake(parley.Committed{Wake: []int64{before.Lane}})
	waitFor(t, "the end of the replay", func() bool { return len(givenUp(t, s, parley.StateDead)) == 1 && d.pool.idle() })
}

type hooksOf struct{ gone bool }

func (h hooksOf) Body(_ context.Context, _ parley.Receiver, _ *parley.Conversation, m *parley.Message) ([]byte, error) {
	if h.gone {
		return nil, &parley.Error{Kind: parley.NotFound, Msg: "the application is no webhook"}
	}
	return []byte("hook hears " + m.Body.Content.Text), nil
}
