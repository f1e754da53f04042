package store_test

import (
	"sync"
	"testing"
	"time"

	"parley/store/storetest"
)

// People hear of each event once an hour, from one of the nodes that ask; what they heard of one event takes nothing from the other.
func TestNoticesOfEachEventAreOneAnHour(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		now := time.Now()
		s, ctx := open(t, storetest.Clock(func() time.Time { return now })), t.Context()
		step := storetest.Start("m1")
		storetest.MustCommit(t, s, step)
		receiver := s.Number(t, "SELECT MIN(key) FROM receivers")
		asks := func(disabled bool) (granted int) {
			t.Helper()
			var mu sync.Mutex
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					may, err := s.Notice(ctx, receiver, disabled, time.Hour)
					mu.Lock()
					defer mu.Unlock()
					if err != nil {
						t.Error(err)
					}
					if may {
						granted++
					}
				})
			}
			wg.Wait()
			return granted
		}
		for _, step := range []struct {
			after    time.Duration
			disabled bool
			want     int
		}{
			{0, false, 1}, {time.Minute, false, 0}, {time.Minute, true, 1}, {time.Minute, true, 0},
			{57 * time.Minute, false, 1}, {time.Minute, true, 0}, {time.Minute, true, 1}, {time.Minute, false, 0},
		} {
			now = now.Add(step.after)
			if got := asks(step.disabled); got != step.want {
				t.Errorf("%v later, disabled %v: told %d times, want %d", step.after, step.disabled, got, step.want)
			}
		}
		if may, err := s.Notice(ctx, receiver+100, true, time.Hour); may || err != nil {
			t.Errorf("a receiver that there is not: %v, %v", may, err)
		}
	})
}
