package rest

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/mux"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"parley/rest/api"
)

type counts map[string]int

func (c counts) Observe(route, method string, status int, _ time.Duration) {
	c[route+" "+method+" "+http.StatusText(status)]++
}

func serve(t *testing.T, cfg Config, r *http.Request) *http.Response {
	t.Helper()
	router := NewRouter()
	router.HandleFunc("/things/{id}", func(w http.ResponseWriter, r *http.Request) {
		switch mux.Vars(r)["id"] {
		case "panic":
			panic("secret")
		case "trace":
			_, _ = io.WriteString(w, trace.SpanContextFromContext(r.Context()).TraceID().String())
		case "fails":
			api.WriteError(w, r, errors.New("the disk is full"))
		case "body":
			if _, err := api.ReadJSON(r); err != nil {
				api.WriteError(w, r, err)
			}
		}
	}).Methods("GET", "POST")
	router.HandleFunc("/other", func(http.ResponseWriter, *http.Request) {}).Methods("GET") // tried after a method mismatch
	router.Use(LimitBody(10))
	server := httptest.NewServer(Handler(cfg, router))
	t.Cleanup(server.Close)
	r.URL.Scheme, r.URL.Host, r.RequestURI = "http", strings.TrimPrefix(server.URL, "http://"), ""
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", r.Method, r.URL.Path, err)
	}
	t.Cleanup(func() { res.Body.Close() })
	return res
}

func text(t *testing.T, res *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestRefusalsAreNeverPlainText(t *testing.T) {
	big := strings.NewReader(`{"a":"0123456789"}`)
	for name, test := range map[string]struct {
		method, path, media string
		body                io.Reader
		status              int
		code                string
	}{
		"unknown path":     {"GET", "/nowhere", "", nil, 404, "404-101"},
		"unknown method":   {"DELETE", "/things/1", "", nil, 405, "405-100"},
		"two slashes":      {"GET", "//things/1", "", nil, 404, "404-101"},
		"panic":            {"GET", "/things/panic", "", nil, 500, "500-100"},
		"oversized body":   {"POST", "/things/body", "application/json", big, 400, "400-152"},
		"no body":          {"POST", "/things/body", "application/json", nil, 400, "400-264"},
		"other media type": {"POST", "/things/body", "text/plain", strings.NewReader("{}"), 400, "400-152"},
		"garbled type":     {"POST", "/things/body", "/", strings.NewReader("{}"), 400, "400-152"},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(test.method, test.path, test.body)
			r.Header.Set("Content-Type", test.media)
			res := serve(t, Config{}, r)
			body := text(t, res)
			if res.StatusCode != test.status || !strings.Contains(body, `"code":"`+test.code+`"`) || res.Header.Get("Content-Type") != "application/json" {
				t.Errorf("answered %d %s (%s), want %d with code %s", res.StatusCode, body, res.Header.Get("Content-Type"), test.status, test.code)
			}
			if strings.Contains(body, "secret") {
				t.Error("the answer tells what the panic was")
			}
		})
	}
}

func TestHalfAnAnswerIsCut(t *testing.T) {
	router := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half")
		panic("late")
	})
	server := httptest.NewServer(Handler(Config{}, router))
	t.Cleanup(server.Close)
	res, err := http.Get(server.URL)
	if err == nil {
		_, err = io.ReadAll(res.Body)
		res.Body.Close()
	}
	if err == nil {
		t.Error("the caller takes half an answer for a whole one")
	}
}

func TestRequestIDIsKeptIfSane(t *testing.T) {
	for id, kept := range map[string]bool{"abc-1.2:3_4": true, "": false, "a b": false, strings.Repeat("a", 65): false, "a\"b": false} {
		r := httptest.NewRequest("GET", "/things/1", nil)
		r.Header.Set("X-Request-Id", id)
		got := serve(t, Config{}, r).Header.Get("X-Request-Id")
		if (got == id) != kept || got == "" {
			t.Errorf("X-Request-Id %q came back as %q", id, got)
		}
	}
}

func TestRequestsAreCountedByRoute(t *testing.T) {
	c := counts{}
	serve(t, Config{Observer: c}, httptest.NewRequest("GET", "/things/7", nil))
	serve(t, Config{Observer: c}, httptest.NewRequest("GET", "/nowhere/7", nil))
	serve(t, Config{Observer: c}, httptest.NewRequest("BREW", "/things/7", nil))
	if c["/things/{id} GET OK"] != 1 || c["unmatched GET Not Found"] != 1 || c["unmatched other Method Not Allowed"] != 1 {
		t.Errorf("counted %v", c)
	}
}

func TestTraceOfTheCallerGoesOn(t *testing.T) {
	const id = "0af7651916cd43dd8448eb211c80319c"
	r := httptest.NewRequest("GET", "/things/trace", nil)
	r.Header.Set("traceparent", "00-"+id+"-b7ad6b7169203331-01")
	if got := text(t, serve(t, Config{Propagator: propagation.TraceContext{}}, r)); got != id {
		t.Errorf("the handler sees trace %s, want %s", got, id)
	}
}

// Our own failures are logged with their cause, refusals by their code alone: what callers are told may name people.
func TestLogOfRefusals(t *testing.T) {
	var log bytes.Buffer
	cfg := Config{Log: slog.New(slog.NewJSONHandler(&log, nil))}
	serve(t, cfg, httptest.NewRequest("POST", "/things/body", nil))
	if s := log.String(); !strings.Contains(s, `"code":"400-264"`) || strings.Contains(s, "needs a body") {
		t.Errorf("a refusal is logged as %s", s)
	}
	log.Reset()
	serve(t, cfg, httptest.NewRequest("GET", "/things/fails", nil))
	if s := log.String(); !strings.Contains(s, "the disk is full") || !strings.Contains(s, `"level":"ERROR"`) {
		t.Errorf("a failure is logged as %s", s)
	}
}

func TestLogHoldsNoSecrets(t *testing.T) {
	var log bytes.Buffer
	r := httptest.NewRequest("GET", "/things/1?signature=secret", nil)
	r.Header.Set("Authorization", "Bearer secret")
	serve(t, Config{Log: slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))}, r)
	if s := log.String(); !strings.Contains(s, "/things/1") || strings.Contains(s, "secret") {
		t.Errorf("logged %s", s)
	}
}
