package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/uptrace/bun"
)

// metrics counts what the writers do. Labels come from closed sets.
type metrics struct {
	seconds *prometheus.HistogramVec
	size    prometheus.Histogram
	steps   *prometheus.CounterVec

	statements prometheus.Counter
	errors     *prometheus.CounterVec
}

// A pool counts the statements of one pool of connections: those that go through bun, whose hook it is, and those of bulks.
// It implements bun.QueryHook.
type pool struct {
	m      *metrics
	name   string // "write" or "read"
	writes bool
}

// BeforeQuery implements bun.QueryHook.
func (p pool) BeforeQuery(ctx context.Context, _ *bun.QueryEvent) context.Context { return ctx }

// AfterQuery implements bun.QueryHook.
func (p pool) AfterQuery(_ context.Context, e *bun.QueryEvent) { p.ran(e.Err) }

// ran counts a statement and what came of it.
func (p pool) ran(err error) {
	if p.writes {
		p.m.statements.Inc()
	}
	p.m.failed(p.name, err)
}

// failed counts an error of the database. What is an answer is none: no row, a row that is there already, or a caller who
// went away.
func (m *metrics) failed(pool string, err error) {
	switch {
	case err == nil, errors.Is(err, sql.ErrNoRows), errors.Is(err, sql.ErrTxDone), errors.Is(err, context.Canceled), isUnique(err), isReferred(err):
	case isTransient(err):
		m.errors.WithLabelValues(pool, "conflict").Inc()
	default:
		m.errors.WithLabelValues(pool, "failed").Inc()
	}
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "parley_commit_seconds",
			Help: "Time of one shared commit, from begin to the database's answer.", Buckets: prometheus.ExponentialBuckets(0.0002, 2, 16)}, []string{"outcome"}),
		size: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "parley_commit_batch_size",
			Help: "Steps, progress reports and claims that shared a commit.", Buckets: prometheus.ExponentialBuckets(1, 2, 10)}),
		steps: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "parley_commit_entries_total",
			Help: "What was committed or refused, by kind."}, []string{"kind", "outcome"}),
		statements: prometheus.NewCounter(prometheus.CounterOpts{Name: "parley_write_statements_total",
			Help: "Statements of writing connections, begin and commit among them."}),
	}
	m.errors = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "parley_store_errors_total",
		Help: "Statements that the database did not carry out, by pool of connections (read, write) and kind: conflict (run again), failed."}, []string{"pool", "kind"})
	for _, pool := range []string{"read", "write"} {
		for _, kind := range []string{"conflict", "failed"} {
			m.errors.WithLabelValues(pool, kind) // shown before the first one, which would pass for the beginning of the series
		}
	}
	if r != nil {
		r.MustRegister(m.seconds, m.size, m.steps, m.statements, m.errors)
	}
	return m
}

func (m *metrics) commit(took time.Duration, batch []*entry, err error) {
	m.seconds.WithLabelValues(outcome(err)).Observe(took.Seconds())
	m.size.Observe(float64(len(batch)))
	for _, e := range batch {
		kind := "step"
		switch {
		case e.progress != nil:
			kind = "progress"
		case e.claim != nil:
			kind = "claim"
		}
		result := outcome(err)
		if err == nil && e.err != nil {
			result = "refused"
		}
		m.steps.WithLabelValues(kind, result).Inc()
	}
}

func outcome(err error) string {
	if err != nil {
		return "error"
	}
	return "ok"
}
