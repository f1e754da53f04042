package main

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// vitals shows to who scrapes what /readyz says to who asks, and how large the database is. It implements
// prometheus.Collector; a scrape takes as long as the parts take to answer, at most probeTimeout.
type vitals struct {
	n                              *node
	ready, part, size, ahead, this *prometheus.Desc

	mu       sync.Mutex // one look at the size at a time
	bytes    float64
	measured time.Time
}

// sizeFor is how long a size of the database is shown: PostgreSQL looks at every file for it.
const sizeFor = time.Minute

func newVitals(n *node) *vitals {
	return &vitals{n: n,
		ready: prometheus.NewDesc("parley_ready", "Whether this node takes messages: 1 or 0, as /readyz says.", nil, nil),
		part:  prometheus.NewDesc("parley_part_up", "Whether a part answers this node: 1 or 0, by part: database, redis.", []string{"part"}, nil),
		size:  prometheus.NewDesc("parley_database_bytes", "Size of the database, at most a minute old.", nil, nil),
		ahead: prometheus.NewDesc("parley_clock_ahead_seconds", "How far this node's clock is ahead of the database's; negative = behind. 0 with SQLite.", nil, nil),
		this: prometheus.NewDesc("parley_build_info", "What runs here: always 1, by version, kind of database and kind of Redis.", nil,
			prometheus.Labels{"version": version(), "database": n.databaseKind, "redis": n.live.Kind}),
	}
}

// Describe implements prometheus.Collector.
func (v *vitals) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{v.ready, v.part, v.size, v.ahead, v.this} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (v *vitals) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), probeTimeout) // a collector is given none
	defer cancel()
	show := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	is := func(so bool) float64 {
		if so {
			return 1
		}
		return 0
	}
	show(v.this, 1)
	database := v.n.store.Ping(ctx)
	show(v.ready, is(v.n.unready(database) == ""))
	show(v.part, is(database == nil), "database")
	show(v.part, is(v.n.live.Ping(ctx) == nil), "redis")
	if ahead, err := v.n.store.ClockAhead(ctx); err == nil {
		show(v.ahead, ahead.Seconds())
	}
	if bytes, ok := v.databaseBytes(ctx); ok {
		show(v.size, bytes)
	}
}

// databaseBytes measures again when the last size is too old; ok is false if that fails: no size is better than an old one.
func (v *vitals) databaseBytes(ctx context.Context) (bytes float64, ok bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if time.Since(v.measured) < sizeFor {
		return v.bytes, true
	}
	n, err := v.n.store.Bytes(ctx)
	if err != nil {
		return 0, false
	}
	v.bytes, v.measured = float64(n), time.Now()
	return v.bytes, true
}
