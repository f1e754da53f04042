package fair

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
)

// Who takes long has only their own line waiting, up to its bound; the bound of all holds for all; each line is in order.
func TestLines(t *testing.T) {
	type job struct {
		of string
		n  int
	}
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var mu sync.Mutex
		did := map[string][]int{}
		l := New[string](1, 3, 6, func(j job) {
			if j.of == "slow" {
				<-release
			}
			mu.Lock()
			defer mu.Unlock()
			did[j.of] = append(did[j.of], j.n)
		})
		taken := 0
		for n := range 10 {
			if l.Offer("slow", job{"slow", n}) {
				taken++
			}
			synctest.Wait()
		}
		if taken != 4 {
			t.Errorf("%d of the slow are taken, want one that is done and three that wait", taken)
		}
		for n := range 10 {
			if !l.Offer("quick", job{"quick", n}) {
				t.Errorf("no room for the quick beside the slow")
			}
			synctest.Wait()
		}
		if !l.Offer("other", job{"slow", 10}) || !l.Offer("another", job{"slow", 11}) || l.Offer("quick", job{"quick", 10}) {
			t.Error("six may be under way in all")
		}
		close(release)
		l.Wait()
		if got := did["quick"]; len(got) != 10 || !slices.IsSorted(got) {
			t.Errorf("the quick were done as %v", got)
		}
		if got := did["slow"]; len(got) != 6 || len(l.lines) != 0 || l.underWay != 0 {
			t.Errorf("the slow were done as %v, and %d lines are left", got, len(l.lines))
		}
	})
}

// After Stop what waits is forgotten, and what is being done is waited for.
func TestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release, done := make(chan struct{}), 0
		l := New[int](1, 5, 10, func(int) {
			<-release
			done++
		})
		for n := range 3 {
			l.Offer(1, n)
		}
		synctest.Wait()
		l.Stop()
		if l.Offer(1, 4) || l.Offer(2, 5) {
			t.Error("something was taken after Stop")
		}
		close(release)
		if l.Wait(); done != 1 {
			t.Errorf("%d were done, want the one that had begun", done)
		}
	})
}
