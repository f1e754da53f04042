package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// What a receiver refused is counted, and tried again when somebody says so; who may not, or selects nothing, is told.
func TestReplayCommand(t *testing.T) {
	var works atomic.Bool
	var got atomic.Int64
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !works.Load() {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		got.Add(1)
	}))
	t.Cleanup(receiver.Close)
	_, url := inProcess(t, nil)
	c, err := login(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	s := c.setUp(t, receiver.URL, "replay")
	if _, _, err := c.post(t.Context(), s.begin("m-1", "Where is my parcel?", "anna@example.org")); err != nil {
		t.Fatal(err)
	}
	id, secret, _ := strings.Cut(bootstrap, ":")
	replay := func(args ...string) (int, string, string) {
		return command(t, append([]string{"replay", "--url", url, "--client", id, "--secret", secret}, args...)...)
	}
	deadline := time.After(20 * time.Second)
	for {
		_, out, errs := replay("--reason", "418", "--dry-run")
		if strings.HasSuffix(out, " deliveries are selected; nothing was done\n") && !strings.HasPrefix(out, "0 ") {
			break
		}
		select {
		case <-deadline:
			t.Fatalf("no delivery was given up: %s%s", out, errs)
		case <-time.After(20 * time.Millisecond):
		}
	}
	for want, args := range map[string][]string{
		"nothing is selected": nil,
		"not both":            {"01a2159f-9e0a-74b8-a28a-a133c7cd0211", "--all"},
		"--rate":              {"--all", "--rate", "0"},
		"404-101":             {"01a2159f-9e0a-74b8-a28a-a133c7cd0211"},
		"400-":                {"--application", "x"},
		"from 0.1 to 1000":    {"--all", "--rate", "NaN"},
		"no webhook-id":       {"../clients"},
		"no webhook-id ":      {"01a2159f-9e0a-74b8-a28a-a133c7cd0211?x=y"},
		"--environment":       {"--all", "--environment", "x&environmentId=y"},
	} {
		if status, _, errs := replay(args...); status != 1 || !strings.Contains(errs, strings.TrimSpace(want)) {
			t.Errorf("replay %v = %d %q, want %q", args, status, errs, want)
		}
	}
	if status, _, errs := command(t, "replay", "--url", url, "--client", id, "--secret", "planted", "--all"); status != 1 || strings.Contains(errs, "planted") {
		t.Errorf("replay with another secret = %d %q", status, errs)
	}
	if n := got.Load(); n != 0 {
		t.Fatalf("%d deliveries before anything was replayed", n)
	}
	works.Store(true)
	if status, out, errs := replay("--all", "--role", "custom_bot"); status != 0 || !strings.HasSuffix(out, " deliveries will be tried again\n") || strings.HasPrefix(out, "0 ") {
		t.Fatalf("replay = %d %q %q", status, out, errs)
	}
	for got.Load() == 0 {
		select {
		case <-deadline:
			t.Fatal("the delivery was not tried again")
		case <-time.After(20 * time.Millisecond):
		}
	}
}
