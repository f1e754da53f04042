package main

import (
	"database/sql"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"parley"
)

// A person who was everywhere is nowhere once she is removed: not in the database, in no file, in no export and no figure. Others stay.
func TestErasedPersonsAreNowhere(t *testing.T) {
	for name, parts := range stages(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := t.TempDir()
			args := append([]string{"--listen", "127.0.0.1:0", "--data", data, "--bootstrap-client", bootstrap, "--callback-allow", "127.0.0.0/8", "--callback-http"}, parts(t)...)
			hub := startProcess(t, nil, args...)
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
			// A receiver that says back what it was told: its answers are kept with attempts and dead letters.
			echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(http.StatusUnprocessableEntity)
				_, _ = io.Copy(w, r.Body)
			}))
			t.Cleanup(echo.Close)
			shop := admin.setUp(t, echo.URL, "shop")
			const address = "Zaphod@example.org"
			var asset struct{ ID, ContentURL string }
			ask(admin, http.MethodPost, conversationmgrBase+"/assets", object{"channel": object{"type": shop.channel}, "sender": object{"type": "customer"}, "name": "zaphod.txt", "size": 13}, &asset, http.StatusOK)
			upload(t, asset.ContentURL, "zaphods bytes")
			first := shop.begin("zaphod-1", "I am Zaphod", address)
			first["attachments"] = object{"attachment": []object{{"id": asset.ID}}}
			first["conversation"].(object)["customer"] = object{"name": "Zaphod B", "contacts": object{"contact": []object{{"type": "email", "address": address}}},
				"attributes": []object{{"name": "planet", "value": "of zaphod"}}}
			called, _, err := admin.post(ctx, first)
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := admin.post(ctx, shop.begin("other-1", "I am Arthur", "arthur@example.org")); err != nil {
				t.Fatal(err)
			}

			bot := admin.demoBot(t)
			key := func(kind string) string {
				var made struct{ Key string }
				ask(admin, http.MethodPost, "/admin/v1/keys", object{"kind": kind, "botId": bot.ID}, &made, http.StatusCreated)
				return made.Key
			}
			channel := &caller{base: hub.url, headers: map[string]string{"API-KEY": key("broker"), "OS": "Linux", "USER-REF": "zaphod-ref", "LOCALE": "en-US", "BUSINESS-KEY": address}}
			environment := fmt.Sprintf("/org/%s/env/%s", parley.DefaultOrganisation, parley.DefaultTenant)
			turns := environment + "/bot/" + bot.ID + "/channel/" + bot.ChannelID + "/v1/conversations"
			var turn channelTurn
			ask(channel, http.MethodPost, turns, object{"text": "How do I find zaphod?", "context": object{"who": "zaphod"}}, &turn, http.StatusOK)
			ask(channel, http.MethodPost, environment+"/bot/"+bot.ID+"/conversations/"+turn.SessionCode+"/satisfactions", object{"evaluation": 4, "userComments": "zaphod liked it"}, nil, http.StatusOK)

			agents := &caller{base: hub.url + "/external", headers: map[string]string{"Agent-Secret-Key": key("agent")}}
			var user, talk struct{ ID string }
			ask(agents, http.MethodPost, "/users", object{"firstName": "Zaphod", "lastName": "B", "email": address, "context": "zaphod is nice"}, &user, http.StatusCreated)
			ask(agents, http.MethodPost, "/conversations", object{"conversationUserId": user.ID, "title": "About Zaphod", "customData": object{"who": "zaphod"}}, &talk, http.StatusCreated)
			ask(agents, http.MethodPost, "/conversations/"+talk.ID+"/messages", object{"message": "zaphod asks: when are you open?", "context": "zaphod"}, nil, http.StatusCreated)

			var token struct{ TokenID, TokenSecret string }
			ask(admin, http.MethodPost, "/admin/v1/keys", object{"kind": "analytics"}, &token, http.StatusCreated)
			reader := &caller{base: hub.url, headers: map[string]string{"Authorization": "Bearer " + token.TokenID + ":" + token.TokenSecret}}
			ask(reader, http.MethodPost, "/v1/bots/"+bot.ID+"/events/track", object{"version": "LIVE", "user_id": address, "event": "paid", "attributes": object{"who": "zaphod"}}, nil, http.StatusOK)
			admin.text(t, http.MethodPost, "/admin/v1/import", `{"id":"zaphod-old","channelType":"web","customer":{"name":"Zaphod","contacts":[{"type":"email","address":"zaphod@example.org"}]},"messages":[{"sender":"customer","at":"2026-03-02T09:00:00Z","text":"zaphod was here"}]}`)

			// What his receivers said has been written down.
			deadline := time.After(20 * time.Second)
			for !strings.Contains(admin.text(t, http.MethodGet, "/admin/v1/deadletters?conversationId="+called, ""), called) {
				select {
				case <-time.After(50 * time.Millisecond):
				case <-deadline:
					t.Fatalf("nothing was given up: %s", admin.text(t, http.MethodGet, "/admin/v1/deadletters", ""))
				}
			}

			type receipt struct {
				ID                   string
				Conversations, Users int
				Removed              map[string]int
				Earlier              []string
			}
			var dry, done, again receipt
			ask(admin, http.MethodPost, "/admin/v1/erasures", object{"address": "zaphod@EXAMPLE.org", "dryRun": true}, &dry, http.StatusOK)
			if dry.Conversations != 4 || dry.Removed["messages"] != 0 {
				t.Errorf("dry run: %+v", dry)
			}
			ask(admin, http.MethodPost, "/admin/v1/erasures", object{"address": "zaphod@EXAMPLE.org"}, &done, http.StatusOK)
			if done.Conversations != 4 || done.Users != 2 {
				t.Errorf("receipt: %+v", done)
			}
			for _, part := range []string{"messages", "attachments", "customers", "turns", "attempts", "opinions", "sessions", "profiles", "events"} {
				if done.Removed[part] == 0 {
					t.Errorf("no %s were removed: %+v", part, done)
				}
			}
			ask(admin, http.MethodPost, "/admin/v1/erasures", object{"address": "zaphod@example.org"}, &again, http.StatusOK)
			if again.Conversations != 0 || again.Users != 0 || len(again.Earlier) != 1 || again.Earlier[0] != done.ID {
				t.Errorf("asked again: %+v", again)
			}
			for _, path := range []string{"/admin/v1/export/conversations", "/admin/v1/export/visits", "/admin/v1/export/events", "/admin/v1/audit", "/admin/v1/erasures", "/admin/v1/deadletters", "/admin/v1/conversations/" + called + "/timeline",
				"/admin/v1/reports/figures?from=2026-03-01&until=2026-03-31"} {
				if text := admin.text(t, http.MethodGet, path, ""); strings.Contains(strings.ToLower(text), "zaphod") {
					t.Errorf("%s still tells of him: %s", path, text)
				}
			}
			if text := admin.text(t, http.MethodGet, "/admin/v1/export/conversations", ""); !strings.Contains(text, "I am Arthur") || !strings.Contains(text, "arthur@example.org") {
				t.Errorf("others are gone, too: %s", text)
			}
			if log := hub.log.String(); strings.Contains(strings.ToLower(log), "zaphod") {
				t.Errorf("the log tells of him: %s", log)
			}
			if err := hub.terminate(); err != nil {
				t.Fatal(err)
			}
			for i, a := range args {
				if a == "--database" {
					searchDatabase(t, "pgx", args[i+1], "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
				}
			}
			if name == "embedded" {
				searchDatabase(t, "sqlite", filepath.Join(data, "parley.db"), "SELECT name FROM sqlite_master WHERE type = 'table'")
			}
			searchFiles(t, data)
		})
	}
}

// upload puts bytes where a signed URL leads.
func upload(t *testing.T, url, bytes string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, url, strings.NewReader(bytes))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "text/plain")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if text, _ := io.ReadAll(res.Body); res.StatusCode != http.StatusOK {
		t.Fatalf("upload = %d %s", res.StatusCode, text)
	}
}

// text calls with a body that is no JSON object, and returns what is answered.
func (c *caller) text(t *testing.T, method, path, body string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, c.base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	if body != "" {
		req.Header.Set("Content-Type", "application/x-ndjson")
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode > 299 {
		t.Fatalf("%s %s = %d %s, %v", method, path, res.StatusCode, text, err)
	}
	return string(text)
}

// searchDatabase looks at every value of every table.
func searchDatabase(t *testing.T, driver, url, tables string) {
	t.Helper()
	db, err := sql.Open(driver, url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	list := func(query string) (all [][]any) {
		rows, err := db.QueryContext(t.Context(), query)
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		defer rows.Close()
		columns, err := rows.Columns()
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			values, into := make([]any, len(columns)), make([]any, len(columns))
			for i := range values {
				into[i] = &values[i]
			}
			if err := rows.Scan(into...); err != nil {
				t.Fatal(err)
			}
			all = append(all, values)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		return all
	}
	seen := 0
	for _, row := range list(tables) {
		table := fmt.Sprint(row[0])
		for _, values := range list(`SELECT * FROM "` + table + `"`) {
			seen++
			for i, v := range values {
				if b, ok := v.([]byte); ok {
					v = string(b)
				}
				if text := fmt.Sprint(v); strings.Contains(strings.ToLower(text), "zaphod") {
					t.Errorf("column %d of %s still tells of him: %s", i, table, text)
				}
			}
		}
	}
	if seen < 50 {
		t.Errorf("only %d rows were looked at", seen)
	}
}

// searchFiles looks at every byte of every file.
func searchFiles(t *testing.T, folder string) {
	t.Helper()
	if err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !d.Type().IsRegular() {
			return err
		}
		bytes, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		lower := strings.ToLower(string(bytes))
		if at := strings.Index(lower, "zaphod"); at >= 0 {
			t.Errorf("%s has him %d times, first in %q", path, strings.Count(lower, "zaphod"), lower[max(0, at-60):min(len(lower), at+60)])
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}
