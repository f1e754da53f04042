package figures

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"parley"
	"parley/insight/feed"
	"parley/lead"
)

// Record is what figures are made of and kept in; [parley.Store] is one.
type Record interface {
	Update(ctx context.Context, fn func(parley.Tx) error) error
	View(ctx context.Context, fn func(parley.Tx) error) error
}

// Config is what a counter works with. Record is required.
type Config struct {
	Record Record
	Live   lead.Locker           // nil = this node leads always
	Logger *slog.Logger          // nil = slog.Default
	Meter  prometheus.Registerer // nil = no metrics
	Clock  func() time.Time      // nil = time.Now

	// RetainEvery is how often old visits are looked for; 0 = 15 minutes. Retained hears how many were removed; nil = nobody does.
	RetainEvery time.Duration
	Retained    func(n int)
}

// A Counter counts what happens. Run is called once; the rest is Run's.
type Counter struct {
	config     Config
	lead       *lead.Lead
	metrics    *metrics
	feed       feed.Places
	version    int64 // of the progress that the feed goes with
	loaded     bool
	share      int                                   // recountShare, but in tests
	dimensions map[int64]map[parley.Dimensions]int64 // keys, by generation
	settings   map[parley.TenantID]parley.FigureSettings
	before     map[parley.TenantID]time.Time // visits whose last message is older are not counted
	retained   time.Time                     // when old visits were last looked for
}

const (
	// pollEvery is how often the leader looks for what is new; with the time of one round it is how old figures are. The longer, the less a
	// message of a busy conversation costs.
	pollEvery = time.Second
	// leadFor is how long a node leads before another may: after a kill figures stand still for so long. Two that think that they lead
	// do no harm.
	leadFor = 3 * time.Second
	// feedPage is how many messages one round looks at, as far as they are of at most feedTalks conversations; the more of one
	// conversation, the less each costs. walkPage is how many conversations of the old record it does. Each is one transaction of
	// writing, for which whoever posts may have to wait on SQLite.
	feedPage  = 50_000
	feedTalks = 2500
	walkPage  = 250
)

// NewCounter returns a counter.
func NewCounter(c Config) *Counter {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.RetainEvery == 0 {
		c.RetainEvery = 15 * time.Minute
	}
	return &Counter{config: c, lead: lead.New(c.Live, "figures", leadFor), metrics: newMetrics(c.Meter), share: recountShare, dimensions: map[int64]map[parley.Dimensions]int64{}}
}

func (c *Counter) now() time.Time { return c.config.Clock().UTC().Truncate(time.Millisecond) }

// Run counts until ctx ends. A failure is logged and tried again.
func (c *Counter) Run(ctx context.Context) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		for more := true; more && ctx.Err() == nil; {
			if !c.lead.Mine(ctx) {
				c.loaded = false
				break
			}
			var err error
			if more, err = c.Round(ctx); err != nil && ctx.Err() == nil {
				c.loaded, more = false, false
				if parley.KindOf(err) != parley.Conflict { // else another node counted on, while this one thought that it led
					c.config.Logger.WarnContext(ctx, "count figures", "error", err)
					c.metrics.errors.Inc()
				}
			}
		}
	}
}

// Round counts what is new, and some of the record if it is being gone through. It says whether there is more to do at once.
func (c *Counter) Round(ctx context.Context) (more bool, err error) {
	p, err := c.load(ctx)
	if err != nil {
		return false, err
	}
	more, err = c.follow(ctx, p)
	if err != nil {
		return false, err
	}
	switch {
	case p.Building != 0:
		return true, c.walk(ctx, p, more)
	case p.Old != 0:
		return true, c.drop(ctx, p)
	case !more && c.now().Sub(c.retained) >= c.config.RetainEvery:
		return c.retain(ctx, p)
	}
	return more, nil
}

// load is the progress as it is, with a feed that goes with it. The very first time it begins with what is said from now on, and goes
// through what was said before beside that.
func (c *Counter) load(ctx context.Context) (*parley.FigureProgress, error) {
	var p parley.FigureProgress
	err := c.config.Record.View(ctx, func(tx parley.Tx) (err error) {
		p, err = tx.FigureProgress(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	if p.Generation == 0 {
		if err := c.first(ctx, &p); err != nil {
			return nil, fmt.Errorf("begin to count: %w", err)
		}
	}
	if !c.loaded || c.version != p.Version {
		// The counter writes the progress itself, or somebody asks for a rebuild, which changes nothing about the feed.
		if !c.loaded {
			c.feed = feed.Places{Cursor: p.Cursor}
			clear(c.dimensions)
		}
		c.loaded, c.version = true, p.Version
	}
	return &p, nil
}

func (c *Counter) first(ctx context.Context, p *parley.FigureProgress) error {
	var places []int64
	var after int64
	err := c.config.Record.View(ctx, func(tx parley.Tx) (err error) {
		if p.Cursor, err = tx.LastFed(ctx); err != nil {
			return err
		}
		if p.BuildUntil, err = tx.LastConversation(ctx); err != nil {
			return err
		}
		after = max(0, p.Cursor-feedPage)
		last, err := tx.MessagesFed(ctx, after, p.Cursor+1, feedPage)
		places = keysOf(last)
		return err
	})
	if err != nil {
		return err
	}
	p.Generation, p.Building, p.BuildBegan = 1, 1, c.now()
	c.feed.Begin(p.Cursor, after, places, c.now())
	p.Cursor = c.feed.Safe()
	c.loaded = true
	clear(c.dimensions)
	return c.put(ctx, p, nil, nil)
}

func keysOf(places []parley.FedPlace) (keys []int64) {
	for _, p := range places {
		keys = append(keys, p.Key)
	}
	return keys
}

// put makes changes true, and what also does with them; nil = nothing.
func (c *Counter) put(ctx context.Context, p *parley.FigureProgress, changes []parley.FigureChange, also func(parley.Tx) error) error {
	err := c.config.Record.Update(ctx, func(tx parley.Tx) error {
		if err := tx.PutFigures(ctx, p, changes); err != nil || also == nil {
			return err
		}
		return also(tx)
	})
	if err != nil {
		return err
	}
	p.Version++
	c.version = p.Version
	return nil
}

// follow counts what happened since the last time.
func (c *Counter) follow(ctx context.Context, p *parley.FigureProgress) (more bool, err error) {
	var page, late []parley.FedPlace
	var changed []parley.ChangedConversation
	var silent []int64
	err = c.config.Record.View(ctx, func(tx parley.Tx) (err error) {
		page, late, changed, silent = nil, nil, nil, nil
		if page, err = tx.MessagesFed(ctx, c.feed.Cursor, math.MaxInt64, feedPage); err != nil {
			return err
		}
		for _, h := range c.feed.Holes() {
			found, err := tx.MessagesFed(ctx, h.After, h.Before, feedPage)
			if err != nil {
				return err
			}
			late = append(late, found...)
		}
		if changed, err = tx.ChangedConversations(ctx, walkPage); err != nil {
			return err
		}
		silent, err = tx.SilentVisits(ctx, p.Generation, c.now(), walkPage)
		return err
	})
	if err != nil {
		return false, err
	}
	page, more = atMost(page, feedTalks)
	more = more || len(page) == feedPage || len(changed) == walkPage || len(silent) == walkPage
	var whole, part, seen []int64
	for _, ch := range changed {
		seen = append(seen, ch.Key)
		if ch.Whole {
			whole = append(whole, ch.Conversation)
		} else {
			part = append(part, ch.Conversation)
		}
	}
	for _, m := range slices.Concat(late, page) {
		part = append(part, m.Conversation)
	}
	whole, part = distinct(whole), distinct(append(part, silent...))
	part = slices.DeleteFunc(part, func(key int64) bool { _, found := slices.BinarySearch(whole, key); return found })
	if len(whole)+len(part)+len(seen) > 0 {
		generations := []int64{p.Generation}
		if p.Building != 0 && p.Building != p.Generation {
			generations = append(generations, p.Building)
		}
		var changes []parley.FigureChange
		for _, generation := range generations {
			change, err := c.count(ctx, generation, part, whole)
			if err != nil {
				return false, err
			}
			changes = append(changes, change)
		}
		changes[0].Changed = seen
		next := *p
		places := c.feed.Clone() // the feed moves only if what it found becomes true
		places.Passed(keysOf(page), keysOf(late), c.now())
		next.Cursor = places.Safe()
		if err := c.put(ctx, &next, changes, nil); err != nil {
			return false, err
		}
		c.feed, *p = places, next
		c.metrics.counted.WithLabelValues("live").Add(float64(len(whole) + len(part)))
	}
	return more, nil
}

// atMost is the beginning of a page that is of at most so many conversations, and whether there is more of it.
func atMost(page []parley.FedPlace, talks int) (some []parley.FedPlace, more bool) {
	seen := map[int64]bool{}
	for i, m := range page {
		if seen[m.Conversation] = true; len(seen) > talks {
			return page[:i], true
		}
	}
	return page, false
}

func distinct(keys []int64) []int64 {
	slices.Sort(keys)
	return slices.Compact(keys)
}

// walk goes on through the record; at its end the generation that was built answers in place of the one before it. Not while counting is
// behind: what the walk has met and the other generation has not would then be news to nobody.
func (c *Counter) walk(ctx context.Context, p *parley.FigureProgress, behind bool) error {
	var keys []int64
	err := c.config.Record.View(ctx, func(tx parley.Tx) (err error) {
		keys, err = tx.ConversationKeys(ctx, p.Built, walkPage)
		return err
	})
	if err != nil {
		return err
	}
	keys = slices.DeleteFunc(keys, func(key int64) bool { return key > p.BuildUntil })
	next := *p
	if len(keys) == 0 && behind {
		return nil
	}
	if len(keys) == 0 {
		if carried, err := c.carry(ctx, p); carried || err != nil {
			return err
		}
		if p.Building != p.Generation {
			next.Old, next.Generation = p.Generation, p.Building
		}
		next.Building, next.Built, next.BuildUntil, next.Carried, next.BuildEnded = 0, 0, 0, 0, c.now()
		if err := c.put(ctx, &next, nil, nil); err != nil {
			return err
		}
		c.config.Logger.InfoContext(ctx, "figures were counted anew", "generation", next.Generation, "took", next.BuildEnded.Sub(next.BuildBegan))
		*p = next
		return nil
	}
	change, err := c.count(ctx, p.Building, nil, keys)
	if err != nil {
		return err
	}
	next.Built = keys[len(keys)-1]
	if err := c.put(ctx, &next, []parley.FigureChange{change}, nil); err != nil {
		return err
	}
	*p = next
	c.metrics.counted.WithLabelValues("rebuild").Add(float64(len(keys)))
	return nil
}

// drop removes some of a generation that answers no more.
func (c *Counter) drop(ctx context.Context, p *parley.FigureProgress) error {
	more := false
	err := c.config.Record.Update(ctx, func(tx parley.Tx) (err error) {
		more, err = tx.DropFigures(ctx, p.Old)
		return err
	})
	if err != nil || more {
		return err
	}
	delete(c.dimensions, p.Old)
	next := *p
	next.Old = 0
	return c.put(ctx, &next, nil, nil)
}

// Rebuild asks for everything to be counted anew, while what was counted still answers. Conflict while that goes on already.
func Rebuild(ctx context.Context, record Record, now time.Time) (p parley.FigureProgress, err error) {
	err = record.Update(ctx, func(tx parley.Tx) (err error) {
		if p, err = tx.FigureProgress(ctx); err != nil {
			return err
		}
		if p.Generation == 0 || p.Building != 0 || p.Old != 0 {
			return &parley.Error{Kind: parley.Conflict, Msg: "figures are being counted anew already; wait until that is over"}
		}
		p.Building, p.Built, p.BuildBegan = p.Generation+1, 0, now
		if p.BuildUntil, err = tx.LastConversation(ctx); err != nil {
			return err
		}
		return tx.PutFigures(ctx, &p, nil)
	})
	return p, err
}

// metrics counts what is counted.
type metrics struct {
	counted *prometheus.CounterVec
	lag     prometheus.Histogram
	errors  prometheus.Counter
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		counted: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "parley_figures_conversations_total",
			Help: "Conversations whose figures were counted on, by why: live (something happened), rebuild (all are counted anew)."}, []string{"why"}),
		lag: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "parley_figures_lag_seconds",
			Help: "From accepting a message to counting it.", Buckets: []float64{.1, .25, .5, 1, 2, 5, 10, 60, 600}}),
		errors: prometheus.NewCounter(prometheus.CounterOpts{Name: "parley_figures_errors_total",
			Help: "Rounds of counting that failed and are tried again."}),
	}
	for _, why := range []string{"live", "rebuild"} {
		m.counted.WithLabelValues(why)
	}
	if r != nil {
		r.MustRegister(m.counted, m.lag, m.errors)
	}
	return m
}
