package insight_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley"
	"parley/insight"
	"parley/store/storetest"
)

// Runs are listed newest first, page by page, and show how far they are; nobody sees another tenant's, or a text's job among them.
func TestRunsAreListed(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := newStage(t, open(t))
		tenant := parley.DefaultTenant
		_, text := s.say(insight.Text{}, "hello")
		var want []parley.JobID
		for range 5 {
			want = append(want, s.run(insight.Run{}).ID)
		}
		slices.Reverse(want)
		var got []parley.JobID
		for before := (parley.JobID{}); ; {
			page, err := s.runs.List(t.Context(), tenant, before, 2)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			for _, j := range page {
				got = append(got, j.ID)
			}
			before = got[len(got)-1]
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("List (-want +got):\n%s", diff)
		}
		s.round()
		if j, err := s.runs.Find(t.Context(), tenant, want[0]); err != nil || j.Status != parley.JobCompleted || j.Done != 1 || j.Total != 1 {
			t.Errorf("Find = %s, %d of %d, %v; want it completed, 1 of 1", j.Status, j.Done, j.Total, err)
		}
		tracker := s.tracker(parley.Tracker{Name: "x", Vocabulary: []string{"x"}})
		stranger := parley.TenantID{1}
		_, find := s.runs.Find(t.Context(), stranger, want[0])
		_, cancel := s.runs.Cancel(t.Context(), stranger, want[0])
		_, textFind := s.runs.Find(t.Context(), tenant, text)
		_, textCancel := s.runs.Cancel(t.Context(), tenant, text)
		for call, err := range map[string]error{"Find by a stranger": find, "Cancel by a stranger": cancel, "Find of a text's job": textFind, "Cancel of a text's job": textCancel} {
			if parley.KindOf(err) != parley.NotFound {
				t.Errorf("%s = %v, want NotFound", call, err)
			}
		}
		if page, err := s.runs.List(t.Context(), stranger, parley.JobID{}, 10); err != nil || len(page) != 0 {
			t.Errorf("List of a stranger = %d runs, %v", len(page), err)
		}
		for _, r := range []insight.Run{{Trackers: []parley.Number{tracker.Number, 1}}, {From: s.clock, Until: s.clock}} {
			if _, err := s.runs.Start(t.Context(), tenant, r); parley.KindOf(err) != parley.Invalid {
				t.Errorf("Start(%+v) = %v, want Invalid", r, err)
			}
		}
		for _, limit := range []int{0, 101} {
			if _, err := s.runs.List(t.Context(), tenant, parley.JobID{}, limit); parley.KindOf(err) != parley.Invalid {
				t.Errorf("List with limit %d = %v, want Invalid", limit, err)
			}
		}
	})
}

// A run goes on where it was, whichever node goes on with it; once it is cancelled nothing more is looked at, and what it found stays.
func TestRunsAreInterruptedAndCancelled(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := newStage(t, open(t))
		var numbers []parley.Number
		for i := range 90 {
			n, _ := s.say(insight.Text{}, fmt.Sprintf("hello %d", i))
			numbers = append(numbers, n)
		}
		s.round()
		named := s.tracker(parley.Tracker{Name: "Greeting", Vocabulary: []string{"hello"}})
		s.tracker(parley.Tracker{Name: "Other", Vocabulary: []string{"hello"}})
		j := s.run(insight.Run{Trackers: []parley.Number{named.Number}})
		progress := func() (done int, status parley.JobStatus) {
			found, err := s.runs.Find(t.Context(), parley.DefaultTenant, j.ID)
			if err != nil {
				t.Fatal(err)
			}
			return found.Done, found.Status
		}
		s.round()
		first := s.detector.Compiled(j.ID)
		s.round()
		if first == nil || first != s.detector.Compiled(j.ID) {
			t.Error("the trackers of the run were compiled again for its second page")
		}
		other := s.another() // as after the leader was lost
		if err := other.Round(t.Context()); err != nil {
			t.Fatal(err)
		}
		if done, status := progress(); done != 60 || status != parley.JobInProgress {
			t.Errorf("after two rounds of one node and one of another: %s, %d done; want in_progress, 60", status, done)
		}
		cancelled, err := s.runs.Cancel(t.Context(), parley.DefaultTenant, j.ID)
		if err != nil || cancelled.Status != parley.JobCancelled {
			t.Fatalf("Cancel = %s, %v", cancelled.Status, err)
		}
		s.round()
		if done, status := progress(); done != 60 || status != parley.JobCancelled {
			t.Errorf("after it was cancelled: %s, %d done; want cancelled, 60", status, done)
		}
		for i, n := range numbers {
			want := []string{}
			if i < 60 {
				want = append(want, fmt.Sprintf("Greeting: hello at 0 in hello %d", i))
			}
			if diff := cmp.Diff(want, s.found(n)); diff != "" {
				t.Fatalf("found in conversation %d (-want +got):\n%s", i, diff)
			}
		}
		if again, err := s.runs.Cancel(t.Context(), parley.DefaultTenant, j.ID); err != nil || again.Status != parley.JobCancelled || !again.Finished.Equal(cancelled.Finished) {
			t.Errorf("second Cancel = %s, %v", again.Status, err)
		}
	})
}

// Entities that were added since are found by a run of everything; one of some trackers is about these alone.
func TestRunsOfTrackersLeaveEntities(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := newStage(t, open(t))
		named := s.tracker(parley.Tracker{Name: "Greeting", Vocabulary: []string{"hello"}})
		n, _ := s.say(insight.Text{}, "hello cargo max")
		s.round()
		if _, err := s.entities.Create(t.Context(), parley.DefaultTenant, []parley.Entity{{Type: "Vehicle", SubType: "Van", Values: []string{"cargo max"}}}, false); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			run  insight.Run
			want int
		}{{insight.Run{Trackers: []parley.Number{named.Number}}, 0}, {insight.Run{}, 1}} {
			s.run(c.run)
			s.round()
			entities, err := s.conversations.Entities(t.Context(), parley.DefaultTenant, n)
			if err != nil || len(entities) != c.want {
				t.Errorf("after a run of %v there are %v, %v", c.run.Trackers, lines(entities), err)
			}
		}
	})
}

// A run without a list of trackers removes what trackers found that were deleted since, also if there is none left; one with a list
// leaves everything else as it is.
func TestRunsRemoveHitsOfDeletedTrackers(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := newStage(t, open(t))
		gone := s.tracker(parley.Tracker{Name: "Gone", Vocabulary: []string{"hello"}})
		kept := s.tracker(parley.Tracker{Name: "Kept", Vocabulary: []string{"hello"}})
		n, _ := s.say(insight.Text{}, "hello there")
		s.round()
		remove := func(n parley.Number) {
			if err := s.trackers.Delete(t.Context(), parley.DefaultTenant, n); err != nil {
				t.Fatal(err)
			}
		}
		remove(gone.Number)
		first, second := "Gone: hello at 0 in hello there", "Kept: hello at 0 in hello there"
		for _, c := range []struct {
			run    insight.Run
			want   []string
			remove parley.Number // afterwards
		}{
			{insight.Run{Trackers: []parley.Number{kept.Number}}, []string{first, second}, 0},
			{insight.Run{From: s.clock.Add(time.Hour)}, []string{first, second}, 0}, // of others
			{insight.Run{}, []string{second}, kept.Number},
			{insight.Run{}, []string{}, 0},
		} {
			s.run(c.run)
			s.round()
			if diff := cmp.Diff(c.want, s.found(n)); diff != "" {
				t.Errorf("found after the run %+v (-want +got):\n%s", c.run, diff)
			}
			if c.remove != 0 {
				remove(c.remove)
			}
		}
	})
}

// What cancels a run while a page of it is being looked at wins: the page is not stored, and the run does not come alive again.
func TestCancelWinsAgainstAPage(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := newStage(t, open(t))
		n, _ := s.say(insight.Text{}, "hello")
		s.round()
		s.tracker(parley.Tracker{Name: "Greeting", Vocabulary: []string{"hello"}})
		j := s.run(insight.Run{})
		d := insight.NewDetector(insight.Config{Record: &interrupted{s.store, func() {
			if _, err := s.runs.Cancel(t.Context(), parley.DefaultTenant, j.ID); err != nil {
				t.Error(err)
			}
		}}})
		if err := d.Work(t.Context()); err != nil {
			t.Fatal(err)
		}
		if found, err := s.runs.Find(t.Context(), parley.DefaultTenant, j.ID); err != nil || found.Status != parley.JobCancelled || found.Done != 0 {
			t.Errorf("Find = %s, %d done, %v; want cancelled, 0", found.Status, found.Done, err)
		}
		if got := s.found(n); len(got) != 0 {
			t.Errorf("found %v by a run that was cancelled", got)
		}
	})
}

// interrupted is a record in which something happens before each Update.
type interrupted struct {
	insight.Record
	before func()
}

func (r *interrupted) Update(ctx context.Context, fn func(parley.Tx) error) error {
	r.before()
	return r.Record.Update(ctx, fn)
}

// Jobs that only wait, for a webhook that does not answer, do not keep others from their turn; nor does one that fails.
func TestWaitingJobsHoldUpNobody(t *testing.T) {
	s := newStage(t, storetest.Open(t))
	s.failing = errors.New("planted")
	for range 60 {
		s.say(insight.Text{Webhook: "https://example.org/done"}, "hello")
	}
	s.round()
	s.round()
	j := s.run(insight.Run{})
	for range 4 {
		s.round()
	}
	if found, err := s.runs.Find(t.Context(), parley.DefaultTenant, j.ID); err != nil || found.Status != parley.JobCompleted {
		t.Errorf("run = %s, %d of %d, %v; want completed", found.Status, found.Done, found.Total, err)
	}
	if len(s.told) != 60 {
		t.Errorf("%d webhooks were told, want each of 60 once", len(s.told))
	}
}

// A text whose hub ended before it was stored fails, and its webhook hears of it; one that is stored, and only has to wait for its
// turn, does not.
func TestStrandedTexts(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := newStage(t, open(t))
		lines := make([]string, 1000)
		for i := range lines {
			lines[i] = "hello"
		}
		s.say(insight.Text{}, lines...)
		_, waits := s.say(insight.Text{Webhook: "https://example.org/waits"}, "hello") // behind a page of what was said before
		lost := parley.Job{ID: parley.JobID{1}, Tenant: parley.DefaultTenant, Kind: parley.JobText, Status: parley.JobScheduled, Conversation: parley.ConversationID{1},
			Total: 1, Created: s.clock, Request: parley.JobRequest{Webhook: "https://example.org/lost"}}
		if err := s.store.Update(t.Context(), func(tx parley.Tx) error { return tx.InsertJob(t.Context(), lost) }); err != nil {
			t.Fatal(err)
		}
		for range 4 {
			s.clock = s.clock.Add(parley.TextWait + time.Second)
			s.round()
		}
		for id, want := range map[parley.JobID]parley.JobStatus{waits: parley.JobCompleted, lost.ID: parley.JobFailed} {
			if j, err := s.conversations.Job(t.Context(), parley.DefaultTenant, id); err != nil || j.Status != want || j.Reason == "" == (want == parley.JobFailed) {
				t.Errorf("job %s = %s (%s), %v; want %s", id, j.Status, j.Reason, err, want)
			}
		}
		slices.Sort(s.told)
		want := []string{`https://example.org/lost {"jobId":"` + lost.ID.String() + `","status":"failed"}`, `https://example.org/waits {"jobId":"` + waits.String() + `","status":"completed"}`}
		if diff := cmp.Diff(want, s.told); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
	})
}
