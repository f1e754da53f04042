package main

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"parley/configs"
)

// A spanLog is a collector of traces that keeps their spans.
type spanLog struct {
	*httptest.Server
	mu    sync.Mutex
	spans map[string][]string // names by trace id
}

func newSpanLog(t *testing.T) *spanLog {
	l := &spanLog{spans: map[string][]string{}}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("spans: %v", err)
			return
		}
		var e collector.ExportTraceServiceRequest
		if err := proto.Unmarshal(raw, &e); err != nil {
			t.Errorf("spans: %v", err)
			return
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, resource := range e.GetResourceSpans() {
			for _, scope := range resource.GetScopeSpans() {
				for _, span := range scope.GetSpans() {
					id := hex.EncodeToString(span.GetTraceId())
					l.spans[id] = append(l.spans[id], span.GetName())
				}
			}
		}
	}))
	t.Cleanup(l.Close)
	return l
}

// One trace goes from the request that brought a message to the callback that delivers it: the caller's, in W3C's form or
// in either of B3's, or one of the hub's own.
func TestTraceGoesFromAcceptToCallback(t *testing.T) {
	const id, span = "463ac35c9f6413ad48485a3953bb6124", "0020000000000001"
	for name, headers := range map[string]map[string]string{
		"W3C":       {"Traceparent": "00-" + id + "-" + span + "-01"},
		"B3":        {"X-B3-TraceId": id, "X-B3-SpanId": span, "X-B3-Sampled": "1"},
		"single B3": {"B3": id + "-" + span + "-1"},
		"both":      {"B3": "00000000000000000000000000000bad-" + span + "-1", "Traceparent": "00-" + id + "-" + span + "-01"},
		"none":      nil,
	} {
		t.Run(name, func(t *testing.T) {
			spans, log := newSpanLog(t), newCallbackLog(t)
			n, url := inProcess(t, func(c *configs.Serve) { c.OTLP = spans.URL + "/v1/traces" })
			c, err := login(t.Context(), url)
			if err != nil {
				t.Fatal(err)
			}
			s := c.setUp(t, log.URL, "trace")
			c.headers = headers
			_, first, err := c.post(t.Context(), s.begin("m-1", "hello", "anna@example.org"))
			if err != nil {
				t.Fatal(err)
			}
			got := log.wait(t, "the callback", func(x callback) bool { return x.id == first }).trace
			parts := strings.Split(got, "-")
			if len(parts) != 4 || headers != nil && parts[1] != id || parts[2] == span {
				t.Fatalf("the callback's traceparent is %q, want a span of its own in trace %s", got, id)
			}
			if err := n.tracing.ForceFlush(t.Context()); err != nil {
				t.Fatal(err)
			}
			deadline := time.After(30 * time.Second)
			for {
				spans.mu.Lock()
				names := strings.Join(spans.spans[parts[1]], ", ")
				spans.mu.Unlock()
				if strings.Contains(names, "POST /conversation/conversationmgr/v3/conversations/messages") && strings.Contains(names, "callback") {
					break
				}
				select {
				case <-time.After(10 * time.Millisecond): // the callback's span ends after its answer
					_ = n.tracing.ForceFlush(t.Context())
				case <-deadline:
					t.Fatalf("trace %s has the spans %q, want the request and the callback", parts[1], names)
				}
			}
		})
	}
}
