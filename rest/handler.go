package rest

import (
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"runtime/debug"
	"strings"
	"time"

	"github.com/gorilla/mux"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"parley"
	"parley/ident"
	"parley/rest/api"
)

// An Observer counts requests. route is the template of a route, or "unmatched": a closed set.
type Observer interface {
	Observe(route, method string, status int, took time.Duration)
}

// Config says what is done with what is learnt of requests. The zero Config works and tells nobody.
type Config struct {
	Log        *slog.Logger                  // nil means none
	Observer   Observer                      // nil means none
	Tracer     trace.Tracer                  // nil means none
	Propagator propagation.TextMapPropagator // reads the caller's trace from the headers; nil means none
	HTTPS      bool                          // the public URL is https: browsers are told to keep to it
}

// unmatched is the route of requests that no surface knows.
const unmatched = "unmatched"

// NewRouter is the root of all surfaces. What none of them knows is answered with the error body most of them share:
// 404-101 for a path, 405-100 for a method.
func NewRouter() *mux.Router {
	r := mux.NewRouter().SkipClean(true) // or a path with two slashes is answered by a page that redirects
	NotFound(r)
	r.Use(noteRoute)
	return r
}

// NotFound makes a router answer unknown paths and methods with an error body instead of plain text. Surfaces with a
// prefix of their own call it for their subrouter.
func NotFound(r *mux.Router) {
	unknown := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if allowed := OtherMethods(r, req); len(allowed) > 0 {
			w.Header().Set("Allow", strings.Join(allowed, ", "))
			api.WriteError(w, req, &api.Refusal{Code: api.MethodNotAllowed, Msg: "this address does not know the method"})
			return
		}
		api.WriteError(w, req, &api.Refusal{Code: api.Unknown, Msg: "there is nothing at this address"})
	})
	// mux 1.8.1 forgets that a path matched but for its method when it tries further routes, so it cannot be asked which
	// of the two it is.
	r.NotFoundHandler, r.MethodNotAllowedHandler = unknown, unknown
}

// OtherMethods lists the methods, apart from that of the request, that the router knows for its path.
func OtherMethods(r *mux.Router, req *http.Request) (allowed []string) {
	for _, m := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		probe := *req
		probe.Method = m
		var match mux.RouteMatch
		if m != req.Method && r.Match(&probe, &match) && match.MatchErr == nil {
			allowed = append(allowed, m)
		}
	}
	return allowed
}

// noteRoute tells the trail which route was found.
func noteRoute(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if t := api.TrailOf(r.Context()); t != nil {
			if route := mux.CurrentRoute(r); route != nil {
				if template, err := route.GetPathTemplate(); err == nil {
					t.Route = template
				}
			}
		}
		next.ServeHTTP(w, r)
	})
}

// Handler wraps a router with what every request needs. The handler is safe for concurrent use.
func Handler(cfg Config, router http.Handler) http.Handler {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Tracer == nil {
		cfg.Tracer = noop.NewTracerProvider().Tracer("")
	}
	if cfg.Propagator == nil {
		cfg.Propagator = propagation.NewCompositeTextMapPropagator()
	}
	return &handler{cfg: cfg, router: router}
}

type handler struct {
	cfg    Config
	router http.Handler
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	trail := &api.Trail{RequestID: requestID(r), Route: unmatched}
	ctx := api.WithTrail(r.Context(), trail)
	ctx = h.cfg.Propagator.Extract(ctx, propagation.HeaderCarrier(r.Header))
	ctx, span := h.cfg.Tracer.Start(ctx, "http", trace.WithSpanKind(trace.SpanKindServer))
	defer span.End()

	answer := &recorder{ResponseWriter: w}
	h.headers(w.Header(), trail)
	r = r.WithContext(ctx)
	h.serve(answer, r)
	h.tell(r, span, trail, answer.status, time.Since(start))
}

// tell says what came of a request. It is apart from ServeHTTP, whose frame is there for as long as a request waits.
func (h *handler) tell(r *http.Request, span trace.Span, trail *api.Trail, status int, took time.Duration) {
	if status == 0 {
		status = http.StatusOK // net/http's own, for a handler that wrote nothing
	}
	span.SetName(r.Method + " " + trail.Route)
	span.SetAttributes(attribute.String("http.request.method", r.Method), attribute.String("http.route", trail.Route), attribute.Int("http.response.status_code", status))
	if status >= http.StatusInternalServerError {
		span.SetStatus(codes.Error, "")
	}
	if h.cfg.Observer != nil {
		h.cfg.Observer.Observe(trail.Route, method(r.Method), status, took)
	}
	h.log(r, trail, status, took)
}

// serve calls the router. A panic becomes the bare 500, unless the answer has begun: then the connection is cut, so that
// half an answer does not pass for a whole one.
func (h *handler) serve(w *recorder, r *http.Request) {
	defer func() {
		switch what := recover(); what {
		case nil:
		case http.ErrAbortHandler:
			if trail := api.TrailOf(r.Context()); trail.Err != nil {
				h.cfg.Log.ErrorContext(r.Context(), "answer cut", "request", trail.RequestID, "path", r.URL.Path, "error", trail.Err)
			}
			panic(what)
		default:
			h.cfg.Log.ErrorContext(r.Context(), "handler panicked", "request", api.TrailOf(r.Context()).RequestID,
				"panic", fmt.Sprint(what), "stack", string(debug.Stack()))
			if w.status != 0 {
				panic(http.ErrAbortHandler)
			}
			api.WriteError(w, r, &parley.Error{})
		}
	}()
	h.router.ServeHTTP(w, r)
}

// headers are those every answer has. A surface that serves pages sets its own in their place.
func (h *handler) headers(header http.Header, trail *api.Trail) {
	header.Set("X-Request-Id", trail.RequestID)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	header.Set("Cache-Control", "no-store")
	if h.cfg.HTTPS {
		header.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// log writes one line a request: our failures as errors, refusals as information, the rest only for who asks for debug.
func (h *handler) log(r *http.Request, trail *api.Trail, status int, took time.Duration) {
	level := slog.LevelDebug
	switch {
	case status >= http.StatusInternalServerError:
		level = slog.LevelError
	case status >= http.StatusBadRequest:
		level = slog.LevelInfo
	}
	if !h.cfg.Log.Enabled(r.Context(), level) {
		return
	}
	attrs := []slog.Attr{slog.String("request", trail.RequestID), slog.String("method", r.Method), slog.String("path", r.URL.Path),
		slog.Int("status", status), slog.Duration("took", took)}
	switch {
	case trail.Err == nil:
	case status >= http.StatusInternalServerError:
		attrs = append(attrs, slog.String("error", trail.Err.Error()))
	default: // what a caller is told may name people
		attrs = append(attrs, slog.String("code", string(api.CodeOf(trail.Err))))
	}
	h.cfg.Log.LogAttrs(r.Context(), level, "request", attrs...)
}

// saneID is what is kept of a caller's X-Request-Id: short, and unable to break a log line.
var saneID = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,64}$`)

func requestID(r *http.Request) string {
	if id := r.Header.Get("X-Request-Id"); saneID.MatchString(id) {
		return id
	}
	return ident.New[http.Request]().String()
}

// method keeps the label of metrics to the methods there are.
func method(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return m
	}
	return "other"
}

// A recorder remembers the status of an answer. Unwrap keeps hijacking and flushing possible.
type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(p)
}

// Unwrap is for [http.ResponseController], and for WebSocket, which takes the connection over.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
