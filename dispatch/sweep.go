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
)

// sweep finds lanes whose wake-up was lost: by a crash, by a Redis that was flushed, by a queue that forgot. SQL knows
// what is owed, so a lost task costs seconds.
func (d *Dispatcher) sweep(ctx context.Context) {
	for ctx.Err() == nil {
		lanes, err := d.config.Store.Overdue(ctx, overdueBy, sweepPage)
		switch {
		case err != nil && ctx.Err() == nil:
			d.logger.WarnContext(ctx, "sweeping", "error", err)
		case len(lanes) > 0:
			d.metrics.woken.WithLabelValues("swept").Add(float64(len(lanes)))
			d.take(lanes)
		}
		d.sweepPulled(ctx)
		pause(ctx, d.config.Sweep)
	}
}
