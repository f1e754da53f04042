package asynqueue_test

import (
	"context"
	"errors"
	"log/slog"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"parley/dispatch/asynqueue"
	"parley/store/live"
)

// each runs a test on a Redis of its own, and on the one inside the process.
func each(t *testing.T, test func(t *testing.T, l *live.Live)) {
	open := func(t *testing.T, c live.Config) *live.Live {
		c.Logger = slog.New(slog.DiscardHandler)
		l, err := live.Open(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return l
	}
	t.Run("redis", func(t *testing.T) {
		if _, err := exec.LookPath("redis-server"); err != nil {
			t.Skip("install redis-server (scripts/services does)")
		}
		test(t, open(t, live.Config{URL: live.Auto, Dir: t.TempDir()}))
	})
	t.Run("miniredis", func(t *testing.T) { test(t, open(t, live.Config{URL: live.Auto, Server: "none"})) })
}

// Lanes travel many in one task, soon arrive at a worker that had nothing to do, and a task that is broken harms nobody. Those of another
// installation, whose lanes have the same keys, do not arrive.
func TestLanesArrive(t *testing.T) {
	each(t, func(t *testing.T, l *live.Live) {
		q := asynqueue.New(l, "here", slog.New(slog.DiscardHandler))
		defer q.Close()
		other := asynqueue.New(l, "there", slog.New(slog.DiscardHandler))
		defer other.Close()
		ctx, cancel := context.WithCancel(t.Context())
		var mu sync.Mutex
		tasks, got := 0, []int64{}
		arrived := make(chan struct{}, 100)
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = q.Run(ctx, func(lanes []int64) {
				mu.Lock()
				tasks++
				got = append(got, lanes...)
				mu.Unlock()
				arrived <- struct{}{}
			})
		}()
		raw := asynq.NewClient(l)
		defer raw.Close()
		if _, err := raw.Enqueue(asynq.NewTask("lanes", []byte{0xff}), asynq.Queue("lanes:here"), asynq.MaxRetry(0)); err != nil {
			t.Fatal(err)
		}
		want := make([]int64, 700)
		for i := range want {
			want[i] = int64(i) * 1_000_003
		}
		if err := errors.Join(other.Enqueue(ctx, []int64{1}), q.Enqueue(ctx, want)); err != nil {
			t.Fatal(err)
		}
		select {
		case <-arrived:
		case <-time.After(20 * time.Second):
			t.Fatal("the lanes did not arrive")
		}
		mu.Lock()
		defer mu.Unlock()
		if tasks != 1 || !slices.Equal(got, want) {
			t.Errorf("%d lanes in %d tasks, want all %d in one", len(got), tasks, len(want))
		}
		cancel()
		<-done
	})
}
