package insight_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley"
	"parley/insight"
	"parley/store"
	"parley/store/storetest"
)

type opener = func(testing.TB, ...storetest.Option) *store.Store

// A stage is a store with the rules over it and a detector that works when told to.
type stage struct {
	*testing.T
	store         *store.Store
	trackers      insight.Trackers
	entities      insight.Entities
	conversations insight.Conversations
	runs          insight.Runs
	detector      *insight.Detector
	acts          []parley.Detected
	told          []string
	ended         []parley.ConversationID
	failing       error // of Tell
	mu            sync.Mutex
	clock         time.Time
}

func newStage(t *testing.T, s *store.Store) *stage {
	v := insight.NewVocabularies(s, nil, nil)
	st := &stage{T: t, store: s, trackers: insight.Trackers{Vocabularies: v}, entities: insight.Entities{Vocabularies: v},
		conversations: insight.Conversations{Vocabularies: v}, runs: insight.Runs{Vocabularies: v}, clock: time.Now().UTC().Truncate(time.Millisecond)}
	v.SetClock(func() time.Time { return st.clock })
	st.detector = st.another()
	return st
}

// another is a further detector on the same record, as a second node has.
func (s *stage) another() *insight.Detector {
	return insight.NewDetector(insight.Config{Record: s.store, Hub: s, Teller: s, Clock: func() time.Time { return s.clock }})
}

func (s *stage) Detected(_ context.Context, _ parley.TenantID, d parley.Detected) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acts = append(s.acts, d)
	return nil
}

// End is what a hub does before a conversation is deleted: nothing is gone by then.
func (s *stage) End(ctx context.Context, tenant parley.TenantID, id parley.ConversationID, _ string) error {
	s.ended = append(s.ended, id)
	if said := s.messages(id); len(said) == 0 || said[0].Deleted == parley.Erased {
		s.Errorf("conversation %s is deleted before it ends", id)
	}
	return nil
}

func (s *stage) Tell(_ context.Context, url string, body []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told = append(s.told, url+" "+string(body))
	return s.failing
}

func (s *stage) round() {
	s.Helper()
	if err := s.detector.Round(s.Context()); err != nil {
		s.Fatalf("round of the detector: %v", err)
	}
}

func (s *stage) tracker(t parley.Tracker) parley.Tracker {
	s.Helper()
	made, err := s.trackers.Create(s.Context(), parley.DefaultTenant, []parley.Tracker{t}, false)
	if err != nil {
		s.Fatalf("create tracker: %v", err)
	}
	return made[0]
}

// say stores a text and returns its number.
func (s *stage) say(t insight.Text, said ...string) (parley.Number, parley.JobID) {
	s.Helper()
	for _, words := range said {
		t.Messages = append(t.Messages, insight.TextMessage{Content: words, UserID: "roza@example.org", Name: "Roza"})
	}
	n, job, err := s.conversations.Process(s.Context(), parley.DefaultTenant, nil, t)
	if err != nil {
		s.Fatalf("process text: %v", err)
	}
	return n, job
}

// found is what trackers found, as "name: value@offset in message, …".
func (s *stage) found(n parley.Number) []string {
	s.Helper()
	findings, err := s.conversations.Trackers(s.Context(), parley.DefaultTenant, n)
	if err != nil {
		s.Fatalf("trackers of %s: %v", n, err)
	}
	return lines(findings)
}

func lines(findings []insight.Finding) []string {
	out := []string{}
	for _, f := range findings {
		for _, m := range f.Matches {
			var refs []string
			for _, r := range m.Refs {
				refs = append(refs, fmt.Sprintf("%d in %s", r.Offset, r.Message.Text))
			}
			out = append(out, f.Name+f.Type+": "+m.Value+" at "+strings.Join(refs, "; "))
		}
	}
	return out
}

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

// A text's own trackers are used for it alone, and for it they are the only ones unless it says so.
func TestTextsBringTheirOwn(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := newStage(t, open(t))
		stored := s.tracker(parley.Tracker{Name: "Stored", Vocabulary: []string{"hello"}})
		other := s.tracker(parley.Tracker{Name: "Other", Vocabulary: []string{"hello"}})
		own := []parley.Tracker{{Name: "Own", Vocabulary: []string{"hello"}}}
		wants := map[parley.Number][]string{}
		for _, test := range []struct {
			name string
			text insight.Text
			want []string
		}{
			{"nothing said about it", insight.Text{}, []string{"Stored: hello at 0 in hello", "Other: hello at 0 in hello"}},
			{"none", insight.Text{AllTrackers: new(false)}, []string{}},
			{"its own", insight.Text{Trackers: own}, []string{"Own: hello at 0 in hello"}},
			{"its own and a stored one", insight.Text{Trackers: own, Stored: []parley.Number{other.Number}}, []string{"Other: hello at 0 in hello", "Own: hello at 0 in hello"}},
			{"its own and all", insight.Text{Trackers: own, AllTrackers: new(true)}, []string{"Stored: hello at 0 in hello", "Other: hello at 0 in hello", "Own: hello at 0 in hello"}},
			{"a stored one", insight.Text{Stored: []parley.Number{stored.Number}}, []string{"Stored: hello at 0 in hello"}},
		} {
			n, job := s.say(test.text, "hello")
			s.round()
			if diff := cmp.Diff(test.want, s.found(n)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.name, diff)
			}
			wants[n] = test.want
			if j, err := s.conversations.Job(t.Context(), parley.DefaultTenant, job); err != nil || j.Status != parley.JobCompleted {
				t.Errorf("%s: job = %s, %v; want completed", test.name, j.Status, err)
			}
		}
		if all, err := s.trackers.List(t.Context(), parley.DefaultTenant, nil); err != nil || len(all) != 2 {
			t.Errorf("List = %d trackers, %v; a text's own were stored", len(all), err)
		}
		s.run(insight.Run{})
		s.round()
		for n, want := range wants {
			if diff := cmp.Diff(want, s.found(n)); diff != "" {
				t.Errorf("looked at again (-want +got):\n%s", diff)
			}
		}
	})
}

// A webhook hears once how its job ended, and again after it did not answer.
func TestWebhookIsTold(t *testing.T) {
	s := newStage(t, storetest.Open(t))
	s.failing = errors.New("planted")
	_, job := s.say(insight.Text{Webhook: "https://example.org/done"}, "hello")
	s.round()
	s.round()
	want := []string{`https://example.org/done {"jobId":"` + job.String() + `","status":"completed"}`}
	if diff := cmp.Diff(want, s.told); diff != "" {
		t.Errorf("told before the pause is over (-want +got):\n%s", diff)
	}
	s.failing, s.clock = nil, s.clock.Add(2*time.Second)
	s.round()
	s.round()
	if diff := cmp.Diff(append(want, want...), s.told); diff != "" {
		t.Errorf("told in all (-want +got):\n%s", diff)
	}
}

// Who names a webhook that may not be told hears of it at once, and nothing is stored.
func TestWebhooksAreChecked(t *testing.T) {
	s := newStage(t, storetest.Open(t))
	s.conversations.Vocabularies = insight.NewVocabularies(s.store, nil, nil, netip.MustParsePrefix("10.1.0.0/16"))
	for url, want := range map[string]string{
		"https://example.org/done": "", "http://10.1.2.3/done": "", "https://93.184.216.34:8443": "",
		"ftp://example.org": "absolute", "example.org/done": "absolute", "https://:80/": "absolute", "https://a:b@example.org": "user name",
		"http://127.0.0.1:8080/": "not public", "http://[::1]/": "not public", "http://10.2.0.1/": "not public", "http://169.254.169.254/latest": "not public",
		"http://2130706433/": "not public", "http://0x7f.1/": "not public",
	} {
		_, _, err := s.conversations.Process(t.Context(), parley.DefaultTenant, nil, insight.Text{Messages: []insight.TextMessage{{Content: "x"}}, Webhook: url})
		if want == "" && err != nil {
			t.Errorf("webhook %s = %v", url, err)
		}
		if want != "" && (parley.KindOf(err) != parley.Invalid || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "webhookUrl")) {
			t.Errorf("webhook %s = %v, want Invalid with %q", url, err, want)
		}
	}
	if list, err := s.conversations.List(t.Context(), parley.DefaultTenant, nil, insight.NewListQuery()); err != nil || len(list) != 3 {
		t.Errorf("%d texts are stored, %v; want the three whose webhooks may be told", len(list), err)
	}
}

// More of a text goes on behind what is there, and what is not a text takes no more.
func TestMoreOfAText(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := newStage(t, open(t))
		s.tracker(parley.Tracker{Name: "Greeting", Vocabulary: []string{"hello"}})
		n, _ := s.say(insight.Text{Name: "Call", Metadata: map[string]string{"region": "north"}}, "hello one")
		s.round()
		again, _, err := s.conversations.Process(t.Context(), parley.DefaultTenant, &n, insight.Text{Messages: []insight.TextMessage{{Content: "hello two"}}})
		if err != nil || again != n {
			t.Fatalf("Process more = %s, %v; want %s", again, err, n)
		}
		s.round()
		if diff := cmp.Diff([]string{"Greeting: hello at 0 in hello one; 0 in hello two"}, s.found(n)); diff != "" {
			t.Errorf("found (-want +got):\n%s", diff)
		}
		in, err := s.conversations.Find(t.Context(), parley.DefaultTenant, n)
		if err != nil || in.Name != "Call" || in.Metadata["region"] != "north" || len(in.Members) != 2 || in.Members[0].Email != "roza@example.org" {
			t.Errorf("Find = %+v, %v", in, err)
		}
		step := storetest.Start("")
		storetest.MustCommit(t, s.store, step)
		s.round()
		number := parley.NumberOf(step.Conversation.ID)
		if _, _, err := s.conversations.Process(t.Context(), parley.DefaultTenant, &number, insight.Text{Messages: []insight.TextMessage{{Content: "x"}}}); parley.KindOf(err) != parley.NotFound {
			t.Errorf("Process more of a chat = %v, want NotFound", err)
		}
	})
}

// What is appended is in the language of its conversation, whatever the request says: so are the trackers that it brings along.
func TestMoreOfATextIsInItsLanguage(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := newStage(t, open(t))
		n, _ := s.say(insight.Text{Language: "de-DE"}, "Guten Tag")
		for _, language := range []string{"", "en-US", "de-DE"} {
			more := insight.Text{Language: language, Messages: []insight.TextMessage{{Content: "Ich habe zwei Kündigungen"}}, Trackers: []parley.Tracker{{Name: "Leaving " + language, Vocabulary: []string{"Kündigung"}}}}
			if _, _, err := s.conversations.Process(t.Context(), parley.DefaultTenant, &n, more); err != nil {
				t.Fatal(err)
			}
			s.round()
		}
		at := ": Kündigung at -1 in Ich habe zwei Kündigungen"
		if diff := cmp.Diff([]string{"Leaving de-DE" + at, "Leaving en-US" + at, "Leaving" + at}, slices.Sorted(slices.Values(s.found(n)))); diff != "" {
			t.Errorf("found (-want +got):\n%s", diff)
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

// What is deleted is not shown any more; an undo shows it again.
func TestDeletedMessagesAreNotFound(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := newStage(t, open(t))
		s.tracker(parley.Tracker{Name: "Greeting", Vocabulary: []string{"hello"}})
		n, _ := s.say(insight.Text{}, "hello one", "hello two on 2026-02-03", "hello three")
		s.round()
		in, err := s.conversations.Find(t.Context(), parley.DefaultTenant, n)
		if err != nil {
			t.Fatal(err)
		}
		var c parley.Conversation
		if err := s.store.View(t.Context(), func(tx parley.Tx) (err error) {
			c, err = tx.Conversation(t.Context(), parley.DefaultTenant, in.Conversation)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		deleted := storetest.Delete(&c, parley.DeletionChange{Seq: 1, To: parley.SoftlyDeleted}, parley.DeletionChange{Seq: 2, To: parley.Erased})
		storetest.MustCommit(t, s.store, deleted)
		if diff := cmp.Diff([]string{"Greeting: hello at 0 in hello three"}, s.found(n)); diff != "" {
			t.Errorf("found after deletion (-want +got):\n%s", diff)
		}
		storetest.MustCommit(t, s.store, storetest.Delete(deleted.Conversation, parley.DeletionChange{Seq: 1, To: parley.NotDeleted}))
		if diff := cmp.Diff([]string{"Greeting: hello at 0 in hello one; 0 in hello three"}, s.found(n)); diff != "" {
			t.Errorf("found after the undo (-want +got):\n%s", diff)
		}
		if entities, err := s.conversations.Entities(t.Context(), parley.DefaultTenant, n); err != nil || len(entities) != 0 {
			t.Errorf("entities = %v, %v; want none of the erased message", lines(entities), err)
		}
	})
}

// What was found in a message goes with it when it is erased: the words that speak for a hit are a part of what was said.
func TestErasedMessagesLeaveNothing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "parley.db")
	s := newStage(t, storetest.OpenURL(t, file))
	s.tracker(parley.Tracker{Name: "Greeting", Vocabulary: []string{"hello"}})
	n, _ := s.say(insight.Text{}, "hello on 2026-02-03")
	s.round()
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	count := func() (hits int) {
		if err := db.QueryRowContext(t.Context(), "SELECT (SELECT count(*) FROM tracker_hits) + (SELECT count(*) FROM entity_hits)").Scan(&hits); err != nil {
			t.Fatal(err)
		}
		return hits
	}
	if got := count(); got != 2 {
		t.Fatalf("%d hits are stored, want 2", got)
	}
	in, err := s.conversations.Find(t.Context(), parley.DefaultTenant, n)
	if err != nil {
		t.Fatal(err)
	}
	c := parley.Conversation{ID: in.Conversation, Tenant: parley.DefaultTenant, Epoch: 1, Seq: 1, Status: parley.Ended, Owner: parley.Owner{Kind: parley.OwnerNone}}
	storetest.MustCommit(t, s.store, storetest.Delete(&c, parley.DeletionChange{Seq: 1, To: parley.Erased}))
	if got := count(); got != 0 {
		t.Errorf("%d hits are stored after the message was erased", got)
	}
}
