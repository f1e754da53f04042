package ws

import "github.com/prometheus/client_golang/prometheus"

// metrics counts what sessions do. Labels come from closed sets.
type metrics struct {
	sessions  prometheus.Gauge
	closed    *prometheus.CounterVec
	delivered prometheus.Counter
	slow      prometheus.Counter
	shed      prometheus.Counter
	refused   prometheus.Counter
	acked     prometheus.Histogram
	seconds   prometheus.Histogram
}

func newMetrics(r prometheus.Registerer) *metrics {
	buckets := prometheus.ExponentialBuckets(0.0005, 2, 15)
	m := &metrics{
		sessions: prometheus.NewGauge(prometheus.GaugeOpts{Name: "parley_sessions", Help: "Live WebSocket sessions on this node."}),
		closed: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "parley_sessions_closed_total",
			Help: "Sessions that ended, by reason."}, []string{"reason"}),
		delivered: prometheus.NewCounter(prometheus.CounterOpts{Name: "parley_session_messages_total", Help: "Messages queued to sessions."}),
		slow:      prometheus.NewCounter(prometheus.CounterOpts{Name: "parley_sessions_slow_total", Help: "Sessions closed because their queue was full."}),
		shed:      prometheus.NewCounter(prometheus.CounterOpts{Name: "parley_session_shed_total", Help: "Typing and presence events that lagging sessions did not get."}),
		refused:   prometheus.NewCounter(prometheus.CounterOpts{Name: "parley_session_requests_limited_total", Help: "Requests refused by rate or in-flight limit."}),
		acked:     prometheus.NewHistogram(prometheus.HistogramOpts{Name: "parley_session_ack_seconds", Help: "From reading a post to queueing its ack.", Buckets: buckets}),
		seconds:   prometheus.NewHistogram(prometheus.HistogramOpts{Name: "parley_session_delivery_seconds", Help: "From accepting a message to queueing it to a session.", Buckets: buckets}),
	}
	if r != nil {
		r.MustRegister(m.sessions, m.closed, m.delivered, m.slow, m.shed, m.refused, m.acked, m.seconds)
	}
	return m
}
