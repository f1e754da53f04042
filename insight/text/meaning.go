package text

import "slices"

// meanings are the concepts of phrases in one language, indexed so that a sentence is held against those only that share one.
type meanings struct {
	phrases []meaning
	having  map[string][]int32 // concept → phrases
}

// A meaning is what one phrase says.
type meaning struct {
	concepts int // distinct ones; 0 = the phrase is found by its words only
	negated  bool
}

// The rule of reference 3.5, step 6.
const (
	leastCover   = 0.6
	wordsEach    = 3
	wordsBesides = 4
)

func newMeanings(phrases [][]Word, language string) *meanings {
	m := &meanings{phrases: make([]meaning, len(phrases)), having: map[string][]int32{}}
	for i, words := range phrases {
		r := read(words, language)
		names := distinct(r.concepts)
		m.phrases[i] = meaning{len(names), r.negated}
		for _, name := range names {
			m.having[name] = append(m.having[name], int32(i))
		}
	}
	return m
}

func distinct(concepts []concept) []string {
	var names []string
	for _, c := range concepts {
		if !slices.Contains(names, c.name) {
			names = append(names, c.name)
		}
	}
	return names
}

// A nearness is how much of a phrase a sentence says.
type nearness struct {
	cover    float64   // share of the phrase's concepts, close to each other
	concepts []concept // of the sentence
}

// near gives the phrases that the sentence is similar to.
func (m *meanings) near(said reading) map[int32]nearness {
	shared := map[int32][]concept{} // by phrase, in order of the sentence
	for _, c := range said.concepts {
		for _, phrase := range m.having[c.name] {
			shared[phrase] = append(shared[phrase], c)
		}
	}
	near := map[int32]nearness{}
	for phrase, concepts := range shared {
		p := m.phrases[phrase]
		if p.negated != said.negated {
			continue
		}
		tight := closest(concepts, wordsEach*p.concepts+wordsBesides)
		if cover := float64(len(tight)) / float64(p.concepts); cover >= leastCover {
			near[phrase] = nearness{cover, tight}
		}
	}
	return near
}

// closest is the largest set of different concepts within so many words, the first of them if there are several.
func closest(concepts []concept, within int) (best []concept) {
	for from := range concepts {
		var some []concept
		for _, c := range concepts[from:] {
			if c.word-concepts[from].word >= within {
				break
			}
			if !slices.ContainsFunc(some, func(have concept) bool { return have.name == c.name }) {
				some = append(some, c)
			}
		}
		if len(some) > len(best) {
			best = some
		}
	}
	return best
}
