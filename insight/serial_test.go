package insight_test

import (
	"fmt"
	"slices"
	"testing"

	"golang.org/x/sync/errgroup"

	"parley"
	"parley/insight"
	"parley/store/storetest"
)

// Writes to one tenant's trackers at the same time are made one after the other, none of them refused or lost (reference 1), and
// together they stay within the limits.
func TestWritesAtTheSameTimeAreSerialised(t *testing.T) {
	const writers = 24
	storetest.Each(t, func(t *testing.T, open opener) {
		s := newStage(t, open(t))
		shared := s.tracker(parley.Tracker{Name: "Shared", Vocabulary: []string{"first"}}).Number
		var all errgroup.Group
		for i := range writers {
			all.Go(func() error {
				_, err := s.trackers.Create(t.Context(), parley.DefaultTenant, []parley.Tracker{{Name: fmt.Sprint("Own ", i), Vocabulary: []string{"x"}}}, false)
				return err
			})
			all.Go(func() error {
				_, err := s.trackers.Merge(t.Context(), parley.DefaultTenant, shared, insight.TrackerChange{Vocabulary: []string{fmt.Sprint("merged ", i)}})
				return err
			})
			all.Go(func() error {
				_, err := s.trackers.Patch(t.Context(), parley.DefaultTenant, shared, []insight.PatchOperation{{Op: "add", Path: "/vocabulary", Value: fmt.Appendf(nil, `"patched %d"`, i)}})
				return err
			})
		}
		if err := all.Wait(); err != nil {
			t.Errorf("one of them: %v", err)
		}
		if now, err := s.trackers.Find(t.Context(), parley.DefaultTenant, shared); err != nil || len(now.Vocabulary) != 1+2*writers {
			t.Errorf("the shared tracker has %d phrases, %v; want %d", len(now.Vocabulary), err, 1+2*writers)
		}

		many := make([]parley.Tracker, 500-1-writers-1)
		for i := range many {
			many[i] = parley.Tracker{Name: fmt.Sprint("Filler ", i), Vocabulary: []string{"x"}}
		}
		if _, err := s.trackers.Create(t.Context(), parley.DefaultTenant, many, true); err != nil {
			t.Fatal(err)
		}
		refused := make([]error, 8)
		for i := range refused {
			all.Go(func() error {
				_, refused[i] = s.trackers.Create(t.Context(), parley.DefaultTenant, []parley.Tracker{{Name: fmt.Sprint("Last ", i), Vocabulary: []string{"x"}}}, false)
				return nil
			})
		}
		_ = all.Wait()
		taken := slices.DeleteFunc(slices.Clone(refused), func(err error) bool { return parley.KindOf(err) == parley.Invalid })
		if len(taken) != 1 || taken[0] != nil {
			t.Errorf("the last place was taken by %d of %d: %v", len(taken), len(refused), refused)
		}
		same := make([]error, 8)
		for i := range same {
			all.Go(func() error {
				_, same[i] = s.entities.Create(t.Context(), parley.DefaultTenant, []parley.Entity{{Type: "Vehicle", SubType: "Van", Values: []string{"x"}}}, false)
				return nil
			})
		}
		_ = all.Wait()
		taken = slices.DeleteFunc(slices.Clone(same), func(err error) bool { return parley.ReasonOf(err) == parley.NameTaken })
		if len(taken) != 1 || taken[0] != nil {
			t.Errorf("the name was taken by %d of %d: %v", len(taken), len(same), same)
		}
	})
}
