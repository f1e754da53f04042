package insight_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"parley"
	"parley/insight"
	"parley/store/storetest"
)

// What is said is found within two seconds, by the clock of a detector that runs as the hub runs it, also when nothing was said for a while.
func TestSaidIsFoundWithinTwoSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, storetest.Open(t))
		s.tracker(parley.Tracker{Name: "Refund", Vocabulary: []string{"money back"}})
		detector := insight.NewDetector(insight.Config{Record: s.store, Hub: s, Teller: s})
		ctx, end := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = detector.Run(ctx)
		}()
		for said := range 3 {
			sleep(time.Minute) // nothing is said
			s.clock = time.Now()
			n, _ := s.say(insight.Text{}, "I want my money back")
			began := time.Now()
			for len(s.found(n)) == 0 && time.Since(began) < time.Minute {
				sleep(10 * time.Millisecond)
			}
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("text %d is found after %v, want 2 s at most", said, took)
			}
		}
		end()
		<-ended
		if err := s.store.Close(); err != nil {
			t.Error(err)
		}
	})
}

// sleep lets time pass in a bubble, where nobody waits for it.
func sleep(d time.Duration) { <-time.After(d) }
