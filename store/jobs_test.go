package store_test

import (
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"parley"
	"parley/ident"
	"parley/store/storetest"
)

// The record knows which jobs have something to do, and from when on.
func TestDueJobs(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := open(t)
		start := time.Date(2026, 2, 3, 10, 0, 0, 0, time.UTC)
		after := func(d time.Duration) time.Time { return start.Add(d) }
		names := map[parley.JobID]string{}
		for name, j := range map[string]parley.Job{
			"a webhook in a minute":        {Kind: parley.JobText, Status: parley.JobCompleted, Finished: start, Next: after(time.Minute), Request: parley.JobRequest{Webhook: "x"}},
			"a webhook":                    {Kind: parley.JobText, Status: parley.JobFailed, Request: parley.JobRequest{Webhook: "x"}},
			"a webhook that was told":      {Kind: parley.JobText, Status: parley.JobCompleted, Finished: start, Told: true, Request: parley.JobRequest{Webhook: "x"}},
			"over, without a webhook":      {Kind: parley.JobRange, Status: parley.JobCancelled, Finished: start},
			"a text that is looked at":     {Kind: parley.JobText, Status: parley.JobInProgress},
			"a text that may be stored":    {Kind: parley.JobText, Status: parley.JobScheduled},
			"a run":                        {Kind: parley.JobRange, Status: parley.JobScheduled},
			"a run that had its turn":      {Kind: parley.JobRange, Status: parley.JobInProgress, Next: after(time.Second)},
			"a run that begins in an hour": {Kind: parley.JobRange, Status: parley.JobScheduled, Next: after(time.Hour)},
		} {
			j.ID, j.Tenant, j.Created = ident.New[parley.Job](), parley.DefaultTenant, start
			if j.Status == parley.JobFailed {
				j.Finished = after(time.Millisecond)
			}
			names[j.ID] = name
			update(t, s, func(tx parley.Tx) error { return tx.InsertJob(t.Context(), j) })
			update(t, s, func(tx parley.Tx) error { return tx.ReplaceJob(t.Context(), j) })
		}
		for _, test := range []struct {
			now   time.Duration
			limit int
			want  []string
		}{
			{-time.Second, 9, nil},
			{0, 9, []string{"a run"}},
			{time.Second, 9, []string{"a run", "a webhook", "a run that had its turn"}},
			{time.Second, 2, []string{"a run", "a webhook"}},
		} {
			view(t, s, func(tx parley.Tx) error {
				due, err := tx.JobsDue(t.Context(), after(test.now), test.limit)
				var got []string
				for _, j := range due {
					got = append(got, names[j.ID])
				}
				if diff := gocmp.Diff(test.want, got); diff != "" {
					t.Errorf("JobsDue after %s (-want +got):\n%s", test.now, diff)
				}
				return err
			})
		}
		view(t, s, func(tx parley.Tx) error {
			due, err := tx.JobsDue(t.Context(), after(time.Minute), 9)
			if len(due) != 5 {
				t.Errorf("%d jobs are due after a minute, want 5", len(due))
			}
			return err
		})
	})
}
