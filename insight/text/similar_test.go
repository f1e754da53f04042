package text

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// one matches a single phrase.
func one(phrase, message, language string) []Hit {
	return NewMatcher([]Vocabulary{{Phrases: []string{phrase}}}).Match(message, language)
}

func TestMatchTellsExactFromSimilar(t *testing.T) {
	for _, c := range []struct {
		phrase, message, language string
		want                      string // what stands at the hit, "~" = similar, "" = no hit
	}{
		// exact
		{"call off", "Please CALL — off!", "en-US", "CALL — off"},
		{"call off", "a call offer", "en-US", ""},
		{"don't know", "I don’t   know", "en-US", "don’t   know"},
		{"退款", "我要退款。", "zh-CN", "退款"},
		{"退款", "退一下款", "zh-CN", ""},
		{"คืนเงิน", "ขอคืนเงินหน่อย", "th-TH", "คืนเงิน"},
		{"iade", "👍🏽 İADE istiyorum", "tr-TR", "İADE"},
		{"café", "le cafe\u0301 est froid", "fr-FR", "cafe\u0301"},
		{"strasse", "Lange Straße", "de-DE", "Straße"},
		{"?!", "what?!", "en-US", ""},
		{"the", "on the way", "en-US", "the"},
		{"the", "on our way", "en-US", ""},
		// similar by stems and synonyms
		{"cancel order", "I would like to terminate my purchase.", "en-US", "~"},
		{"cheap phone", "an affordable phone", "en-US", "~"},
		{"help", "Nobody answers. I need some assistance and supporting staff.", "en-US", "~"},
		{"cancel the order", "I did not cancel my order.", "en-US", ""},
		{"not working", "it never worked", "en-US", "~"},
		{"order pizza", "The order was fine. We had salad. There was no pizza on the menu", "en-US", ""},
		{"offene Rechnung", "Ich habe zwei offenen Rechnungen.", "de-DE", "~"},
		{"annuler abonnement", "Je veux annuler mes abonnements", "fr-FR", "~"},
		{"annuler abonnement", "Je veux annuler mes abonnements", "xx", ""},
	} {
		hits := one(c.phrase, c.message, c.language)
		got := ""
		for _, h := range hits {
			if got = "~"; h.Start >= 0 {
				got = c.message[h.Start:h.End]
			}
		}
		if got != c.want || len(hits) > 1 {
			t.Errorf("%q in %q (%s) = %+v, want %q", c.phrase, c.message, c.language, hits, c.want)
		}
	}
}

func TestMatchOrdersAndExcludes(t *testing.T) {
	m := NewMatcher([]Vocabulary{
		{Phrases: []string{"order", "big order", "order"}, Languages: []string{"en-US"}},
		{Phrases: []string{"order"}, Exclude: []string{"in order"}},
		{Phrases: []string{"order"}, Languages: []string{"de-DE"}},
		{Phrases: []string{"orders"}, Languages: []string{"en"}},
		{},
	})
	type hit struct{ Vocabulary, Phrase, Start, End int }
	for message, want := range map[string][]hit{
		"A big order, an order":         {{0, 0, 6, 11}, {0, 1, 2, 11}, {0, 2, 6, 11}, {1, 0, 6, 11}, {3, 0, -1, -1}},
		"All is in order, a big order.": {{0, 0, 10, 15}, {0, 1, 19, 28}, {0, 2, 10, 15}, {3, 0, -1, -1}},
		"":                              nil,
	} {
		var got []hit
		for _, h := range m.Match(message, "en-US") {
			got = append(got, hit{h.Vocabulary, h.Phrase, h.Start, h.End})
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Match(%q) (-want +got):\n%s", message, diff)
		}
	}
	if got := m.Match("order orders", "de-DE"); len(got) != 2 || got[0].Vocabulary != 1 || got[1].Vocabulary != 2 {
		t.Errorf("in German: %+v, want vocabularies 1 and 2", got)
	}
}

func TestHitsSayWhy(t *testing.T) {
	for _, c := range []struct {
		phrase, message string
		want            []string
	}{
		{"big order", "a BIG, order", []string{"BIG", "order"}},
		{"cancel order", "Please terminate my two orders", []string{"terminate", "orders"}},
	} {
		hits := one(c.phrase, c.message, "en-US")
		if len(hits) != 1 || !slices.Equal(hits[0].Words, c.want) {
			t.Errorf("%q in %q: %+v, want words %q", c.phrase, c.message, hits, c.want)
		}
		if exact := hits[0].Start >= 0; exact != (hits[0].Similarity == 1) {
			t.Errorf("%+v: similarity 1 is for exact occurrences", hits[0])
		}
	}
}

// A phrase that is put into a message is found there, where it stands or before, and what stands there reads like the phrase.
func TestOffsetsCutTheMessageAtThePhrase(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		phrase, before, after := texts().Draw(t, "phrase"), texts().Draw(t, "before"), texts().Draw(t, "after")
		between := rapid.SampledFrom([]string{" ", "\n", ". ", "…"}).Draw(t, "between")
		message := before + between + phrase + between + after
		want := folded(Words(phrase))
		hits := NewMatcher([]Vocabulary{{Phrases: []string{phrase}}}).Match(message, "en-US")
		if len(want) == 0 {
			if len(hits) > 0 {
				t.Fatalf("%q has no words and is found: %+v", phrase, hits)
			}
			return
		}
		if len(hits) != 1 {
			t.Fatalf("%q is not found in %q", phrase, message)
		}
		h := hits[0]
		if got := folded(Words(message[h.Start:h.End])); !slices.Equal(got, want) || h.Start > len(before+between)+len(phrase) {
			t.Fatalf("%q in %q at %d: %q", phrase, message, h.Start, message[h.Start:h.End])
		}
		for _, o := range NewLexicon([]string{"nothing", phrase}).Find(message) {
			if got := folded(Words(message[o.Start:o.End])); o.Phrase != 1 || !slices.Equal(got, want) {
				t.Fatalf("Find(%q) of %q: %+v", message, phrase, o)
			}
		}
	})
}

func folded(words []Word) []string {
	list := make([]string, len(words))
	for i, w := range words {
		list[i] = w.Folded
	}
	return list
}

func TestLexiconFindsEveryOccurrence(t *testing.T) {
	got := NewLexicon([]string{"max", "Cargo Max", "", "cargo max cargo"}).Find("Max: the cargo-max cargo max.")
	want := []Occurrence{{0, 0, 3}, {3, 9, 24}, {1, 9, 18}, {0, 15, 18}, {1, 19, 28}, {0, 25, 28}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Find (-want +got):\n%s", diff)
	}
	if got := NewLexicon(nil).Find("max"); got != nil {
		t.Errorf("an empty lexicon finds %v", got)
	}
}

// The automaton finds what comparing every phrase at every place finds.
func TestPhraseIndexFindsWhatSearchingFinds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.SampledFrom(strings.Fields("a b c d e f g h i j k l m n o p"))
		sentence := func(most int) string { return strings.Join(rapid.SliceOfN(word, 0, most).Draw(t, "words"), " ") }
		var phrases []string
		for range rapid.IntRange(0, 60).Draw(t, "phrases") {
			phrases = append(phrases, sentence(4))
		}
		message := sentence(30)
		var want []Occurrence
		words := strings.Fields(message)
		for from := range words {
			for to := len(words); to > from; to-- {
				for p, phrase := range phrases {
					if phrase == strings.Join(words[from:to], " ") {
						want = append(want, Occurrence{p, 2 * from, 2*to - 1})
					}
				}
			}
		}
		if diff := cmp.Diff(want, NewLexicon(phrases).Find(message), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("Find(%q) of %q (-want +got):\n%s", message, phrases, diff)
		}
	})
}

var trackers = []Vocabulary{
	{Phrases: []string{"I want to cancel my subscription", "please close my account", "how do I end my membership", "cancel"}},
	{Phrases: []string{"where is my parcel", "my order has not arrived yet", "when will the package be delivered", "track my shipment"}},
	{Phrases: []string{"the app crashes when I open it", "I cannot log in to the website", "the page shows an error message"}},
	{Phrases: []string{"I would like to book a table for two", "can I reserve a room for tonight"}},
}

// A small sample of our own, so that a change that spoils detection is seen at once. Banking77 tells more: make detection.
func TestTrackersTellMeaningsApart(t *testing.T) {
	m := NewMatcher(trackers)
	right, wrong := 0, 0
	messages := map[string]int{
		"Hi, I would like to cancel the subscription that I have.": 0,
		"Could you close the account for me?":                      0,
		"How can I end this membership?":                           0,
		"My parcel still has not arrived":                          1,
		"When is my package going to be delivered?":                1,
		"Where's the parcel? I want to track it.":                  1,
		"Your app always crashes when I try to open it":            2,
		"I can't log in on your website":                           2,
		"The page only shows an error":                             2,
		"Can I book a table for two people tonight?":               3,
		"I'd like to reserve a room":                               3,
		"The weather is lovely today":                              -1,
		"Thank you very much, have a nice day!":                    -1,
		"My sister plays the piano in an orchestra":                -1,
		"What time is it in Tokyo?":                                -1,
	}
	for message, want := range messages {
		seen := map[int]bool{}
		for _, h := range m.Match(message, "en-US") {
			seen[h.Vocabulary] = true
		}
		for v := range trackers {
			switch {
			case seen[v] && v == want:
				right++
			case seen[v]:
				wrong++
				t.Logf("%q: tracker %d, want %d", message, v, want)
			case v == want:
				t.Logf("%q: not tracker %d", message, v)
			}
		}
	}
	if right < 10 || wrong > 1 {
		t.Errorf("%d of 11 messages found, %d wrong; want at least 10 and at most 1", right, wrong)
	}
}

// A tracker finds the same whatever stands beside it.
func TestTrackersDoNotMindEachOther(t *testing.T) {
	all := NewMatcher(trackers)
	for v, voc := range trackers {
		alone := NewMatcher([]Vocabulary{voc})
		for _, others := range trackers {
			for _, message := range others.Phrases {
				message += " please"
				want := alone.Match(message, "en-US")
				var got []Hit
				for _, h := range all.Match(message, "en-US") {
					if h.Vocabulary == v {
						h.Vocabulary = 0
						got = append(got, h)
					}
				}
				if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("tracker %d on %q, alone and with others:\n%s", v, message, diff)
				}
			}
		}
	}
}

// Many goroutines may use a matcher at once, and get the same; languages are built by whoever comes first.
func TestMatcherIsSafeForConcurrentUse(t *testing.T) {
	m := NewMatcher(trackers)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for _, language := range []string{"en-US", "de-DE", "xx"} {
				first := fmt.Sprint(m.Match("I want to cancel my order, it has not arrived", language))
				if again := fmt.Sprint(m.Match("I want to cancel my order, it has not arrived", language)); again != first {
					t.Errorf("%s: first %s, then %s", language, first, again)
				}
			}
		})
	}
	wg.Wait()
}

func TestVeryLongMessagesAreBounded(t *testing.T) {
	m := NewMatcher(trackers)
	long := strings.Repeat("where is ", 50_000) + "my parcel. where is my parcel"
	hits := m.Match(long, "en-US")
	if len(hits) == 0 || hits[0].Vocabulary != 1 || hits[0].Start != len(long)-len("where is my parcel. where is my parcel") {
		t.Errorf("the exact phrase at the end of a long message: %+v", hits)
	}
}

func FuzzMatch(f *testing.F) {
	f.Add("café", "👩‍👩‍👧 Cafe\u0301!", "fr")
	f.Add("\xff", "\xff\xfe a", "-")
	f.Add("wear mask", "Wearing mask is a good safety measure.", "en-US")
	f.Add("退款 don't", "我要退款 don’t\xff", "zh")
	f.Add("I want to cancel my order now", "İ ı \u200d👩‍👩‍👧 cancel. The order\nnow", "tr-TR")
	f.Fuzz(func(t *testing.T, phrase, message, language string) {
		m := NewMatcher([]Vocabulary{{Phrases: []string{phrase, "I would like to cancel my order"}}, {Languages: []string{language}, Phrases: []string{phrase}, Exclude: []string{message}}})
		for _, h := range m.Match(message, language) {
			if h.Start < 0 {
				if h.End != -1 || !(h.Similarity >= 0.5 && h.Similarity < 1) {
					t.Errorf("similar: %+v", h)
				}
				continue
			}
			if want, got := folded(Words(phrase)), folded(Words(message[h.Start:h.End])); h.Phrase == 0 && !slices.Equal(want, got) {
				t.Errorf("%q in %q: %+v", phrase, message, h)
			}
		}
	})
}

// The bound that spares looking at vectors spares no phrase that would be found.
func TestBoundSparesNothing(t *testing.T) {
	vocabularies := benchVocabularies(40, 20)
	var phrases [][]Word
	var begins []int
	for _, v := range vocabularies {
		begins = append(begins, len(phrases))
		for _, p := range v.Phrases {
			phrases = append(phrases, Words(p))
		}
	}
	x := newEvidenceIndex(phrases, begins)
	scratch := newScratch(x)
	all := 0
	for i := 0; i < len(phrases); i += 7 {
		s := sketchOf(phrases[i][1:], scratch.known)
		x.gather(scratch, s)
		want := map[int32]float64{}
		for p := range x.owners {
			if scratch.stems[p] == 0 {
				continue
			}
			f := x.vocabularyFeatures(scratch, s, x.owners[p]).of(x, scratch, s, int32(p))
			if logit := f.logit(); logit >= threshold {
				want[int32(p)] = logit
			}
		}
		got := map[int32]float64{}
		x.meant(scratch, s, func(p int32, logit float64) { got[p] = logit })
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("phrase %d (-all +found):\n%s", i, diff)
		}
		all += len(want)
	}
	if all == 0 {
		t.Fatal("nothing was found at all")
	}
}
