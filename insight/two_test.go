package insight_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"parley"
	"parley/insight"
	"parley/store/storetest"
)

// said is what a test said in a conversation, message by message.
type said map[parley.Number][]string

// check wants every hit of the tracker "hello" in what was looked at of every conversation, and no other: a first occurrence a message,
// in order. Entities are every occurrence of "hello".
func (all said) check(s *stage, where string) {
	s.Helper()
	for n, messages := range all {
		in, err := s.conversations.Find(s.Context(), parley.DefaultTenant, n)
		if err != nil {
			s.Fatal(err)
		}
		var trackers, entities []string
		for _, m := range messages[:in.Seq] {
			if at := strings.Index(m, "hello"); at >= 0 {
				trackers = append(trackers, fmt.Sprintf("%d in %s", at, m))
			}
			for at := 0; strings.Contains(m[at:], "hello"); at += len("hello") {
				at += strings.Index(m[at:], "hello")
				entities = append(entities, fmt.Sprintf("%d in %s", at, m))
			}
		}
		found, err := s.conversations.Entities(s.Context(), parley.DefaultTenant, n)
		if err != nil {
			s.Fatal(err)
		}
		for what, lists := range map[string][2][]string{"Greeting: hello at ": {trackers, s.found(n)}, "Word: hello at ": {entities, lines(found)}} {
			want := []string(nil)
			if len(lists[0]) > 0 {
				want = []string{what + strings.Join(lists[0], "; ")}
			}
			if !slices.Equal(want, lists[1]) {
				s.Errorf("%s: found in %s\n%v, want\n%v", where, n, lists[1], want)
			}
		}
	}
}

// Two nodes that look at the same record at the same time, or one in the middle of what the other does, find every hit once, and count
// the messages of every text once, whatever is said meanwhile, and although a run looks at all of it again.
func TestTwoDetectorsFindEveryHitOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := newStage(t, open(t))
		s.listen()
		if err := s.detector.Round(t.Context()); err != nil {
			t.Fatal(err)
		}
		checks, most := 0, 12 // on one record, which grows
		if strings.HasSuffix(t.Name(), "postgres") {
			most = 4
		}
		rapid.Check(t, func(r *rapid.T) {
			if checks++; checks > most {
				return
			}
			began, talks := time.Now().Add(-time.Hour), said{}
			var numbers []parley.Number
			var jobs []parley.JobID
			var detectors [2]*insight.Detector
			var records [2]*interrupted
			for i := range detectors {
				records[i] = &interrupted{s.store, func() {}}
				detectors[i] = insight.NewDetector(insight.Config{Record: records[i], Clock: func() time.Time { return time.Now().Add(time.Hour) }})
			}
			say := func() {
				messages := rapid.SliceOfN(rapid.SampledFrom([]string{"hello", "bye", "say hello, hello"}), 1, 3).Draw(r, "messages")
				text := insight.Text{}
				for _, m := range messages {
					text.Messages = append(text.Messages, insight.TextMessage{Content: m})
				}
				var more *parley.Number
				if len(numbers) > 0 && rapid.Bool().Draw(r, "more of a text") {
					more = &numbers[rapid.IntRange(0, len(numbers)-1).Draw(r, "text")]
				}
				n, job, err := s.conversations.Process(t.Context(), parley.DefaultTenant, more, text)
				if err != nil {
					t.Fatal(err)
				}
				if more == nil {
					numbers = append(numbers, n)
				}
				jobs, talks[n] = append(jobs, job), append(talks[n], messages...)
			}
			round := func(i int) {
				if err := detectors[i].Round(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			r.Repeat(map[string]func(*rapid.T){
				"say": func(*rapid.T) { say() },
				"run": func(*rapid.T) {
					jobs = append(jobs, s.run(insight.Run{From: began}).ID)
				},
				"round": func(*rapid.T) { round(rapid.IntRange(0, 1).Draw(r, "node")) },
				"round in a round": func(*rapid.T) {
					i, at := rapid.IntRange(0, 1).Draw(r, "node"), rapid.IntRange(1, 3).Draw(r, "before which write")
					more, jobs := rapid.Bool().Draw(r, "something is said before"), rapid.Bool().Draw(r, "the other node works on jobs, too")
					records[i].before = func() {
						if at--; at == 0 {
							if more {
								say()
							}
							if jobs {
								round(1 - i)
							} else if err := detectors[1-i].Follow(t.Context()); err != nil {
								t.Fatal(err)
							}
						}
					}
					round(i)
					records[i].before = func() {}
				},
				"": func(*rapid.T) { talks.check(s, "meanwhile") },
			})
			for range 10 {
				round(0)
				round(1)
			}
			for n, messages := range talks {
				if in, err := s.conversations.Find(t.Context(), parley.DefaultTenant, n); err != nil || in.Seq != int64(len(messages)) {
					t.Errorf("of %d messages of %s %d were looked at, %v", len(messages), n, in.Seq, err)
				}
			}
			var there int
			if err := s.store.View(t.Context(), func(tx parley.Tx) (err error) {
				there, err = tx.CountInsights(t.Context(), parley.DefaultTenant, began, time.Time{})
				return err
			}); err != nil {
				t.Fatal(err)
			}
			for _, id := range jobs {
				if j, err := s.conversations.Job(t.Context(), parley.DefaultTenant, id); err != nil || j.Status != parley.JobCompleted || j.Done != j.Total || j.Kind == parley.JobRange && j.Done > there {
					t.Errorf("job of kind %s = %s, %d of %d, %v; there are %d conversations", j.Kind, j.Status, j.Done, j.Total, err, there)
				}
			}
		})
	})
}

// A text that takes two pages is counted once, too, when a second node looks at the first of them at the same time, and stops there.
func TestTwoNodesCountATextOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := newStage(t, open(t))
		s.round()
		_, job := s.say(insight.Text{}, slices.Repeat([]string{"hello"}, 1500)...)
		ctx, stop := context.WithCancel(t.Context())
		writes := 0
		other := insight.NewDetector(insight.Config{Record: &interrupted{s.store, func() {
			if writes++; writes == 3 { // after its progress was read, and the first page was stored
				stop()
			}
		}}})
		first := &interrupted{s.store, func() {}}
		d := insight.NewDetector(insight.Config{Record: first})
		if err := d.Begin(t.Context()); err != nil {
			t.Fatal(err)
		}
		first.before = func() {
			if writes == 0 {
				if err := other.Follow(ctx); err == nil {
					t.Error("the other node was not stopped")
				}
			}
		}
		if err := d.Follow(t.Context()); err != nil {
			t.Fatal(err)
		}
		if j, err := s.conversations.Job(t.Context(), parley.DefaultTenant, job); err != nil || j.Status != parley.JobCompleted || j.Done != 1500 {
			t.Errorf("job = %s, %d of %d, %v; want completed, all", j.Status, j.Done, j.Total, err)
		}
	})
}

// The same with nodes that truly run beside each other.
func TestDetectorsRunBesideEachOther(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := newStage(t, open(t))
		s.listen()
		s.round()
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		turns := make(chan struct{}, 1)
		for range 2 {
			d := insight.NewDetector(insight.Config{Record: s.store, Hub: s})
			running.Go(func() {
				for ctx.Err() == nil {
					select {
					case turns <- struct{}{}:
					case <-ctx.Done():
					}
					if err := d.Round(ctx); err != nil && ctx.Err() == nil && parley.KindOf(err) != parley.Busy {
						t.Errorf("Round = %v", err)
					}
				}
			})
		}
		talks := said{}
		var jobs []parley.JobID
		for i := range 30 {
			n, job := s.say(insight.Text{}, "say hello", "bye", "hello again")
			jobs, talks[n] = append(jobs, job), []string{"say hello", "bye", "hello again"}
			select { // both are at it meanwhile
			case <-turns:
			default:
			}
			if i%10 == 0 {
				jobs = append(jobs, s.run(insight.Run{}).ID)
			}
		}
		for _, id := range jobs {
			for {
				<-turns
				j, err := s.conversations.Job(t.Context(), parley.DefaultTenant, id)
				if err != nil {
					t.Fatal(err)
				}
				if j.Status.Over() {
					if j.Status != parley.JobCompleted || j.Done != j.Total {
						t.Errorf("job of kind %s = %s, %d of %d", j.Kind, j.Status, j.Done, j.Total)
					}
					break
				}
			}
		}
		stop()
		running.Wait()
		talks.check(s, "in the end")
	})
}

// listen makes a tracker and an entity of one word.
func (s *stage) listen() {
	s.Helper()
	s.tracker(parley.Tracker{Name: "Greeting", Vocabulary: []string{"hello"}})
	if _, err := s.entities.Create(s.Context(), parley.DefaultTenant, []parley.Entity{{Type: "Word", SubType: "x", Values: []string{"hello"}}}, false); err != nil {
		s.Fatal(err)
	}
}
