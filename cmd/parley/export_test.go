package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
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

	target, err := url.Parse(hub)
	if err != nil {
		t.Fatal(err)
	}
	var drops atomic.Int64
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.FlushInterval = -1 // at once, so that something comes before it breaks
	breaks := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/export/conversations") && drops.Add(1) <= 2 {
			w = &short{ResponseWriter: w, left: 40_000}
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(breaks.Close)
	id, secret, _ := strings.Cut(bootstrap, ":")
	args := []string{"export", "--url", breaks.URL, "--client", id, "--secret", secret, "--channel", "sms"}
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
