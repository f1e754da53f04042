package insight

import (
	"context"
	"time"

	"parley"
)

// Round does what Run does at each tick.
func (d *Detector) Round(ctx context.Context) error {
	d.settle(ctx)
	if err := d.follow(ctx); err != nil {
		return err
	}
	return d.work(ctx)
}

// Compiled tells one compiled engine of a job from another; nil if there is none.
func (d *Detector) Compiled(job parley.JobID) any {
	if c, ok := d.engines.get(engineID{job: job}); ok {
		return c.engine
	}
	return nil
}

// Work goes on with jobs alone.
func (d *Detector) Work(ctx context.Context) error { return d.work(ctx) }

// Follow looks at what was said alone.
func (d *Detector) Follow(ctx context.Context) error { return d.follow(ctx) }

// SetClock lets a test say what time it is, as [Config] does for a detector.
func (v *Vocabularies) SetClock(now func() time.Time) { v.now = now }
