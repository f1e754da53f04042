package insight

import "context"

// Round does what Run does at each tick.
func (d *Detector) Round(ctx context.Context) error {
	for _, work := range []func(context.Context) error{d.follow, d.work, d.tell} {
		if err := work(ctx); err != nil {
			return err
		}
	}
	return nil
}
