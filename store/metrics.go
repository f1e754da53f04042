package store

import (
	"context"
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
}

// BeforeQuery implements bun.QueryHook.
func (m *metrics) BeforeQuery(ctx context.Context, _ *bun.QueryEvent) context.Context { return ctx }

// AfterQuery implements bun.QueryHook: it counts what goes through bun; bulks count themselves.
func (m *metrics) AfterQuery(context.Context, *bun.QueryEvent) { m.statements.Inc() }

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
	if r != nil {
		r.MustRegister(m.seconds, m.size, m.steps, m.statements)
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
