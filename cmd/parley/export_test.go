package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"parley/configs"
)

// An export whose connection breaks goes on by itself, and each conversation is written once; who may not export is told, without the
// secret.
func TestExportCommand(t *testing.T) {
	_, hub := inProcess(t, nil)
	c, err := login(t.Context(), hub)
	if err != nil {
		t.Fatal(err)
	}
	var body strings.Builder
	for i := range 300 {
		fmt.Fprintf(&body, `{"id":"%d","channelType":"sms","messages":[{"sender":"customer","at":"2025-03-01T12:00:00Z","text":"x"}]}`+"\n", i)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, hub+"/admin/v1/import", strings.NewReader(body.String()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if text, err := io.ReadAll(res.Body); err != nil || !strings.Contains(string(text), `"accepted":300`) {
		t.Fatalf("import: %s, %v", text, err)
	}

	breaks, _ := breaking(t, hub, 2)
	id, secret, _ := strings.Cut(bootstrap, ":")
	args := []string{"export", "--url", breaks, "--client", id, "--secret", secret, "--channel", "sms"}
	status, out, errs := command(t, args...)
	if status != 0 || strings.Count(errs, "trying again") != 2 {
		t.Fatalf("export = %d %q", status, errs)
	}
	seen, cursor := map[string]bool{}, ""
	for line := range strings.Lines(out) {
		var one struct{ ID, Cursor string }
		if err := json.Unmarshal([]byte(line), &one); err != nil || seen[one.ID] {
			t.Errorf("%s: %v, or there before", line, err)
		}
		seen[one.ID], cursor = true, one.Cursor
	}
	if len(seen) != 300 {
		t.Errorf("%d conversations, want 300", len(seen))
	}
	if status, out, errs := command(t, append(args, "--after", cursor)...); status != 0 || out != "" {
		t.Errorf("after the last one: %d %q %q", status, out, errs)
	}
	if status, _, errs := command(t, append(args, "--after", "nonsense")...); status != 1 || !strings.Contains(errs, "400-102") {
		t.Errorf("after nonsense: %d %q", status, errs)
	}
	if status, _, errs := command(t, "export", "--url", hub, "--client", id, "--secret", "planted"); status != 1 || strings.Contains(errs, "planted") || !strings.Contains(errs, "401") {
		t.Errorf("with another secret: %d %q", status, errs)
	}
}

// short is an answer that breaks after so many bytes.
type short struct {
	http.ResponseWriter
	left int
}

func (s *short) Write(p []byte) (int, error) {
	if s.left -= len(p); s.left < 0 {
		panic(http.ErrAbortHandler)
	}
	return s.ResponseWriter.Write(p)
}

// breaking is the address of a proxy before a hub that breaks so many exports, the first ones, after 40,000 bytes; asked counts them all.
func breaking(t *testing.T, hub string, exports int64) (address string, asked *atomic.Int64) {
	t.Helper()
	target, err := url.Parse(hub)
	if err != nil {
		t.Fatal(err)
	}
	asked = new(atomic.Int64)
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.FlushInterval = -1 // at once, so that something comes before it breaks
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/export/") && asked.Add(1) <= exports {
			w = &short{ResponseWriter: w, left: 40_000}
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL, asked
}

// Visits and events are exported as conversations are, each with cursors of its own, and flags that do not select them are refused.
func TestExportCommandOfFigures(t *testing.T) {
	_, hub := inProcess(t, func(c *configs.Serve) { c.Roles = append(c.Roles, configs.RoleInsight) })
	c, err := login(t.Context(), hub)
	if err != nil {
		t.Fatal(err)
	}
	var body strings.Builder
	for i := range 300 {
		fmt.Fprintf(&body, `{"id":"%d","channelType":"sms","messages":[{"sender":"customer","at":"2025-03-01T12:00:00Z","text":"x"}]}`+"\n", i)
	}
	c.text(t, http.MethodPost, "/admin/v1/import", body.String())
	var made, key struct{ ID, TokenID, TokenSecret string }
	if err := c.call(t.Context(), http.MethodPost, "/admin/v1/bots", object{"name": "Shop", "connector": object{"kind": "rules"}}, http.StatusCreated, &made); err != nil {
		t.Fatal(err)
	}
	if err := c.call(t.Context(), http.MethodPost, "/admin/v1/keys", object{"kind": "analytics"}, http.StatusCreated, &key); err != nil {
		t.Fatal(err)
	}
	program := &caller{base: hub, headers: map[string]string{"Authorization": "Bearer " + key.TokenID + ":" + key.TokenSecret}}
	for i := range 300 {
		if err := program.call(t.Context(), http.MethodPost, "/v1/bots/"+made.ID+"/events/track", object{"id": strconv.Itoa(i), "version": "LIVE", "event": "order"}, http.StatusOK, nil); err != nil {
			t.Fatal(err)
		}
	}
	counting, late := time.NewTicker(50*time.Millisecond), time.After(20*time.Second)
	defer counting.Stop()
	for strings.Count(c.text(t, http.MethodGet, "/admin/v1/export/visits", ""), "\n") < 300 {
		select {
		case <-counting.C:
		case <-late:
			t.Fatal("not counted in 20 s")
		}
	}

	id, secret, _ := strings.Cut(bootstrap, ":")
	cursors := map[string]string{}
	for what, filter := range map[string][]string{"visits": {"--channel", "SMS"}, "events": {"--name", "order", "--bot", made.ID}} {
		breaks, asked := breaking(t, hub, 2)
		args := append([]string{"export", "--what", what, "--url", breaks, "--client", id, "--secret", secret}, filter...)
		status, out, errs := command(t, args...)
		if status != 0 || strings.Count(errs, "trying again") != 2 || asked.Load() != 3 {
			t.Fatalf("export of %s = %d %q", what, status, errs)
		}
		seen := map[string]bool{}
		for line := range strings.Lines(out) {
			var one struct{ ID, Cursor string }
			if err := json.Unmarshal([]byte(line), &one); err != nil || seen[one.ID] {
				t.Errorf("%s: %v, or there before", line, err)
			}
			seen[one.ID], cursors[what] = true, one.Cursor
		}
		if len(seen) != 300 {
			t.Errorf("%d %s, want 300", len(seen), what)
		}
		if status, out, errs := command(t, append(args, "--after", cursors[what])...); status != 0 || out != "" {
			t.Errorf("%s after the last: %d %q %q", what, status, out, errs)
		}
	}
	for wrong, args := range map[string][]string{"400-102": {"--what", "events", "--after", cursors["visits"]}, "--status does not select visits": {"--what", "visits", "--status", "open"},
		"--name does not select conversations": {"--name", "order"}, "--channel does not select events": {"--what", "events", "--channel", "sms"}} {
		if status, out, errs := command(t, append([]string{"export", "--url", hub, "--client", id, "--secret", secret}, args...)...); status != 1 || out != "" || !strings.Contains(errs, wrong) {
			t.Errorf("%v: %d %q %q", args, status, out, errs)
		}
	}
}
