package main

import (
	"context"
	"net/http"
	"testing"
	"time"
)

// Hubs with records of their own may share a Redis: each detects and counts what is said to it, although one of a cluster's hubs alone would, and
// hands on its own callbacks.
func TestInstallationsShareARedis(t *testing.T) {
	t.Parallel()
	redis := redisURL(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for range 2 {
		hub := startProcess(t, nil, "--listen", "127.0.0.1:0", "--data", t.TempDir(), "--bootstrap-client", bootstrap, "--callback-allow", "127.0.0.0/8", "--redis", redis)
		log := newCallbackLog(t)
		c, err := login(ctx, hub.url)
		if err != nil {
			t.Fatal(err)
		}
		s := c.setUp(t, log.URL, "shared")
		id, _, err := c.post(ctx, s.begin("m-1", "Write to anna@example.org", "anna@example.org"))
		if err != nil {
			t.Fatal(err)
		}
		log.wait(t, "the message", func(x callback) bool { return x.kind == "text" })
		var hits struct{ Entity []struct{ Value string } }
		var report struct{ Total struct{ Conversations int } }
		day := func(d time.Duration) string { return time.Now().UTC().Add(d).Format(time.DateOnly) }
		for again := time.NewTicker(50 * time.Millisecond); len(hits.Entity) == 0 || report.Total.Conversations == 0; {
			if err := c.call(ctx, http.MethodGet, "/admin/v1/conversations/"+id+"/hits", nil, http.StatusOK, &hits); err != nil {
				t.Fatalf("found %+v, counted %+v: %v", hits, report, err)
			}
			if err := c.call(ctx, http.MethodGet, "/admin/v1/reports/figures?from="+day(-24*time.Hour)+"&until="+day(48*time.Hour), nil, http.StatusOK, &report); err != nil {
				t.Fatalf("found %+v, counted %+v: %v", hits, report, err)
			}
			<-again.C
		}
	}
}
