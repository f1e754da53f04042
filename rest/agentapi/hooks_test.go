package agentapi_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley"
	"parley/hub"
)

// heard is what one webhook was told.
type heard struct {
	Event        string
	Agent        struct{ ID, Name string }
	Conversation map[string]any
	User         map[string]any
	Message      map[string]any
	Score        *float64
	Timestamp    time.Time
	header       http.Header
}

// hook makes a webhook of that trigger, and returns what it hears.
func (s *stage) hook(trigger string, status ...int) <-chan heard {
	s.t.Helper()
	events := make(chan heard, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(status) > 0 {
			code := status[0]
			status = status[1:]
			w.WriteHeader(code)
			return
		}
		var h heard
		raw, _ := io.ReadAll(r.Body)
		if err := json.Unmarshal(raw, &h); err != nil || h.Message == nil && !strings.Contains(string(raw), `"message":null`) {
			s.t.Errorf("a webhook heard %s", raw)
		}
		h.header = r.Header
		events <- h
	}))
	s.t.Cleanup(server.Close)
	made := s.must("POST", "/agents/webhooks", `{"title":"CRM","description":"copies","url":"`+server.URL+`/in","triggerCondition":"`+trigger+`","headers":{"X-Hook-Token":"t0ken"}}`, 201)
	if made["agentId"] != s.agent.ID.String() || made["status"] != "active" || made["triggerCondition"] != trigger || made["headers"].(map[string]any)["X-Hook-Token"] != "t0ken" {
		s.t.Errorf("made %v", made)
	}
	return events
}

func (s *stage) hears(events <-chan heard) heard {
	s.t.Helper()
	select {
	case h := <-events:
		return h
	case <-time.After(20 * time.Second):
		s.t.Fatal("the webhook heard nothing")
	}
	return heard{}
}

// A webhook hears what it asked for, in order, whoever said it, and again until it took it.
func TestWebhooks(t *testing.T) {
	s := newStage(t)
	triggers := map[string]<-chan heard{}
	for _, trigger := range []string{"start_dialog", "end_dialog", "chat_currently_unavailable", "manual", "auto_archive_conversation"} {
		triggers[trigger] = s.hook(trigger)
	}
	each := s.hook("each_message", 500, 503)
	path := s.open()
	reply := s.say(path, "hello")
	first, second := s.hears(each), s.hears(each)
	if first.Event != "each_message" || first.Agent.Name != "Rex" || first.Agent.ID != s.agent.ID.String() || first.Message["senderRole"] != "conversation_user" || first.header.Get("X-Hook-Token") != "t0ken" ||
		first.header.Get("Webhook-Signature") == "" || first.header.Get("Webhook-Id") == "" || first.Timestamp.IsZero() {
		t.Errorf("first heard %+v", first)
	}
	want := map[string]any{"id": reply["id"], "message": "you said hello", "senderRole": "assistant", "source": "api", "createdAt": second.Message["createdAt"]}
	if diff := cmp.Diff(want, second.Message); diff != "" {
		t.Errorf("then (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(map[string]any{"id": s.user, "firstName": "Ines", "lastName": "Okafor", "email": "ines@example.org"}, second.User); diff != "" {
		t.Errorf("of (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(map[string]any{"id": strings.TrimPrefix(path, "/conversations/"), "mode": "ai", "assignedUser": nil}, second.Conversation); diff != "" {
		t.Errorf("in (-want +got)\n%s", diff)
	}
	if h := s.hears(triggers["start_dialog"]); h.Message["message"] != "hello" {
		t.Errorf("the start is %+v", h)
	}
	s.must("PUT", path+"/mode", `{"mode":"manual"}`, 200)
	if h := s.hears(triggers["manual"]); h.Message != nil || h.Conversation["mode"] != "manual" || h.Event != "manual" {
		t.Errorf("manual is %+v", h)
	}
	s.say(path, "anybody?")
	if h := s.hears(each); h.Message["senderRole"] != "conversation_user" || h.Message["message"] != "anybody?" || h.Conversation["mode"] != "manual" {
		t.Errorf("a user whom people have is %+v", h)
	}
	s.must("POST", path+"/send-manual-message", `{"message":"Me"}`, 200)
	if h := s.hears(each); h.Message["senderRole"] != "manual_assistant" || h.Message["message"] != "Me" {
		t.Errorf("a person is %+v", h)
	}
	id, _ := parley.ParseID[parley.Conversation](strings.TrimPrefix(path, "/conversations/"))
	agent := func(kind parley.MessageType, at parley.ConversationID) {
		t.Helper()
		d := parley.Draft{Conversation: at, Type: kind, Sender: parley.CustomAgent}
		if _, err := s.hub.Post(t.Context(), hub.PostRequest{Speaker: parley.Speaker{Tenant: parley.DefaultTenant, Application: parley.ConsoleApplication}, Surface: "test", Drafts: []parley.Draft{d}}); err != nil {
			t.Fatal(err)
		}
	}
	agent(parley.TypeConversationEnd, id)
	if h := s.hears(triggers["end_dialog"]); h.Message != nil || h.Conversation["mode"] != "ai" {
		t.Errorf("the end is %+v", h)
	}
	agent(parley.TypeAgentUnavailable, parley.ConversationID{})
	s.must("PUT", path+"/mode", `{"mode":"manual"}`, 200)
	if h := s.hears(triggers["chat_currently_unavailable"]); h.Event != "chat_currently_unavailable" {
		t.Errorf("unavailable is %+v", h)
	}
	s.hears(triggers["manual"])
	if err := s.hub.End(t.Context(), parley.DefaultTenant, id, "nothing was said any more"); err != nil {
		t.Fatal(err)
	}
	s.hears(triggers["auto_archive_conversation"])
	s.hears(triggers["end_dialog"])
	for trigger, events := range triggers {
		if len(events) > 0 {
			t.Errorf("%s heard more: %+v", trigger, <-events)
		}
	}
	if len(each) > 0 {
		t.Errorf("each_message heard more: %+v", <-each)
	}
	for range parley.MaxHooks - 6 {
		s.hook("manual")
	}
	if status, text := s.call("POST", "/agents/webhooks", `{"title":"t","description":"d","url":"https://a.example","triggerCondition":"manual"}`); status != 400 {
		t.Errorf("one more than there may be answered %d %s", status, text)
	}
}

// Once it is scored, and somebody has it, a conversation says so to its webhooks.
func TestWebhooksHearWhoHasIt(t *testing.T) {
	s := newStage(t)
	path := s.open()
	s.say(path, "human")
	if err := s.judge.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	id, _ := parley.ParseID[parley.Conversation](strings.TrimPrefix(path, "/conversations/"))
	join := parley.Draft{Conversation: id, Type: parley.TypeAgentJoin, Sender: parley.CustomAgent, Body: parley.Body{Content: &parley.Content{JSON: []byte(`{"agentName":"Ada King"}`)}}}
	if _, err := s.hub.Post(t.Context(), hub.PostRequest{Speaker: parley.Speaker{Tenant: parley.DefaultTenant, Application: parley.ConsoleApplication}, Surface: "test", Drafts: []parley.Draft{join}}); err != nil {
		t.Fatal(err)
	}
	each := s.hook("each_message")
	s.say(path, "Hello Ada")
	shown, h := s.must("GET", path, "", 200), s.hears(each)
	if diff := cmp.Diff(shown["assignedUser"], h.Conversation["assignedUser"]); diff != "" || h.Conversation["assignedUser"] == nil {
		t.Errorf("whose it is (-shown +heard)\n%s", diff)
	}
	if h.Score == nil || *h.Score != shown["score"] || h.Message["message"] != "Hello Ada" {
		t.Errorf("heard the score %v, shown is %v; %+v", h.Score, shown["score"], h.Message)
	}
}
