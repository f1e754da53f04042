package main

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/pprof"
	"strconv"
	"time"

	"github.com/gorilla/mux"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// operations serves what operators look at: /healthz, /readyz, /metrics.
func (n *node) operations(router *mux.Router) {
	router.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		writeState(w, http.StatusOK, map[string]any{"status": "ok"})
	}).Methods(http.MethodGet)
	router.HandleFunc("/readyz", n.serveReady).Methods(http.MethodGet)
	router.Handle("/metrics", promhttp.HandlerFor(n.meter, promhttp.HandlerOpts{})).Methods(http.MethodGet)
}

// probeTimeout bounds how long a part may take to say that it is well.
const probeTimeout = 2 * time.Second

// serveReady says how each part is. Only what stops messages makes the node not ready: without live state they are slower.
func (n *node) serveReady(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), probeTimeout)
	defer cancel()
	state := func(err error) string {
		if err != nil {
			return "unreachable" // the error may hold addresses; it is in the log of whoever needs the part
		}
		return "ok"
	}
	database := n.store.Ping(ctx)
	status, word := http.StatusOK, "ready"
	if why := n.unready(database); why != "" {
		status, word = http.StatusServiceUnavailable, why
	}
	writeState(w, status, map[string]any{"status": word, "version": version(), "roles": n.config.Roles, "parts": map[string]any{
		"database": map[string]string{"kind": n.databaseKind, "state": state(database)},
		"redis":    map[string]string{"kind": n.live.Kind, "state": state(n.live.Ping(ctx))},
		"clock":    n.clock(ctx),
	}})
}

// maxApart is by how much the clocks of nodes may differ: less than what is left of a lane's lease, and of the leeway of tokens. What is further
// ahead takes lanes that others work on, so that deliveries come twice, and makes tokens that others do not take yet.
const maxApart = 4 * time.Second

// clock says how the clock goes, which stops no messages.
func (n *node) clock(ctx context.Context) map[string]string {
	ahead, err := n.store.ClockAhead(ctx)
	switch {
	case err != nil:
		return map[string]string{"state": "unknown"}
	case ahead.Abs() > maxApart:
		return map[string]string{"aheadOfDatabase": ahead.Round(time.Millisecond).String(), "state": "apart"}
	}
	return map[string]string{"aheadOfDatabase": ahead.Round(time.Millisecond).String(), "state": "ok"}
}

// unready says why the node takes no messages, by how the database answered; "" = it does.
func (n *node) unready(database error) string {
	switch {
	case !n.ready.Load():
		return "stopping or starting"
	case database != nil:
		return "the database is unreachable"
	}
	return ""
}

func writeState(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the caller is gone if it fails
}

// startPprof serves profiles on their own address, which configs checked to be private.
func (n *node) startPprof(ctx context.Context) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", n.config.Pprof)
	if err != nil {
		return err
	}
	server := pprofServer()
	n.running.Go(func() { _ = server.Serve(l) })
	stop := n.run
	n.run = func() {
		server.Close()
		stop()
	}
	return nil
}

// pprofServer serves profiles.
func pprofServer() *http.Server {
	m := http.NewServeMux()
	m.HandleFunc("/debug/pprof/", pprof.Index)
	m.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	m.HandleFunc("/debug/pprof/profile", pprof.Profile)
	m.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	m.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return &http.Server{Handler: m, ReadHeaderTimeout: 10 * time.Second}
}

// requests counts REST requests; it implements rest.Observer.
type requests struct{ seconds *prometheus.HistogramVec }

func newRequests(r prometheus.Registerer) *requests {
	m := &requests{prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "parley_http_request_seconds",
		Help: "Time of HTTP requests, by route, method and status.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 14)}, []string{"route", "method", "status"})}
	r.MustRegister(m.seconds)
	return m
}

// Observe implements rest.Observer.
func (m *requests) Observe(route, method string, status int, took time.Duration) {
	m.seconds.WithLabelValues(route, method, strconv.Itoa(status)).Observe(took.Seconds())
}
