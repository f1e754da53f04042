package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"parley"
	"parley/internal/loopback"
)

// Whoever waits for a turn on one node is woken by the commit that closes it on another, long before the turn's deadline: the bot answers there.
func TestTurnsAreAwaitedAcrossNodes(t *testing.T) {
	more := stages(t)["servers"](t)
	args := append([]string{"--data", t.TempDir(), "--bootstrap-client", bootstrap, "--public-url", "http://127.0.0.1:9", "--callback-allow", "127.0.0.0/8"}, more...)
	var bases []string
	for range 2 {
		address, err := loopback.FreeAddress(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		startProcess(t, nil, append([]string{"--listen", address}, args...)...)
		bases = append(bases, "http://"+address)
	}
	admin, err := login(t.Context(), bases[0])
	if err != nil {
		t.Fatal(err)
	}
	there := *admin
	there.base = bases[1]
	questions := make(chan string, 16) // conversations
	bot := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var in struct {
			Messages struct {
				Message []struct{ Conversation struct{ ID string } }
			}
		}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || len(in.Messages.Message) != 1 {
			t.Errorf("the bot is asked %+v, %v", in, err)
			return
		}
		questions <- in.Messages.Message[0].Conversation.ID
	}))
	t.Cleanup(bot.Close)
	var made, key struct{ ID, ChannelID, Key string }
	if err := admin.call(t.Context(), http.MethodPost, "/admin/v1/bots", object{"name": "Far", "language": "en-US", "turnDeadlineSeconds": 50,
		"connector": object{"kind": "callback", "url": bot.URL}}, http.StatusCreated, &made); err != nil {
		t.Fatal(err)
	}
	if err := admin.call(t.Context(), http.MethodPost, "/admin/v1/keys", object{"kind": "broker", "botId": made.ID}, http.StatusCreated, &key); err != nil {
		t.Fatal(err)
	}
	here := &caller{base: bases[0], headers: map[string]string{"API-KEY": key.Key, "OS": "Linux", "USER-REF": "203.0.113.7", "LOCALE": "en-US"}}
	turns := fmt.Sprintf("/org/%s/env/%s/bot/%s/channel/%s/v1/conversations", parley.DefaultOrganisation, parley.DefaultTenant, made.ID, made.ChannelID)
	answered := make(chan string, 1)
	for i := range 3 {
		go func() {
			var got json.RawMessage
			if err := here.call(t.Context(), http.MethodPost, turns, object{"text": "hello"}, http.StatusOK, &got); err != nil {
				t.Error(err)
			}
			answered <- string(got)
		}()
		id := <-questions
		begin := time.Now()
		if _, _, err := there.post(t.Context(), say(id, fmt.Sprint("b", i), "custom_bot", "text", object{"text": "answer from afar"})); err != nil {
			t.Fatal(err)
		}
		if got := <-answered; !strings.Contains(got, "answer from afar") {
			t.Errorf("the turn is answered with %s", got)
		}
		if took := time.Since(begin); took > 20*time.Second {
			t.Errorf("it was heard of %v after the answer", took)
		}
	}
}
