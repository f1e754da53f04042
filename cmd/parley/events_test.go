package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley/insight/notify"
)

// What docs/events.md shows is what happens: its commands run one after the other against a hub, and each answers as printed after it. The
// target of its subscription is then told of each event that was taken, in order and signed as the document says, though the hub is killed
// in between.
func TestEventsDocumentIsTrue(t *testing.T) {
	t.Parallel()
	told := make(chan string, 100)
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h := r.Header
		if want := notify.Signature("a-secret-of-ours", h.Get("X-Message-Id"), h.Get("X-Message-Timestamp"), body); h.Get("X-Message-Signature") != want {
			t.Errorf("signed %v, want %s", h, want)
		}
		var sent struct {
			Challenge string
			Event     struct{ ID string }
		}
		if err := json.Unmarshal(body, &sent); err != nil {
			t.Errorf("%s: %v", body, err)
		}
		fmt.Fprint(w, sent.Challenge)
		told <- h.Get("X-Message-Type") + " " + sent.Event.ID
	}))
	defer target.Close()
	data := t.TempDir()
	serve := func() *process {
		return startProcess(t, nil, "--listen", "127.0.0.1:0", "--data", data, "--bootstrap-client", "ops:secret-of-ops", "--callback-allow", "127.0.0.0/8", "--callback-http")
	}
	hub := serve()
	script, last := "", ""
	run := func(text string) string {
		t.Helper()
		text = strings.NewReplacer("http://127.0.0.1:8080", hub.url, "https://example.org/events", target.URL).Replace(text)
		out, err := exec.CommandContext(t.Context(), "bash", "-euc", script+text).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v: %s", text, err, out)
		}
		return string(out)
	}
	for _, s := range snippets(t, "../../docs/events.md") {
		switch {
		case s.language == "sh" && strings.HasPrefix(s.text, "access="):
			lines := strings.Fields(run(s.text + `echo "$bot" "$token" "$access"`))
			if len(lines) != 3 {
				t.Fatalf("the first commands give %q", lines)
			}
			script = fmt.Sprintf("bot=%s\ntoken=%s\naccess=%s\n", lines[0], lines[1], lines[2])
		case s.language == "sh":
			last = run(s.text)
		case s.language == "json":
			var want, got any
			if err := json.Unmarshal([]byte(strings.ReplaceAll(s.text, "https://example.org/events", target.URL)), &want); err != nil {
				t.Fatalf("%s: %v", s.text, err)
			}
			if err := json.Unmarshal([]byte(last), &got); err != nil {
				t.Fatalf("%s: %v", last, err)
			}
			if diff := cmp.Diff(want, likeness(want, got)); diff != "" {
				t.Errorf("docs/events.md says %s, the hub %s (-document +hub)\n%s", s.text, last, diff)
			}
		}
	}
	hear := func() string {
		t.Helper()
		select {
		case s := <-told:
			return s
		case <-time.After(30 * time.Second):
			t.Fatalf("the target hears nothing more: %s", hub.log.String())
			return ""
		}
	}
	if got := hear(); got != "webhook_callback_verification " {
		t.Fatalf("first came %q", got)
	}
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(run(`curl -s -u "$token" http://127.0.0.1:8080/v1/bots/$bot/subscriptions`), `"enabled"`); {
		if time.Now().After(deadline) {
			t.Fatal("the subscription is not enabled")
		}
	}
	const events = 30
	track := func(id string) {
		run(fmt.Sprintf(`curl -sf -u "$token" http://127.0.0.1:8080/v1/bots/$bot/events/track -d '{"id":"%s","version":"LIVE","event":"order_placed"}'`, id))
	}
	var want, first []string
	for i := range events {
		if i == events/2 {
			hub.kill()
			hub = serve()
		}
		want = append(want, fmt.Sprintf("notification e%d", i))
		track(fmt.Sprint("e", i))
	}
	for len(first) < events {
		if got := hear(); !slices.Contains(first, got) {
			first = append(first, got)
		}
	}
	if diff := cmp.Diff(want, first); diff != "" {
		t.Errorf("the target was told (-want +got)\n%s", diff)
	}
}
