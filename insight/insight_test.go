package insight_test

import (
	"fmt"
	"testing"
	"time"

	"parley"
	"parley/insight"
	"parley/store/storetest"
)

// Messages with times come in their order, whatever stands between them; those without follow, as they were given, and end now.
func TestMessagesWithoutTimesFollow(t *testing.T) {
	s := newStage(t, storetest.Open(t))
	var given []insight.TextMessage
	for i := range 40 {
		m := insight.TextMessage{Content: fmt.Sprintf("without %02d", i)}
		if i%2 == 0 {
			m.Start = s.clock.Add(-time.Duration(i+2) * time.Hour) // the later given, the earlier said
			m.Content, m.End = fmt.Sprintf("with %02d", i), m.Start.Add(time.Minute)
		}
		given = append(given, m)
	}
	n, _, err := s.conversations.Process(t.Context(), parley.DefaultTenant, nil, insight.Text{Messages: given})
	if err != nil {
		t.Fatal(err)
	}
	_, said, err := s.conversations.Messages(t.Context(), parley.DefaultTenant, n, false, nil)
	if err != nil || len(said) != len(given) {
		t.Fatalf("%d messages, %v", len(said), err)
	}
	for i, m := range said {
		want := fmt.Sprintf("with %02d", 38-2*i)
		if i >= 20 {
			want = fmt.Sprintf("without %02d", 2*(i-20)+1)
		}
		if m.Text != want || i > 0 && m.Start.Before(said[i-1].Start) {
			t.Errorf("message %d is %q at %v, want %q, not before %v", i, m.Text, m.Start, want, said[max(i-1, 0)].Start)
		}
	}
	if last := said[len(said)-1]; !last.End.Equal(s.clock) {
		t.Errorf("the last one ends at %v, want now, %v", last.End, s.clock)
	}
}

// A conversation lasts from the first start to the last end, in whatever order and in how many pieces its messages came, before it is
// looked at and after that.
func TestTextLastsFromFirstStartToLastEnd(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := newStage(t, open(t))
		begin := s.clock.Add(-time.Hour)
		message := func(from, to int) insight.TextMessage {
			return insight.TextMessage{Content: "hello", Start: begin.Add(time.Duration(from) * time.Minute), End: begin.Add(time.Duration(to) * time.Minute)}
		}
		var n parley.Number
		check := func(when string, from, to int) {
			t.Helper()
			in, err := s.conversations.Find(t.Context(), parley.DefaultTenant, n)
			if want := message(from, to); err != nil || !in.Started.Equal(want.Start) || !in.Ended.Equal(want.End) {
				t.Errorf("%s: from %v to %v, %v; want minute %d to %d of %v", when, in.Started, in.Ended, err, from, to, begin)
			}
		}
		n, _, err := s.conversations.Process(t.Context(), parley.DefaultTenant, nil, insight.Text{Messages: []insight.TextMessage{message(20, 30), message(10, 40), message(25, 26)}})
		if err != nil {
			t.Fatal(err)
		}
		check("at once", 10, 40)
		s.round()
		check("looked at", 10, 40)
		if _, _, err := s.conversations.Process(t.Context(), parley.DefaultTenant, &n, insight.Text{Messages: []insight.TextMessage{message(5, 6), message(1, 50), message(12, 13)}}); err != nil {
			t.Fatal(err)
		}
		s.round()
		check("with more", 1, 50)
		s.run(insight.Run{})
		s.round()
		check("looked at again", 1, 50)
		if listed, err := s.conversations.List(t.Context(), parley.DefaultTenant, nil, insight.ListQuery{Limit: 1, From: message(1, 1).Start, Until: message(50, 50).End}); err != nil || len(listed) != 1 {
			t.Errorf("listed by its times: %v, %v", listed, err)
		}
	})
}
