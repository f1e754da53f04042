package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"parley"
	"parley/configs"
)

// A manager is a program that uses the manage surface with a key of its own.
type manager struct{ *caller }

// manages makes a key and gets a token for it, as a program would.
func (c *caller) manages(t testing.TB) *manager {
	t.Helper()
	var key struct{ AppID, AppSecret string }
	if err := c.call(t.Context(), http.MethodPost, "/admin/v1/keys", object{"kind": "manage", "name": "test"}, http.StatusCreated, &key); err != nil {
		t.Fatal(err)
	}
	m := &manager{&caller{base: c.base}}
	var answer struct{ AccessToken string }
	if err := m.call(t.Context(), http.MethodPost, "/oauth2/token:generate", object{"type": "application", "appId": key.AppID, "appSecret": key.AppSecret}, http.StatusOK, &answer); err != nil {
		t.Fatal(err)
	}
	m.token = answer.AccessToken
	return m
}

// ask calls and returns the answer as text.
func (m *manager) ask(t testing.TB, method, path string, in any, want int) string {
	t.Helper()
	var out json.RawMessage
	if err := m.call(t.Context(), method, path, in, want, &out); err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// until asks until the answer has a text.
func (m *manager) until(t testing.TB, path, text string) string {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		answer := m.ask(t, http.MethodGet, path, nil, http.StatusOK)
		if strings.Contains(answer, text) {
			return answer
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-deadline:
			t.Fatalf("%s never had %q, but %s", path, text, answer)
		}
	}
}

// What a customer says over WebSocket is found on the manage surface, and wakes what its tracker asks for: a label, a word to whoever
// has the turn, and the hand-over from the bot to the agents who keep people.
func TestSaidOverWebSocketFoundOnManage(t *testing.T) {
	for name, parts := range stages(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hub := startProcess(t, nil, append([]string{"--listen", "127.0.0.1:0", "--data", t.TempDir(), "--bootstrap-client", bootstrap, "--callback-allow", "127.0.0.0/8"}, parts(t)...)...)
			log, ctx := newCallbackLog(t), t.Context()
			c, err := login(ctx, hub.url)
			if err != nil {
				t.Fatal(err)
			}
			m := c.manages(t)
			s := c.setUp(t, log.URL, "shop")
			retention := c.create(t, "clientapplications", object{"name": "retention", "roles": []object{{"name": "custom_agent", "version": "v3",
				"callback": log.URL + "/retention", "notificationEmail": "ops@example.org"}}})
			orchestration := c.create(t, "orchestrations", object{"name": "web", "applications": object{
				"botConfiguration":   object{"bots": []object{{"id": s.bot, "participant": object{"id": s.participant}, "onEscalation": object{"agent": object{"id": s.agent}}}}},
				"agentConfiguration": object{"agents": []object{{"id": s.agent}, {"id": retention}}}}})
			c.create(t, "accounts", object{"name": "web", "address": "web", "channel": object{"id": parley.WebChatChannel.String()}, "options": []object{{"name": "anonymous", "value": "true"}},
				"chatConfigurations": object{"orchestration": object{"id": orchestration}}})

			var made struct{ Tracker struct{ ID string } }
			answer := m.ask(t, http.MethodPost, "/v1/manage/trackers", object{"name": "Leaving", "vocabulary": []string{"cancel my contract"}}, http.StatusOK)
			if err := json.Unmarshal([]byte(answer), &made); err != nil {
				t.Fatal(err)
			}
			if err := c.call(ctx, http.MethodPatch, "/admin/v1/trackers/"+made.Tracker.ID, object{"label": "retention", "callback": true, "handOver": true, "toApplicationId": retention},
				http.StatusNoContent, nil); err != nil {
				t.Fatal(err)
			}
			m.ask(t, http.MethodPost, "/v1/manage/groups", object{"name": "Leaving", "criteria": "conversation.label==retention"}, http.StatusCreated)

			customer := connectLive(t, hub.url, customerToken(t, hub.url, "web"))
			said := customer.ask("open", object{"message": object{"messageId": "c-1", "type": object{"value": "text"}, "content": object{"text": "Hello! I want to terminate my contract."}}})
			conversation, _ := said["conversation"].(string)
			if conversation == "" {
				t.Fatalf("posted: %v", said)
			}
			log.wait(t, "the hand-over to those who keep people", func(x callback) bool { return x.role == "retention" && x.kind == "escalation.transfer" })

			var hits struct {
				Number  string
				Label   []string
				Tracker []struct {
					Name, Phrase string
					Offset       int
					Similarity   float64
					Words        []string
				}
			}
			for deadline := time.After(20 * time.Second); len(hits.Tracker) == 0; {
				if err := c.call(ctx, http.MethodGet, "/admin/v1/conversations/"+conversation+"/hits", nil, http.StatusOK, &hits); err != nil {
					t.Fatal(err)
				}
				select {
				case <-time.After(10 * time.Millisecond):
				case <-deadline:
					t.Fatalf("nothing was found: %+v", hits)
				}
			}
			if h := hits.Tracker[0]; h.Name != "Leaving" || h.Phrase != "cancel my contract" || h.Offset != -1 || h.Similarity < 0.5 || len(h.Words) == 0 || len(hits.Label) != 1 {
				t.Errorf("hits = %+v", hits)
			}
			found := m.ask(t, http.MethodGet, "/v1/conversations/"+hits.Number+"/trackers", nil, http.StatusOK)
			for _, part := range []string{`"name":"Leaving"`, `"value":"cancel my contract"`, `"text":"Hello! I want to terminate my contract."`, `"offset":-1`} {
				if !strings.Contains(found, part) {
					t.Errorf("the trackers are %s, without %s", found, part)
				}
			}
			if listed := m.ask(t, http.MethodGet, "/v1/manage/groups", nil, http.StatusOK); !strings.Contains(listed, "conversation.label==retention") {
				t.Errorf("groups: %s", listed)
			}
			var groups struct{ Groups []struct{ ID string } }
			if err := json.Unmarshal([]byte(m.ask(t, http.MethodGet, "/v1/manage/groups", nil, http.StatusOK)), &groups); err != nil {
				t.Fatal(err)
			}
			m.until(t, "/v1/groups/"+groups.Groups[0].ID+"/conversations", hits.Number)

			m.ask(t, http.MethodDelete, "/v1/conversations/"+hits.Number, nil, http.StatusOK)
			for told := ""; !strings.Contains(told, `"conversation.end"`); {
				frame, err := json.Marshal(customer.wait("message"))
				if err != nil {
					t.Fatal(err)
				}
				told = string(frame)
			}
			log.wait(t, "the end of the deleted conversation", func(x callback) bool { return x.role == "retention" && x.kind == "conversation.end" })
			var audit struct {
				Entry []struct{ Action, Subject, Actor string }
			}
			if err := c.call(ctx, http.MethodGet, "/admin/v1/audit", nil, http.StatusOK, &audit); err != nil {
				t.Fatal(err)
			}
			if e := audit.Entry[0]; e.Action != "conversations.delete" || e.Subject != conversation || e.Actor == "" {
				t.Errorf("the audit log ends with %+v, want who deleted the conversation", e)
			}
		})
	}
}

// A webhook hears of the end of a job, from a hub whose guard lets it.
func TestWebhookHearsOfAJob(t *testing.T) {
	told := make(chan string, 8)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		told <- string(body)
	}))
	t.Cleanup(receiver.Close)
	_, url := inProcess(t, func(c *configs.Serve) { c.Roles = append(c.Roles, configs.RoleInsight) })
	c, err := login(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	m := c.manages(t)
	var given struct{ ConversationID, JobID string }
	if err := json.Unmarshal([]byte(m.ask(t, http.MethodPost, "/v1/process/text", object{"webhookUrl": receiver.URL, "messages": []object{{"payload": object{"content": "Hello"}}}},
		http.StatusCreated)), &given); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-told:
		if got != `{"jobId":"`+given.JobID+`","status":"completed"}` {
			t.Errorf("the webhook was told %s", got)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the webhook was told nothing")
	}
}

// The commands of docs/understanding.md work as they are written, one after the other, and find something.
func TestUnderstandingPageIsTrue(t *testing.T) {
	_, url := inProcess(t, func(c *configs.Serve) { c.Roles = append(c.Roles, configs.RoleInsight) })
	log := newCallbackLog(t)
	c, err := login(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	m := c.manages(t)
	m.ask(t, http.MethodPost, "/v1/manage/tracker", object{"name": "Greeting", "vocabulary": []string{"hello"}}, http.StatusOK)
	conversation, _, err := c.post(t.Context(), c.setUp(t, log.URL, "page").begin("m-1", "Hello on 2026-03-01", "anna@example.org"))
	if err != nil {
		t.Fatal(err)
	}
	listed := m.until(t, "/v1/conversations", `"members":[{`)
	number := regexp.MustCompile(`"id":"(\d+)"`).FindStringSubmatch(listed)[1]
	m.until(t, "/v1/conversations/"+number+"/trackers", "Greeting")

	env := append(os.Environ(), "HUB="+url, "ADMIN="+c.token, "CONVERSATION="+conversation, "NUMBER="+number)
	learnt := map[string]*regexp.Regexp{"APP_ID": regexp.MustCompile(`"appId":"([^"]+)"`), "APP_SECRET": regexp.MustCompile(`"appSecret":"([^"]+)"`),
		"TOKEN": regexp.MustCompile(`"accessToken":"([^"]+)"`), "TRACKER": regexp.MustCompile(`"tracker":\{"id":"(\d+)"`), "JOB": regexp.MustCompile(`"jobId":"([^"]+)"`)}
	nothing := regexp.MustCompile(`^(\[\]|\{("\w+":\[\])?\})$`)
	ran := 0
	for _, block := range snippets(t, "../../docs/understanding.md") {
		for line := range strings.SplitSeq(strings.ReplaceAll(strings.TrimSpace(block.text), "\\\n", ""), "\n") {
			cmd := exec.CommandContext(t.Context(), "bash", "-euc", strings.Replace(line, "curl -s", "curl -sS --fail-with-body", 1))
			cmd.Env = env
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%s: %v: %s", line, err, out)
			}
			ran++
			for name, pattern := range learnt {
				if found := pattern.FindSubmatch(out); found != nil {
					env = append(env, name+"="+string(found[1]))
				}
			}
			if !strings.Contains(line, "PATCH") && (!json.Valid(out) || nothing.Match(out)) {
				t.Errorf("%s answers %s", line, out)
			}
		}
	}
	if ran != 17 {
		t.Errorf("%d commands ran", ran)
	}
}

// A channel that names a language without a region (LOCALE: en) is listened to by trackers of the region where most write it, which is what
// they have by default, and by none of another one.
func TestBareLanguageOfAChannelIsListenedTo(t *testing.T) {
	for name, parts := range stages(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hub := startProcess(t, nil, append([]string{"--listen", "127.0.0.1:0", "--data", t.TempDir(), "--bootstrap-client", bootstrap}, parts(t)...)...)
			c, err := login(t.Context(), hub.url)
			if err != nil {
				t.Fatal(err)
			}
			ask := func(by *caller, method, path string, in, out any, want int) {
				t.Helper()
				if err := by.call(t.Context(), method, path, in, want, out); err != nil {
					t.Fatal(err)
				}
			}
			bot := c.demoBot(t)
			var key struct{ Key string }
			ask(c, http.MethodPost, "/admin/v1/keys", object{"kind": "broker", "botId": bot.ID}, &key, http.StatusCreated)

			m := c.manages(t)
			m.ask(t, http.MethodPost, "/v1/manage/trackers", []object{{"name": "Default", "vocabulary": []string{"cancel my contract"}},
				{"name": "Bare", "languages": []string{"en"}, "vocabulary": []string{"cancel my contract"}},
				{"name": "British", "languages": []string{"en-GB"}, "vocabulary": []string{"cancel my contract"}}}, http.StatusOK)
			channel := &caller{base: hub.url, headers: map[string]string{"API-KEY": key.Key, "OS": "Linux", "USER-REF": "203.0.113.7", "LOCALE": "en", "BUSINESS-KEY": "customer-4711"}}
			turns := fmt.Sprintf("/org/%s/env/%s/bot/%s/channel/%s/v1/conversations", parley.DefaultOrganisation, parley.DefaultTenant, bot.ID, bot.ChannelID)
			ask(channel, http.MethodPost, turns, object{"text": "I want to cancel my contract."}, nil, http.StatusOK)

			var listed struct{ Conversations []struct{ ID string } }
			if err := json.Unmarshal([]byte(m.until(t, "/v1/conversations", `"id"`)), &listed); err != nil {
				t.Fatal(err)
			}
			found := m.until(t, "/v1/conversations/"+listed.Conversations[0].ID+"/trackers", `"Default"`)
			if !strings.Contains(found, `"Bare"`) || strings.Contains(found, `"British"`) || !strings.Contains(found, `"offset":10`) {
				t.Errorf("found %s, want what the trackers for en-US and en found at its offset, and no other", found)
			}
		})
	}
}
