package dispatch

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"parley"
)

// metrics counts what dispatch does. Labels come from closed sets.
type metrics struct {
	deliveries *prometheus.CounterVec
	seconds    prometheus.Histogram
	due        prometheus.Gauge
	held       prometheus.Gauge
	oldest     prometheus.Gauge
	blocked    prometheus.Gauge
	dead       prometheus.Gauge
	receivers  *prometheus.GaugeVec
	attempts   *prometheus.HistogramVec
	woken      *prometheus.CounterVec
	whispers   *prometheus.CounterVec
	renewals   *prometheus.CounterVec
	breakers   *prometheus.CounterVec
	faults     *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "parley_deliveries_total",
			Help: "Deliveries that came to an end, by outcome."}, []string{"outcome"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "parley_delivery_seconds",
			Help: "Time from accepting a message to its receiver's 2xx.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 18)}),
		due:    prometheus.NewGauge(prometheus.GaugeOpts{Name: "parley_lanes_due", Help: "Lanes that owe something now, in the whole record."}),
		held:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "parley_lanes_held", Help: "Lanes that owe something to a disabled receiver, in the whole record."}),
		oldest: prometheus.NewGauge(prometheus.GaugeOpts{Name: "parley_oldest_due_seconds", Help: "For how long the oldest due lane has been due."}),
		blocked: prometheus.NewGauge(prometheus.GaugeOpts{Name: "parley_lanes_blocked",
			Help: "Lanes that a dead delivery keeps until somebody replays or skips it, in the whole record."}),
		dead: prometheus.NewGauge(prometheus.GaugeOpts{Name: "parley_dead_letters",
			Help: "Dead deliveries about which nobody has decided, in the whole record."}),
		receivers: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "parley_receivers",
			Help: "Receivers in the whole record, by state: ok, failing, broken (the circuit breaker is open), disabled."}, []string{"state"}),
		attempts: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "parley_attempt_seconds",
			Help: "Time of one attempt, token renewal included, by outcome.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 14)}, []string{"outcome"}),
		woken: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "parley_lanes_woken_total",
			Help: "Lanes that were woken, by way."}, []string{"way"}),
		whispers: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "parley_whispers_total",
			Help: "Typing and presence towards callbacks, by outcome."}, []string{"outcome"}),
		renewals: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "parley_token_renewals_total",
			Help: "Access tokens fetched for callbacks, by outcome."}, []string{"outcome"}),
		breakers: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "parley_breakers_total",
			Help: "Circuit breakers of receivers that this node opened or closed, by change."}, []string{"change"}),
		faults: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "parley_delivery_faults_total",
			Help: "Deliveries that waited for a fault of ours, by what failed: record (reading what is owed), request (making or sending it)."}, []string{"part"}),
	}
	for c, values := range map[*prometheus.CounterVec][]string{m.deliveries: {"delivered", "dead", "replayed"}, m.renewals: {"ok", "error"}, m.breakers: {"opened", "closed"},
		m.faults: {"record", "request"}} {
		for _, v := range values {
			c.WithLabelValues(v) // shown before the first one, which would pass for the beginning of the series
		}
	}
	if r != nil {
		r.MustRegister(m.deliveries, m.seconds, m.due, m.held, m.oldest, m.blocked, m.dead, m.receivers, m.attempts, m.woken, m.whispers, m.renewals, m.breakers, m.faults)
	}
	return m
}

// backlog shows what the record owes at a moment.
func (m *metrics) backlog(b parley.Backlog, now time.Time) {
	m.due.Set(float64(b.Due))
	m.held.Set(float64(b.Held))
	age := time.Duration(0)
	if !b.Oldest.IsZero() {
		age = now.Sub(b.Oldest)
	}
	m.oldest.Set(age.Seconds())
	m.blocked.Set(float64(b.Blocked))
	m.dead.Set(float64(b.Dead))
	for state, n := range map[string]int{"ok": b.Receivers.OK, "failing": b.Receivers.Failing, "broken": b.Receivers.Broken, "disabled": b.Receivers.Disabled} {
		m.receivers.WithLabelValues(state).Set(float64(n))
	}
}

func (m *metrics) attempted(r result) {
	m.attempts.WithLabelValues(r.outcome.String()).Observe(r.took.Seconds())
}
