package text_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"parley/insight/text"
)

// found is what a matcher of one vocabulary finds: each phrase with the text that it stands at.
func found(v text.Vocabulary, message, language string) []string {
	out := []string{}
	for _, h := range text.NewMatcher([]text.Vocabulary{v}).Match(message, language) {
		at := "similar"
		if h.Start >= 0 {
			at = message[h.Start:h.End]
		}
		out = append(out, v.Phrases[h.Phrase]+" = "+at)
	}
	return out
}

func TestMatch(t *testing.T) {
	for _, test := range []struct {
		name       string
		vocabulary text.Vocabulary
		message    string
		language   string // "" = en-US
		want       []string
	}{
		// Published by the vendor (reference 3.5).
		{"similar, another form of the word", text.Vocabulary{Phrases: []string{"wear mask"}}, "Wearing mask is a good safety measure.", "", []string{"wear mask = similar"}},
		{"similar, other words", text.Vocabulary{Phrases: []string{"What is the price"}}, "How much does it cost?", "", []string{"What is the price = similar"}},
		{"similar, negation in another form", text.Vocabulary{Phrases: []string{"I don't have any money"}}, "I ran out of budget", "", []string{"I don't have any money = similar"}},
		{"by its word, case apart", text.Vocabulary{Phrases: []string{"Subscription"}}, "Our subscription plan is new.", "", []string{"Subscription = subscription"}},
		{"whole words only", text.Vocabulary{Phrases: []string{"plan"}}, "Planets are far.", "", []string{}},
		{"punctuation and blanks apart", text.Vocabulary{Phrases: []string{"cargo max"}}, "The Cargo -  Max!", "", []string{"cargo max = Cargo -  Max"}},
		{"the first place counts", text.Vocabulary{Phrases: []string{"yes"}}, "Yes, yes.", "", []string{"yes = Yes"}},
		{"one says no", text.Vocabulary{Phrases: []string{"cancel my contract"}}, "I would never cancel this contract", "", []string{}},
		{"both say no", text.Vocabulary{Phrases: []string{"card not working"}}, "my card isn't working", "", []string{"card not working = similar"}},
		{"too far apart", text.Vocabulary{Phrases: []string{"lost card"}}, "I lost one two three four five six seven eight nine ten eleven twelve a card", "", []string{}},
		{"two sentences are not one", text.Vocabulary{Phrases: []string{"lost card"}}, "I lost. My card is here.", "", []string{}},
		{"only function words: by the words alone", text.Vocabulary{Phrases: []string{"how are you"}}, "You are how.", "", []string{}},
		{"excluded", text.Vocabulary{Phrases: []string{"price"}, Exclude: []string{"price list"}}, "Send the price list, at what price?", "", []string{}},
		{"another language's tracker", text.Vocabulary{Phrases: []string{"price"}, Languages: []string{"de-DE"}}, "The price?", "", []string{}},
		{"the language in lower case", text.Vocabulary{Phrases: []string{"price"}, Languages: []string{"en-US"}}, "The price?", "en-us", []string{"price = price"}},
		{"stems of another language", text.Vocabulary{Phrases: []string{"Vertrag kündigen"}}, "Ich will meine Verträge kündigen.", "de-DE", []string{"Vertrag kündigen = similar"}},
		{"a script without spaces", text.Vocabulary{Phrases: []string{"请问"}}, "你好，请问多少钱？", "zh-CN", []string{"请问 = 请问"}},
		{"emoji and marks before it", text.Vocabulary{Phrases: []string{"café"}}, "👩‍👩‍👧 Cafe\u0301!", "", []string{"café = Cafe\u0301"}},
		{"the apostrophe of typography", text.Vocabulary{Phrases: []string{"don't"}}, "I don’t", "", []string{"don't = don’t"}},
		{"phrases in order", text.Vocabulary{Phrases: []string{"card", "lost"}}, "lost card", "", []string{"card = card", "lost = lost"}},
	} {
		language := test.language
		if language == "" {
			language = "en-US"
		}
		if diff := cmp.Diff(test.want, found(test.vocabulary, test.message, language)); diff != "" {
			t.Errorf("%s: %q in %q (-want +got):\n%s", test.name, test.vocabulary.Phrases, test.message, diff)
		}
	}
}

// Whoever says how similar phrases are is asked of those that apply and do not occur, and is believed up to less than certain.
func TestMatchBySomebodyElsesSimilarity(t *testing.T) {
	m := text.NewMatcher([]text.Vocabulary{
		{Languages: []string{"en-US"}, Phrases: []string{"where is it", "parcel", "refund", "stamp"}, Exclude: []string{"never mind"}},
		{Languages: []string{"de-DE"}, Phrases: []string{"paket"}},
	})
	for message, want := range map[string]struct {
		asked []int
		hits  []text.Hit
	}{
		"Where is it, my parcel?":          {[]int{2, 3}, []text.Hit{{0, 0, 0, 11, 1, []string{"Where", "is", "it"}}, {0, 1, 16, 22, 1, []string{"parcel"}}, {0, 2, -1, -1, 0.99, nil}}},
		"Never mind my parcel.":            {},
		"Refund, refund; my parcel":        {[]int{0, 3}, []text.Hit{{0, 1, 19, 25, 1, []string{"parcel"}}, {0, 2, 0, 6, 1, []string{"Refund"}}}},
		"Hello":                            {[]int{0, 1, 2, 3}, []text.Hit{{0, 2, -1, -1, 0.99, nil}}},
		"¡…! \U0001F4E6 (no words at all)": {[]int{0, 1, 2, 3}, []text.Hit{{0, 2, -1, -1, 0.99, nil}}},
		"¡…! \U0001F4E6":                   {},
	} {
		var asked []int
		hits := m.MatchBy(message, "en-US", func(vocabulary, phrase int) float64 {
			asked = append(asked, 10*vocabulary+phrase)
			return map[int]float64{2: 1}[phrase]
		})
		slices.Sort(asked)
		if diff := cmp.Diff(want.asked, asked); diff != "" {
			t.Errorf("MatchBy(%q) asks of others (-want +got):\n%s", message, diff)
		}
		if diff := cmp.Diff(want.hits, hits, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("MatchBy(%q) (-want +got):\n%s", message, diff)
		}
	}
}

// Offsets are those of the reference's samples, counted as its clients count.
func TestOffsets(t *testing.T) {
	for _, test := range []struct {
		phrase, message string
		want            int
	}{
		{"Subscription", "Our subscription plan starts", 4},
		{"documents", "Please remember to submit documents tomorrow.", 26},
		{"taxi", "🚕🚕 taxi", 5},
	} {
		h := text.NewMatcher([]text.Vocabulary{{Phrases: []string{test.phrase}}}).Match(test.message, "en-US")
		if len(h) != 1 || text.UTF16Offset(test.message, h[0].Start) != test.want {
			t.Errorf("Match(%q, %q) = %+v, want offset %d", test.phrase, test.message, h, test.want)
		}
	}
}

// Wherever a phrase stands in a text, in whatever script and case, offsets cut the text at the phrase's words.
func TestOffsetsCutAtThePhrase(t *testing.T) {
	alphabet := rapid.SampledFrom([]string{"a", "B", "é", "e\u0301", "ß", "İ", "ı", "Σ", "ς", "я", "ع", "ש", "ก", "本", "ひ", "カ", "한", "३", "7", "ﬁ"})
	word := rapid.Custom(func(r *rapid.T) string { return strings.Join(rapid.SliceOfN(alphabet, 1, 5).Draw(r, "letters"), "") })
	gap := rapid.SampledFrom([]string{" ", ", ", " - ", "  ", "\n", " 👩‍👩‍👧 ", "… ", " ❤️ "})
	rapid.Check(t, func(r *rapid.T) {
		words := rapid.SliceOfN(word, 1, 4).Draw(r, "phrase")
		var phrase, said strings.Builder
		said.WriteString(rapid.SampledFrom([]string{"", "🎉 ", "¡", "xx ", "本 "}).Draw(r, "before"))
		for i, w := range words {
			if i > 0 {
				phrase.WriteString(" ")
				said.WriteString(gap.Draw(r, "gap"))
			}
			phrase.WriteString(w)
			said.WriteString(rapid.SampledFrom([]func(string) string{strings.ToUpper, strings.ToLower, strings.Clone}).Draw(r, "case")(w))
		}
		said.WriteString(rapid.SampledFrom([]string{"", ".", " 🎉", " xx"}).Draw(r, "after"))
		message := said.String()
		folded := func(s string) (out []string) {
			for _, w := range text.Words(s) {
				out = append(out, w.Folded)
			}
			return out
		}
		if !strings.Contains(" "+strings.Join(folded(message), " ")+" ", " "+strings.Join(folded(phrase.String()), " ")+" ") {
			r.Skip("upper case made other words of these letters")
		}
		hits := text.NewMatcher([]text.Vocabulary{{Phrases: []string{phrase.String()}}}).Match(message, "xx")
		if len(hits) != 1 || hits[0].Start < 0 {
			r.Fatalf("Match(%q, %q) = %+v, want it by its words", phrase.String(), message, hits)
		}
		if diff := cmp.Diff(folded(phrase.String()), folded(message[hits[0].Start:hits[0].End])); diff != "" {
			r.Errorf("Match(%q, %q) cuts %q (-phrase +cut):\n%s", phrase.String(), message, message[hits[0].Start:hits[0].End], diff)
		}
	})
}
