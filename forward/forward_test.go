package forward

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"parley"
	"parley/ws"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A fakeHub plays the hub's part of sessions, one after the other, as each is told: what a real hub does only after an hour,
// or when it is overloaded.
type fakeHub struct {
	t      *testing.T
	tokens int // issued
}

// An end is the hub's end of a session.
type end struct {
	t    *testing.T
	conn *websocket.Conn
	over bool // Run ends by itself after this session
}

// next is the client's next request, and its id.
func (e *end) next() (id string, request map[string]json.RawMessage) {
	ctx, cancel := context.WithTimeout(e.t.Context(), 20*time.Second)
	defer cancel()
	_, text, err := e.conn.Read(ctx)
	if err != nil {
		e.t.Errorf("the hub reads: %v", err)
		return "", nil
	}
	if err := json.Unmarshal(text, &request); err != nil {
		e.t.Errorf("%s: %v", text, err)
	}
	_ = json.Unmarshal(request["id"], &id)
	return id, request
}

func (e *end) say(format string, args ...any) {
	if err := e.conn.Write(e.t.Context(), websocket.MessageText, fmt.Appendf(nil, format, args...)); err != nil {
		e.t.Errorf("the hub writes: %v", err)
	}
}

// begin takes connect and take, and returns what connect held.
func (e *end) begin() string {
	_, connect := e.next()
	e.say(`{"id":"connect","ok":{}}`)
	id, take := e.next()
	if take["take"] == nil {
		e.t.Errorf("the second request is %s", take)
	}
	e.say(`{"id":%q,"ok":{"role":"custom_bot"}}`, id)
	return string(connect["connect"])
}

// forwarding forwards to a program that answers 200, through a hub that has these sessions, and returns when Run does.
func forwarding(t *testing.T, sessions ...func(*end)) (log string, err error) {
	t.Helper()
	h := &fakeHub{t: t}
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	defer cancel()
	var mu sync.Mutex // of sessions: a session may come before the handler of the last one has returned
	mux := http.NewServeMux()
	mux.HandleFunc("POST /oauth2/token", func(w http.ResponseWriter, _ *http.Request) {
		h.tokens++
		fmt.Fprintf(w, `{"access_token":"token-%d","expires_in":3600}`, h.tokens)
	})
	mux.HandleFunc("GET /conversation/conversationmgr/v3/clientapplications/app", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden) // the client's scopes are for messages only
	})
	mux.HandleFunc("GET /ws/v1", func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{ws.Subprotocol}})
		mu.Lock()
		if err != nil || len(sessions) == 0 {
			mu.Unlock()
			t.Errorf("a session too many: %v", err)
			return
		}
		session, last := sessions[0], len(sessions) == 1
		sessions = sessions[1:]
		mu.Unlock()
		defer conn.CloseNow()
		e := &end{t: t, conn: conn}
		session(e)
		if last && !e.over {
			cancel()
		}
	})
	hub := httptest.NewServer(mux)
	defer hub.Close()
	program := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer program.Close()
	var text bytes.Buffer
	err = Run(ctx, Config{Hub: hub.URL, ClientID: "id", ClientSecret: "planted", Application: "app", Role: parley.CustomBot, To: program.URL, Out: &text,
		Logger: slog.New(slog.NewTextHandler(&text, nil))})
	if len(sessions) > 0 {
		t.Errorf("%d sessions were not had", len(sessions))
	}
	if strings.Contains(text.String(), "planted") || strings.Contains(text.String(), "token-") {
		t.Errorf("a secret was printed: %s", &text)
	}
	return text.String(), err
}

// A token that ends is renewed on the same session; one that is refused, by another session.
func TestTokensAreRenewed(t *testing.T) {
	_, err := forwarding(t, func(e *end) {
		if connect := e.begin(); connect != `{"token":"token-1"}` {
			t.Errorf("connect %s", connect)
		}
		e.say(`{"expiring":{"expires":"2026-11-26T02:00:00Z"}}`)
		id, request := e.next()
		if got := string(request["refresh"]); got != `{"token":"token-2"}` {
			t.Errorf("after expiring it says %s", request)
		}
		e.say(`{"id":%q,"ok":{}}`, id)
		e.conn.Close(4401, "the token is not good")
	}, func(e *end) {
		if connect := e.begin(); connect != `{"token":"token-3"}` {
			t.Errorf("connect again %s", connect)
		}
	})
	if err != nil {
		t.Errorf("Run = %v", err)
	}
}

// An outcome over the hub's limit of requests is told again; heartbeats are answered, or the hub would end the session.
func TestOutcomesAreToldUntilTheyAreTaken(t *testing.T) {
	log, err := forwarding(t, func(e *end) {
		e.begin()
		e.say(`{"heartbeat":{"last":{}}}` + "\n" + `{"delivery":{"id":"d1","conversation":"c\u001b1","seq":1,"attempt":1,"body":{"messages":{"message":[{"type":{"value":"text"}}]}}}}`)
		if _, request := e.next(); request["heartbeat"] == nil {
			t.Errorf("a heartbeat is answered by %s", request)
		}
		for _, answer := range []string{`"error":{"code":"429-001","developerMessage":"slowly"}`, `"ok":{}`} {
			id, request := e.next()
			if got, want := string(request["outcome"]), `{"delivery":"d1","outcome":"delivered"}`; got != want {
				t.Errorf("it told %s, want %s", got, want)
			}
			e.say(`{"id":%q,%s}`, id, answer)
		}
	})
	if err != nil || !strings.Contains(log, " d1 text c?1 200 delivered ") {
		t.Errorf("Run = %v, printed %s", err, log)
	}
}

// The hub's close codes decide whether to come again.
func TestCloseCodesAreHonoured(t *testing.T) {
	for _, c := range ws.CloseCodes() {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			comes := c.ComeBack || c.NewToken || c.Code == websocket.StatusNormalClosure // the hub ends nothing of ours normally: a proxy did
			sessions := []func(*end){func(e *end) {
				e.begin()
				e.over = !comes
				e.conn.Close(c.Code, c.Name)
			}}
			if comes {
				sessions = append(sessions, func(e *end) { e.begin() })
			}
			if _, err := forwarding(t, sessions...); (err == nil) != comes || err != nil && !strings.Contains(err.Error(), fmt.Sprint(int(c.Code))) {
				t.Errorf("after %d Run = %v", c.Code, err)
			}
		})
	}
}

// A hub that says goodbye is left alone for as long as it asks.
func TestGoodbyeIsHonoured(t *testing.T) {
	var left time.Time
	_, err := forwarding(t, func(e *end) {
		e.begin()
		e.say(`{"goodbye":{"after":700,"reason":"the server restarts"}}`)
		left = time.Now()
		e.conn.Close(1012, "restart")
	}, func(e *end) {
		e.begin()
		if waited := time.Since(left); waited < 700*time.Millisecond {
			t.Errorf("it came back after %s", waited)
		}
	})
	if err != nil {
		t.Errorf("Run = %v", err)
	}
}

func TestDelay(t *testing.T) {
	for failed, want := range []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, longestDelay, longestDelay} {
		if got := delay(failed, 1); got != want {
			t.Errorf("delay(%d) is up to %s, want %s", failed, got, want)
		}
	}
	if delay(3, 0) != 0 || delay(1000, 1) != longestDelay {
		t.Error("the jitter is full, and the wait bounded")
	}
}
