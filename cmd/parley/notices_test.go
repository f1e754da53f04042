package main

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"parley"
	"parley/configs"
)

// A mailbox is an SMTP server that keeps what comes.
type mailbox chan string

func newMailbox(t *testing.T) (box mailbox, address string) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	box = make(mailbox, 16)
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &letter{box: box}, nil }))
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l)
	}()
	t.Cleanup(func() {
		server.Close()
		<-done
	})
	return box, l.Addr().String()
}

type letter struct {
	box mailbox
	to  string
}

func (l *letter) Mail(string, *smtp.MailOptions) error { return nil }

func (l *letter) Rcpt(to string, _ *smtp.RcptOptions) error {
	l.to = to
	return nil
}

func (l *letter) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	l.box <- "to " + l.to + "\n" + strings.ReplaceAll(string(text), "=\r\n", "")
	return err
}

func (*letter) Reset()        {}
func (*letter) Logout() error { return nil }

// When a delivery is given up, its role's people get a mail that names it, and the environment's operations URL a signed
// callback; once, however many follow within the hour. That the role is disabled they are told within it, too.
func TestPeopleAreToldOfFailures(t *testing.T) {
	box, address := newMailbox(t)
	n, url := inProcess(t, func(c *configs.Serve) { c.SMTP = "smtp://" + address + "?from=parley@example.org&tls=off" })
	c, err := login(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	events := make(chan string, 16)
	hook := make(chan *standardwebhooks.Webhook, 1)
	operations := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		verifier := <-hook
		hook <- verifier
		if err == nil {
			err = verifier.Verify(body, r.Header)
		}
		if err != nil {
			t.Errorf("operations: %v", err)
		}
		events <- string(body)
	}))
	t.Cleanup(operations.Close)
	const environment = "/admin/v1/environments/"
	var all struct{ Environment []struct{ ID string } }
	if err := c.call(t.Context(), http.MethodGet, "/admin/v1/environments", nil, http.StatusOK, &all); err != nil {
		t.Fatal(err)
	}
	if err := c.call(t.Context(), http.MethodPatch, environment+all.Environment[0].ID, object{"operationsUrl": operations.URL}, http.StatusNoContent, nil); err != nil {
		t.Fatal(err)
	}
	var made struct{ OperationsSecret string }
	if err := c.call(t.Context(), http.MethodPost, environment+all.Environment[0].ID+"/operations-secret", nil, http.StatusCreated, &made); err != nil {
		t.Fatal(err)
	}
	verifier, err := standardwebhooks.NewWebhook(made.OperationsSecret)
	if err != nil {
		t.Fatal(err)
	}
	hook <- verifier

	tried := make(chan struct{}, 16)
	var answer atomic.Int64
	answer.Store(http.StatusUnprocessableEntity)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(int(answer.Load()))
		tried <- struct{}{}
	}))
	t.Cleanup(receiver.Close)
	s, _, _ := c.pulled(t, "failing", receiver.URL)
	if _, _, err := c.post(t.Context(), s.begin("m1", "hello", "anna@example.org")); err != nil {
		t.Fatal(err)
	}
	<-tried
	within := time.After(20 * time.Second)
	select {
	case got := <-box:
		for _, want := range []string{"to ops@example.org\n", "Subject: Parley: deliveries to failing (custom_bot)", "the receiver answered 422", s.bot, url + "/admin/v1/deadletters"} {
			if !strings.Contains(got, want) {
				t.Errorf("the mail lacks %q:\n%s", want, got)
			}
		}
	case <-within:
		t.Fatal("no mail came")
	}
	select {
	case got := <-events:
		if !strings.Contains(got, `"type":"delivery.given_up"`) || !strings.Contains(got, s.bot) || !strings.Contains(got, `"name":"failing"`) {
			t.Errorf("the operations URL heard %s", got)
		}
	case <-within:
		t.Fatal("the operations URL heard nothing")
	}
	begin := time.Now()
	// A delivery is told of when its outcome is recorded. Two more are, once nothing is owed any more.
	for _, contact := range []string{"ben@example.org", "cleo@example.org"} {
		if _, _, err := c.post(t.Context(), s.begin("m1", "hello", contact)); err != nil {
			t.Fatal(err)
		}
		<-tried
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for ; ; <-tick.C {
		if time.Since(begin) > time.Minute {
			t.Fatal("the deliveries are not given up")
		}
		all, err := n.store.Healths(t.Context(), parley.DefaultTenant)
		if err != nil {
			t.Fatal(err)
		}
		if i := slices.IndexFunc(all, func(h parley.Health) bool { return h.Application.String() == s.bot }); i >= 0 && all[i].Dead >= 3 && all[i].Owing == 0 {
			break
		}
	}
	if _, body := get(t, http.MethodGet, url+"/metrics"); !strings.Contains(body, `parley_notices_total{outcome="sent",way="mail"} 1`) || len(box) > 0 || len(events) > 0 {
		t.Errorf("%d more mails and %d more events came within the hour", len(box), len(events))
	}
	answer.Store(http.StatusGone)
	if _, _, err := c.post(t.Context(), s.begin("m1", "hello", "dora@example.org")); err != nil {
		t.Fatal(err)
	}
	within = time.After(20 * time.Second)
	select {
	case got := <-box:
		if !strings.Contains(got, "Subject: Parley: failing (custom_bot) is disabled") || !strings.Contains(got, "410") {
			t.Errorf("the mail says\n%s", got)
		}
	case <-within:
		t.Fatal("no mail says that the role is disabled")
	}
	select {
	case got := <-events:
		if !strings.Contains(got, `"type":"receiver.disabled"`) {
			t.Errorf("the operations URL heard %s", got)
		}
	case <-within:
		t.Fatal("the operations URL does not hear that the role is disabled")
	}
}
