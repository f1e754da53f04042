package ws

import "github.com/prometheus/client_golang/prometheus"

// depth shows how much is queued to sessions. It looks at them when it is asked, so that a post pays nothing for it. It
// implements prometheus.Collector.
type depth struct {
	server         *Server
	total, deepest *prometheus.Desc
}

func newDepth(s *Server) *depth {
	return &depth{server: s,
		total:   prometheus.NewDesc("parley_session_queued", "Objects that wait to be written to sessions of this node.", nil, nil),
		deepest: prometheus.NewDesc("parley_session_queued_most", "Objects that wait to be written to the session for which most do; full queues close their session.", nil, nil)}
}

// Describe implements prometheus.Collector.
func (d *depth) Describe(to chan<- *prometheus.Desc) {
	to <- d.total
	to <- d.deepest
}

// Collect implements prometheus.Collector.
func (d *depth) Collect(to chan<- prometheus.Metric) {
	var total, deepest int
	for _, s := range d.server.all() {
		s.mu.Lock()
		n := len(s.queue)
		s.mu.Unlock()
		total, deepest = total+n, max(deepest, n)
	}
	to <- prometheus.MustNewConstMetric(d.total, prometheus.GaugeValue, float64(total))
	to <- prometheus.MustNewConstMetric(d.deepest, prometheus.GaugeValue, float64(deepest))
}
