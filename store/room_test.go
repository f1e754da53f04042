package store_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"parley"
	"parley/store/storetest"
)

// Hundreds of Updates want to run at the same time. Messages are committed as if there were none, if there are connections enough; where there is
// one for all, a commit has it after the Update that has it now, and perhaps another one.
func TestCommitsDoNotQueueBehindUpdates(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		const updates, commits = 400, 10
		var ran, asked, behind atomic.Int64
		s := open(t, storetest.Fault(func(point string) error {
			switch point {
			case "begin": // it asks for a connection
				asked.Store(ran.Load())
			case "conversations": // it has one
				behind.Add(ran.Load() - asked.Load())
			}
			return nil
		}))
		began, goOn := make(chan struct{}, updates), make(chan struct{})
		var wg sync.WaitGroup
		for range updates {
			wg.Go(func() {
				if err := s.Update(t.Context(), func(tx parley.Tx) error {
					began <- struct{}{}
					<-goOn
					ran.Add(1)
					_, err := tx.FigureProgress(t.Context())
					return err
				}); err != nil {
					t.Error(err)
				}
			})
		}
		defer wg.Wait()
		var release sync.Once
		defer release.Do(func() { close(goOn) })
		connections, shards := s.Writers()
		for range max(connections-shards, 1) {
			<-began
		}
		if connections == 1 { // the Update that began has it
			release.Do(func() { close(goOn) })
		}
		for range commits {
			done := make(chan error, 1)
			if err := s.Submit(storetest.Start(""), func(_ parley.Committed, err error) { done <- err }); err != nil {
				t.Fatal(err)
			}
			select {
			case err := <-done:
				if err != nil {
					t.Fatal(err)
				}
			case <-time.After(20 * time.Second):
				t.Fatal("a commit waits for Updates to be over")
			}
		}
		if n := behind.Load(); n > updates/2 { // some overtake a commit between its asking and its waiting; all of them did before
			t.Errorf("%d commits waited for %d Updates", commits, n)
		}
	})
}
