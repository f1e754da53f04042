package insight

import "context"

// Round does what Run does at each tick.
func (d *Detector) Round(ctx context.Context) error {
	if err := d.follow(ctx); err != nil {
		return err
	}
	return d.work(ctx)
}
