package store_test

import (
	"testing"

	"parley"
	"parley/store/storetest"
)

// What a benchmark fills a record with is not looked at and counted while it measures, whether that has begun or not.
func TestWhatIsFilledIsFollowed(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := open(t)
		for range 2 {
			if err := s.Fill(t.Context(), 150); err != nil {
				t.Fatal(err)
			}
			view(t, s, func(tx parley.Tx) error {
				last, err := tx.LastFed(t.Context())
				if err != nil {
					return err
				}
				p, err := tx.FigureProgress(t.Context())
				if err != nil {
					return err
				}
				for _, name := range []string{parley.FeedDetection, parley.FeedHistory, parley.FeedHistoryEnd} {
					if at, err := tx.FeedCursor(t.Context(), name); err != nil || at != last || last == 0 {
						t.Errorf("%s is at %d of %d, %v", name, at, last, err)
					}
				}
				if p.Generation != 1 || p.Building != 0 || p.Cursor != last {
					t.Errorf("counting is at %+v, want it at %d", p, last)
				}
				return nil
			})
		}
	})
}
