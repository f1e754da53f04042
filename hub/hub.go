package hub

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

// Config is what a hub works with. Store is required; everything else has a useful zero.
type Config struct {
	Store      parley.Store
	Live       parley.Live           // nil = alone: no other node hears of anything
	Dispatcher Dispatcher            // nil = lanes are left to the sweeper of some other node
	Logger     *slog.Logger          // nil = slog.Default
	Meter      prometheus.Registerer // nil = no metrics
	Clock      func() time.Time      // nil = time.Now
	Redaction  parley.Redaction      // nil = what is said is stored as it was said. Asked when a plan is read, so a change is heard of as those of the orchestration are

	MaxActive   int           // conversations whose state is kept in memory; zero means 100,000
	ActiveFor   time.Duration // how long an idle one is kept; zero means 10 minutes
	MaxInFlight int           // posts of one conversation that may wait for their commit; zero means 256
	Retention   time.Duration // how long an ended conversation can be read; zero means 90 days (reference 11)
	TypingFor   time.Duration // how long a mark of typing holds by itself; zero means 10 s
}

// A Dispatcher is told of what there is to deliver by callback. Its methods must not block; what it forgets the sweeper
// finds, whispers apart.
type Dispatcher interface {
	// Lease is for how long the lanes that a step makes owe something are to be claimed for the dispatcher as the step is
	// committed, and of which receivers (by key) they are not; zero if it has no room for any.
	Lease() (lease time.Duration, not []int64)
	// Wake says that the lanes owe something because of a commit; those that were claimed are the dispatcher's now.
	Wake(c parley.Committed)
	// Stirred says that something happened in a tenant, on this node or another: sessions that take deliveries look again.
	Stirred(tenant parley.TenantID)
	// Whisper asks for one attempt, without retry, to tell a party of typing or presence.
	Whisper(w parley.Whisper)
}

// Hub applies the rules. Safe for concurrent use. Run must be running for deadlines, hints and releases to work.
type Hub struct {
	config  Config
	lead    *lead.Lead // whoever has it acts on deadlines
	plans   *plans
	metrics *metrics
	topics  *topics
	waiters *waiters
	hints   chan parley.Hint
	reads   chan *reading
	shown   chan parley.ReadMark

	refusals chan parley.Refused
	queues   *queues
	frames   atomic.Pointer[func(session, frame string)] // see HandleFrames
	dropped  atomic.Bool                                 // hints, because their queue was full

	mu     sync.Mutex
	active map[parley.ConversationID]*active
	work   workers // of active conversations, fills of topics, and releases of what was held
}

// New makes a hub.
func New(c Config) *Hub {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.MaxActive == 0 {
		c.MaxActive = 100_000
	}
	if c.ActiveFor == 0 {
		c.ActiveFor = 10 * time.Minute
	}
	if c.MaxInFlight == 0 {
		c.MaxInFlight = 256
	}
	if c.Retention == 0 {
		c.Retention = 90 * 24 * time.Hour
	}
	if c.TypingFor == 0 {
		c.TypingFor = 10 * time.Second
	}
	h := &Hub{config: c, lead: lead.New(c.Live, "reminders", remindLease), metrics: newMetrics(c.Meter), active: map[parley.ConversationID]*active{},
		hints: make(chan parley.Hint, maxHints), reads: make(chan *reading, maxReads), shown: make(chan parley.ReadMark, maxReads), refusals: make(chan parley.Refused, maxRefused)}
	h.plans = &plans{store: c.Store, now: h.now, redaction: c.Redaction, byID: map[parley.AccountID]cachedPlan{}, byAddress: map[addressKey]cachedAddress{}}
	h.topics = newTopics(h)
	h.waiters = newWaiters()
	h.queues = newQueues(h)
	return h
}

// now is the hub's clock, to the millisecond, which is what the store keeps.
func (h *Hub) now() time.Time { return h.config.Clock().UTC().Truncate(time.Millisecond) }

// Run does what is not done by a caller: deadlines, marks of reading and of what was shown, places in queues, hints to and from other nodes,
// forgetting idle conversations, counting open ones. When it returns, after ctx has ended, nothing of the hub runs any more. Posts may still be
// made until the store closes, but those that need more than what is in memory are answered Busy from the end of ctx on; a
// caller that cannot try them again, on another node or later, must have ended before.
func (h *Hub) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	wg.Go(func() { h.sendHints(ctx) })
	if h.config.Live != nil {
		wg.Go(func() { h.receiveHints(ctx) })
	}
	wg.Go(func() { h.markReads(ctx) })
	wg.Go(func() { h.markShown(ctx) })
	wg.Go(func() { h.noteRefused(ctx) })
	wg.Go(func() { h.queues.run(ctx) })
	wg.Go(func() { h.every(ctx, time.Second, h.remind) })
	wg.Go(func() { h.census(ctx) })
	wg.Go(func() { h.every(ctx, time.Minute, func(context.Context) { h.forget() }) })
	wg.Wait()
	h.work.end()
	h.topics.stopTyping() // after the workers, which may mark somebody
	return ctx.Err()
}

// every calls fn again and again, an interval after it returned, until ctx ends.
func (h *Hub) every(ctx context.Context, interval time.Duration, fn func(context.Context)) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			fn(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// ConfigChanged forgets what is cached of a tenant's configuration, here and on the other nodes.
func (h *Hub) ConfigChanged(_ context.Context, tenant parley.TenantID) {
	h.plans.forget(tenant)
	h.hint(parley.Hint{Kind: parley.HintConfig, Tenant: tenant})
}

// forget drops the state of conversations that nobody needed for a while; the store has it.
func (h *Hub) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	before := h.now().Add(-h.config.ActiveFor)
	for id, a := range h.active {
		if a.idleSince(before) {
			delete(h.active, id)
		}
	}
	h.metrics.active.Set(float64(len(h.active)))
}
