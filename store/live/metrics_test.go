package live

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/redis/go-redis/v9"
)

// Operators see that Redis fails, and how. What is an answer does not look like a failure.
func TestRedisErrorsAreCounted(t *testing.T) {
	server := miniredis.RunT(t)
	l, err := Open(t.Context(), Config{URL: "redis://" + server.Addr(), Meter: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	check := func(when string, timeouts, connections, refusals float64) {
		t.Helper()
		for reason, want := range map[string]float64{"timeout": timeouts, "connection": connections, "refused": refusals} {
			if got := testutil.ToFloat64(l.trips.errors.WithLabelValues(reason)); got != want {
				t.Errorf("%s: %v errors of %s, want %v", when, got, reason, want)
			}
		}
	}
	if err := l.client.Get(t.Context(), "nothing").Err(); !errors.Is(err, redis.Nil) {
		t.Error(err)
	}
	if err := l.client.EvalSha(t.Context(), "unknown", nil).Err(); err == nil {
		t.Error("an unknown script ran")
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.client.Get(gone, "nothing").Err(); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	check("all well", 0, 0, 0)
	server.SetError("LOADING the dataset")
	_, err = l.client.Pipelined(t.Context(), func(p redis.Pipeliner) error {
		p.Get(t.Context(), "a")
		p.Get(t.Context(), "b")
		return nil
	})
	if err == nil {
		t.Error("a Redis that refuses answers")
	}
	check("a refused pipeline", 0, 0, 1)
	server.SetError("")
	late, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	if err := l.client.Get(late, "a").Err(); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	check("too late", 1, 0, 1)
	server.Close()
	if err := l.client.Get(t.Context(), "a").Err(); err == nil {
		t.Error("nobody answers")
	}
	check("nobody there", 1, 1, 1)
}
