package insight_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"parley"
	"parley/insight"
	"parley/store/storetest"
)

// A text has so many messages of such a length, and brings along as many trackers as an environment may have, and no more; likewise
// entities.
func TestTextsAreBounded(t *testing.T) {
	s := newStage(t, storetest.Open(t))
	stored := s.tracker(parley.Tracker{Name: "Stored", Vocabulary: []string{"x"}}).Number
	trackers, entities := make([]parley.Tracker, 500), make([]parley.Entity, 1001)
	for i := range trackers {
		trackers[i] = parley.Tracker{Name: fmt.Sprint(i), Vocabulary: []string{"x"}}
	}
	for i := range entities {
		entities[i] = parley.Entity{Type: "x", SubType: fmt.Sprint(i), Values: []string{"x"}}
	}
	said := []insight.TextMessage{{Content: "hello"}}
	long := func(n int) []insight.TextMessage { return []insight.TextMessage{{Content: strings.Repeat("x", n)}} }
	for names, text := range map[string]insight.Text{
		"":                              {Messages: said, Trackers: trackers[1:], Stored: []parley.Number{stored}, Entities: entities[1:]},
		`"messages"`:                    {Messages: slices.Repeat(said, 10_001)},
		`"messages[0].payload.content"`: {Messages: long(100_001)},
		`"trackers"`:                    {Messages: said, Trackers: trackers, Stored: []parley.Number{stored}},
		`"entities"`:                    {Messages: said, Entities: entities},
	} {
		_, _, err := s.conversations.Process(t.Context(), parley.DefaultTenant, nil, text)
		if names == "" && err != nil || names != "" && (parley.KindOf(err) != parley.Invalid || !strings.Contains(err.Error(), names)) {
			t.Errorf("%d messages, %d trackers and %d entities: %v, want Invalid with %s", len(text.Messages), len(text.Trackers)+len(text.Stored), len(text.Entities), err, names)
		}
	}
	for _, most := range [][]insight.TextMessage{slices.Repeat(said, 10_000), long(100_000)} {
		if _, _, err := s.conversations.Process(t.Context(), parley.DefaultTenant, nil, insight.Text{Messages: most}); err != nil {
			t.Errorf("a text of %d messages: %v", len(most), err)
		}
	}
}
