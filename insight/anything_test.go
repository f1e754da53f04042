package insight_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"parley"
	"parley/store/storetest"
)

// nasty are pieces of what people write that a record, an index or a matcher may stumble over.
var nasty = []string{"hello", "\x00", "\xff", "\xed\xa0\x80", "\u0301", "\u202e", "👩‍👩‍👧", "http://example.org/", "www.", "anna@", "example.org", "4111 1111 1111 1111", "DE89 3704 0044 0532 0130 00",
	"2026-02-03", "14:30", "+49 30 901820", "1e999", "'", `"`, `\`, "%", "?", "$1", "{}", "<b>", "&amp;", "\n", "\t", " ", " ", ".", "İ", "ß", "ﬁ", "退款", strings.Repeat("ab", 2000)}

// Whatever is said by whoever is called whatever, every message is looked at, and what is found can be read.
func TestDetectionTakesAnything(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	storetest.Each(t, func(t *testing.T, open opener) {
		random := rand.New(rand.NewPCG(seed, 0))
		some := func() string {
			var b strings.Builder
			for range random.IntN(8) {
				b.WriteString(nasty[random.IntN(len(nasty))])
			}
			return b.String()
		}
		s := newStage(t, open(t))
		s.tracker(parley.Tracker{Name: "Greeting", Languages: []string{"en-US", "de-DE"}, Vocabulary: []string{"hello", "example org", "call me back now please"}, Exclude: []string{"DE89"},
			Action: parley.TrackerAction{Label: "greeted"}})
		if _, err := s.entities.Create(t.Context(), parley.DefaultTenant, []parley.Entity{{Type: "Word", SubType: "x", Values: []string{"hello", "退款", "ß"}}}, false); err != nil {
			t.Fatal(err)
		}
		said := map[parley.ConversationID]bool{}
		for i := range 150 {
			step := storetest.Start("")
			c, m := step.Conversation, &step.Messages[0]
			c.State.Language = []string{"", "en-US", "de-DE", "zh", some()}[random.IntN(5)]
			c.State.Customer.Attributes = []parley.NameValue{{Name: some(), Value: some()}, {Name: some(), Value: some()}}
			m.Body.Name, m.Body.Attributes = some(), []parley.Attribute{{Name: "userId", Value: some()}}
			m.Body.Duration = []int64{0, 1000, -1, 1 << 62}[random.IntN(4)]
			if m.Body.Content.Text = some(); random.IntN(4) == 0 {
				m.Body.Content.Text, m.Body.Content.HTML = "", some()
			}
			if random.IntN(8) == 0 {
				m.Created = time.Date(random.IntN(9998), 2, 3, 4, 5, 6, 0, time.UTC)
			}
			// What the store takes, detection has to take.
			if _, errs := storetest.Commit(t, s.store, step); errs[0] == nil {
				said[c.ID] = true
			}
			if i%10 == 9 {
				s.round()
			}
		}
		if len(said) < 100 {
			t.Errorf("the store took %d conversations, want more to look at", len(said))
		}
		for id := range said {
			n := parley.NumberOf(id)
			in, err := s.conversations.Find(t.Context(), parley.DefaultTenant, n)
			if err != nil || in.Seq != 1 {
				t.Fatalf("conversation %s was looked at up to %d, %v", id, in.Seq, err)
			}
			s.found(n)
			if _, err := s.conversations.Entities(t.Context(), parley.DefaultTenant, n); err != nil {
				t.Errorf("entities of %s: %v", id, err)
			}
		}
	})
}
