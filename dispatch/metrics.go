package dispatch

import "github.com/prometheus/client_golang/prometheus"

// metrics counts what dispatch does. Labels come from closed sets.
type metrics struct {
	deliveries *prometheus.CounterVec
	attempts   *prometheus.HistogramVec
	woken      *prometheus.CounterVec
	whispers   *prometheus.CounterVec
	renewals   *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "parley_deliveries_total",
			Help: "Deliveries that came to an end, by outcome."}, []string{"outcome"}),
		attempts: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "parley_attempt_seconds",
			Help: "Time of one attempt, token renewal included, by outcome.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 14)}, []string{"outcome"}),
		woken: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "parley_lanes_woken_total",
			Help: "Lanes that were woken, by way."}, []string{"way"}),
		whispers: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "parley_whispers_total",
			Help: "Typing and presence towards callbacks, by outcome."}, []string{"outcome"}),
		renewals: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "parley_token_renewals_total",
			Help: "Access tokens fetched for callbacks, by outcome."}, []string{"outcome"}),
	}
	if r != nil {
		r.MustRegister(m.deliveries, m.attempts, m.woken, m.whispers, m.renewals)
	}
	return m
}

func (m *metrics) attempted(r result) {
	m.attempts.WithLabelValues(r.outcome.String()).Observe(r.took.Seconds())
}
