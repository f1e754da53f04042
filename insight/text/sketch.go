package text

import (
	"math"
	"slices"
)

// A sketch is what an English text offers for comparison.
type sketch struct {
	words   []sketchWord // distinct ones, as they come
	stems   []weighted   // distinct ones, of length 1 together
	pairs   []weighted   // likewise
	weights float64      // of all words together
	long    float32      // logarithm of one more than the number of words
	meaning meaning      // whitened
	raw     meaning      // not whitened
	part    bool         // of a text that has more sentences
}

type sketchWord struct {
	*facts
	weight float64 // of all its occurrences together
}

// facts are what is known of a word wherever it stands.
type facts struct {
	folded, concept string
	weight          float64
	groups          []uint32
}

// A memo keeps the facts of words, which come again and again.
type memo map[string]*facts

func (m memo) of(folded string) *facts {
	f := m[folded]
	if f == nil {
		f = &facts{folded, conceptOf(folded), weight(folded), groups(folded)}
		m[folded] = f
	}
	return f
}

type weighted struct {
	name   string
	weight float64
	plain  float64 // as it was before the lengths were made 1
	filler bool    // a function word's
}

// longestFitted is in words. The model was fitted on few texts that are longer, and would make too much of their length.
const longestFitted = 60

func sketchOf(words []Word, known memo) *sketch {
	raw := meaningOf(words)
	s := &sketch{long: float32(math.Log(float64(min(len(words), longestFitted) + 1))), meaning: whiten(raw), raw: raw}
	last := "^"
	pair := func(next string) {
		s.pairs = addWeight(s.pairs, last+" "+next, 1)
		last = next
	}
	for _, word := range words {
		w := known.of(word.Folded)
		k := w.weight
		s.weights += k
		at := slices.IndexFunc(s.words, func(o sketchWord) bool { return o.facts == w })
		if at < 0 {
			at = len(s.words)
			s.words = append(s.words, sketchWord{facts: w})
		}
		s.words[at].weight += k
		if i := slices.IndexFunc(s.stems, func(o weighted) bool { return o.name == w.concept }); i < 0 {
			s.stems = append(s.stems, weighted{name: w.concept, weight: k, filler: functionWords[w.folded]})
		} else {
			s.stems[i].weight = max(s.stems[i].weight, k)
		}
		pair(w.concept)
	}
	pair("$")
	normalise(s.stems)
	normalise(s.pairs)
	return s
}

func addWeight(list []weighted, name string, weight float64) []weighted {
	if i := slices.IndexFunc(list, func(o weighted) bool { return o.name == name }); i >= 0 {
		list[i].weight += weight
		return list
	}
	return append(list, weighted{name: name, weight: weight})
}

func normalise(list []weighted) {
	sum := 0.0
	for _, w := range list {
		sum += w.weight * w.weight
	}
	for i := range list {
		list[i].plain = list[i].weight
		list[i].weight /= math.Sqrt(sum)
	}
}
