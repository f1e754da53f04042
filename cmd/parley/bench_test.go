package main

import (
	"os/exec"
	"strings"
	"testing"
)

// The benchmark measures every case, tiny here: what it prints are a hub's figures beside a baseline's, and none is zero.
func TestBenchMeasuresEveryCase(t *testing.T) {
	if slow {
		t.Skip("a program with the race detector does not carry the rates at which latencies are measured")
	}
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), path, "bench", "--pairs", "4", "--repeats", "1", "--warm", "50ms", "--measure", "200ms", "--settle", "200ms",
		"--idle", "20", "--growth", "1,20", "--stored", "0,1000", "--churn", "1s", "--rest", "500ms", "--stalled", "10", "--held", "50", "--missed", "150", "--return", "20", "--groups", "2000", "--visits", "300", "--waiting", "30").CombinedOutput()
	if err != nil {
		t.Fatalf("bench: %v: %s", err, out)
	}
	for _, row := range []string{"durable 1:1, 1 in flight hub / relay, plain", "durable 1:1, 8 in flight hub / relay, coalesced", "latency at 5000 messages/s hub",
		"callbacks hub / plain net/http sender", "callbacks hub / bare asynq handler", "post to callback, 20/s hub p99 ms", "post to callback, 300/s hub p99 ms",
		"post to callback, 300/s, beside 10 lanes of a slow receiver hub p99 ms", "start, 200 deliveries held in 50 lanes hub s until ready", "idle, 20 sessions hub / relay", "typing, 8 in flight hub / relay, plain",
		"20 open conversations hub / relay, coalesced", "1000 stored messages hub / relay, coalesced", "resume, 150 messages missed hub ms to the first 100",
		"resume, 20 sessions at once hub s to the last one", "churn for 1s hub goroutines before", "churn for 1s hub goroutines at the end", "churn for 1s hub MiB 500ms later",
		"turns, 100/s hub p99 ms", "turns, 100/s the bot alone p50 ms", "turns, 50/s, beside 30 that wait for a webhook hub p50 ms", "turns, 50/s, beside 30 that wait for a webhook hub KiB a waiting turn", "turns, 50/s, beside 30 that wait for a callback hub KiB a waiting turn",
		"durable 1:1, 8 in flight, detected and counted hub / hub that looks at nothing", "300 conversations, counted from the record hub messages/s",
		"300 conversations, usage of a team by day and all dimensions, 731 days hub p95 ms", "300 conversations, conversations by day, 31 days hub / scan",
		"2000 conversations, broad and broad, empty, 7 days hub p95 ms", "2000 conversations, wildcard and broad, 400 days hub / scan"} {
		found := false
		for line := range strings.Lines(string(out)) {
			_, after, ok := strings.Cut(strings.Join(strings.Fields(line), " "), row+" ")
			if ok && after != "" {
				found = true
				if strings.HasPrefix(after, "0 ") || strings.HasPrefix(after, "0.00 ") || strings.Contains(after, "NaN") || strings.Contains(after, "Inf") {
					t.Errorf("%s is %s", row, after)
				}
			}
		}
		if !found {
			t.Errorf("the tables have no row %q", row)
		}
	}
	if t.Failed() {
		t.Logf("%s", out)
	}
}
