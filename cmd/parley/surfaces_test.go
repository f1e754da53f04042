package main

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley"
)

// One conversation is the same on every surface: it begins over the broker, goes to people, is answered over conversationmgr, and reads the
// same over the broker's history, the agent-conversations surface, the timeline and, once it is over, conversationmgr.
func TestOneConversationOnEverySurface(t *testing.T) {
	for name, parts := range stages(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hub := startProcess(t, nil, append([]string{"--listen", "127.0.0.1:0", "--data", t.TempDir(), "--bootstrap-client", bootstrap}, parts(t)...)...)
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
			bot := admin.demoBot(t)
			key := func(kind string) string {
				var made struct{ Key string }
				ask(admin, http.MethodPost, "/admin/v1/keys", object{"kind": kind, "botId": bot.ID}, &made, http.StatusCreated)
				return made.Key
			}
			channel := &caller{base: hub.url, headers: map[string]string{"API-KEY": key("broker"), "OS": "Linux", "USER-REF": "203.0.113.7", "LOCALE": "en-US", "BUSINESS-KEY": "customer-4711"}}
			agents := &caller{base: hub.url + "/external", headers: map[string]string{"Agent-Secret-Key": key("agent")}}
			environment := fmt.Sprintf("/org/%s/env/%s", parley.DefaultOrganisation, parley.DefaultTenant)
			turns := environment + "/bot/" + bot.ID + "/channel/" + bot.ChannelID + "/v1/conversations"

			var first, second, third channelTurn
			ask(channel, http.MethodPost, turns, object{"text": "How do I find you?"}, &first, http.StatusOK)
			id := first.SessionCode
			ask(channel, http.MethodPost, turns+"/"+id, object{"text": "I want to talk to a person"}, &second, http.StatusOK)
			said := func(kind, text string) {
				t.Helper()
				message := object{"type": object{"value": kind}, "sender": object{"type": "custom_agent"}, "conversation": object{"id": id}}
				if text != "" {
					message["content"] = object{"text": text}
				}
				ask(admin, http.MethodPost, conversationmgrBase+"/conversations/messages", object{"messages": object{"message": []object{message}}}, nil, http.StatusAccepted)
			}
			channel.headers["TRACEPARENT"] = "planted-trace-of-nobody"
			said("agent.join", "")
			said("text", "Hello, I am Dana.")
			ask(channel, http.MethodPost, turns+"/"+id, object{"text": "Hello Dana"}, &third, http.StatusOK)
			if !strings.Contains(third.text(), "Hello, I am Dana.") {
				t.Errorf("the next turn answers %+v", third)
			}

			var page struct {
				Data []struct {
					ID, Mode string
					User     struct{ FkID string }
				}
			}
			ask(agents, http.MethodGet, "/conversations", nil, &page, http.StatusOK)
			if len(page.Data) != 1 || page.Data[0].ID != id || page.Data[0].Mode != "manual" || page.Data[0].User.FkID != "customer-4711" {
				t.Errorf("the agent's conversations are %+v", page)
			}
			var shown struct {
				Messages []struct{ ID, Message, SenderRole, Source string }
			}
			ask(agents, http.MethodGet, "/conversations/"+id+"/messages", nil, &shown, http.StatusOK)
			var lines, ids []string
			for _, m := range shown.Messages {
				if m.Source != "live_chat" {
					t.Errorf("%q of a channel has the source %s", m.Message, m.Source)
				}
				lines, ids = append(lines, m.SenderRole+": "+strings.Split(m.Message, "\n")[0]), append(ids, m.ID)
			}
			want := []string{"conversation_user: How do I find you?", "assistant: A map: Main Street 1", "conversation_user: I want to talk to a person", "assistant: One moment, I get someone.",
				"manual_assistant: Hello, I am Dana.", "conversation_user: Hello Dana"}
			if diff := cmp.Diff(want, lines); diff != "" {
				t.Errorf("over agent-conversations (-want +got)\n%s", diff)
			}
			var history []struct {
				UserInteractions []struct{ UUID, Text string }
			}
			ask(channel, http.MethodGet, environment+"/history/customer-4711", nil, &history, http.StatusOK)
			var uuids []string
			for _, m := range history[0].UserInteractions {
				if m.UUID != second.Answers[len(second.Answers)-1].Interaction { // that people go on says only the broker
					uuids = append(uuids, m.UUID)
				}
			}
			if diff := cmp.Diff(ids, uuids); diff != "" {
				t.Errorf("the broker's history has other ids (-agents +broker)\n%s", diff)
			}
			// What is said over one surface is answered over another: the person answers, the agent's program gives back, the bot answers the channel.
			ask(agents, http.MethodPost, "/conversations/"+id+"/send-manual-message", object{"message": "Can I help?"}, nil, http.StatusOK)
			ask(agents, http.MethodPut, "/conversations/"+id+"/mode", object{"mode": "ai"}, nil, http.StatusOK)
			var fourth channelTurn
			ask(channel, http.MethodPost, turns+"/"+id, object{"text": "When are you open?"}, &fourth, http.StatusOK)
			if text := fourth.text(); !strings.Contains(text, "From Monday to Friday") || !strings.HasPrefix(text, "Can I help?") || fourth.ContextReadOnly.Handover.State != "closed" {
				t.Errorf("given back, the channel hears %+v, want the person's last words before the bot's", fourth)
			}
			ask(agents, http.MethodPost, "/conversations/"+id+"/messages", object{"message": "bye"}, nil, http.StatusCreated) // which ends the session
			var ended struct {
				Messages struct{ Message []struct{ ID string } }
			}
			ask(admin, http.MethodGet, conversationmgrBase+"/conversations/"+id, nil, &ended, http.StatusOK)
			all := map[string]bool{}
			for _, m := range ended.Messages.Message {
				all[m.ID] = true
			}
			for _, id := range ids {
				if !all[id] {
					t.Errorf("conversationmgr does not show %s", id)
				}
			}
			// Whatever surface it came over, each thing that somebody said has a trace, one of the hub's own if the caller has none.
			var timeline struct {
				Message []struct{ Type, Sender, TraceID string }
			}
			ask(admin, http.MethodGet, "/admin/v1/conversations/"+id+"/timeline?$pagesize=75", nil, &timeline, http.StatusOK)
			traced := 0
			for _, m := range timeline.Message {
				if m.Sender != "customer" && m.Sender != "custom_agent" || m.Type != "text" {
					continue
				}
				if traced++; !regexp.MustCompile("^[0-9a-f]{32}$").MatchString(m.TraceID) {
					t.Errorf("a %s of %s has the trace %q", m.Type, m.Sender, m.TraceID)
				}
			}
			if traced < 6 {
				t.Errorf("%d things said in the timeline: %+v", traced, timeline)
			}
			ask(agents, http.MethodPost, "/conversations/"+id+"/messages", object{"message": "still there?"}, nil, http.StatusBadRequest)
			ask(channel, http.MethodPost, turns+"/"+id, object{"text": "still there?"}, nil, http.StatusConflict)
		})
	}
}
