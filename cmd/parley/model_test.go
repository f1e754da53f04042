package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley"
)

// An endpoint speaks OpenAI's chat completions, and streams. What it is asked decides what it does.
type endpoint struct {
	url   string
	grow  chan struct{} // what "grow" waits for after each word
	asked chan string   // questions, as they come
}

func newEndpoint(t *testing.T) *endpoint {
	m := &endpoint{grow: make(chan struct{}), asked: make(chan string, 100)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			Model    string
			Stream   bool
			Messages []struct{ Role, Content string }
		}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || r.URL.Path != "/v1/chat/completions" || r.Header.Get("Authorization") != "Bearer sk-test" ||
			in.Model != "small" || len(in.Messages) == 0 {
			t.Errorf("the model is asked %s %+v, %v", r.URL.Path, in, err)
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		if !in.Stream { // a title or a score: not of this test
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		question := in.Messages[len(in.Messages)-1].Content
		m.asked <- question
		w.Header().Set("Content-Type", "text/event-stream")
		send := func(choice object) {
			chunk, err := json.Marshal(object{"id": "c", "object": "chat.completion.chunk", "choices": []object{choice}})
			if err != nil {
				t.Error(err)
			}
			fmt.Fprintf(w, "data: %s\n\n", chunk)
			w.(http.Flusher).Flush()
		}
		say := func(text string) { send(object{"index": 0, "delta": object{"content": text}}) }
		end := func(why string) {
			send(object{"index": 0, "delta": object{}, "finish_reason": why})
			fmt.Fprint(w, "data: [DONE]\n\n")
		}
		switch question {
		case "grow":
			for _, word := range []string{"It", " <grows>", " well."} {
				say(word)
				select {
				case <-m.grow:
				case <-r.Context().Done():
					return
				}
			}
			end("stop")
		case "person":
			say("A colleague will help.")
			send(object{"index": 0, "delta": object{"tool_calls": []object{{"index": 0, "id": "t", "type": "function",
				"function": object{"name": "handover", "arguments": `{"reason":"wants a person"}`}}}}})
			end("tool_calls")
		case "nothing":
			end("stop")
		case "breaks":
			say("It is on")
			panic(http.ErrAbortHandler)
		case "hangs":
			say("It is on")
			<-r.Context().Done()
		default:
			for _, word := range []string{"You", " said ", question, "."} {
				say(word)
			}
			end("stop")
		}
	}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	m.url = server.URL
	return m
}

// A modelStage is a hub with a bot that is a model, on each of the surfaces by which it is reached.
type modelStage struct {
	*endpoint
	t                *testing.T
	base, turns      string
	admin            *caller
	channel, agents  *caller
	user             string
	console, address string // a token of the agents' page; where the web chat is
}

func newModelStage(t *testing.T, parts []string) *modelStage {
	t.Helper()
	s := &modelStage{endpoint: newEndpoint(t), t: t, address: "models"}
	hub := startProcess(t, nil, append([]string{"--listen", "127.0.0.1:0", "--data", t.TempDir(), "--bootstrap-client", bootstrap, "--callback-allow", "127.0.0.0/8"}, parts...)...)
	s.base = hub.url
	admin, err := login(t.Context(), hub.url)
	if err != nil {
		t.Fatal(err)
	}
	s.admin = admin
	var bot struct{ ID, ParticipantID, ChannelID string }
	s.ask(admin, http.MethodPost, "/admin/v1/bots", object{"name": "Sage", "language": "en-US", "turnDeadlineSeconds": 3,
		"connector": object{"kind": "llm", "url": s.url + "/v1", "model": object{"name": "small", "key": "sk-test", "prompt": "You sell boots."}}}, &bot, http.StatusCreated)
	key := func(kind string) string {
		var made struct{ Key string }
		s.ask(admin, http.MethodPost, "/admin/v1/keys", object{"kind": kind, "botId": bot.ID}, &made, http.StatusCreated)
		return made.Key
	}
	s.channel = &caller{base: hub.url, headers: map[string]string{"API-KEY": key("broker"), "OS": "Linux", "USER-REF": "203.0.113.7", "LOCALE": "en-US"}}
	s.turns = fmt.Sprintf("/org/%s/env/%s/bot/%s/channel/%s/v1/conversations", parley.DefaultOrganisation, parley.DefaultTenant, bot.ID, bot.ChannelID)
	s.agents = &caller{base: hub.url + "/external", headers: map[string]string{"Agent-Secret-Key": key("agent")}}
	var user struct{ ID string }
	s.ask(s.agents, http.MethodPost, "/users", object{"firstName": "Anna", "lastName": "B", "fkId": "1"}, &user, http.StatusCreated)
	s.user = user.ID
	orchestration := admin.create(t, "orchestrations", object{"name": s.address, "applications": object{
		"botConfiguration":   object{"bots": []object{{"id": bot.ID, "participant": object{"id": bot.ParticipantID}, "onEscalation": object{"agent": object{"id": parley.ConsoleApplication.String()}}}}},
		"agentConfiguration": object{"agents": []object{{"id": parley.ConsoleApplication.String()}}}}})
	admin.create(t, "accounts", object{"name": s.address, "address": s.address, "channel": object{"id": parley.WebChatChannel.String()},
		"options":            []object{{"name": "anonymous", "value": "true"}},
		"chatConfigurations": object{"orchestration": object{"id": orchestration}}})
	s.console = admin.boundToken(t, parley.ConsoleApplication.String(), "custom_agent")
	return s
}

func (s *modelStage) ask(c *caller, method, path string, in, out any, want int) {
	s.t.Helper()
	if err := c.call(s.t.Context(), method, path, in, want, out); err != nil {
		s.t.Fatal(err)
	}
}

// customer is a customer who says something on the web chat.
func (s *modelStage) customer(text string) (anna *liveSession, conversation string) {
	s.t.Helper()
	anna = connectLive(s.t, s.base, customerToken(s.t, s.base, s.address))
	said := object{"messageId": "m1", "type": object{"value": "text"}, "content": object{"text": text}}
	return anna, anna.ask("open", object{"message": said})["conversation"].(string)
}

// types are those of all that is kept of a conversation, in order.
func (s *modelStage) types(conversation string) (all []string) {
	s.t.Helper()
	var timeline struct{ Message []struct{ Type string } }
	s.ask(s.admin, http.MethodGet, "/admin/v1/conversations/"+conversation+"/timeline", nil, &timeline, http.StatusOK)
	for _, m := range timeline.Message {
		all = append(all, m.Type)
	}
	return all
}

// begin is a conversation over the agents' surface.
func (s *modelStage) begin() string {
	s.t.Helper()
	var made struct{ ID string }
	s.ask(s.agents, http.MethodPost, "/conversations", object{"conversationUserId": s.user}, &made, http.StatusCreated)
	return made.ID
}

// answered is what an agent says, when the customer has heard it.
func (s *modelStage) answered(anna *liveSession, conversation string) {
	s.t.Helper()
	dana := connectLive(s.t, s.base, s.console)
	dana.ask("subscribe", object{"conversation": conversation, "after": 0})
	dana.ask("post", object{"messageId": "a1", "type": object{"value": "text"}, "content": object{"text": "I am Dana."}, "conversation": object{"id": conversation}})
	for !strings.Contains(fmt.Sprint(anna.wait("message")), "I am Dana.") {
	}
}

// An answer of a language model grows before the customer's eyes, each time by what the model said since, and is kept once. Surfaces where one call is
// one answer have the whole of it, once.
func TestModelsAnswerGrows(t *testing.T) {
	for name, parts := range stages(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newModelStage(t, parts(t))
			anna, id := s.customer("grow")
			for _, want := range []string{"It", "It <grows>", "It <grows> well."} {
				got := anna.next()["partial"]
				if diff := cmp.Diff(any(object{"conversation": id, "question": 1.0, "text": want}), got); diff != "" {
					t.Fatalf("it grows otherwise (-want +got)\n%s", diff)
				}
				s.grow <- struct{}{}
			}
			said := anna.next()["message"].(object)
			content := said["message"].(object)["content"].(object)
			if said["seq"] != 2.0 || content["text"] != "It <grows> well." || content["html"] != "It &lt;grows&gt; well." {
				t.Errorf("then it is %v", said)
			}
			if diff := cmp.Diff([]string{"text", "text"}, s.types(id)); diff != "" {
				t.Errorf("kept is (-want +got)\n%s", diff)
			}

			var turn channelTurn
			s.ask(s.channel, http.MethodPost, s.turns, object{"text": "hello"}, &turn, http.StatusOK)
			if len(turn.Answers) != 1 || turn.text() != "You said hello." {
				t.Errorf("on the broker's surface: %+v", turn)
			}
			if diff := cmp.Diff([]string{"text", "text"}, s.types(turn.SessionCode)); diff != "" {
				t.Errorf("kept of the broker's surface is (-want +got)\n%s", diff)
			}
			id = s.begin()
			var reply struct{ Message, SenderRole string }
			s.ask(s.agents, http.MethodPost, "/conversations/"+id+"/messages", object{"message": "hello"}, &reply, http.StatusCreated)
			var all struct {
				Messages []struct{ Message, SenderRole string }
			}
			s.ask(s.agents, http.MethodGet, "/conversations/"+id+"/messages", nil, &all, http.StatusOK)
			if reply.Message != "You said hello." || reply.SenderRole != "assistant" || len(all.Messages) != 2 || all.Messages[1] != reply {
				t.Errorf("on the agents' surface: %+v of %+v", reply, all)
			}
		})
	}
}

// A model that calls for people is heard, and people go on, on every surface.
func TestModelsCallForPeople(t *testing.T) {
	for name, parts := range stages(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newModelStage(t, parts(t))
			anna, id := s.customer("person")
			if said := fmt.Sprint(anna.wait("message")); !strings.Contains(said, "A colleague will help.") {
				t.Errorf("the model says %s", said)
			}
			s.answered(anna, id)
			var turn channelTurn
			s.ask(s.channel, http.MethodPost, s.turns, object{"text": "person"}, &turn, http.StatusOK)
			if turn.text() != "A colleague will help.\n" || turn.ContextReadOnly.Handover.State != "waiting" {
				t.Errorf("on the broker's surface: %+v", turn)
			}
			id = s.begin()
			var reply struct{ Message string }
			s.ask(s.agents, http.MethodPost, "/conversations/"+id+"/messages", object{"message": "person"}, &reply, http.StatusCreated)
			var shown struct{ Mode string }
			s.ask(s.agents, http.MethodGet, "/conversations/"+id, nil, &shown, http.StatusOK)
			if reply.Message != "A colleague will help." || shown.Mode != "manual" {
				t.Errorf("on the agents' surface: %+v, %+v", reply, shown)
			}
			for range 3 {
				<-s.asked
			}
			s.ask(s.channel, http.MethodPost, s.turns+"/"+turn.SessionCode, object{"text": "hello?"}, &turn, http.StatusOK)
			if len(s.asked) != 0 {
				t.Errorf("with people the model is asked %q", <-s.asked)
			}
		})
	}
}

// Whatever a model does wrong, it is asked once and half an answer is never kept; a customer on a page goes to people, and whoever waits for an answer
// hears that there is none, and may go on.
func TestModelsFail(t *testing.T) {
	for name, parts := range stages(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newModelStage(t, parts(t))
			for fault, status := range map[string]int{"nothing": 460, "breaks": 462, "hangs": 460} {
				anna, page := s.customer(fault)
				if state := fmt.Sprint(anna.wait("message")); !strings.Contains(state, "conversation.state") || !strings.Contains(state, "escalated") {
					t.Errorf("%s: the page hears %s", fault, state)
				}
				s.answered(anna, page)
				if all := fmt.Sprint(s.types(page)); all != "[text escalation.transfer conversation.state text]" {
					t.Errorf("%s: of the page is kept %s", fault, all)
				}

				err := s.channel.call(t.Context(), http.MethodPost, s.turns, object{"text": fault}, status, nil)
				if err != nil {
					t.Errorf("%s, in a new session: %v", fault, err)
				}
				var turn channelTurn
				s.ask(s.channel, http.MethodPost, s.turns, object{"text": "hello"}, &turn, http.StatusOK)
				session := s.turns + "/" + turn.SessionCode
				if err := s.channel.call(t.Context(), http.MethodPost, session, object{"text": fault}, status, nil); err != nil {
					t.Errorf("%s, in a session: %v", fault, err)
				}
				s.ask(s.channel, http.MethodPost, session, object{"text": "again"}, &turn, http.StatusOK)
				if turn.text() != "You said again." {
					t.Errorf("%s, the turn after it: %+v", fault, turn)
				}

				id := s.begin()
				if err := s.agents.call(t.Context(), http.MethodPost, "/conversations/"+id+"/messages", object{"message": fault}, http.StatusInternalServerError, nil); err != nil {
					t.Errorf("%s: %v", fault, err)
				}
				var all struct{ Messages []struct{ ID string } }
				s.ask(s.agents, http.MethodGet, "/conversations/"+id+"/messages", nil, &all, http.StatusOK)
				if len(all.Messages) != 1 {
					t.Fatalf("%s: kept is %+v", fault, all)
				}
				var response struct{ Status, Error string }
				s.ask(s.agents, http.MethodGet, "/conversations/"+id+"/messages/"+all.Messages[0].ID+"/response-on", nil, &response, http.StatusOK)
				if response.Status != "failed" || response.Error == "" {
					t.Errorf("%s: the response is %+v", fault, response)
				}
				counts := map[string]int{}
				for len(s.asked) > 0 {
					counts[<-s.asked]++
				}
				if diff := cmp.Diff(map[string]int{fault: 4, "hello": 1, "again": 1}, counts); diff != "" {
					t.Errorf("the model is asked (-want +got)\n%s", diff)
				}
			}
		})
	}
}
