package store

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics counts what the writers do. Labels come from closed sets.
type metrics struct {
	seconds *prometheus.HistogramVec
	size    prometheus.Histogram
	steps   *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "parley_commit_seconds",
			Help: "Time of one shared commit, from begin to the database's answer.", Buckets: prometheus.ExponentialBuckets(0.0002, 2, 16)}, []string{"outcome"}),
		size: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "parley_commit_batch_size",
			Help: "Steps, progress reports and claims that shared a commit.", Buckets: prometheus.ExponentialBuckets(1, 2, 10)}),
		steps: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "parley_commit_entries_total",
			Help: "What was committed or refused, by kind."}, []string{"kind", "outcome"}),
	}
	if r != nil {
		r.MustRegister(m.seconds, m.size, m.steps)
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
