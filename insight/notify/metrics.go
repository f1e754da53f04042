package notify

import (
	"github.com/prometheus/client_golang/prometheus"

	"parley"
)

// metrics counts what is told.
type metrics struct {
	calls  *prometheus.CounterVec
	lag    prometheus.Histogram
	ended  *prometheus.CounterVec
	errors prometheus.Counter
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "parley_notifications_total",
			Help: "Calls to targets of subscriptions, by what they say (webhook_callback_verification, notification, revocation) and outcome (good, failed)."}, []string{"type", "outcome"}),
		lag: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "parley_notification_lag_seconds",
			Help: "From when a notification became owed to its target's 2xx.", Buckets: []float64{.1, .25, .5, 1, 2, 5, 10, 60, 600, 3600}}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "parley_subscriptions_ended_total",
			Help: "Subscriptions that came to an end by themselves, by status."}, []string{"status"}),
		errors: prometheus.NewCounter(prometheus.CounterOpts{Name: "parley_notification_errors_total",
			Help: "Failures of the hub itself in telling subscriptions, which are tried again."}),
	}
	for _, kind := range []string{kindChallenge, kindNotification, kindRevocation} {
		for _, outcome := range []string{"good", "failed"} {
			m.calls.WithLabelValues(kind, outcome)
		}
	}
	for _, status := range []parley.SubscriptionStatus{parley.SubscriptionUnverified, parley.SubscriptionFailed} {
		m.ended.WithLabelValues(string(status))
	}
	if r != nil {
		r.MustRegister(m.calls, m.lag, m.ended, m.errors)
	}
	return m
}
