package insight_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley"
	"parley/insight"
	"parley/store/storetest"
)

// Results are in order: trackers as they were made, phrases as the vocabulary has them, places as they were said. An entity is found by
// its values alone, whatever their case, everywhere, and is told as its maker wrote it (reference 3.5 and 4.3).
func TestResultsAreInOrder(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := newStage(t, open(t))
		s.tracker(parley.Tracker{Name: "Z, made first", Vocabulary: []string{"second thing", "First thing"}})
		s.tracker(parley.Tracker{Name: "A, made later", Vocabulary: []string{"thing"}})
		if _, err := s.entities.Create(t.Context(), parley.DefaultTenant, []parley.Entity{
			{Type: "Vehicle", SubType: "Van", Values: []string{"Van", "Cargo MAX", "city van"}},
			{Type: "City", SubType: "South", Values: []string{"ULM"}},
		}, true); err != nil {
			t.Fatal(err)
		}
		one, two := "first thing, then the thing: cargo max", "The second thing, in Ulm; not the first thing. A city van, vans, VAN, a Cargo-Max."
		n, _ := s.say(insight.Text{}, one, two)
		s.round()
		want := []string{
			"Z, made first: second thing at 4 in " + two, "Z, made first: First thing at 0 in " + one + "; 34 in " + two,
			"A, made later: thing at 6 in " + one + "; 11 in " + two,
		}
		if diff := cmp.Diff(want, s.found(n)); diff != "" {
			t.Errorf("trackers (-want +got):\n%s", diff)
		}
		found, err := s.conversations.Entities(t.Context(), parley.DefaultTenant, n)
		if err != nil {
			t.Fatal(err)
		}
		want = []string{
			"Vehicle: Van at 54 in " + two + "; 65 in " + two, "Vehicle: Cargo MAX at 29 in " + one + "; 72 in " + two,
			"Vehicle: city van at 49 in " + two, "City: ULM at 21 in " + two,
		}
		if diff := cmp.Diff(want, lines(found)); diff != "" {
			t.Errorf("entities (-want +got):\n%s", diff)
		}
	})
}

// Messages of a text without times have a second each, the last of which ends when the text is given (reference 7.1).
func TestTextsWithoutTimesEndNow(t *testing.T) {
	s := newStage(t, storetest.Open(t))
	n, _ := s.say(insight.Text{}, "one", "two", "three")
	in, said, err := s.conversations.Messages(t.Context(), parley.DefaultTenant, n, false, nil)
	if err != nil || len(said) != 3 {
		t.Fatalf("Messages = %v, %v", said, err)
	}
	for i, m := range said {
		start := s.clock.Add(time.Duration(i-3) * time.Second)
		if !m.Start.Equal(start) || !m.End.Equal(start.Add(time.Second)) {
			t.Errorf("message %d is from %v to %v, want the second from %v", i, m.Start, m.End, start)
		}
	}
	if !in.Started.Equal(said[0].Start) || !in.Ended.Equal(s.clock) {
		t.Errorf("the conversation is from %v to %v, want until %v", in.Started, in.Ended, s.clock)
	}
}

// Unless it is asked otherwise, a list has twenty conversations of the last seven days, those that began first before the others.
func TestListsHaveDefaults(t *testing.T) {
	s := newStage(t, storetest.Open(t))
	now := s.clock
	for i := range 24 {
		s.clock = now.Add(time.Duration(i)*time.Minute - 7*24*time.Hour)
		s.say(insight.Text{Name: fmt.Sprint(i)}, "hello")
	}
	s.clock = now
	for offset, want := range map[int][]string{0: {"1", "20"}, 20: {"21", "23"}} {
		q := insight.NewListQuery()
		q.Offset = offset
		page, err := s.conversations.List(t.Context(), parley.DefaultTenant, nil, q)
		if err != nil {
			t.Fatal(err)
		}
		// The first one began a second before the seven days.
		if got := []string{page[0].Name, page[len(page)-1].Name}; !cmp.Equal(want, got) || offset == 0 && len(page) != 20 {
			t.Errorf("from %d: %d conversations, from %s to %s; want from %s to %s", offset, len(page), got[0], got[1], want[0], want[1])
		}
	}
}
