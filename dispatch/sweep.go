package dispatch

import (
	"context"
	"time"
)

const (
	// overdueBy is how long a lane may be due before the sweeper believes that its wake-up was lost.
	overdueBy = 2 * time.Second
	// sweepPage bounds one sweep.
	sweepPage = 1000
	// countEvery is how often the backlog is counted, for the metrics: it costs a look at every due lane.
	countEvery = 10 * time.Second
)

// sweep finds lanes whose wake-up was lost: by a crash, by a Redis that was flushed, by a queue that forgot. SQL knows
// what is owed, so a lost task costs seconds.
func (d *Dispatcher) sweep(ctx context.Context) {
	var counted time.Time
	for ctx.Err() == nil {
		if now := d.config.Clock(); now.Sub(counted) >= countEvery {
			counted = now
			d.count(ctx, now)
		}
		lanes, err := d.config.Store.Overdue(ctx, overdueBy, sweepPage)
		switch {
		case err != nil && ctx.Err() == nil:
			d.logger.WarnContext(ctx, "sweeping", "error", err)
		case len(lanes) > 0:
			d.metrics.woken.WithLabelValues("swept").Add(float64(len(lanes)))
			d.take(lanes)
		}
		pause(ctx, d.config.Sweep)
	}
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
