package insight_test

import (
	"encoding/hex"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"parley"
	"parley/insight"
	"parley/store/storetest"
)

// Whatever somebody says or is called, what others say is looked at: the record takes neither the character 0 nor every year.
func TestDetectionGoesOnWhateverIsSaid(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := newStage(t, open(t))
		s.tracker(parley.Tracker{Name: "Greeting", Vocabulary: []string{"hello"}})
		first := func(s *parley.Step) *parley.Message { return &s.Messages[0] }
		for what, spoil := range map[string]func(*parley.Step){
			"a name": func(s *parley.Step) { first(s).Body.Name = "An\x00na" },
			"an attribute": func(s *parley.Step) {
				s.Conversation.State.Customer.Attributes = []parley.NameValue{{Name: "tier", Value: "go\x00ld"}}
			},
			"a name of one": func(s *parley.Step) {
				s.Conversation.State.Customer.Attributes = []parley.NameValue{{Name: "ti\x00er", Value: "gold"}}
			},
			"nothing but that": func(s *parley.Step) {
				s.Conversation.State.Customer.Attributes = []parley.NameValue{{Name: "\x00", Value: "gold"}}
			},
			"a long name": func(s *parley.Step) { first(s).Body.Name = noise(100_000) },
			"a long attribute": func(s *parley.Step) {
				s.Conversation.State.Customer.Attributes = []parley.NameValue{{Name: noise(10_000), Value: "gold"}}
			},
			"a long value of it": func(s *parley.Step) {
				s.Conversation.State.Customer.Attributes = []parley.NameValue{{Name: "tier", Value: noise(10_000)}}
			},
			"long words":             func(s *parley.Step) { first(s).Body.Content.Text = "hello http://example.org/" + noise(90_000) },
			"a URL":                  func(s *parley.Step) { first(s).Body.Content.Text = "hello, see http://example.org/\x00x" },
			"a word":                 func(s *parley.Step) { first(s).Body.Content.Text = "hel\x00lo hello\x00 \x00" },
			"a language":             func(s *parley.Step) { s.Conversation.State.Language = "en-US\x00" },
			"a time long ago":        func(s *parley.Step) { first(s).Created = time.Date(1, 2, 3, 0, 0, 0, 0, time.UTC) },
			"a time far away":        func(s *parley.Step) { first(s).Created = time.Date(9998, 2, 3, 0, 0, 0, 0, time.UTC) },
			"an end before it began": func(s *parley.Step) { first(s).Body.Duration = -5 },
		} {
			bad, good := storetest.Start(""), storetest.Start("")
			first(bad).Body.Content.Text, first(good).Body.Content.Text = "hello there", "hello again"
			spoil(bad)
			storetest.MustCommit(t, s.store, bad)
			storetest.MustCommit(t, s.store, good)
			if err := s.detector.Round(t.Context()); err != nil {
				t.Fatalf("with the character 0 in, or as, %s: %v", what, err)
			}
			if got := s.found(parley.NumberOf(good.Conversation.ID)); len(got) != 1 {
				t.Errorf("after %s: found in what somebody else said %v, want one", what, got)
			}
			in, err := s.conversations.Find(t.Context(), parley.DefaultTenant, parley.NumberOf(bad.Conversation.ID))
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			if want := map[string]string{"an attribute": "gold", "a name of one": "gold"}[what]; in.Metadata["tier"] != want || len(in.Metadata) > 1 {
				t.Errorf("%s: metadata %q, want the tier %q", what, in.Metadata, want)
			}
			if what == "a name" && in.Members[0].Name != "Anna" {
				t.Errorf("a name: members %+v, want Anna", in.Members)
			}
		}
	})
}

// noise is text that cannot be made shorter.
func noise(n int) string {
	random := rand.NewChaCha8([32]byte{7})
	b := make([]byte, n/2)
	_, _ = random.Read(b) // never fails
	return hex.EncodeToString(b)
}

// What the record does not take is refused where somebody tells it the manage surface, and nothing is stored.
func TestWhatCannotBeStoredIsRefused(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := newStage(t, open(t))
		groups := insight.Groups{Vocabularies: s.trackers.Vocabularies}
		said := []insight.TextMessage{{Content: "hello"}}
		n, _ := s.say(insight.Text{}, "hello")
		at := func(year int) []insight.TextMessage {
			start := time.Date(year, 2, 3, 0, 0, 0, 0, time.UTC)
			return []insight.TextMessage{{Content: "hello", Start: start, End: start}}
		}
		text := func(t insight.Text) error {
			_, _, err := s.conversations.Process(s.Context(), parley.DefaultTenant, nil, t)
			return err
		}
		tracker := func(x parley.Tracker) error {
			_, err := s.trackers.Create(s.Context(), parley.DefaultTenant, []parley.Tracker{x}, false)
			return err
		}
		entity := func(x parley.Entity) error {
			_, err := s.entities.Create(s.Context(), parley.DefaultTenant, []parley.Entity{x}, false)
			return err
		}
		group := func(x parley.Group) error {
			_, err := groups.Create(s.Context(), parley.DefaultTenant, []parley.Group{x}, false)
			return err
		}
		metadata := func(m map[string]string) error {
			_, err := s.conversations.PutMetadata(s.Context(), parley.DefaultTenant, n, m)
			return err
		}
		list := func(q insight.ListQuery) error {
			q.Limit = 1
			_, err := s.conversations.List(s.Context(), parley.DefaultTenant, nil, q)
			return err
		}
		for _, test := range []struct {
			what  error
			names string
		}{
			{text(insight.Text{Messages: at(1)}), "messages[0].duration"}, {text(insight.Text{Messages: at(1969)}), "messages[0].duration"},
			{text(insight.Text{Messages: at(2201)}), "messages[0].duration"},
			{text(insight.Text{Messages: said, Name: "a\x00"}), "name"}, {text(insight.Text{Messages: said, Metadata: map[string]string{"a\x00": "b"}}), "metadata"},
			{text(insight.Text{Messages: said, Metadata: map[string]string{"a": "b\x00"}}), "metadata.a"},
			{text(insight.Text{Messages: said, Metadata: map[string]string{strings.Repeat("ä", 129): "b"}}), "a key of more than 128"},
			{text(insight.Text{Messages: said, Trackers: []parley.Tracker{{Name: "a", Vocabulary: []string{"b\x00"}}}}), "vocabulary[0]"},
			{text(insight.Text{Messages: said, Entities: []parley.Entity{{Type: "a", SubType: "a", Values: []string{"b\x00"}}}}), "entities[0].text"},
			{tracker(parley.Tracker{Name: "a\x00", Vocabulary: []string{"b"}}), "name"}, {tracker(parley.Tracker{Name: "a", Description: "a\x00", Vocabulary: []string{"b"}}), "description"},
			{tracker(parley.Tracker{Name: "a", Vocabulary: []string{"b\x00"}}), "vocabulary[0]"}, {tracker(parley.Tracker{Name: "a", Vocabulary: []string{"b"}, Exclude: []string{"b\x00"}}), "excludeVocabulary[0]"},
			{tracker(parley.Tracker{Name: "a", Vocabulary: []string{"b"}, Categories: []string{"b\x00"}}), "categories[0]"},
			{tracker(parley.Tracker{Name: "a", Vocabulary: []string{"b"}, Languages: []string{"en\x00"}}), "languages[0]"},
			{entity(parley.Entity{Type: "a\x00", SubType: "a", Values: []string{"b"}}), "type"}, {entity(parley.Entity{Type: "a", SubType: "a\x00", Values: []string{"b"}}), "subType"},
			{entity(parley.Entity{Type: "a", SubType: "a", Values: []string{"b", "c\x00"}}), "values[1]"},
			{group(parley.Group{Name: "a\x00", Criteria: "conversation.id==1"}), "name"}, {group(parley.Group{Name: "a", Description: "a\x00", Criteria: "conversation.id==1"}), "description"},
			{group(parley.Group{Name: "a", Criteria: "conversation.name==\x00"}), "at character 20"},
			{metadata(map[string]string{"a\x00": "b"}), "metadata"}, {metadata(map[string]string{"a": "b\x00"}), "metadata.a"},
			{list(insight.ListQuery{Sort: "conversation.metadata.a\x00"}), "sort"}, {list(insight.ListQuery{Filter: "conversation.metadata.a\x00==1"}), "at character 24"},
		} {
			if parley.KindOf(test.what) != parley.Invalid || !strings.Contains(test.what.Error(), test.names) {
				t.Errorf("%v, want Invalid with %s", test.what, test.names)
			}
		}
		if err := metadata(map[string]string{strings.Repeat("\U0001F600", 128): strings.Repeat("\U0001F600", 128)}); err != nil {
			t.Errorf("a key and a value of 128 characters: %v", err)
		}
		for _, year := range []int{1970, 2200} {
			if err := text(insight.Text{Messages: at(year)}); err != nil {
				t.Errorf("a text of %d: %v", year, err)
			}
		}
		s.round()
		if page, err := s.conversations.List(t.Context(), parley.DefaultTenant, nil, insight.ListQuery{Limit: 10, From: time.Unix(0, 0)}); err != nil || len(page) != 2 {
			t.Errorf("listed %d, %v, want the text of the beginning and the one of 1970", len(page), err)
		}
	})
}
