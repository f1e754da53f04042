package insight_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley"
	"parley/insight"
	"parley/store/storetest"
)

// A text whose job was removed for its age is looked at like anything else that is said, and a run leaves what was found in it.
func TestTextsOutliveTheirJobs(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := newStage(t, open(t))
		s.tracker(parley.Tracker{Name: "Greeting", Vocabulary: []string{"hello"}})
		forget := func() {
			t.Helper()
			if err := s.store.Update(t.Context(), func(tx parley.Tx) error {
				n, err := tx.RemoveJobs(t.Context(), parley.DefaultTenant, time.Now().Add(time.Hour))
				if n == 0 {
					t.Error("no job was removed")
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
		looked, _ := s.say(insight.Text{Trackers: []parley.Tracker{{Name: "Own", Vocabulary: []string{"hello"}}}}, "hello one")
		s.round()
		forget()
		late, job := s.say(insight.Text{}, "hello two")
		if err := s.store.Update(t.Context(), func(tx parley.Tx) error { // as one that was given up before it was found
			j, err := tx.Job(t.Context(), parley.DefaultTenant, job)
			if err != nil {
				return err
			}
			j.Status = parley.JobFailed
			return tx.ReplaceJob(t.Context(), j)
		}); err != nil {
			t.Fatal(err)
		}
		forget()
		s.round()
		if diff := cmp.Diff([]string{"Greeting: hello at 0 in hello two"}, s.found(late)); diff != "" {
			t.Errorf("found without a job (-want +got):\n%s", diff)
		}
		s.run(insight.Run{})
		s.round()
		if diff := cmp.Diff([]string{"Own: hello at 0 in hello one"}, s.found(looked)); diff != "" {
			t.Errorf("looked at again without a job (-want +got):\n%s", diff)
		}
	})
}
