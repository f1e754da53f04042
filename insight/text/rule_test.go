package text

import (
	"strings"
	"testing"
)

// similar says whether a phrase is found in a message, though not by its words.
func similar(phrase, message string) bool {
	hits := one(phrase, message, "en-US")
	return len(hits) == 1 && hits[0].Start < 0
}

// The sets of synonyms that reference 3.5 names are one concept each, whichever of them is the phrase's and in whatever form, and none
// is that of another set.
func TestSynonymsOfTheReference(t *testing.T) {
	sets := [][]string{
		{"price", "cost", "charge", "fee", "rate", "how much"}, {"buy", "purchase", "order"}, {"cancel", "terminate", "call off"}, {"money", "budget", "funds"},
		{"help", "support", "assist"}, {"problem", "issue", "trouble", "difficulty"}, {"cheap", "affordable"}, {"fast", "quick"}, {"begin", "start"},
		{"meet", "meeting", "appointment"}, {"call", "phone", "ring"},
	}
	for i, set := range sets {
		for _, phrase := range set {
			for j, other := range sets {
				for _, word := range other {
					if word == phrase {
						continue
					}
					if got := similar(phrase, "Tell me: "+word+" then."); got != (i == j) {
						t.Errorf("%q is found in a sentence with %q: %t", phrase, word, got)
					}
				}
			}
		}
	}
	for phrase, message := range map[string]string{"cost": "All these prices!", "cancelling": "Please terminate it", "cancel": "We called off everything", "quickly": "As fast as you can", "help": "I was assisted"} {
		if !similar(phrase, message) {
			t.Errorf("%q is not found in %q", phrase, message)
		}
	}
}

// A phrase of two or three concepts is found where at least 60 % of them stand within 3 words for each and 4 more; one that denies, where
// the sentence denies, and only there (reference 3.5, steps 3 to 6).
func TestRuleOfTheReference(t *testing.T) {
	apart := func(n int) string { return "lost " + strings.Repeat("so ", n) + "card" }
	for _, c := range []struct {
		phrase, message string
		want            bool
	}{
		{"lost card", "card lost", true}, {"lost card", "lost it", false}, {"lost blue card", "a card, blue", true}, {"lost blue card", "a card", false},
		{"lost card", apart(8), true}, {"lost card", apart(9), false},
		{"refund arrived", "the refund has not yet arrived", false}, {"refund arrived", "no refund has arrived", false}, {"refund arrived", "my refund never arrived", false},
		{"refund arrived", "the refund hasn't arrived", false}, {"refund arrived", "it arrived without the refund", false}, {"refund arrived", "the refund hasn’t arrived", false},
		{"refund arrived", "arrived: my refund", true},
		{"refund not arrived", "no refund has arrived", true}, {"refund not arrived", "my refund never arrived", true}, {"refund not arrived", "it arrived without the refund", true},
		{"refund not arrived", "the refund hasn't arrived", true}, {"refund not arrived", "my refund arrived", false},
		{"no paper", "we ran out of paper", true}, {"no paper", "I run out of paper", true}, {"no paper", "out comes the paper", false}, {"papers", "we ran out of paper", false}, {"papers", "we took paper", true},
	} {
		got := one(c.phrase, c.message, "en-US")
		if (len(got) > 0) != c.want {
			t.Errorf("%q in %q: %+v, want it found: %t", c.phrase, c.message, got, c.want)
		}
	}
}

// What stands there by its words is said so, and once, though a sentence before it or after it means the same.
func TestExactWinsOverSimilar(t *testing.T) {
	for message, want := range map[string]int{
		"Please terminate my purchase. I said: cancel order!": 38,
		"Cancel order! Yes, terminate my purchase.":           0,
		"Order? Cancel! Cancel the order, cancel order.":      33,
		"Please terminate my purchase, my orders cancelled.":  -1,
	} {
		if hits := one("cancel order", message, "en-US"); len(hits) != 1 || hits[0].Start != want {
			t.Errorf("in %q: %+v, want one hit at %d", message, hits, want)
		}
	}
}
