package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"parley"
	"parley/configs"
	"parley/store/storetest"
)

// With redaction on, what must not be shown reaches no callback, no answer and no table, on the way in from any surface.
func TestRedactionReachesEverySurface(t *testing.T) {
	for name, parts := range map[string]func(*testing.T, *configs.Serve){
		"sqlite":   func(*testing.T, *configs.Serve) {},
		"postgres": func(t *testing.T, c *configs.Serve) { c.Database = storetest.PostgresURL(t) },
	} {
		t.Run(name, func(t *testing.T) {
			var record configs.Store
			_, url := inProcess(t, func(c *configs.Serve) {
				c.Roles = append(c.Roles, configs.RoleInsight)
				parts(t, c)
				record = c.Store
			})
			log, ctx := newCallbackLog(t), t.Context()
			c, err := login(ctx, url)
			if err != nil {
				t.Fatal(err)
			}
			m := c.manages(t)
			s := c.setUp(t, log.URL, "shop")
			// The account's settings are in memory by now: the change has to be heard of.
			if _, _, err := c.post(ctx, s.begin("m-0", "Hello", "anna@example.org")); err != nil {
				t.Fatal(err)
			}
			m.ask(t, http.MethodPatch, "/v1/manage/settings", []object{{"op": "add", "path": "/redaction", "value": object{"default": true, "exclude": []string{"URL"}}}}, http.StatusOK)
			conversation, _, err := c.post(ctx, s.begin("m-1", "My card is 4111 1111 1111 1111, see https://example.org/x", "bert@example.org"))
			if err != nil {
				t.Fatal(err)
			}
			const shown = "My card is [CARD_NUMBER], see https://example.org/x"
			log.wait(t, "the redacted text", func(x callback) bool { return x.text == shown })
			if _, _, err := c.post(ctx, say(conversation, "c-2", "customer", "conversation.end", nil)); err != nil {
				t.Fatal(err)
			}
			var finished object
			if err := c.call(ctx, http.MethodGet, conversationmgrBase+"/conversations/"+conversation, nil, http.StatusOK, &finished); err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(finished)
			if err != nil || !strings.Contains(string(text), "[CARD_NUMBER]") {
				t.Errorf("read back: %s, %v", text, err)
			}
			var given struct{ ConversationID, JobID string }
			if err := json.Unmarshal([]byte(m.ask(t, http.MethodPost, "/v1/process/text", object{"messages": []object{{"payload": object{"content": "Charge 5500 0000 0000 0004 please"}}}},
				http.StatusCreated)), &given); err != nil {
				t.Fatal(err)
			}
			m.until(t, "/v1/job/"+given.JobID, "completed")
			if messages := m.ask(t, http.MethodGet, "/v1/conversations/"+given.ConversationID+"/messages", nil, http.StatusOK); !strings.Contains(messages, "Charge [CARD_NUMBER] please") {
				t.Errorf("messages: %s", messages)
			}
			roads := othersWays(t, c, s, url)
			dump := dumpOf(t, record)
			exported := c.text(t, http.MethodGet, "/admin/v1/export/conversations", "")
			for _, secret := range append(roads, "4111 1111", "5500 0000") {
				if strings.Contains(dump, secret) {
					t.Errorf("the record holds %q", secret)
				}
				if strings.Contains(exported, secret) {
					t.Errorf("the export has %q", secret)
				}
			}
			for _, told := range []string{shown, "Charge [CARD_NUMBER] please", "over WebSocket [CARD_NUMBER]", "over the broker [CARD_NUMBER]", "to begin with [CARD_NUMBER]", "imported [CARD_NUMBER]", "the bot knows [CARD_NUMBER]"} {
				if !strings.Contains(exported, told) {
					t.Errorf("the export is without %q: %s", told, exported)
				}
			}
			if !strings.Contains(dump, "Charge [CARD_NUMBER] please") {
				t.Error("the dump has no texts, so it shows nothing")
			}
		})
	}
}

// talkative is a webhook bot that tells card numbers in every place of an answer that holds words.
const talkative = `{"answers":[{"content":"<p>the bot knows 5555 5555&nbsp;5555 4444</p>","description":"5555 5555 5555 4444","technicalText":{"a":["5555 5555 5555 4444"]},
	"buttons":[{"name":"5555 5555 5555 4444","value":"5555 5555 5555 4444"}],"quickReply":[{"name":"5555 5555 5555 4444","value":"5555 5555 5555 4444"}]},
	{"type":"CAROUSEL","content":[{"title":"5555 5555 5555 4444","subTitle":"5555 5555 5555 4444","buttons":[{"name":"5555 5555 5555 4444","value":"x"}]}]},
	{"type":"IMAGE","content":"https://files.example.org/a.png","description":"5555 5555 5555 4444"}],
	"nlp":{"type":"INTENT","name":"pay","score":1,"entities":[{"name":"card","value":"5555 5555 5555 4444","original":"5555 5555 5555 4444"}]}}`

// othersWays says a card number on each of the other ways in: over WebSocket, the broker, the agents' surface, in the answer of a bot that the
// hub asks, by a bot that has lost its turn, in a survey, in a feedback and in an import. It returns what of them must be nowhere.
func othersWays(t *testing.T, c *caller, s shop, url string) (secrets []string) {
	t.Helper()
	ctx := t.Context()
	ask := func(c *caller, method, path string, in any, want int) string {
		t.Helper()
		var out json.RawMessage
		to := any(&out)
		if want == http.StatusNoContent {
			to = nil
		}
		if err := c.call(ctx, method, path, in, want, to); err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	bot := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, talkative)
	}))
	t.Cleanup(bot.Close)

	c.webChat(t, "redacted")
	session := connectLive(t, url, customerToken(t, url, "redacted"))
	session.ask("open", object{"message": object{"messageId": "w-1", "type": object{"value": "text"}, "content": object{"text": "over WebSocket 3782 822463 10005"}}})

	var made struct{ ID, ChannelID string }
	if err := c.call(ctx, http.MethodPost, "/admin/v1/bots", object{"name": "Talkative", "language": "en-US", "connector": object{"kind": "webhook", "url": bot.URL}}, http.StatusCreated, &made); err != nil {
		t.Fatal(err)
	}
	key := func(kind string) string {
		var k struct{ Key string }
		if err := c.call(ctx, http.MethodPost, "/admin/v1/keys", object{"kind": kind, "botId": made.ID}, http.StatusCreated, &k); err != nil {
			t.Fatal(err)
		}
		return k.Key
	}
	channel := &caller{base: url, headers: map[string]string{"API-KEY": key("broker"), "OS": "Linux", "USER-REF": "203.0.113.7", "LOCALE": "en-US", "BUSINESS-KEY": "customer-1"}}
	environment := fmt.Sprintf("/org/%s/env/%s", parley.DefaultOrganisation, parley.DefaultTenant)
	answered := ask(channel, http.MethodPost, environment+"/bot/"+made.ID+"/channel/"+made.ChannelID+"/v1/conversations", object{"text": "over the broker 6011 1111 1111 1117"}, http.StatusOK)
	var turn struct{ SessionCode string }
	if err := json.Unmarshal([]byte(answered), &turn); err != nil {
		t.Fatal(err)
	}
	answered += ask(channel, http.MethodGet, environment+"/history/customer-1", nil, http.StatusOK)
	if strings.Contains(answered, "5555") || strings.Count(answered, "[CARD_NUMBER]") < 9 {
		t.Errorf("the broker answers %s", answered)
	}
	ask(channel, http.MethodPost, environment+"/bot/"+made.ID+"/conversations/"+turn.SessionCode+"/satisfactions", object{"evaluation": 5, "userComments": "a survey 5105 1051 0510 5100"}, http.StatusOK)

	agents := &caller{base: url + "/external", headers: map[string]string{"Agent-Secret-Key": key("agent")}}
	var begun, reply, user struct{ ID, ConversationID string }
	into := func(text string, to any) {
		t.Helper()
		if err := json.Unmarshal([]byte(text), to); err != nil {
			t.Fatal(err)
		}
	}
	into(ask(agents, http.MethodPost, "/users", object{"firstName": "A", "lastName": "B", "fkId": "1"}, http.StatusCreated), &user)
	into(ask(agents, http.MethodPost, "/conversations", object{"conversationUserId": user.ID}, http.StatusCreated), &begun)
	into(ask(agents, http.MethodPost, "/conversations/"+begun.ID+"/messages", object{"message": "hello"}, http.StatusCreated), &reply)
	if told := ask(agents, http.MethodPost, "/conversation-message-feedbacks", object{"conversationMessageId": reply.ID, "userId": user.ID, "voteType": "up", "question": "3056 930902 5904",
		"answer": "3056 930902 5904", "comment": "3056 930902 5904"}, http.StatusCreated); strings.Count(told, "[CARD_NUMBER]") != 3 {
		t.Errorf("the feedback is %s", told)
	}
	ask(agents, http.MethodPost, "/conversations/start", object{"channel": "sms", "phoneNumber": "+34911234567", "firstName": "C", "lastName": "D", "smsIntroduction": "to begin with 3530 1113 3330 0000"}, http.StatusCreated)

	conversation, _, err := c.post(ctx, s.begin("late-1", "Hello", "late@example.org"))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.post(ctx, say(conversation, "late-2", "custom_bot", "escalation.transfer", nil)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.post(ctx, say(conversation, "late-3", "custom_bot", "text", object{"text": "too late 4012 8888 8888 1881"})); err == nil {
		t.Error("a bot without the turn was heard")
	} else if _, ok := errors.AsType[*wrongStatus](err); !ok {
		t.Fatal(err)
	}
	for deadline := time.After(20 * time.Second); ; {
		timeline := ask(c, http.MethodGet, "/admin/v1/conversations/"+conversation+"/timeline", nil, http.StatusOK)
		if strings.Contains(timeline, "too late") {
			if !strings.Contains(timeline, "too late [CARD_NUMBER]") {
				t.Errorf("the timeline shows %s", timeline)
			}
			break
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-deadline:
			t.Fatalf("what came too late is not in the timeline: %s", timeline)
		}
	}

	c.text(t, http.MethodPost, "/admin/v1/import", `{"id":"old","channelType":"web","messages":[{"sender":"customer","at":"2026-03-02T09:00:00Z","text":"imported 6011 0009 9013 9424"},`+
		`{"sender":"bot","at":"2026-03-02T09:00:01Z","html":"<b>6011 0009</b> 9013 9424","json":{"a":"6011 0009 9013 9424"}}],"feedback":{"evaluation":4,"comments":"6011 0009 9013 9424"}}`+"\n")
	return []string{"3782 822463", "5555 5555", "6011 1111", "5105 1051", "3056 930902", "3530 1113", "4012 8888", "6011 0009"}
}
