package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// clientTimeout bounds one call of a REST client: in a fault it is what lets the client go on.
const clientTimeout = 5 * time.Second

// plainClient asks the campaign's own questions, past all proxies.
var plainClient = &http.Client{Timeout: clientTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: 16}}

// credentials of the API client that hubs are started with.
const clientID, clientSecret = "chaos", "chaos-only-secret"

// An api calls the REST of one hub.
type api struct {
	client *http.Client
	base   string
	token  string
}

// A refusal is an answer with another status than was wanted.
type refusal struct {
	what   string
	status int
	body   string
}

func (r *refusal) Error() string { return fmt.Sprintf("%s = %d %s", r.what, r.status, r.body) }

// call makes a request with a JSON body, and decodes the answer into out.
func (a *api) call(ctx context.Context, path, kind string, body io.Reader, out any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.base+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", kind)
	if a.token != "" {
		req.Header.Set("Authorization", "Bearer "+a.token)
	}
	res, err := a.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return &refusal{path, res.StatusCode, string(text)}
	}
	return json.Unmarshal(text, out)
}

func (a *api) post(ctx context.Context, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	return a.call(ctx, path, "application/json", bytes.NewReader(body), out)
}

// login fetches a token for a client; a must have none.
func (a *api) login(ctx context.Context, id, secret string) (string, error) {
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {secret}}
	var out struct {
		Token string `json:"access_token"`
	}
	err := (&api{client: a.client, base: a.base}).call(ctx, "/oauth2/token", "application/x-www-form-urlencoded", strings.NewReader(form.Encode()), &out)
	return out.Token, err
}

type object = map[string]any

const conversationmgr = "/conversation/conversationmgr/v3"

// Ids of what every tenant has from the start; see the root package.
const (
	consoleApplication = "00000000-0000-7000-8000-000000000011"
	webChatChannel     = "00000000-0000-7000-8000-000000000020"
)

// The addresses of the accounts: web chat behind a bot, web chat behind the console, and a channel of programs.
const (
	botAddress, deskAddress, siteAddress = "bot", "desk", "site"
	siteChannel                          = "custom.site"
)

// A shop is what a campaign's conversations run in.
type shop struct{ agentID, agentSecret string }

// setUp makes the shop. Callbacks go to one URL with the role as its path.
func (a *api) setUp(ctx context.Context, callbacks string) (s shop, err error) {
	create := func(kind string, in object) string {
		var out struct{ ID string }
		if err == nil {
			err = a.post(ctx, conversationmgr+"/"+kind, in, &out)
		}
		return out.ID
	}
	app := func(role string) string {
		return create("clientapplications", object{"name": "chaos " + role, "roles": []object{{"name": role, "version": "v3",
			"callback": callbacks + "/" + role, "notificationEmail": "chaos@example.org"}}})
	}
	bot, customer := app("custom_bot"), app("customer")
	// The bot answers when the faults let it: its silence must not end what a case is about.
	participant := create("participants", object{"name": "Rex", "type": "custom_bot", "application": object{"id": bot},
		"options": []object{{"name": "turnDeadlineSeconds", "value": "86400"}}})
	bots := object{"bots": []object{{"id": bot, "participant": object{"id": participant}}}}
	channel := create("channels", object{"type": siteChannel, "displayName": "site", "icon": "aWNvbg=="})
	for _, account := range []struct {
		address, channel string
		applications     object
	}{
		{botAddress, webChatChannel, object{"botConfiguration": bots}},
		{deskAddress, webChatChannel, object{"agentConfiguration": object{"agents": []object{{"id": consoleApplication}}}}},
		{siteAddress, channel, object{"botConfiguration": bots, "customerConfiguration": object{"customer": object{"id": customer}}}},
	} {
		orchestration := create("orchestrations", object{"name": account.address, "applications": account.applications})
		create("accounts", object{"name": account.address, "address": account.address, "channel": object{"id": account.channel},
			"options":            []object{{"name": "anonymous", "value": "true"}},
			"chatConfigurations": object{"orchestration": object{"id": orchestration}, "timeout": 43200, "entryPoint": object{"id": "1"}}})
	}
	if err != nil {
		return s, err
	}
	var made struct{ ID, Secret string }
	err = a.post(ctx, "/admin/v1/clients", object{"name": "chaos agents", "scopes": []string{"app.conversation.conversationmgr.interaction.manage"},
		"applicationId": consoleApplication, "roles": []string{"custom_agent"}}, &made)
	return shop{made.ID, made.Secret}, err
}

// visitor makes a customer of a web chat account, and returns the token of its sessions.
func (a *api) visitor(ctx context.Context, address string) (string, error) {
	var out struct{ Token string }
	err := (&api{client: a.client, base: a.base}).post(ctx, "/widget/v1/sessions", object{"account": object{"channel": object{"type": "web_chat"}, "address": address}}, &out)
	return out.Token, err
}

// say is a message of a conversation as REST and sessions take it.
func say(conversation, messageID, sender, kind string, content object) object {
	m := object{"messageId": messageID, "type": object{"value": kind}, "sender": object{"type": sender}}
	if conversation != "" {
		m["conversation"] = object{"id": conversation}
	}
	if content != nil {
		m["content"] = content
	}
	return m
}

// begin is the message that starts a conversation on the programs' channel.
func begin(messageID, contact string) object {
	m := say("", messageID, "customer", "text", object{"text": messageID})
	m["conversation"] = object{"account": object{"address": siteAddress, "channel": object{"type": siteChannel}}, "lookupContact": "email",
		"customer": object{"name": "Anna", "contacts": object{"contact": []object{{"type": "email", "address": contact}}}}}
	return m
}

// send posts one message and says where it is.
func (a *api) send(ctx context.Context, message object) (conversation, id string, err error) {
	var out struct {
		Messages struct {
			Message []struct {
				ID           string
				Conversation struct{ ID string }
			}
		}
	}
	if err := a.post(ctx, conversationmgr+"/conversations/messages", object{"messages": object{"message": []object{message}}}, &out); err != nil {
		return "", "", err
	}
	if len(out.Messages.Message) != 1 {
		return "", "", fmt.Errorf("posted one message, answered for %d", len(out.Messages.Message))
	}
	return out.Messages.Message[0].Conversation.ID, out.Messages.Message[0].ID, nil
}
