package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"parley"
	"parley/internal/loopback"
)

// A program is what parley listen forwards to: it keeps what it took and answers as it is told.
type program struct {
	*httptest.Server
	mu     sync.Mutex
	taken  map[string][]string // texts by conversation, each delivery once
	seen   map[string]int      // tries by delivery
	bad    []string
	news   chan struct{} // capacity 1
	answer func(try int, text string) int
}

const listenSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

func newProgram(t *testing.T) *program {
	t.Helper()
	hook, err := standardwebhooks.NewWebhook(listenSecret)
	if err != nil {
		t.Fatal(err)
	}
	p := &program{taken: map[string][]string{}, seen: map[string]int{}, news: make(chan struct{}, 1), answer: func(int, string) int { return http.StatusOK }}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var callback struct {
			Messages struct {
				Message []struct {
					Content      struct{ Text string }
					Conversation struct{ ID string }
				}
			}
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if err != nil || json.Unmarshal(body, &callback) != nil || hook.Verify(body, r.Header) != nil || r.Header.Get("Traceparent") == "" || r.Header.Get("X-Of-Ours") != "yes" {
			p.bad = append(p.bad, string(body))
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		id, m := r.Header.Get("Webhook-Id"), callback.Messages.Message[0]
		p.seen[id]++
		status := p.answer(p.seen[id], m.Content.Text)
		if status == http.StatusOK && p.seen[id] < 1000 {
			p.seen[id] = 1000 // what comes again from here on is a repeat
			p.taken[m.Conversation.ID] = append(p.taken[m.Conversation.ID], m.Content.Text)
		}
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(status)
		select {
		case p.news <- struct{}{}:
		default:
		}
	}))
	t.Cleanup(p.Close)
	return p
}

// wait waits until enough deliveries were taken in all.
func (p *program) wait(t *testing.T, enough int) {
	t.Helper()
	for late := time.After(60 * time.Second); ; {
		p.mu.Lock()
		n := 0
		for _, texts := range p.taken {
			n += len(texts)
		}
		bad := p.bad
		p.mu.Unlock()
		if len(bad) > 0 {
			t.Fatalf("a request that is no callback: %s", bad[0])
		}
		if n >= enough {
			return
		}
		select {
		case <-p.news:
		case <-late:
			t.Fatalf("%d deliveries came, want %d", n, enough)
		}
	}
}

// pulled makes an account whose conversations go to a bot with that callback, and an API client bound to the bot.
func (c *caller) pulled(t *testing.T, name, callback string) (s shop, client, secret string) {
	t.Helper()
	s = shop{channel: "custom." + name, address: name}
	s.bot = c.create(t, "clientapplications", object{"name": name, "roles": []object{{"name": "custom_bot", "version": "v3",
		"callback": callback, "notificationEmail": "ops@example.org"}}})
	s.customer = c.create(t, "clientapplications", object{"name": name + " page", "roles": []object{{"name": "customer", "version": "v3",
		"callback": parley.SessionCallback, "notificationEmail": "ops@example.org"}}}) // nobody listens to it
	participant := c.create(t, "participants", object{"name": name, "type": "custom_bot", "application": object{"id": s.bot}})
	channel := c.create(t, "channels", object{"type": s.channel, "displayName": name, "icon": "aWNvbg=="})
	orchestration := c.create(t, "orchestrations", object{"name": name, "applications": object{
		"botConfiguration":      object{"bots": []object{{"id": s.bot, "participant": object{"id": participant}}}},
		"customerConfiguration": object{"customer": object{"id": s.customer}}}})
	c.create(t, "accounts", object{"name": name, "address": name, "channel": object{"id": channel},
		"chatConfigurations": object{"orchestration": object{"id": orchestration}, "entryPoint": object{"id": "1001"}}})
	var made struct{ ID, Secret string }
	if err := c.call(t.Context(), http.MethodPost, "/admin/v1/clients", object{"name": name, "scopes": []string{parley.ScopeRead, parley.ScopeInteractionManage},
		"applicationId": s.bot}, http.StatusCreated, &made); err != nil {
		t.Fatal(err)
	}
	return s, made.ID, made.Secret
}

// listening runs parley listen until the test ends; out is what it prints.
func listening(t *testing.T, args ...string) (out, log *safeBuffer, end func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	status := make(chan int, 1)
	out, log = &safeBuffer{}, &safeBuffer{}
	go func() { status <- run(ctx, append([]string{"listen"}, args...), out, log) }()
	end = sync.OnceValue(func() int {
		cancel()
		return <-status
	})
	t.Cleanup(func() { end() })
	return out, log, end
}

// A safeBuffer is written by one goroutine and read by another.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// What an application is owed comes to a program behind parley listen, signed, each conversation in order, although the
// program fails at times and the hub is killed and started again in between.
func TestListenForwardsAcrossARestart(t *testing.T) {
	address, err := loopback.FreeAddress(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"--listen", address, "--data", t.TempDir(), "--bootstrap-client", bootstrap}
	hub := startProcess(t, nil, args...)
	c, err := login(t.Context(), hub.url)
	if err != nil {
		t.Fatal(err)
	}
	s, client, secret := c.pulled(t, "listen", parley.SessionCallback)
	p := newProgram(t)
	p.answer = func(try int, text string) int {
		if try == 1 && strings.HasSuffix(text, "3") {
			return http.StatusServiceUnavailable
		}
		return http.StatusOK
	}
	const conversations, each = 3, 6
	ids := make([]string, conversations)
	speak := func(from, to int) {
		t.Helper()
		for n := from; n < to; n++ {
			for i := range ids {
				message := s.begin(fmt.Sprint("m", i, "-", n), fmt.Sprint("text ", n), fmt.Sprint("anna", i, "@example.org"))
				if n > 0 {
					message = say(ids[i], fmt.Sprint("m", i, "-", n), "customer", "text", object{"text": fmt.Sprint("text ", n)})
				}
				if ids[i], _, err = c.post(t.Context(), message); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	speak(0, 2)
	var command string
	for _, snippet := range snippets(t, "../../examples/README.md") {
		if strings.Contains(snippet.text, " listen ") {
			command = strings.NewReplacer("ID", s.bot, "CLIENT", client, "SECRET", secret, "http://localhost:9091", p.URL+"/hook").Replace(snippet.text)
		}
	}
	documented, ok := strings.CutPrefix(command, "go run ./cmd/parley listen ")
	if !ok {
		t.Fatalf("examples/README.md runs %q", command)
	}
	out, log, end := listening(t, append(strings.Fields(documented), "--url", hub.url, "--signing-secret", listenSecret, "--header", "X-Of-Ours: yes")...)
	p.wait(t, conversations) // some, not all: the hub dies in the midst of it
	speak(2, 4)
	hub.kill()
	hub = startProcess(t, nil, args...)
	if c, err = login(t.Context(), hub.url); err != nil {
		t.Fatal(err)
	}
	speak(4, each)
	p.wait(t, conversations*each)
	if code := end(); code != 0 {
		t.Errorf("listen ended with %d: %s", code, log)
	}
	for _, id := range ids {
		for n, text := range p.taken[id] {
			if text != fmt.Sprint("text ", n) {
				t.Errorf("conversation %s came as %q, want it in order", id, p.taken[id])
				break
			}
		}
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) < conversations*each+conversations {
		t.Errorf("%d lines for %d deliveries of which %d failed once:\n%s", len(lines), conversations*each, conversations, out)
	}
	if !strings.Contains(out.String(), " text "+ids[0]+" 200 delivered ") || !strings.Contains(out.String(), " 503 retry ") {
		t.Errorf("printed\n%s", out)
	}
	if strings.Contains(out.String()+log.String(), secret) || strings.Contains(log.String(), listenSecret) {
		t.Error("a secret was printed")
	}
}

// What cannot work is said at once, with the remedy.
func TestListenSaysWhatIsWrong(t *testing.T) {
	_, url := inProcess(t, nil)
	c, err := login(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	called, client, secret := c.pulled(t, "called", "http://127.0.0.1:9/")
	pulled, other, otherSecret := c.pulled(t, "pulled", parley.SessionCallback)
	bootstrapID, bootstrapSecret, _ := strings.Cut(bootstrap, ":")
	var blind struct{ ID, Secret string }
	if err := c.call(t.Context(), http.MethodPost, "/admin/v1/clients", object{"name": "blind", "applicationId": pulled.bot, "scopes": []string{parley.ScopeInteractionManage}},
		http.StatusCreated, &blind); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		client, secret, application string
		more                        []string
		want                        string
	}{
		"a role that is called back": {client, secret, called.bot, nil, `set the role's callback to "urn:parley:session"`},
		"a wrong secret":             {client, "wrong-secret", called.bot, nil, "parley client create"},
		"no such application":        {client, secret, "0190f3c8-7e2a-7c31-8f00-00000000000f", nil, "no client application"},
		"a role it does not have":    {other, otherSecret, pulled.bot, []string{"--role", "customer"}, "custom_bot"},
		"a client that is not bound": {bootstrapID, bootstrapSecret, pulled.bot, nil, "bound to the application"},
		"another's application":      {client, secret, pulled.bot, nil, "bound to it"},
		"no role, unreadable":        {blind.ID, blind.Secret, pulled.bot, nil, "give the role as --role"},
		"a secret that is none":      {other, otherSecret, pulled.bot, []string{"--signing-secret", "planted"}, "--signing-secret"},
		"no URL":                     {other, otherSecret, pulled.bot, []string{"--url", "hub.example"}, "--url"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			var out, log safeBuffer
			args := append([]string{"listen", "--url", url, "--client", test.client, "--secret", test.secret, "--application", test.application,
				"--forward-to", "http://127.0.0.1:9/"}, test.more...)
			if code := run(ctx, args, &out, &log); code != 1 || ctx.Err() != nil || !strings.Contains(log.String(), test.want) || strings.Contains(log.String(), "planted") {
				t.Errorf("listen = %d %s, want %q", code, &log, test.want)
			}
		})
	}
}
