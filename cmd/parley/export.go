package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"parley/history"
	"parley/rest/admin"
)

type exportCommand struct {
	URL         string    `name:"url" help:"Base URL of the hub." default:"http://127.0.0.1:8080" env:"PARLEY_EXPORT_URL"`
	Client      string    `help:"Id of an API client with the scope app.parley.admin." required:"" env:"PARLEY_EXPORT_CLIENT"`
	Secret      string    `help:"Secret of the API client; better in the environment, where other users do not see it." required:"" env:"PARLEY_EXPORT_SECRET"`
	What        string    `help:"conversations, with all that was said; visits: conversations as figures count them; or events that were tracked." enum:"conversations,visits,events" default:"conversations"`
	Environment string    `help:"Id of the environment; empty = the client's."`
	After       string    `help:"Cursor of the last line of an earlier export of the same: goes on after it."`
	From        time.Time `help:"Begun, or happened, then or later, such as 2026-03-01T12:00:00Z."`
	Until       time.Time `help:"Begun, or happened, before then."`
	Bot         string    `help:"With this bot."`
	Channel     string    `help:"Conversations or visits on channels of this type."`
	Status      string    `help:"Conversations that are open, or ended." enum:",open,ended" default:""`
	Name        string    `help:"Events of this name."`
}

const (
	// exportTries is how often in a row an export may come no further before it gives up.
	exportTries = 8
	// exportPause is between the first two tries, and doubles.
	exportPause = 500 * time.Millisecond
)

// Run writes what is asked for to the standard output, a line each. It goes on by itself after a drop; an end with an error says where to go on.
func (c *exportCommand) Run(ctx context.Context, s streams) error {
	if err := webURL(c.URL); err != nil {
		return fmt.Errorf("--url: %w", err)
	}
	for flag, of := range map[string]struct{ value, what string }{"channel": {c.Channel, "conversations visits"}, "status": {c.Status, "conversations"}, "name": {c.Name, "events"}} {
		if of.value != "" && !strings.Contains(of.what, c.What) {
			return fmt.Errorf("--%s does not select %s", flag, c.What)
		}
	}
	base := strings.TrimRight(c.URL, "/")
	config := clientcredentials.Config{ClientID: c.Client, ClientSecret: c.Secret, TokenURL: base + "/oauth2/token"}
	x := &exporting{client: config.Client(ctx), address: base + admin.BasePath + "/export/" + c.What, query: c.query(), cursor: c.After, out: s.out}
	for try := 0; ; try++ {
		before := x.cursor
		err := x.once(ctx)
		if err == nil {
			return nil
		}
		if x.cursor != before {
			try = 0
		}
		if final := (*refusal)(nil); errors.As(err, &final) || try >= exportTries || ctx.Err() != nil {
			if x.cursor != "" {
				return fmt.Errorf("%w; go on with --after %s", err, x.cursor)
			}
			return err
		}
		fmt.Fprintf(s.err, "%v; trying again\n", err)
		pause := time.NewTimer(exportPause << min(try, 6))
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
		}
	}
}

func (c *exportCommand) query() url.Values {
	q := url.Values{}
	for name, value := range map[string]string{"environmentId": c.Environment, "bot": c.Bot, "channelType": c.Channel, "status": c.Status, "name": c.Name} {
		if value != "" {
			q.Set(name, value)
		}
	}
	for name, at := range map[string]time.Time{"from": c.From, "until": c.Until} {
		if !at.IsZero() {
			q.Set(name, at.UTC().Format(time.RFC3339))
		}
	}
	return q
}

// A refusal is an answer that will be the same the next time.
type refusal struct {
	status int
	body   string
}

func (r *refusal) Error() string { return fmt.Sprintf("the hub answered %d %s", r.status, r.body) }

// An exporting is an export on its way.
type exporting struct {
	client  *http.Client
	address string
	query   url.Values
	cursor  string // of the last line that was written
	out     io.Writer
}

// once asks and writes whole lines until the answer ends.
func (x *exporting) once(ctx context.Context) error {
	if x.cursor != "" {
		x.query.Set("after", x.cursor)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, x.address+"?"+x.query.Encode(), http.NoBody)
	if err != nil {
		return err
	}
	res, err := x.client.Do(req)
	if denied := (*oauth2.RetrieveError)(nil); errors.As(err, &denied) && denied.Response != nil && denied.Response.StatusCode < 500 {
		return &refusal{denied.Response.StatusCode, string(denied.Body)}
	}
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 4096))
		answered := &refusal{res.StatusCode, string(bytes.TrimSpace(text))}
		if res.StatusCode >= 500 || res.StatusCode == http.StatusTooManyRequests {
			return errors.New(answered.Error())
		}
		return answered
	}
	lines := bufio.NewReaderSize(res.Body, 64<<10)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return nil
		}
		if err != nil {
			return fmt.Errorf("the export broke off: %w", err)
		}
		var place history.Place
		if err := json.Unmarshal(line, &place); err != nil || place.Cursor == "" {
			return &refusal{res.StatusCode, "a line without a cursor"}
		}
		if _, err := x.out.Write(line); err != nil {
			return &refusal{res.StatusCode, err.Error()}
		}
		x.cursor = place.Cursor
	}
}
