package echobot

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// sent is what the stand-in for the hub was told in one request that it took.
type sent struct {
	MessageID    string `json:"messageId"`
	Type         struct{ Value string }
	Content      struct{ Text string }
	Conversation struct{ ID string }
	Sender       struct{ Type string }
}

// fakeHub stands in for the hub's REST. It hands out tokens t1, t2, … and takes messages with the newest.
type fakeHub struct {
	*httptest.Server
	took chan sent
	mu   sync.Mutex
	// guarded by mu
	tokens  int
	refuse  []int // statuses to answer before messages are taken
	refused []string
}

func newFakeHub(t *testing.T, refuse ...int) *fakeHub {
	t.Helper()
	h := &fakeHub{took: make(chan sent, 100), refuse: refuse}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /oauth2/token", func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("grant_type") != "client_credentials" || r.FormValue("client_id") != "bot" || r.FormValue("client_secret") != "s3cret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.tokens++
		fmt.Fprintf(w, `{"access_token":"t%d","token_type":"Bearer","expires_in":3600}`, h.tokens)
	})
	mux.HandleFunc("POST "+messagesPath, func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Messages struct{ Message []sent }
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || len(body.Messages.Message) != 1 {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		if r.Header.Get("Authorization") != fmt.Sprintf("Bearer t%d", h.tokens) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if len(h.refuse) > 0 {
			h.refused = append(h.refused, body.Messages.Message[0].MessageID)
			w.WriteHeader(h.refuse[0])
			if h.refuse[0] == http.StatusUnauthorized {
				h.tokens = 100 // whatever the bot has is void now
			}
			h.refuse = h.refuse[1:]
			return
		}
		w.WriteHeader(http.StatusAccepted)
		h.took <- body.Messages.Message[0]
	})
	h.Server = httptest.NewServer(mux)
	t.Cleanup(h.Close)
	return h
}

// next is what the hub took next.
func (h *fakeHub) next(t *testing.T) sent {
	t.Helper()
	select {
	case m := <-h.took:
		return m
	case <-t.Context().Done():
	case <-time.After(10 * time.Second): // a failure, not a wait: what is awaited sends at once
	}
	t.Fatal("the bot sent nothing")
	return sent{}
}

// startBot runs a bot for the hub and returns where its callbacks go.
func startBot(t *testing.T, h *fakeHub) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		done <- Serve(ctx, l, Config{Hub: h.URL + "/", ClientID: "bot", ClientSecret: "s3cret", Username: "hub", Password: "pw"})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve = %v, want nil after its context ended", err)
		}
	})
	return "http://" + l.Addr().String()
}

var theHub = [2]string{"hub", "pw"}

// callback sends one as the hub does and returns the status.
func callback(t *testing.T, url string, as [2]string, id, kind, sender, text string) int {
	t.Helper()
	body := fmt.Sprintf(`{"messages":{"message":[{"id":%q,"messageId":"m","type":{"value":%q},"content":{"text":%q},
		"conversation":{"id":"c1","account":{"address":"demo"}},"sender":{"type":%q,"participant":{"name":"x"}}}]}}`, id, kind, text, sender)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(as[0], as[1])
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	return res.StatusCode
}

func TestTextIsEchoedOnceAndInOrder(t *testing.T) {
	h := newFakeHub(t)
	url := startBot(t, h)
	for _, id := range []string{"1", "2", "1", "3"} { // 1 is delivered again
		if got := callback(t, url, theHub, id, "text", "customer", "question "+id); got != http.StatusOK {
			t.Fatalf("callback %s = %d, want 200", id, got)
		}
	}
	for _, id := range []string{"1", "2", "3"} {
		m := h.next(t)
		if m.MessageID != "echo-"+id || m.Content.Text != "You said: question "+id || m.Conversation.ID != "c1" || m.Sender.Type != "custom_bot" || m.Type.Value != "text" {
			t.Errorf("the hub took %+v, want the echo of question %s", m, id)
		}
	}
}

func TestAgentIsCalled(t *testing.T) {
	h := newFakeHub(t)
	callback(t, startBot(t, h), theHub, "1", "text", "customer", "An AGENT, please")
	if m := h.next(t); m.Type.Value != "escalation.transfer" || m.Content.Text != "" {
		t.Errorf("the hub took %+v, want an escalation.transfer", m)
	}
}

func TestOnlyCustomersTextIsAnswered(t *testing.T) {
	h := newFakeHub(t)
	url := startBot(t, h)
	callback(t, url, theHub, "1", "typing.start", "customer", "")
	callback(t, url, theHub, "2", "text", "system", "not for you")
	callback(t, url, theHub, "3", "some.future.type", "customer", "x")
	callback(t, url, theHub, "4", "text", "customer", "last")
	if m := h.next(t); m.MessageID != "echo-4" {
		t.Errorf("the hub took %+v first, want the answer to 4 alone", m)
	}
}

func TestStrangersAreRefused(t *testing.T) {
	h := newFakeHub(t)
	url := startBot(t, h)
	for _, stranger := range [][2]string{{"hub", "wrong"}, {"nobody", "pw"}, {"", ""}} {
		if got := callback(t, url, stranger, "1", "text", "customer", "let me in"); got != http.StatusUnauthorized {
			t.Errorf("callback of %q = %d, want 401", stranger, got)
		}
	}
	callback(t, url, theHub, "2", "text", "customer", "me")
	if m := h.next(t); m.MessageID != "echo-2" {
		t.Errorf("the hub took %+v, want nothing of the stranger's", m)
	}
}

// The hub is away, then busy, then takes the token no more: the answer arrives all the same, as the same message.
func TestAnswerOutlivesTroubleOfTheHub(t *testing.T) {
	h := newFakeHub(t, http.StatusBadGateway, http.StatusTooManyRequests, http.StatusUnauthorized)
	bot := New(Config{Hub: h.URL, ClientID: "bot", ClientSecret: "s3cret"})
	var waits []time.Duration
	bot.hub.pause = func(_ context.Context, d time.Duration) error { waits = append(waits, d); return nil }
	if err := bot.hub.send(t.Context(), bot.answer(message{ID: "1"})); err != nil {
		t.Fatalf("send = %v", err)
	}
	if m := h.next(t); m.MessageID != "echo-1" || strings.Join(h.refused, " ") != "echo-1 echo-1 echo-1" {
		t.Errorf("the hub refused %v and took %s, want always echo-1", h.refused, m.MessageID)
	}
	if want := "[200ms 400ms 800ms]"; fmt.Sprint(waits) != want {
		t.Errorf("waits = %v, want %s", waits, want)
	}
}

func TestRefusedAnswerIsNotRepeated(t *testing.T) {
	h := newFakeHub(t, http.StatusBadRequest)
	bot := New(Config{Hub: h.URL, ClientID: "bot", ClientSecret: "s3cret"})
	if err := bot.hub.send(t.Context(), bot.answer(message{ID: "1"})); err == nil || !strings.Contains(err.Error(), "400") {
		t.Errorf("send = %v, want the hub's 400", err)
	}
	if len(h.refused) != 1 {
		t.Errorf("%d tries, want 1", len(h.refused))
	}
}

// A full queue loses nothing: the hub is told to come back, and then the message is new.
func TestFullQueueAsksTheHubToComeBack(t *testing.T) {
	bot := New(Config{Username: "hub", Password: "pw"})
	bot.queue = make(chan message, 1)
	server := httptest.NewServer(bot)
	defer server.Close()
	if got := callback(t, server.URL, theHub, "1", "text", "customer", "a"); got != http.StatusOK {
		t.Fatalf("first callback = %d, want 200", got)
	}
	if got := callback(t, server.URL, theHub, "2", "text", "customer", "b"); got != http.StatusServiceUnavailable {
		t.Errorf("callback with a full queue = %d, want 503", got)
	}
	<-bot.queue
	if got := callback(t, server.URL, theHub, "2", "text", "customer", "b"); got != http.StatusOK || (<-bot.queue).ID != "2" {
		t.Errorf("repeated callback = %d, want 200 and the message in the queue", got)
	}
}

func TestRecentForgetsTheOldest(t *testing.T) {
	r := newRecent(2)
	for _, step := range []struct {
		id  string
		new bool
	}{{"a", true}, {"b", true}, {"a", false}, {"c", true}, {"a", true}, {"c", false}} {
		if got := r.add(step.id); got != step.new {
			t.Errorf("add(%s) = %t, want %t", step.id, got, step.new)
		}
	}
}
