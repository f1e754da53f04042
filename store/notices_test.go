package store_test

import (
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley"
	"parley/ident"
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
					key, err := s.Notice(ctx, parley.OwedNotice{Receiver: parley.Receiver{Key: receiver}, Disabled: disabled}, time.Hour, time.Minute)
					mu.Lock()
					defer mu.Unlock()
					if err != nil {
						t.Error(err)
					}
					if key != 0 {
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
		nobody := parley.OwedNotice{Receiver: parley.Receiver{Key: receiver + 100}, Disabled: true}
		if key, err := s.Notice(ctx, nobody, time.Hour, time.Minute); key != 0 || err != nil {
			t.Errorf("a receiver that there is not: %v, %v", key, err)
		}
	})
}

// A notice is somebody's while the lease lasts, then one other's, whole, and nobody's once people were told.
func TestNoticesAreOwedUntilPeopleWereTold(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		const lease = 10 * time.Minute
		now := time.Now().UTC().Truncate(time.Millisecond)
		s, ctx := open(t, storetest.Clock(func() time.Time { return now })), t.Context()
		storetest.MustCommit(t, s, storetest.Start("m1"))
		all, err := s.Healths(ctx, parley.DefaultTenant)
		if err != nil || len(all) == 0 {
			t.Fatal(all, err)
		}
		want := []parley.OwedNotice{{Receiver: all[0].Receiver, Reason: "it answered 422", Delivery: ident.New[parley.Delivery](), At: now},
			{Receiver: all[0].Receiver, Disabled: true, Reason: "it answered 410", At: now.Add(-time.Second)}}
		for i := range want {
			if want[i].Key, err = s.Notice(ctx, want[i], time.Hour, lease); err != nil || want[i].Key == 0 {
				t.Fatal(want[i].Key, err)
			}
		}
		owed := func(limit int) (all []parley.OwedNotice) {
			t.Helper()
			var mu sync.Mutex
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					some, err := s.OwedNotices(ctx, lease, limit)
					mu.Lock()
					defer mu.Unlock()
					if err != nil {
						t.Error(err)
					}
					all = append(all, some...)
				})
			}
			wg.Wait()
			return all
		}
		if got := owed(10); len(got) != 0 {
			t.Errorf("others are given %+v while the lease lasts", got)
		}
		for _, way := range []string{"mail", "operations"} {
			if err := s.NoticedBy(ctx, want[1].Key, way); err != nil {
				t.Fatal(err)
			}
		}
		want[1].Told = []string{"mail", "operations"}
		now = now.Add(lease)
		if diff := cmp.Diff(want, owed(10)); diff != "" {
			t.Errorf("after the lease (-want +got):\n%s", diff)
		}
		if got := owed(10); len(got) != 0 {
			t.Errorf("given twice: %+v", got)
		}
		if err := s.Noticed(ctx, want[0].Key); err != nil {
			t.Fatal(err)
		}
		now = now.Add(lease)
		if diff := cmp.Diff(want[1:], owed(1)); diff != "" {
			t.Errorf("after the first was told (-want +got):\n%s", diff)
		}
	})
}
