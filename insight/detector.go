package insight

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"parley/lead"

	"github.com/prometheus/client_golang/prometheus"

	"parley"
)

// Config is what a detector works with. Record is required.
type Config struct {
	Record  Record
	Live    lead.Locker           // nil = this node leads always
	Hub     Actor                 // does what hits ask for; nil = nothing is done
	Teller  Teller                // tells webhooks that a text was looked at; nil = they are not told
	Meaning *Meaning              // compares by an embedder; nil = by what the hub has itself
	Logger  *slog.Logger          // nil = slog.Default
	Meter   prometheus.Registerer // nil = no metrics
	Clock   func() time.Time      // nil = time.Now
}

// An Actor does what a tracker's hit asks for. It must not do it twice when asked twice.
type Actor interface {
	Detected(ctx context.Context, tenant parley.TenantID, d parley.Detected) error
}

// A Detector looks for trackers and entities in what is said. Run is called once.
type Detector struct {
	config  Config
	lead    *lead.Lead
	metrics *metrics
	engines *engines
	feed    follower
	known   map[parley.ConversationID]known // what the leader remembers of conversations; bounded by maxKnown
	owed    map[parley.ConversationID]*owed // what could not be done yet; see act
	leads   atomic.Bool

	// caughtUp is until when everything that was said was looked at, in milliseconds.
	caughtUp atomic.Int64
}

const (
	// pollEvery is how often the leader looks for new messages; with the time of one batch it is what a hit waits for.
	pollEvery = 250 * time.Millisecond
	// leadFor is how long a node leads before another may.
	leadFor = 5 * time.Second
	// maxKnown bounds the conversations whose language and progress are kept in memory; beyond it all are forgotten.
	maxKnown = 100_000
)

// NewDetector returns a detector.
func NewDetector(c Config) *Detector {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	return &Detector{config: c, lead: lead.New(c.Live, "detection", leadFor), metrics: newMetrics(c.Meter), engines: newEngines(c.Record, c.Meaning),
		known: map[parley.ConversationID]known{}, owed: map[parley.ConversationID]*owed{}}
}

func (d *Detector) now() time.Time { return d.config.Clock().UTC().Truncate(time.Millisecond) }

// Run follows the record and works on jobs until ctx ends, the one beside the other: what is said does not wait for jobs. A failure
// is logged and tried again.
func (d *Detector) Run(ctx context.Context) error {
	var running sync.WaitGroup
	running.Go(func() {
		d.repeat(ctx, func(ctx context.Context) error {
			d.settle(ctx) // also once another node leads, which does not know of it
			if !d.lead.Mine(ctx) {
				d.leads.Store(false)
				d.feed = follower{} // another one's progress is in the record
				clear(d.known)
				return nil
			}
			d.leads.Store(true)
			return d.follow(ctx)
		})
	})
	running.Go(func() {
		d.repeat(ctx, func(ctx context.Context) error {
			if !d.leads.Load() {
				return nil
			}
			return d.work(ctx)
		})
	})
	running.Wait()
	return ctx.Err()
}

// repeat calls fn at every tick until ctx ends.
func (d *Detector) repeat(ctx context.Context, fn func(context.Context) error) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if err := fn(ctx); err != nil && ctx.Err() == nil {
			d.config.Logger.WarnContext(ctx, "detection", "error", err)
			d.metrics.errors.Inc()
		}
	}
}

// metrics counts what is looked at and found.
type metrics struct {
	messages prometheus.Counter
	hits     *prometheus.CounterVec
	seconds  prometheus.Histogram
	lag      prometheus.Histogram
	errors   prometheus.Counter
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		messages: prometheus.NewCounter(prometheus.CounterOpts{Name: "parley_detection_messages_total",
			Help: "Messages that were looked at for trackers and entities."}),
		hits: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "parley_detection_hits_total",
			Help: "What was found, by kind: exact and similar (trackers), entity."}, []string{"kind"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "parley_detection_seconds",
			Help: "Looking at one message.", Buckets: []float64{.00001, .00005, .0001, .0005, .001, .005, .01, .05, .1}}),
		lag: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "parley_detection_lag_seconds",
			Help: "From accepting a message to storing what was found in it.", Buckets: []float64{.1, .25, .5, 1, 2, 5, 10, 60, 600}}),
		errors: prometheus.NewCounter(prometheus.CounterOpts{Name: "parley_detection_errors_total",
			Help: "Rounds of detection that failed and are tried again, and conversations whose findings could not be stored."}),
	}
	if r != nil {
		r.MustRegister(m.messages, m.hits, m.seconds, m.lag, m.errors)
	}
	return m
}
