package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"parley"
)

// A slowBot is a webhook bot that thinks until it is told to answer, beside a webhook that hears every message.
type slowBot struct {
	url    string
	asked  chan string // texts, as they come
	heard  chan string // texts of answers, as they were stored
	mu     sync.Mutex
	quick  bool
	ids    map[string]map[string]bool // the webhook-ids under which each text was asked
	counts map[string]int
}

func newSlowBot(t *testing.T) *slowBot {
	b := &slowBot{asked: make(chan string, 100), heard: make(chan string, 100), ids: map[string]map[string]bool{}, counts: map[string]int{}}
	mux := http.NewServeMux()
	mux.HandleFunc("/bot", func(w http.ResponseWriter, r *http.Request) {
		var in struct{ Text string }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			t.Errorf("the bot is asked %v", err)
		}
		b.mu.Lock()
		if b.ids[in.Text] == nil {
			b.ids[in.Text] = map[string]bool{}
		}
		b.ids[in.Text][r.Header.Get("webhook-id")] = true
		b.counts[in.Text]++
		quick := b.quick
		b.mu.Unlock()
		b.asked <- in.Text
		if !quick {
			<-r.Context().Done()
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"answers":[{"content":"answer to %s"}]}`, in.Text)
	})
	mux.HandleFunc("/hook", func(_ http.ResponseWriter, r *http.Request) {
		var in struct {
			Message struct{ Message, SenderRole string }
		}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			t.Errorf("the webhook hears %v", err)
		}
		if in.Message.SenderRole == "assistant" {
			b.heard <- in.Message.Message
		}
	})
	server := httptest.NewServer(mux)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	b.url = server.URL
	return b
}

// awaitAll wants each of the texts from a channel once; repeats are passed over.
func awaitAll(t *testing.T, from <-chan string, want ...string) {
	t.Helper()
	missing := map[string]bool{}
	for _, w := range want {
		missing[w] = true
	}
	late := time.After(60 * time.Second)
	for len(missing) > 0 {
		select {
		case got := <-from:
			delete(missing, got)
		case <-late:
			t.Fatalf("missing: %v", missing)
		}
	}
}

// A hub that dies, or is stopped, while turns wait: callers that wait get an error, no answer is lost, and none is given twice. The bot
// that is asked again can tell by the id of the question.
func TestTurnsOutliveTheHub(t *testing.T) {
	for name, parts := range stages(t) {
		for _, graceful := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, graceful %t", name, graceful), func(t *testing.T) {
				t.Parallel()
				bot := newSlowBot(t)
				args := append([]string{"--listen", "127.0.0.1:0", "--data", t.TempDir(), "--bootstrap-client", bootstrap, "--callback-allow", "127.0.0.0/8", "--grace", "1s"}, parts(t)...)
				hub := startProcess(t, nil, args...)
				ctx := t.Context()
				admin, err := login(ctx, hub.url)
				if err != nil {
					t.Fatal(err)
				}
				ask := func(c *caller, method, path string, in, out any, want int) {
					t.Helper()
					if err := c.call(ctx, method, path, in, want, out); err != nil {
						t.Fatal(err)
					}
				}
				var made struct{ ID, ChannelID string }
				ask(admin, http.MethodPost, "/admin/v1/bots", object{"name": "Slow", "connector": object{"kind": "webhook", "url": bot.url + "/bot"}, "turnDeadlineSeconds": 60}, &made, http.StatusCreated)
				key := func(kind string) string {
					var k struct{ Key string }
					ask(admin, http.MethodPost, "/admin/v1/keys", object{"kind": kind, "botId": made.ID}, &k, http.StatusCreated)
					return k.Key
				}
				agents := &caller{base: hub.url + "/external", headers: map[string]string{"Agent-Secret-Key": key("agent")}}
				channel := &caller{base: hub.url, headers: map[string]string{"API-KEY": key("broker"), "OS": "Linux", "USER-REF": "203.0.113.7", "LOCALE": "en-US"}}
				ask(agents, http.MethodPost, "/agents/webhooks", object{"title": "t", "description": "d", "url": bot.url + "/hook", "triggerCondition": "each_message"}, nil, http.StatusCreated)
				var user, one, two, question struct{ ID string }
				ask(agents, http.MethodPost, "/users", object{"firstName": "A", "lastName": "B", "fkId": "1"}, &user, http.StatusCreated)
				for _, c := range []*struct{ ID string }{&one, &two} {
					ask(agents, http.MethodPost, "/conversations", object{"conversationUserId": user.ID}, c, http.StatusCreated)
				}
				ask(agents, http.MethodPost, "/conversations/"+one.ID+"/messages/async", object{"message": "polled"}, &question, http.StatusCreated)
				var waiting sync.WaitGroup
				for path, c := range map[string]*caller{"/conversations/" + two.ID + "/messages": agents,
					fmt.Sprintf("/org/%s/env/%s/bot/%s/channel/%s/v1/conversations", parley.DefaultOrganisation, parley.DefaultTenant, made.ID, made.ChannelID): channel} {
					in := object{"message": "waited", "text": "broker"}
					waiting.Go(func() {
						err := c.call(ctx, http.MethodPost, path, in, 0, nil)
						if answer, ok := errors.AsType[*wrongStatus](err); ok && answer.status < 500 {
							t.Errorf("a call to %s that waited was answered %v", path, err)
						}
					})
				}
				awaitAll(t, bot.asked, "polled", "waited", "broker")
				if graceful {
					if err := hub.terminate(); err != nil {
						t.Error(err)
					}
				} else {
					hub.kill()
				}
				waiting.Wait()
				bot.mu.Lock()
				bot.quick = true
				bot.mu.Unlock()
				again := startProcess(t, nil, args...)
				agents.base = again.url + "/external"
				awaitAll(t, bot.heard, "answer to polled", "answer to waited")
				var got struct {
					Status  string
					Message struct{ Message string }
				}
				ask(agents, http.MethodGet, "/conversations/"+one.ID+"/messages/"+question.ID+"/response-on", nil, &got, http.StatusOK)
				if got.Status != "completed" || got.Message.Message != "answer to polled" {
					t.Errorf("the polled answer is %+v", got)
				}
				for _, id := range []string{one.ID, two.ID} {
					var all struct{ Messages []struct{ Message string } }
					ask(agents, http.MethodGet, "/conversations/"+id+"/messages", nil, &all, http.StatusOK)
					if len(all.Messages) != 2 {
						t.Errorf("said: %+v", all)
					}
				}
				bot.mu.Lock()
				defer bot.mu.Unlock()
				for _, text := range []string{"polled", "waited"} {
					if len(bot.ids[text]) != 1 || bot.counts[text] != 2 {
						t.Errorf("%s was asked %d times under %d ids, want 2 and 1", text, bot.counts[text], len(bot.ids[text]))
					}
				}
			})
		}
	}
}
