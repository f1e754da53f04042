package hub

import (
	"github.com/prometheus/client_golang/prometheus"

	"parley"
)

// metrics counts what the hub decides. Labels come from closed sets.
type metrics struct {
	accepted  *prometheus.CounterVec
	refused   *prometheus.CounterVec
	rerouted  prometheus.Counter
	repeats   prometheus.Counter
	active    prometheus.Gauge
	open      *prometheus.GaugeVec
	hintsLost prometheus.Counter
	liveError prometheus.Counter

	turns       *prometheus.CounterVec
	turnSeconds prometheus.Histogram
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		accepted: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "parley_messages_accepted_total",
			Help: "Messages that were committed, by surface and type."}, []string{"surface", "type"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "parley_messages_refused_total",
			Help: "Posts that were refused, by surface and kind of error."}, []string{"surface", "kind"}),
		rerouted: prometheus.NewCounter(prometheus.CounterOpts{Name: "parley_messages_rerouted_total",
			Help: "Posts that were routed again because another node had changed the conversation."}),
		repeats: prometheus.NewCounter(prometheus.CounterOpts{Name: "parley_messages_repeated_total",
			Help: "Messages that had been committed before, recognised by their messageId."}),
		active: prometheus.NewGauge(prometheus.GaugeOpts{Name: "parley_conversations_active",
			Help: "Conversations whose state is in memory."}),
		open: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "parley_conversations_open",
			Help: "Open conversations in the whole record, by kind of owner: bot, queue, agent, none."}, []string{"owner"}),
		hintsLost: prometheus.NewCounter(prometheus.CounterOpts{Name: "parley_hints_lost_total",
			Help: "Hints to other nodes that were dropped because too many waited."}),
		liveError: prometheus.NewCounter(prometheus.CounterOpts{Name: "parley_hub_live_errors_total",
			Help: "Calls to the live state that failed; they cost latency only."}),
	}
	m.turns = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "parley_turns_total",
		Help: "Turns that are over, by status: answered, failed, human, dropped."}, []string{"status"})
	m.turnSeconds = prometheus.NewHistogram(prometheus.HistogramOpts{Name: "parley_turn_seconds",
		Help: "From a question to the end of its turn.", Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 15, 30, 60}})
	for _, status := range []parley.TurnStatus{parley.TurnAnswered, parley.TurnFailed, parley.TurnHuman, parley.TurnDropped} {
		m.turns.WithLabelValues(string(status)) // shown before the first one, which would pass for the beginning of the series
	}
	if r != nil {
		r.MustRegister(m.turns, m.turnSeconds, m.accepted, m.refused, m.rerouted, m.repeats, m.active, m.open, m.hintsLost, m.liveError)
	}
	return m
}
