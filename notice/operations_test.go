package notice

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"parley"
	"parley/egress"
	"parley/ident"
)

// The operations URL hears the same, signed, until it answers; a refusal is final.
func TestOperationsURL(t *testing.T) {
	hook, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	type heard struct{ id, body, problem string }
	all := make(chan heard, 16)
	answers := []int{503, 204, 404}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = hook.Verify(body, r.Header)
		}
		status := http.StatusTeapot // more than was to come
		if len(answers) > 0 {
			status, answers = answers[0], answers[1:]
		}
		w.WriteHeader(status)
		all <- heard{r.Header.Get("Webhook-Id"), string(body), fmt.Sprint(err)}
	}))
	t.Cleanup(server.Close)
	s := newStation(t, func(c *Config) {
		c.About = func(context.Context, parley.Receiver) (About, error) {
			return About{"Desk", "live", Operations{server.URL, secret}}, nil
		}
	})
	x := given()
	s.Notify(x)
	next := func() heard {
		t.Helper()
		select {
		case h := <-all:
			return h
		case <-time.After(20 * time.Second):
			t.Fatal("the operations URL heard nothing")
		}
		return heard{}
	}
	first, second := next(), next()
	want := fmt.Sprintf(`{"type":"delivery.given_up","timestamp":"2026-11-26T02:00:00Z","data":{"environment":{"id":"%s","name":"live"},"application":{"id":"%s","name":"Desk"},`+
		`"role":"custom_bot","reason":"the receiver answered 422","delivery":"%s"}}`, x.Receiver.Tenant, x.Receiver.Application, x.Delivery)
	if first != second || first.id == "" || first.problem != "<nil>" || first.body != want {
		t.Errorf("heard %+v, then %+v; want %s", first, second, want)
	}
	await(t, func() bool { return s.count("operations", "sent") == 1 })
	s.Notify(x)
	if third := next(); third.id == first.id {
		t.Error("two notices have one id")
	}
	await(t, func() bool { return s.count("operations", "failed") == 1 })
	s.end()
	if len(answers) != 0 || len(all) > 0 || strings.Contains(s.log.String(), server.URL) {
		t.Errorf("log: %s", s.log)
	}
}

// The operations URL is a stranger's: it is reached only where callbacks may go, and leads nowhere else.
func TestOperationsURLObeysTheGuard(t *testing.T) {
	var elsewhere, asked atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	t.Cleanup(other.Close)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	}))
	t.Cleanup(server.Close)
	for _, guarded := range []bool{true, false} {
		s := newStation(t, func(c *Config) {
			c.About = func(context.Context, parley.Receiver) (About, error) {
				return About{Operations: Operations{server.URL, secret}}, nil
			}
			if guarded {
				c.Dial = (&egress.Guard{}).DialContext
			}
		})
		s.Notify(given())
		await(t, func() bool { return s.count("operations", "failed") == 1 })
		s.end()
		if n := asked.Load(); (n == 0) != guarded || elsewhere.Load() != 0 {
			t.Errorf("guarded %v: it was asked %d times, and %d times what it named; log: %s", guarded, n, elsewhere.Load(), s.log)
		}
	}
}

// An environment whose operations URL hangs waits for itself, however much it has to hear; others hear at once.
func TestOperationsURLThatHangs(t *testing.T) {
	release, good := make(chan struct{}), make(chan struct{}, 16)
	hanging := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(hanging.Close)
	well := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { good <- struct{}{} }))
	t.Cleanup(well.Close)
	hangs := ident.New[parley.Tenant]()
	s := newStation(t, func(c *Config) {
		c.About = func(_ context.Context, r parley.Receiver) (About, error) {
			if r.Tenant == hangs {
				return About{Operations: Operations{hanging.URL, secret}}, nil
			}
			return About{Operations: Operations{well.URL, secret}}, nil
		}
	})
	defer s.end()
	defer close(release)
	x := given()
	x.Receiver.Tenant, x.At = hangs, time.Now()
	const many = 60
	for range many {
		s.Notify(x)
	}
	s.Notify(given())
	select {
	case <-good:
	case <-time.After(10 * time.Second): // less than a try that hangs takes
		t.Fatal("the other environment hears nothing")
	}
	if n := s.count("operations", "deferred"); n < many-ofOne-1 || n > many-ofOne {
		t.Errorf("%d were deferred, want all but one that hangs and %d that wait", n, ofOne)
	}
}
