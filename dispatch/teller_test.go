package dispatch_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"parley/dispatch"
	"parley/egress"
)

// A body arrives once, and only where the guard permits; a failure names no address.
func TestTeller(t *testing.T) {
	var got []string
	status := http.StatusNoContent
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = append(got, r.Method+" "+r.Header.Get("Content-Type")+" "+string(body))
		http.Redirect(w, r, "/elsewhere", status) // of which only the status counts
	}))
	t.Cleanup(server.Close)
	allowed := dispatch.NewTeller(&egress.Guard{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	if err := allowed.Tell(t.Context(), server.URL, []byte(`{"a":1}`)); err != nil || len(got) != 1 || got[0] != `POST application/json {"a":1}` {
		t.Errorf("Tell = %v; got %q", err, got)
	}
	for _, status = range []int{http.StatusFound, http.StatusTeapot, http.StatusInternalServerError} {
		if err := allowed.Tell(t.Context(), server.URL, nil); err == nil || strings.Contains(err.Error(), "127.0.0.1") {
			t.Errorf("answered %d, Tell = %v", status, err)
		}
	}
	if len(got) != 4 {
		t.Errorf("%d requests came, want 4: %q", len(got), got)
	}
	for _, url := range []string{server.URL, "http://[::1]:1/", "http://user:planted@127.0.0.1/", "://"} {
		if err := dispatch.NewTeller(&egress.Guard{}).Tell(t.Context(), url, nil); err == nil || strings.Contains(err.Error(), "127.0.0.1") || strings.Contains(err.Error(), "planted") {
			t.Errorf("Tell(%s) = %v", url, err)
		}
	}
	if len(got) != 4 {
		t.Errorf("the guard let %q pass", got[4:])
	}
}
