package dispatch

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"net/url"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"parley"
	"parley/egress"
)

// A Queue carries lanes to whoever works on them. It may lose, repeat and reorder: the sweeper and the leases see to that.
type Queue interface {
	// Enqueue hands on the lanes in as few tasks as it can.
	Enqueue(ctx context.Context, lanes []int64) error
	// Run calls handle for the lanes of every task, from several goroutines, until ctx ends. handle returns at once.
	Run(ctx context.Context, handle func(lanes []int64)) error
}

// A Hub is what dispatch tells of deliveries that it gave up.
type Hub interface {
	DeliveryFailed(ctx context.Context, tenant parley.TenantID, slot int, m parley.Message) error
}

// Config is what a dispatcher works with. Store is required.
type Config struct {
	Store     parley.Store
	Hub       Hub                                              // nil = nobody is told of dead deliveries
	Queue     Queue                                            // nil = this process delivers what it is told of itself
	Work      bool                                             // deliver; false = only hand lanes to the queue
	Allow     []netip.Prefix                                   // private addresses that callbacks may reach
	AssetURL  func(t parley.TenantID, a parley.AssetID) string // fresh download URL; nil = attachments without url
	Schedule  []time.Duration                                  // waits after failures; nil = Schedule
	Logger    *slog.Logger                                     // nil = slog.Default
	Meter     prometheus.Registerer                            // nil = no metrics
	Tracer    trace.TracerProvider                             // nil = none
	Clock     func() time.Time                                 // nil = time.Now
	Random    func() float64                                   // in [0, 1); nil = math/rand
	Sweep     time.Duration                                    // between two sweeps; zero = 1 s
	AtOnce    int                                              // attempts that run at the same time; zero = 256
	PerTarget int                                              // of these for one receiver that has no setting; zero = 32
	Bots      Bots                                             // nil = this process runs none
	Hooks     Hooks                                            // renders what hooks hear; nil = they hear nothing, and are owed it
	Notifier  Notifier                                         // nil = nobody is told of receivers that fail
	Proxy     *url.URL                                         // callbacks and token calls go through it, see egress; nil = directly
}

// A Dispatcher delivers what lanes owe. Safe for concurrent use; Run must be running.
type Dispatcher struct {
	config  Config
	logger  *slog.Logger
	sender  *sender
	targets *targets
	metrics *metrics
	pool    *pool
	bots    *pool // of lanes to bots that the hub runs: they wait for as long as a bot thinks, and take nobody's place
	health  *health
	limits  *limits
	faults  ourFaults

	mu     sync.Mutex
	woken  map[int64]struct{} // waiting to be handed to the queue
	signal chan struct{}      // capacity 1: woken has something
	timers map[*time.Timer]struct{}
	takers map[*taker]struct{} // sessions that take deliveries
	ending bool

	whispers *whispers
	ctx      context.Context // of the attempts; ends after Run's grace
	stop     context.CancelFunc
	wg       sync.WaitGroup
}

// New makes a dispatcher.
func New(c Config) *Dispatcher {
	if c.Schedule == nil {
		c.Schedule = Schedule
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Random == nil {
		c.Random = rand.Float64
	}
	if c.Sweep == 0 {
		c.Sweep = time.Second
	}
	if c.AtOnce == 0 {
		c.AtOnce = 256
	}
	if c.PerTarget == 0 {
		c.PerTarget = 32
	}
	if c.Tracer == nil {
		c.Tracer = noop.NewTracerProvider()
	}
	via := newClients(&egress.Guard{Allow: c.Allow, Proxy: c.Proxy})
	m := newMetrics(c.Meter)
	d := &Dispatcher{config: c, logger: c.Logger, metrics: m, woken: map[int64]struct{}{}, signal: make(chan struct{}, 1),
		timers: map[*time.Timer]struct{}{}, takers: map[*taker]struct{}{}, targets: newTargets(c.Store, c.Clock)}
	d.sender = &sender{clients: via, clock: c.Clock, tracer: c.Tracer.Tracer("parley/dispatch"),
		tokens: newTokens(via, c.Store, func(o string) { m.renewals.WithLabelValues(o).Inc() })}
	d.ctx, d.stop = context.WithCancel(context.Background()) // attempts in flight may finish after Run's ctx has ended
	d.faults.of = map[int64]int{}
	d.health, d.limits = &health{d: d, of: map[int64]*condition{}, held: held{store: c.Store, clock: c.Clock}}, newLimits()
	d.whispers = newWhispers(c.Clock, d.whisperOnce, func(o string) { m.whispers.WithLabelValues(o).Inc() })
	d.bots = newPool(maxBotTurns, func(parley.Receiver) int { return maxBotTurns }, func(lane *parley.Lane) { d.workOn(d.ctx, lane, nil, true) })
	d.pool = newPool(c.AtOnce, d.perTarget, func(lane *parley.Lane) { d.work(d.ctx, lane, nil) })
	return d
}

// maxBotTurns bounds the turns of bots that the hub runs that one node waits for at the same time.
const maxBotTurns = 8192

// add gives a lane that was claimed to those who work on its kind.
func (d *Dispatcher) add(l *parley.Lane) {
	if d.targets.known(l.Receiver).bot() {
		d.bots.add(l)
		return
	}
	d.pool.add(l)
}

// perTarget is how many attempts one receiver may have at the same time.
func (d *Dispatcher) perTarget(r parley.Receiver) int {
	if n := d.targets.known(r).role.Delivery.AtOnce; n > 0 {
		return n
	}
	return d.config.PerTarget
}

// grace is how long attempts in flight may go on after Run was told to end: longer than any takes.
const grace = attemptTimeout + tokenTimeout

// Run delivers until ctx ends; then it claims no more, lets attempts in flight finish, and returns.
func (d *Dispatcher) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	wg.Go(func() { d.forward(ctx) })
	if d.config.Work {
		if d.config.Queue != nil {
			wg.Go(func() {
				for ctx.Err() == nil {
					if err := d.config.Queue.Run(ctx, d.take); err != nil && ctx.Err() == nil {
						d.logger.WarnContext(ctx, "the queue of wake-ups failed; the sweeper goes on", "error", err)
						pause(ctx, time.Second)
					}
				}
			})
		}
		wg.Go(func() { d.sweep(ctx) })
	}
	<-ctx.Done()
	d.mu.Lock()
	d.ending = true
	for t := range d.timers {
		t.Stop()
	}
	d.mu.Unlock()
	d.pool.close()
	d.bots.close()
	d.whispers.close()
	cut := time.AfterFunc(grace, d.stop)
	wg.Wait()
	d.wg.Wait()
	d.pool.wait()
	d.bots.wait()
	d.whispers.wait()
	cut.Stop()
	d.stop()
	d.sender.clients.close()
	return ctx.Err()
}

// Lease implements hub.Dispatcher.
func (d *Dispatcher) Lease() (time.Duration, []int64) {
	if !d.config.Work {
		return 0, nil
	}
	ok, full := d.pool.room()
	if !ok {
		return 0, nil
	}
	return lease, full
}

// Wake implements hub.Dispatcher. Lanes that were claimed as they were committed need no way through the queue.
func (d *Dispatcher) Wake(c parley.Committed) {
	d.metrics.woken.WithLabelValues("committed").Add(float64(len(c.Claimed)))
	for _, l := range c.Claimed {
		d.add(l)
	}
	if len(c.Wake) == 0 {
		return
	}
	d.mu.Lock()
	for _, l := range c.Wake {
		d.woken[l] = struct{}{}
	}
	d.mu.Unlock()
	select {
	case d.signal <- struct{}{}:
	default:
	}
}

// enqueueTimeout bounds one hand-over to the queue; afterwards this process, or the sweeper, sees to the lanes.
const enqueueTimeout = time.Second

// forward hands woken lanes to the queue: whatever gathered while the last hand-over was away goes in one task.
func (d *Dispatcher) forward(ctx context.Context) {
	for {
		select {
		case <-d.signal:
		case <-ctx.Done():
			return
		}
		d.mu.Lock()
		lanes := make([]int64, 0, len(d.woken))
		for l := range d.woken {
			lanes = append(lanes, l)
		}
		clear(d.woken)
		d.mu.Unlock()
		if len(lanes) == 0 {
			continue
		}
		if d.config.Queue != nil {
			bounded, cancel := context.WithTimeout(ctx, enqueueTimeout)
			err := d.config.Queue.Enqueue(bounded, lanes)
			cancel()
			if err == nil {
				d.metrics.woken.WithLabelValues("queued").Add(float64(len(lanes)))
				continue
			}
			d.metrics.woken.WithLabelValues("queue_error").Add(float64(len(lanes)))
		}
		if d.config.Work {
			d.take(lanes)
		}
	}
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, wait time.Duration) {
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// shortRetry is the longest wait for which a timer of this process wakes the lane; longer ones are the sweeper's, or the taker's.
const shortRetry = time.Minute

// later calls wake when the retry of a lane is due.
func (d *Dispatcher) later(wait time.Duration, wake func()) {
	if wait > shortRetry {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ending {
		return
	}
	var t *time.Timer
	// A millisecond more than the store's clock needs, which counts whole ones.
	t = time.AfterFunc(wait+time.Millisecond, func() {
		d.mu.Lock()
		delete(d.timers, t)
		d.mu.Unlock()
		wake()
	})
	d.timers[t] = struct{}{}
}
