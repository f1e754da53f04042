package bench

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

// An api calls the hub's REST.
type api struct{ base, token string }

func (a *api) login(ctx context.Context) error {
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {clientID}, "client_secret": {clientSecret}}
	var out struct {
		Token string `json:"access_token"`
	}
	if err := a.do(ctx, "/oauth2/token", "application/x-www-form-urlencoded", strings.NewReader(form.Encode()), &out); err != nil {
		return err
	}
	a.token = out.Token
	return nil
}

// clientTimeout bounds one call.
const clientTimeout = 30 * time.Second

var client = &http.Client{Timeout: clientTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}

func (a *api) do(ctx context.Context, path, kind string, body io.Reader, out any) error {
	return a.send(ctx, http.MethodPost, path, kind, body, out)
}

func (a *api) send(ctx context.Context, method, path, kind string, body io.Reader, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, a.base+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", kind)
	if a.token != "" {
		req.Header.Set("Authorization", "Bearer "+a.token)
	}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return fmt.Errorf("%s = %d %s", path, res.StatusCode, text)
	}
	if out == nil { // there is nothing to read
		return nil
	}
	return json.Unmarshal(text, out)
}

type object = map[string]any

const conversationmgr = "/conversation/conversationmgr/v3"

// create makes a configuration object and returns its id.
func (a *api) create(ctx context.Context, kind string, in object) (string, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return "", err
	}
	var out struct{ ID string }
	err = a.do(ctx, conversationmgr+"/"+kind, "application/json", bytes.NewReader(body), &out)
	return out.ID, err
}

// Ids of what every tenant has from the start; see the root package.
const (
	consoleApplication = "00000000-0000-7000-8000-000000000011"
	webChatChannel     = "00000000-0000-7000-8000-000000000020"
)

// makeAccount makes a web chat account whose conversations go to the console, or, with callback, to a bot behind it.
func (a *api) makeAccount(ctx context.Context, address, callback string, served ...object) error {
	applications := object{"agentConfiguration": object{"agents": []object{{"id": consoleApplication}}}}
	if callback != "" {
		app, err := a.create(ctx, "clientapplications", object{"name": address, "roles": []object{{"name": "custom_bot", "version": "v3",
			"callback": callback, "notificationEmail": "bench@example.org"}}})
		if err != nil {
			return err
		}
		for _, how := range served {
			body, err := json.Marshal(how)
			if err != nil {
				return err
			}
			if err := a.send(ctx, http.MethodPatch, "/admin/v1/clientapplications/"+app+"/roles/custom_bot", "application/json", bytes.NewReader(body), nil); err != nil {
				return err
			}
		}
		participant, err := a.create(ctx, "participants", object{"name": address, "type": "custom_bot", "application": object{"id": app},
			"options": []object{{"name": "turnDeadlineSeconds", "value": "86400"}}}) // it never answers, and is to be asked all the same
		if err != nil {
			return err
		}
		applications["botConfiguration"] = object{"bots": []object{{"id": app, "participant": object{"id": participant}}}}
	}
	orchestration, err := a.create(ctx, "orchestrations", object{"name": address, "applications": applications})
	if err != nil {
		return err
	}
	_, err = a.create(ctx, "accounts", object{"name": address, "address": address, "channel": object{"id": webChatChannel},
		"options":            []object{{"name": "anonymous", "value": "true"}},
		"chatConfigurations": object{"orchestration": object{"id": orchestration}, "timeout": 43200}})
	return err
}

// agentToken is a token of the console's agents.
func (a *api) agentToken(ctx context.Context) (string, error) {
	return a.roleToken(ctx, consoleApplication, "custom_agent")
}

// roleToken makes an API client that speaks as an application in a role, and its token.
func (a *api) roleToken(ctx context.Context, application, role string) (string, error) {
	body, err := json.Marshal(object{"name": "bench " + role, "scopes": []string{"app.conversation.conversationmgr.interaction.manage"},
		"applicationId": application, "roles": []string{role}})
	if err != nil {
		return "", err
	}
	var made struct{ ID, Secret string }
	if err := a.do(ctx, "/admin/v1/clients", "application/json", bytes.NewReader(body), &made); err != nil {
		return "", err
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {made.ID}, "client_secret": {made.Secret}}
	var out struct {
		Token string `json:"access_token"`
	}
	anonymous := &api{base: a.base}
	err = anonymous.do(ctx, "/oauth2/token", "application/x-www-form-urlencoded", strings.NewReader(form.Encode()), &out)
	return out.Token, err
}

// customerToken makes a visitor of an account.
func (a *api) customerToken(ctx context.Context, address string) (string, error) {
	body, err := json.Marshal(object{"account": object{"channel": object{"type": "web_chat"}, "address": address}})
	if err != nil {
		return "", err
	}
	var out struct{ Token string }
	anonymous := &api{base: a.base}
	err = anonymous.do(ctx, "/widget/v1/sessions", "application/json", bytes.NewReader(body), &out)
	return out.Token, err
}
