package dispatch

import (
	"context"
	"time"

	"parley"
)

const (
	// overdueBy is how long a lane may be due before the sweeper believes that its wake-up was lost.
	overdueBy = 2 * time.Second
	// sweepPage bounds what one sweep takes of a receiver, and with that how fast what was held comes when the receiver is
	// back: so many lanes a second on each node.
	sweepPage = 256
	// untoldFor is how long the hub may take to hear of a dead delivery before it is told again: the worker that gave it
	// up, or what the hub needs, may be gone.
	untoldFor = 10 * time.Second
	// retellPage bounds how many of these are told in one go.
	retellPage = 1000
	// countEvery is how often the backlog is counted, for the metrics: it costs a look at every lane that is due or
	// blocked, and at every dead letter. What the hub has not heard of, and what is held for nobody, is looked for as often.
	countEvery = 10 * time.Second
	// countShare is how much longer than a count the next one waits at least, so that a large backlog is not made larger
	// by counting it.
	countShare = 100
)

// sweep finds lanes whose wake-up was lost: by a crash, by a Redis that was flushed, by a queue that forgot. SQL knows
// what is owed, so a lost task costs seconds.
func (d *Dispatcher) sweep(ctx context.Context) {
	var counted time.Time
	wait := countEvery
	for ctx.Err() == nil {
		if now := d.config.Clock(); now.Sub(counted) >= wait {
			counted = now
			d.count(ctx, now)
			wait = max(countEvery, countShare*d.config.Clock().Sub(now))
			d.retell(ctx, untoldFor)
			d.renotice(ctx)
			d.sweepHeld(ctx)
		}
		overdue, err := d.config.Store.Overdue(ctx, overdueBy, sweepPage)
		if err != nil && ctx.Err() == nil {
			d.logger.WarnContext(ctx, "sweeping", "error", err)
		}
		if lanes := d.wanted(overdue); len(lanes) > 0 {
			d.metrics.woken.WithLabelValues("swept").Add(float64(len(lanes)))
			d.take(lanes)
		}
		d.probe(ctx)
		d.sweepPulled(ctx)
		pause(ctx, d.config.Sweep)
	}
}

// wanted are the lanes for which there is room: of a receiver that cannot keep up, no more are claimed than will have their
// turn before the claim ends.
func (d *Dispatcher) wanted(overdue []parley.OverdueLane) []int64 {
	var lanes []int64
	room := map[int64]int{}
	for _, l := range overdue {
		left, ok := room[l.Receiver]
		if !ok {
			left = sweepPage - d.pool.queued(l.Receiver)
		}
		room[l.Receiver] = left - 1
		if left > 0 {
			lanes = append(lanes, l.Lane)
		}
	}
	return lanes
}

// count shows how much is waiting.
func (d *Dispatcher) count(ctx context.Context, now time.Time) {
	b, err := d.config.Store.Backlog(ctx)
	if err != nil {
		if ctx.Err() == nil {
			d.logger.WarnContext(ctx, "counting the backlog", "error", err)
		}
		return
	}
	d.metrics.backlog(b, now)
}

// retell tells the hub of dead deliveries of which it has not heard.
func (d *Dispatcher) retell(ctx context.Context, by time.Duration) {
	if d.config.Hub == nil {
		return
	}
	untold, err := d.config.Store.Untold(ctx, by, retellPage)
	if err != nil {
		if ctx.Err() == nil {
			d.logger.WarnContext(ctx, "looking for dead deliveries that nobody heard of", "error", err)
		}
		return
	}
	for _, g := range untold {
		d.tell(ctx, g)
	}
}
