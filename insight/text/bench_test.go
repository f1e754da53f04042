package text

import (
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
)

// Phrases as customers say them, from a grammar: so that nothing of anybody's data is needed, and so that trackers have the
// words of one business in common, which is the hard case.
var (
	openings = strings.Split("how do I|can I|I want to|I would like to|please help me|why can't I|is it possible to|I tried to|could you|when will you|I am not able to|what happens if I", "|")
	verbs    = strings.Fields("cancel change order pay return track open close update activate send receive transfer block replace check confirm book move refund download print renew upgrade find")
	objects  = strings.Fields("card account order parcel invoice password address subscription phone contract payment ticket booking refund delivery voucher number email app device receipt balance limit fee statement")
	endings  = strings.Split("|today|for my friend|in the app|on your website|by phone|before the end of the month|without paying a fee|because it is broken|from another country|with a new number|that I made yesterday", "|")
)

func benchVocabularies(trackers, phrases int) []Vocabulary {
	r := rand.New(rand.NewPCG(7, 7))
	pick := func(list []string) string { return list[r.IntN(len(list))] }
	vocabularies := make([]Vocabulary, trackers)
	for v := range vocabularies {
		verb, object := pick(verbs), pick(objects)
		for range phrases {
			if r.IntN(3) == 0 {
				verb = pick(verbs)
			}
			if r.IntN(3) == 0 {
				object = pick(objects)
			}
			vocabularies[v].Phrases = append(vocabularies[v].Phrases, strings.TrimSpace(pick(openings)+" "+verb+" my "+pick(objects)+" or "+object+" "+pick(endings)))
		}
	}
	return vocabularies
}

// A message of 200 characters in three sentences.
const benchMessage = "Hello there, I ordered a new phone last week and it has not arrived yet. I would like to cancel the order " +
	"and get my money back, please. Could you also confirm that no fee will be charged to my card?"

// In the words of the grammar, also about 200 characters: hundreds of phrases are similar.
const benchHits = "Please help me cancel my order or subscription today, it was a mistake of mine. Can I cancel my order or " +
	"contract without paying a fee? I tried to cancel my order or ticket by phone, and nobody answered."

func BenchmarkMatchExact(b *testing.B) {
	benchmarkMatch(b, NewMatcher, benchMessage, func(m *Matcher) int {
		words := Words(benchMessage)
		return len(m.exact(benchMessage, words, applying(m)))
	})
}

func applying(m *Matcher) []bool {
	applies := make([]bool, len(m.vocabularies))
	for i := range applies {
		applies[i] = true
	}
	return applies
}

func BenchmarkMatchPlain(b *testing.B) { benchmarkMatch(b, NewPlainMatcher, benchMessage, nil) }

func BenchmarkMatchSimilar(b *testing.B) { benchmarkMatch(b, NewMatcher, benchMessage, nil) }

func BenchmarkMatchMany(b *testing.B) { benchmarkMatch(b, NewMatcher, benchHits, nil) }

// 500 trackers of 50 phrases each. The memory is what the matcher holds after it was used, the vectors of English included.
func benchmarkMatch(b *testing.B, made func([]Vocabulary) *Matcher, message string, match func(*Matcher) int) {
	if match == nil {
		match = func(m *Matcher) int { return len(m.Match(message, "en-US")) }
	}
	vocabularies := benchVocabularies(500, 50)
	before := heap()
	m := made(vocabularies)
	hits := match(m)
	held := float64(heap()-before) / (1 << 20)
	b.ReportAllocs()
	for b.Loop() {
		match(m)
	}
	b.ReportMetric(held, "MiB")
	b.ReportMetric(float64(hits), "hits")
}

func BenchmarkNewMatcher(b *testing.B) {
	vocabularies := benchVocabularies(500, 50)
	NewMatcher(vocabularies[:1]).Match("hello", "en-US") // the vectors are read once in a process
	for b.Loop() {
		NewMatcher(vocabularies).Match("hello", "en-US")
	}
}

func BenchmarkTrain(b *testing.B) {
	var intents []Intent
	for _, v := range benchVocabularies(77, 30) {
		intents = append(intents, Intent{Examples: v.Phrases})
	}
	for b.Loop() {
		if _, err := NewClassifier(intents, "en-US"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkClassify(b *testing.B) {
	var intents []Intent
	for _, v := range benchVocabularies(77, 30) {
		intents = append(intents, Intent{Examples: v.Phrases})
	}
	c := classifier(b, intents, "en-US")
	b.ReportAllocs()
	for b.Loop() {
		c.Classify(benchMessage)
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}
