package dispatch

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"parley"
)

const (
	// DisableAfter is how long a receiver may do nothing but fail before it is disabled.
	DisableAfter = 5 * 24 * time.Hour

	// A circuit breaker opens when, of at least breakerFewest attempts within breakerWindow, breakerRatio failed.
	breakerWindow = 30 * time.Second
	breakerFewest = 20
	breakerRatio  = 0.6
	// It stays open for breakerWait, twice as long each time that trying fails, at most breakerLongest.
	breakerWait    = 2 * time.Second
	breakerLongest = 5 * time.Minute

	// wellEvery is how often the record hears that a receiver goes on working: another node may have noted a failure since,
	// and have nothing to try the receiver with.
	wellEvery = time.Minute

	// A receiver that takes something after an outage, which is at least so long without a good attempt, is sent soon what it would be sent within
	// hastened: the waits of the schedule grew while nobody was there. A delivery that is to blame itself, and fails while others come, meets no
	// outage, or, where others are few, one now and then: some of its first waits are shorter, and it keeps the long ones.
	outageLeast = 5 * time.Second
	hastened    = 5 * time.Minute
)

// health judges receivers by what their attempts come to. The record has what must outlive this process and what other
// nodes must know; here is only what is counted. Safe for concurrent use.
type health struct {
	d     *Dispatcher
	never bool // no breaker opens: for tests of what it would hide
	held  held
	mu    sync.Mutex
	of    map[int64]*condition
}

// A condition is what is counted of one receiver.
type condition struct {
	since     time.Time // beginning of the window
	tries     int       // within the window, refusals not counted
	bad       int
	good      time.Time // the last good attempt
	back      time.Time // when the last outage ended
	told      time.Time // when the record last heard from here that it works; zero = it fails, as far as this node knows, or nobody said
	failing   time.Time // since when, as the record has it; zero = it does not fail
	openUntil time.Time // the breaker is open, as far as this node knows; zero = closed
}

// slide begins a new window when the last one is over.
func (c *condition) slide(now time.Time) {
	if now.Sub(c.since) > breakerWindow {
		c.since, c.tries, c.bad = now, 0, 0
	}
}

func (h *health) condition(receiver int64) *condition {
	c := h.of[receiver]
	if c == nil {
		c = &condition{}
		h.of[receiver] = c
	}
	return c
}

// open says whether the breaker is known to be open: then an attempt would be in vain.
func (h *health) open(receiver int64) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.of[receiver]
	return c != nil && h.d.config.Clock().Before(c.openUntil)
}

// judge counts the outcome of an attempt that began at the given time. A refusal shows that the receiver works: it does not open the breaker, but
// who does nothing but refuse is not well. What fails here is not worth failing the delivery for: it is logged.
func (h *health) judge(ctx context.Context, lane *parley.Lane, to *target, outcome Outcome, began time.Time) {
	ctx = context.WithoutCancel(ctx)
	now := h.d.config.Clock()
	r := lane.Receiver
	if outcome == Delivered || outcome == Rejected && lane.Probe {
		h.well(ctx, r, outcome == Delivered)
		if outcome == Delivered {
			return
		}
	}
	h.mu.Lock()
	c := h.condition(r.Key)
	c.slide(now)
	if outcome != Rejected {
		c.tries++
		c.bad++
	}
	trips := !h.never && (lane.Probe && outcome != Rejected || c.tries >= breakerFewest && float64(c.bad) >= breakerRatio*float64(c.tries) && !now.Before(c.openUntil))
	if trips {
		c.since, c.tries, c.bad = now, 0, 0
		c.openUntil = now.Add(breakerWait) // the record may say longer in a moment
	}
	failing := c.failing
	h.mu.Unlock()
	if failing.IsZero() {
		var err error
		if failing, err = h.d.config.Store.Failing(ctx, r.Key, began); err != nil {
			h.d.logger.WarnContext(ctx, "noting that a receiver fails", "application", r.Application, "role", r.Role, "error", err)
			return
		}
		h.mu.Lock()
		c.failing, c.told = failing, time.Time{}
		h.mu.Unlock()
	}
	after := to.role.Delivery.DisableAfter
	if after == 0 {
		after = DisableAfter
	}
	if after > 0 && now.Sub(failing) >= after {
		var err error
		if failing, err = h.d.config.Store.Failing(ctx, r.Key, now); err != nil { // it may have worked elsewhere since
			h.d.logger.WarnContext(ctx, "looking since when a receiver fails", "application", r.Application, "role", r.Role, "error", err)
			return
		}
		h.mu.Lock()
		c.failing = failing
		h.mu.Unlock()
	}
	if after > 0 && now.Sub(failing) >= after {
		h.disable(ctx, r, "nothing but failures since "+failing.UTC().Format(time.RFC3339))
		return
	}
	if trips {
		h.trip(ctx, r, lane.Probe)
	}
}

// well notes a good attempt.
func (h *health) well(ctx context.Context, r parley.Receiver, delivered bool) {
	h.mu.Lock()
	now := h.d.config.Clock()
	c := h.condition(r.Key)
	c.slide(now)
	c.tries++
	failing, good := c.failing, c.good
	c.good = now
	news := now.Sub(c.told).Abs() > wellEvery || !failing.IsZero() || !c.openUntil.IsZero() || !delivered
	h.mu.Unlock()
	if !news {
		return
	}
	since, err := h.d.config.Store.Well(ctx, r.Key)
	if err != nil {
		h.d.logger.WarnContext(ctx, "noting that a receiver is well", "application", r.Application, "role", r.Role, "error", err)
		return
	}
	h.mu.Lock()
	if !c.openUntil.IsZero() {
		h.d.metrics.breakers.WithLabelValues("closed").Inc()
		h.d.logger.InfoContext(ctx, "receiver works again; what was held for it is sent", "application", r.Application, "role", r.Role)
	}
	from := slices.MaxFunc([]time.Time{failing, since, good}, time.Time.Compare)
	outage := (!failing.IsZero() || !since.IsZero()) && now.Sub(from) >= outageLeast
	if outage {
		c.back = now
	}
	c.told, c.failing, c.openUntil = now, time.Time{}, time.Time{}
	h.mu.Unlock()
	h.held.drop()
	if outage {
		h.d.hasten(r)
	}
}

// outlived says whether an attempt that began then belongs to an outage that is over, as far as this node knows.
func (h *health) outlived(receiver int64, began time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.of[receiver]
	return c != nil && began.Before(c.back)
}

// hasten has what waits for its next try tried soon: the sweepers find it, so many lanes a second.
func (d *Dispatcher) hasten(r parley.Receiver) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ending {
		return
	}
	d.wg.Go(func() {
		n, err := d.config.Store.Hasten(d.ctx, r.Key, hastened)
		if err != nil {
			d.logger.WarnContext(d.ctx, "hastening what waits for a receiver that works again", "application", r.Application, "role", r.Role, "error", err)
		} else if n > 0 {
			d.logger.InfoContext(d.ctx, "receiver works again; conversations that wait for it go on", "application", r.Application, "role", r.Role, "lanes", n)
		}
	})
}

// trip opens the breaker, or keeps it open.
func (h *health) trip(ctx context.Context, r parley.Receiver, probed bool) {
	until, err := h.d.config.Store.Break(ctx, r.Key, probed, func(breaks int) time.Duration {
		return min(breakerLongest, time.Duration(float64(breakerWait)*math.Pow(2, float64(min(breaks-1, 16)))))
	})
	if err != nil {
		h.d.logger.WarnContext(ctx, "opening a circuit breaker", "application", r.Application, "role", r.Role, "error", err)
		return
	}
	h.mu.Lock()
	h.condition(r.Key).openUntil = until
	h.mu.Unlock()
	h.held.drop()
	if !until.IsZero() {
		h.d.metrics.breakers.WithLabelValues("opened").Inc()
		h.d.logger.WarnContext(ctx, "circuit breaker is open: the receiver fails, and what it is owed is held", "application", r.Application, "role", r.Role, "until", until)
	}
}

// disable switches a receiver off; what it is owed is held until somebody enables it.
func (h *health) disable(ctx context.Context, r parley.Receiver, why string) {
	// A process that dies before the next line meets the same answer again, and people have been told then.
	h.d.notice(ctx, parley.OwedNotice{Receiver: r, Disabled: true, Reason: why})
	if err := h.d.config.Store.Disable(ctx, r.Key, why); err != nil {
		h.d.logger.WarnContext(ctx, "disabling a receiver", "application", r.Application, "role", r.Role, "error", err)
		return
	}
	h.held.drop()
	h.d.logger.WarnContext(ctx, "receiver is disabled; what it is owed is held", "application", r.Application, "role", r.Role, "reason", why)
}

// forget drops what is known of a receiver: somebody enabled it.
func (h *health) forget() {
	h.held.drop()
	h.mu.Lock()
	defer h.mu.Unlock()
	clear(h.of)
}

// probe tries receivers whose breaker was open for long enough, each with one delivery.
func (d *Dispatcher) probe(ctx context.Context) {
	lanes, err := d.config.Store.Probe(ctx, lease)
	if err != nil && ctx.Err() == nil {
		d.logger.WarnContext(ctx, "trying receivers again", "error", err)
	}
	for _, l := range lanes {
		d.metrics.woken.WithLabelValues("probe").Inc()
		d.add(l)
	}
}
