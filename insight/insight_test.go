package insight_test

import (
	"testing"
	"time"

	"parley"
	"parley/insight"
	"parley/store/storetest"
)

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
