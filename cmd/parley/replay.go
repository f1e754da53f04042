package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"golang.org/x/oauth2/clientcredentials"

	"parley"
	"parley/directory"
	"parley/rest/admin"
	"parley/wire"
)

type replayCommand struct {
	URL          string    `name:"url" help:"Base URL of the hub." default:"http://127.0.0.1:8080" env:"PARLEY_REPLAY_URL"`
	Client       string    `help:"Id of an API client with the scope app.parley.admin." required:"" env:"PARLEY_REPLAY_CLIENT"`
	Secret       string    `help:"Secret of the API client; better in the environment, where other users do not see it." required:"" env:"PARLEY_REPLAY_SECRET"`
	ID           string    `arg:"" optional:"" help:"webhook-id of one delivery; empty = all that the flags select."`
	Environment  string    `help:"Id of the environment; empty = the client's."`
	Application  string    `help:"Deliveries to this client application."`
	Role         string    `help:"In this role."`
	Conversation string    `help:"Of this conversation."`
	Reason       string    `help:"With this text in the reason."`
	From         time.Time `help:"Given up then or later, such as 2026-03-01T12:00:00Z."`
	To           time.Time `help:"Given up before then."`
	All          bool      `help:"Select everything; without it at least one flag, or an id, must select."`
	Rate         float64   `help:"About so many are begun a second." default:"50"`
	DryRun       bool      `help:"Only count."`
	Skip         bool      `help:"Give them up for good instead of trying them again."`
}

// Run has dead deliveries tried again, and says how many.
func (c *replayCommand) Run(ctx context.Context, s streams) error {
	if err := c.check(); err != nil {
		return err
	}
	config := clientcredentials.Config{ClientID: c.Client, ClientSecret: c.Secret, TokenURL: strings.TrimRight(c.URL, "/") + "/oauth2/token"}
	hub := &adminAPI{client: config.Client(ctx), base: strings.TrimRight(c.URL, "/") + admin.BasePath}
	if c.Environment != "" {
		hub.query = "?environmentId=" + c.Environment
	}
	action, done := "replay", "will be tried again"
	if c.Skip {
		action, done = "skip", "were given up for good"
	}
	if c.ID != "" {
		if c.DryRun {
			var found admin.DeadLetterDetail
			if err := hub.do(ctx, http.MethodGet, "/deadletters/"+c.ID, nil, &found); err != nil {
				return err
			}
			_, err := fmt.Fprintf(s.out, "%s: %s since %s, %s\n", c.ID, found.DeadLetter.State, time.Time(found.DeadLetter.At).Format(time.RFC3339), found.DeadLetter.Reason)
			return err
		}
		if err := hub.do(ctx, http.MethodPost, "/deadletters/"+c.ID+"/"+action, nil, nil); err != nil {
			return err
		}
		_, err := fmt.Fprintf(s.out, "%s: done\n", c.ID)
		return err
	}
	body := c.selection()
	body["dryRun"] = c.DryRun
	if !c.Skip {
		body["ratePerSecond"] = c.Rate
	}
	var decided admin.Decided
	if err := hub.do(ctx, http.MethodPost, "/deadletters/"+action, body, &decided); err != nil {
		return err
	}
	if c.DryRun {
		done = "are selected; nothing was done"
	}
	_, err := fmt.Fprintf(s.out, "%d deliveries %s\n", decided.Count, done)
	return err
}

func (c *replayCommand) check() error {
	if err := webURL(c.URL); err != nil {
		return fmt.Errorf("--url: %w", err)
	}
	if !(c.Rate >= 0.1 && c.Rate <= directory.MaxReplayRate) { // so written, NaN is outside
		return fmt.Errorf("--rate: from 0.1 to %d", directory.MaxReplayRate)
	}
	if _, err := parley.ParseID[parley.Delivery](c.ID); c.ID != "" && err != nil {
		return fmt.Errorf("%q is no webhook-id: give the UUID of 36 characters as the receiver saw it", c.ID)
	}
	if _, err := parley.ParseID[parley.Tenant](c.Environment); c.Environment != "" && err != nil {
		return fmt.Errorf("--environment: %q is no id", c.Environment)
	}
	switch selected := len(c.selection()) > 0; {
	case c.ID != "" && (selected || c.All):
		return fmt.Errorf("give an id, or flags that select, not both")
	case c.ID == "" && !selected && !c.All:
		return fmt.Errorf("nothing is selected: give an id, a flag such as --application, or --all")
	}
	return nil
}

// selection is what the flags select, as the API wants it.
func (c *replayCommand) selection() map[string]any {
	body := map[string]any{}
	for name, value := range map[string]string{"applicationId": c.Application, "role": c.Role, "conversationId": c.Conversation, "reason": c.Reason} {
		if value != "" {
			body[name] = value
		}
	}
	for name, at := range map[string]time.Time{"from": c.From, "to": c.To} {
		if !at.IsZero() {
			body[name] = at.UTC().Format(wire.TimeFormat)
		}
	}
	return body
}

// An adminAPI calls admin/v1 of a hub.
type adminAPI struct {
	client *http.Client
	base   string
	query  string
}

// maxAdminAnswer bounds what is read of an answer.
const maxAdminAnswer = 4 << 20

func (a *adminAPI) do(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader = http.NoBody
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, a.base+path+a.query, body)
	if err != nil {
		return err
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := a.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAdminAnswer))
	if err != nil {
		return err
	}
	if res.StatusCode > 299 {
		var problem admin.Error
		if err := json.Unmarshal(text, &problem); err != nil || problem.DeveloperMessage == "" {
			return fmt.Errorf("the hub answered %d", res.StatusCode)
		}
		return fmt.Errorf("the hub answered %s: %s", problem.Code, problem.DeveloperMessage)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(text, out)
}
