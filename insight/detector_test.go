package insight_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley"
	"parley/insight"
	"parley/store"
	"parley/store/storetest"
)

// Trackers and entities are found in what is said, once, whoever looks how often; what they are later changes nothing.
func TestWhatIsFound(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := newStage(t, open(t))
		price := s.tracker(parley.Tracker{Name: "Price", Vocabulary: []string{"subscription", "What is the price"}})
		s.tracker(parley.Tracker{Name: "German", Vocabulary: []string{"subscription"}, Languages: []string{"de-DE"}})
		if _, err := s.entities.Create(t.Context(), parley.DefaultTenant, []parley.Entity{{Type: "Vehicle", SubType: "Van", Values: []string{"cargo max"}}}, false); err != nil {
			t.Fatal(err)
		}
		n, _ := s.say(insight.Text{}, "🚕 Our subscription plan.", "How much does it cost?", "The Cargo Max, and the cargo max, on 2026-02-03.")
		for range 2 {
			s.round()
			if err := s.another().Round(t.Context()); err != nil { // as after a leader was lost
				t.Fatal(err)
			}
		}
		want := []string{"Price: subscription at 7 in 🚕 Our subscription plan.", "Price: What is the price at -1 in How much does it cost?"}
		if diff := cmp.Diff(want, s.found(n)); diff != "" {
			t.Errorf("trackers (-want +got):\n%s", diff)
		}
		entities, err := s.conversations.Entities(t.Context(), parley.DefaultTenant, n)
		if err != nil {
			t.Fatal(err)
		}
		last := "The Cargo Max, and the cargo max, on 2026-02-03."
		wantEntities := []string{"DATE: 2026-02-03 at 37 in " + last, "Vehicle: cargo max at 4 in " + last + "; 23 in " + last}
		if diff := cmp.Diff(wantEntities, lines(entities)); diff != "" {
			t.Errorf("entities (-want +got):\n%s", diff)
		}
		if _, err := s.trackers.Merge(t.Context(), parley.DefaultTenant, price.Number, insight.TrackerChange{Name: new("Cost"), Vocabulary: []string{"plan"}}); err != nil {
			t.Fatal(err)
		}
		if err := s.trackers.Delete(t.Context(), parley.DefaultTenant, price.Number); err != nil {
			t.Fatal(err)
		}
		s.round()
		if diff := cmp.Diff(want, s.found(n)); diff != "" {
			t.Errorf("trackers after the tracker was changed and deleted (-want +got):\n%s", diff)
		}
		// Nothing of it is another tenant's.
		if _, err := s.conversations.Trackers(t.Context(), parley.TenantID{1}, n); parley.KindOf(err) != parley.NotFound {
			t.Errorf("trackers of a stranger = %v, want NotFound", err)
		}
	})
}

// A job looks again at a range, with the trackers of now, and puts what it finds in place of what was found.
func TestLookingAgain(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := newStage(t, open(t))
		old := s.tracker(parley.Tracker{Name: "Old", Vocabulary: []string{"hello", "one"}})
		var numbers []parley.Number
		for range 45 {
			n, _ := s.say(insight.Text{}, "hello one two")
			numbers = append(numbers, n)
		}
		s.round()
		if _, err := s.trackers.Patch(t.Context(), parley.DefaultTenant, old.Number, []insight.PatchOperation{{Op: "replace", Path: "/vocabulary", Value: []byte(`["one"]`)}}); err != nil {
			t.Fatal(err)
		}
		s.tracker(parley.Tracker{Name: "New", Vocabulary: []string{"two"}, Action: parley.TrackerAction{Label: "counted", Callback: true}})
		job := s.run(insight.Run{})
		var progress []int
		for job.Status != parley.JobCompleted {
			s.round()
			var err error
			if job, err = s.conversations.Job(t.Context(), parley.DefaultTenant, job.ID); err != nil {
				t.Fatal(err)
			}
			progress = append(progress, job.Done)
		}
		if diff := cmp.Diff([]int{20, 40, 45}, progress); diff != "" || job.Total != 45 {
			t.Errorf("progress to %d (-want +got):\n%s", job.Total, diff)
		}
		for _, n := range numbers {
			if diff := cmp.Diff([]string{"Old: one at 6 in hello one two", "New: two at 10 in hello one two"}, s.found(n)); diff != "" {
				t.Fatalf("found again (-want +got):\n%s", diff)
			}
			if in, err := s.conversations.Find(t.Context(), parley.DefaultTenant, n); err != nil || len(in.Labels) != 1 {
				t.Fatalf("labels = %v, %v", in.Labels, err)
			}
		}
		if len(s.acts) != 0 {
			t.Errorf("looking again acted on %d hits of long ago", len(s.acts))
		}
	})
}

// Messages from before the first start are looked at beside those that come in.
func TestHistoryIsLookedAt(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := newStage(t, open(t))
		s.tracker(parley.Tracker{Name: "Greeting", Vocabulary: []string{"hello"}, Action: parley.TrackerAction{Callback: true}})
		before, _ := s.say(insight.Text{}, "hello before")
		if err := s.detector.Begin(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.detector = s.another() // the node that began is gone before anything was said
		s.round()
		after, _ := s.say(insight.Text{}, "hello after")
		s.round()
		for _, n := range []parley.Number{before, after} {
			if got := s.found(n); len(got) != 1 {
				t.Errorf("found in %s = %v, want one", n, got)
			}
		}
		if len(s.acts) != 1 || s.acts[0].Message.Body.Content.Text != "hello after" {
			t.Errorf("acted on %+v, want what was said after the start alone", s.acts)
		}
	})
}

// How far the record was followed is written once a second at most, and also when nothing is said any more.
func TestProgressIsKept(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := newStage(t, open(t))
		behind := func() (n int64) {
			err := s.store.View(t.Context(), func(tx parley.Tx) error {
				last, err := tx.LastFed(t.Context())
				if err != nil {
					return err
				}
				cursor, err := tx.FeedCursor(t.Context(), parley.FeedDetection)
				n = last - cursor
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		s.round()
		s.say(insight.Text{}, "one")
		s.round()
		if n := behind(); n != 0 {
			t.Errorf("the first progress is %d messages behind", n)
		}
		s.say(insight.Text{}, "two")
		s.round()
		if n := behind(); n != 1 {
			t.Errorf("within a second the progress is %d messages behind, want it not written", n)
		}
		s.clock = s.clock.Add(time.Second)
		s.round()
		if n := behind(); n != 0 {
			t.Errorf("after a second the progress is %d messages behind", n)
		}
	})
}

// picky is a record that takes no detection with a hit on a phrase, or none at all.
type picky struct {
	*store.Store
	phrase string
	down   bool
}

type pickyTx struct {
	parley.Tx
	p *picky
}

var errPicky = errors.New("this cannot be stored")

func (p *picky) Update(ctx context.Context, fn func(parley.Tx) error) error {
	return p.Store.Update(ctx, func(tx parley.Tx) error { return fn(pickyTx{tx, p}) })
}

func (t pickyTx) PutDetections(ctx context.Context, tenant parley.TenantID, found []parley.Detection) error {
	for i := range found {
		if t.p.down || slices.ContainsFunc(found[i].Trackers, func(h parley.TrackerHit) bool { return h.Value == t.p.phrase }) {
			return errPicky
		}
	}
	return t.Tx.PutDetections(ctx, tenant, found)
}

// What the record does not take holds up nothing else; a record that takes nothing at all loses nothing.
func TestDetectionsThatCannotBeStored(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := newStage(t, open(t))
		record := &picky{Store: s.store, phrase: "poison"}
		var log bytes.Buffer
		s.detector = insight.NewDetector(insight.Config{Record: record, Clock: func() time.Time { return s.clock }, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		s.tracker(parley.Tracker{Name: "T", Vocabulary: []string{"poison", "hello"}})
		s.round()
		first, _ := s.say(insight.Text{}, "hello first")
		poison, job := s.say(insight.Text{Name: "planted"}, "hello and poison")
		last, _ := s.say(insight.Text{}, "hello last")
		record.down = true
		if err := s.detector.Round(t.Context()); !errors.Is(err, errPicky) {
			t.Fatalf("Round = %v while the record takes nothing", err)
		}
		record.down = false
		s.round()
		for n, want := range map[parley.Number]int{first: 1, poison: 0, last: 1} {
			if got := s.found(n); len(got) != want {
				t.Errorf("found in %s = %v, want %d", n, got, want)
			}
		}
		var done parley.Job
		if err := s.store.View(t.Context(), func(tx parley.Tx) (err error) {
			done, err = tx.Job(t.Context(), parley.DefaultTenant, job)
			return err
		}); err != nil || done.Status != parley.JobCompleted {
			t.Errorf("the job of the text that could not be stored is %+v, %v", done, err)
		}
		if !strings.Contains(log.String(), "counts as nothing") || strings.Contains(log.String(), "poison") {
			t.Errorf("the log says %s", log.String())
		}
		after, _ := s.say(insight.Text{}, "hello after")
		s.round()
		if got := s.found(after); len(got) != 1 {
			t.Errorf("found after that = %v", got)
		}
	})
}

// What is said after the hub began is fresh, also if no round was made before.
func TestBeginningIsWhenTheHubSays(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := newStage(t, open(t))
		if err := s.detector.Begin(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.tracker(parley.Tracker{Name: "Greeting", Vocabulary: []string{"hello"}, Action: parley.TrackerAction{Callback: true}})
		s.say(insight.Text{}, "hello")
		if err := s.another().Begin(t.Context()); err != nil { // of a second node, or the next start
			t.Fatal(err)
		}
		s.round()
		if len(s.acts) != 1 {
			t.Errorf("acted on %+v, want what was said after the hub began", s.acts)
		}
	})
}
