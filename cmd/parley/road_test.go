package main

import (
	"bytes"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/store/storetest"
)

// A callbackLog is a real receiver that writes down what it gets, by role.
type callbackLog struct {
	*httptest.Server
	mu     sync.Mutex
	got    []callback
	notify chan struct{}
}

type callback struct {
	role, authorization, id, conversation, kind, text, sender, name, trace string
	count                                                                  int
	seq                                                                    int // order of arrival
}

func newCallbackLog(t testing.TB) *callbackLog {
	l := &callbackLog{notify: make(chan struct{}, 1)}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		var e struct {
			Messages struct {
				Message []struct {
					ID           string
					Type         struct{ Value string }
					Content      struct{ Text string }
					Conversation struct{ ID string }
					Sender       struct {
						Type        string
						Participant struct{ Name string }
					}
				}
			}
		}
		if err := json.Unmarshal(raw, &e); err != nil || len(e.Messages.Message) == 0 {
			t.Errorf("callback %s: %v", raw, err)
			return
		}
		l.mu.Lock()
		for _, m := range e.Messages.Message {
			l.got = append(l.got, callback{strings.Trim(r.URL.Path, "/"), r.Header.Get("Authorization"), m.ID, m.Conversation.ID, m.Type.Value,
				m.Content.Text, m.Sender.Type, m.Sender.Participant.Name, r.Header.Get("Traceparent"), len(e.Messages.Message), len(l.got)})
		}
		l.mu.Unlock()
		select {
		case l.notify <- struct{}{}:
		default:
		}
	}))
	t.Cleanup(l.Close)
	return l
}

// all is a copy of what came.
func (l *callbackLog) all() []callback {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]callback(nil), l.got...)
}

// wait returns the first callback that matches.
func (l *callbackLog) wait(t testing.TB, what string, match func(callback) bool) callback {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		for _, c := range l.all() {
			if match(c) {
				return c
			}
		}
		select {
		case <-l.notify:
		case <-deadline:
			t.Fatalf("waited in vain for %s; got %+v", what, l.all())
		}
	}
}

// stages are the parts that the road runs on: embedded ones, and servers.
func stages(t *testing.T) map[string]func(t *testing.T) []string {
	return map[string]func(t *testing.T) []string{
		"embedded": func(*testing.T) []string { return []string{"--redis", "auto"} },
		"servers": func(t *testing.T) []string {
			return []string{"--redis", redisURL(t), "--database", storetest.PostgresURL(t)}
		},
	}
}

// redisURL is the URL of the Redis that tests share.
func redisURL(t *testing.T) string {
	t.Helper()
	url := os.Getenv("PARLEY_TEST_REDIS")
	if url == "" {
		t.Skip("set PARLEY_TEST_REDIS to the URL of a Redis (scripts/services does)")
	}
	return url
}

// The whole way over real HTTP, in the documented order of set-up: a customer writes, the bot gets an authenticated
// callback, answers, hands over, the agent answers and ends, and the finished conversation can be read.
func TestTheWholeRoad(t *testing.T) {
	for name, parts := range stages(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := []string(nil)
			if name == "embedded" {
				env = []string{"PATH=/nonexistent"} // no redis-server to be found: miniredis
			}
			data := t.TempDir()
			args := append([]string{"--listen", "127.0.0.1:0", "--data", data, "--bootstrap-client", bootstrap, "--callback-allow", "127.0.0.0/8",
				"--log-level", "debug"}, parts(t)...)
			hub := startProcess(t, env, args...)
			log, ctx := newCallbackLog(t), t.Context()
			c, err := login(ctx, hub.url)
			if err != nil {
				t.Fatal(err)
			}
			s := c.setUp(t, log.URL, "road")

			id, first, err := c.post(ctx, s.begin("m-1", "Where is my parcel?", "anna@example.org"))
			if err != nil {
				t.Fatal(err)
			}
			if again, repeat, err := c.post(ctx, s.begin("m-1", "Where is my parcel?", "anna@example.org")); err != nil || again != id || repeat != first {
				t.Errorf("the same start again = %s %s %v, want %s %s", again, repeat, err, id, first)
			}
			got := log.wait(t, "the bot's callback", func(x callback) bool { return x.role == "custom_bot" && x.id == first })
			if got.authorization != "Basic aHViOnBsYW50ZWQtcGFzc3dvcmQ=" || got.text != "Where is my parcel?" || got.count != 1 || got.name == "" || got.trace == "" {
				t.Errorf("callback = %+v; want it authenticated, named and traced", got)
			}
			steps := []struct {
				message object
				role    string // who hears of it
			}{
				{say(id, "b-1", "custom_bot", "text", object{"html": "<p>It is <b>on its way</b></p>"}), "customer"},
				{say(id, "c-2", "customer", "text", object{"text": "agent"}), "custom_bot"},
				{say(id, "b-2", "custom_bot", "escalation.transfer", nil), "custom_agent"},
				{say(id, "c-3", "customer", "text", object{"text": "hello?"}), "custom_agent"},
				{say(id, "a-1", "custom_agent", "agent.join", object{"json": object{"agentName": "Dana"}}), "customer"},
				{say(id, "a-2", "custom_agent", "text", object{"text": "It arrives today."}), "customer"},
				{say(id, "a-3", "custom_agent", "conversation.end", nil), "customer"},
			}
			for _, step := range steps {
				_, posted, err := c.post(ctx, step.message)
				if err != nil {
					t.Fatal(err)
				}
				log.wait(t, step.message["messageId"].(string), func(x callback) bool { return x.role == step.role && x.id == posted })
			}
			if transcript := log.wait(t, "the transcript", func(x callback) bool { return x.role == "custom_agent" && x.count > 1 }); transcript.text != "Where is my parcel?" {
				t.Errorf("the transcript begins with %+v", transcript)
			}
			if _, _, err := c.post(ctx, say(id, "c-9", "customer", "text", object{"text": "late"})); err == nil || !strings.Contains(err.Error(), "400-630") {
				t.Errorf("after the end = %v, want 400-630", err)
			}
			var finished struct {
				ID       string
				Messages struct {
					Message []struct {
						MessageID string
						Type      struct{ Value string }
						Status    string
					}
				}
			}
			if err := c.call(ctx, http.MethodGet, conversationmgrBase+"/conversations/"+id, nil, http.StatusOK, &finished); err != nil {
				t.Fatal(err)
			}
			var order []string
			for _, m := range finished.Messages.Message {
				order = append(order, m.Type.Value)
			}
			if want := "text text text escalation.transfer conversation.state text agent.join text conversation.end"; strings.Join(order, " ") != want {
				t.Errorf("read back %q, want %q", strings.Join(order, " "), want)
			}
			if err := hub.terminate(); err != nil {
				t.Error(err)
			}
			_, secret, _ := strings.Cut(bootstrap, ":")
			for _, word := range []string{"planted", "parcel", "anna@", secret, c.token, got.authorization} {
				if strings.Contains(hub.log.String(), word) {
					t.Errorf("the log holds the secret or content %q:\n%s", word, hub.log.String())
				}
			}
			if !strings.Contains(hub.log.String(), "level=DEBUG") {
				t.Errorf("the log has no details, so it shows nothing:\n%s", hub.log.String())
			}
			for _, word := range []string{"planted", secret, c.token, got.authorization} {
				for _, file := range filesWith(t, data, word) {
					t.Errorf("%s holds the secret %q", file, word)
				}
			}
			if name == "embedded" && len(filesWith(t, data, "Where is my parcel?")) == 0 {
				t.Error("no file of the data directory holds the conversation, so they show nothing")
			}
		})
	}
}

// filesWith lists the files below a folder that hold a word.
func filesWith(t *testing.T, dir, word string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if bytes.Contains(text, []byte(word)) {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
