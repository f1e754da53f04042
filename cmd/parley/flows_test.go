package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"parley"
	exampleflows "parley/examples/flows"
)

// A channelTurn is what the broker surface answers.
type channelTurn struct {
	SessionCode string
	Answers     []struct {
		Content     string
		Buttons     []object
		QuickReply  []object
		Interaction string `json:"interactionId"`
	}
	UserInput       *struct{ Type string }
	ContextReadOnly struct{ Handover struct{ State string } }
}

func (c *channelTurn) text() string {
	var all []string
	for _, a := range c.Answers {
		all = append(all, a.Content)
	}
	return strings.Join(all, "\n")
}

// A madeBot is a bot with its default channel.
type madeBot struct{ ID, ChannelID string }

// demoBot makes a bot that answers by the demo's flow.
func (c *caller) demoBot(t testing.TB) (bot madeBot) {
	t.Helper()
	if err := c.call(t.Context(), http.MethodPost, "/admin/v1/bots", object{"name": "Shop", "language": "en-US", "connector": object{"kind": "rules"}}, http.StatusCreated, &bot); err != nil {
		t.Fatal(err)
	}
	flows := "/admin/v1/bots/" + bot.ID + "/flows"
	if err := errors.Join(c.call(t.Context(), http.MethodPost, flows, object{"source": string(exampleflows.Demo)}, http.StatusCreated, nil),
		c.call(t.Context(), http.MethodPost, flows+"/draft/publish", nil, http.StatusNoContent, nil)); err != nil {
		t.Fatal(err)
	}
	return bot
}

// A flow that was published answers on the broker surface, without any outside program; a draft answers only those who test, and going
// back to an earlier version undoes.
func TestPublishedFlowsAnswer(t *testing.T) {
	for name, parts := range stages(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hub := startProcess(t, nil, append([]string{"--listen", "127.0.0.1:0", "--data", t.TempDir(), "--bootstrap-client", bootstrap}, parts(t)...)...)
			ctx := t.Context()
			c, err := login(ctx, hub.url)
			if err != nil {
				t.Fatal(err)
			}
			ask := func(method, path string, in, out any, want int) {
				t.Helper()
				if err := c.call(ctx, method, path, in, want, out); err != nil {
					t.Fatal(err)
				}
			}
			var bot struct{ ID, ChannelID string }
			ask(http.MethodPost, "/admin/v1/bots", object{"name": "Shop", "language": "en-US", "connector": object{"kind": "rules"}}, &bot, http.StatusCreated)
			var key struct{ Key string }
			ask(http.MethodPost, "/admin/v1/keys", object{"kind": "broker", "name": "test"}, &key, http.StatusCreated)

			channel := &caller{base: hub.url, headers: map[string]string{"API-KEY": key.Key, "OS": "Linux", "USER-REF": "203.0.113.7", "LOCALE": "en-US"}}
			path := fmt.Sprintf("/org/%s/env/%s/bot/%s/channel/%s/v1/conversations", parley.DefaultOrganisation, parley.DefaultTenant, bot.ID, bot.ChannelID)
			turn := func(session string, in object, want int) (out channelTurn) {
				t.Helper()
				at := path
				if session != "" {
					at += "/" + session
				}
				if err := channel.call(ctx, http.MethodPost, at, in, want, &out); err != nil {
					t.Fatal(err)
				}
				return out
			}
			welcome := object{"code": parley.WelcomeCode}
			turn("", welcome, 461) // it has no flow

			var saved struct{ Version int64 }
			ask(http.MethodPost, "/admin/v1/bots/"+bot.ID+"/flows", object{"source": string(exampleflows.Demo)}, &saved, http.StatusCreated)
			turn("", welcome, 461) // a draft is not live
			var tried struct{ Answer []struct{ Text string } }
			ask(http.MethodPost, "/admin/v1/bots/"+bot.ID+"/test", object{"draft": true}, &tried, http.StatusOK)
			if len(tried.Answer) != 1 || !strings.HasPrefix(tried.Answer[0].Text, "Welcome") {
				t.Errorf("the draft answers %+v", tried)
			}
			ask(http.MethodPost, "/admin/v1/bots/"+bot.ID+"/flows/draft/publish", nil, nil, http.StatusNoContent)

			first := turn("", welcome, http.StatusOK)
			if !strings.HasPrefix(first.text(), "Welcome, ") || len(first.Answers[0].QuickReply) != 4 {
				t.Errorf("welcome: %+v", first)
			}
			if asked := turn(first.SessionCode, object{"text": "where is my parcel?"}, http.StatusOK); asked.UserInput == nil || asked.UserInput.Type != "CUSTOM" {
				t.Errorf("where is my parcel: %+v", asked)
			}
			if found := turn(first.SessionCode, object{"userInput": "AB123456"}, http.StatusOK); !strings.Contains(found.text(), "Parcel AB123456 is on its way.") {
				t.Errorf("AB123456: %+v", found)
			}
			changed := strings.ReplaceAll(string(exampleflows.Demo), "en: 'Goodbye!'", "en: 'Farewell!'")
			ask(http.MethodPost, "/admin/v1/bots/"+bot.ID+"/flows", object{"source": changed}, &saved, http.StatusCreated)
			for version, want := range map[string]string{"1": "Goodbye!", "draft": "Farewell!"} {
				ask(http.MethodPost, "/admin/v1/bots/"+bot.ID+"/flows/"+version+"/publish", nil, nil, http.StatusNoContent)
				if said := turn("", object{"text": "goodbye"}, http.StatusOK); said.text() != want {
					t.Errorf("version %s says %q", version, said.text())
				}
			}
			// People go on.
			escalated := func() bool {
				var timeline json.RawMessage
				ask(http.MethodGet, "/admin/v1/conversations/"+first.SessionCode+"/timeline", nil, &timeline, http.StatusOK)
				return strings.Contains(string(timeline), "escalation")
			}
			if escalated() {
				t.Error("people were asked before the customer wanted any")
			}
			if said := turn(first.SessionCode, object{"text": "I want to talk to a person"}, http.StatusOK); !strings.Contains(said.text(), "One moment") {
				t.Errorf("a person: %+v", said)
			}
			if !escalated() {
				t.Error("nobody was asked to go on")
			}
		})
	}
}
