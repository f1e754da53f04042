package store

import (
	"context"

	"parley"
)

// FinishTogether is Finish for several workers whose reports meet in one commit, in that order.
func (s *Store) FinishTogether(ctx context.Context, all ...parley.Progress) []error {
	batch := make([]*entry, len(all))
	for i := range all {
		batch[i] = &entry{progress: &all[i]}
	}
	errs := make([]error, len(all))
	failed := s.commitBatch(ctx, batch)
	for i, e := range batch {
		if errs[i] = e.err; failed != nil {
			errs[i] = failed
		}
	}
	return errs
}
