package text

import (
	"math"
	"sync"
)

// An evidenceIndex gathers what speaks for each phrase in an English text: common words and forms of words, common pairs of
// words, and vectors; and what speaks for a vocabulary as a whole. It is immutable and safe for concurrent use.
//
// Evidence is summed up in whole numbers ([fine] of them are 1), since their sum does not depend on the order. So no vocabulary
// finds more or less because of another one, not even by a rounding error.
type evidenceIndex struct {
	spelling *spelling
	stems    postings
	having   [][]int32 // by word of the spelling: the vocabularies that have it
	pairs    postings  // likewise of vocabularies
	common   postings  // stems of vocabularies, likewise
	cores    postings  // stems of vocabularies: how much of what its phrases have in common a stem is

	vocabularies []evidenceVocabulary
	owners       []int32   // by phrase: its vocabulary
	longs        []float32 // by phrase: logarithm of one more than the number of words
	meanings     []meaning // by phrase, whitened

	scratches sync.Pool // of *scratch
}

const fine = 1 << 16

type evidenceVocabulary struct {
	from, to int32   // its phrases
	size     float64 // logarithm of the number of phrases
	// The mean of its phrases' meanings, as a unit vector, and how long it was: 1 if they all mean the same. Then the mean of
	// the meanings that are not whitened, as it is, and its length.
	center, rawCenter meaning
	close, rawClose   float64
}

// newEvidenceIndex indexes phrases; vocabularies follow each other, and each knows where its phrases begin.
func newEvidenceIndex(phrases [][]Word, begins []int) *evidenceIndex {
	x := &evidenceIndex{spelling: newSpelling(), stems: newPostings(), pairs: newPostings(), common: newPostings(), cores: newPostings()}
	known := memo{}
	for v, from := range begins {
		to := len(phrases)
		if v+1 < len(begins) {
			to = begins[v+1]
		}
		x.vocabularies = append(x.vocabularies, evidenceVocabulary{from: int32(from), to: int32(to), size: math.Log(float64(to - from))})
		sketches := make([]*sketch, 0, to-from)
		for p := from; p < to; p++ {
			s := sketchOf(phrases[p], known)
			sketches = append(sketches, s)
			x.add(int32(p), int32(v), s)
		}
		x.share(int32(v), sketches)
		x.vocabularies[v].middle(sketches)
	}
	x.scratches.New = func() any { return newScratch(x) }
	return x
}

func (x *evidenceIndex) add(p, v int32, s *sketch) {
	x.owners, x.longs, x.meanings = append(x.owners, v), append(x.longs, s.long), append(x.meanings, s.meaning)
	for _, w := range s.words {
		n := x.spelling.add(w.facts)
		if int(n) == len(x.having) {
			x.having = append(x.having, nil)
		}
		if have := x.having[n]; len(have) == 0 || have[len(have)-1] != v {
			x.having[n] = append(have, v)
		}
	}
	for _, w := range s.stems {
		if !w.filler { // nearly every phrase has some
			x.stems.add(w.name, p, w.weight)
		}
	}
	for _, w := range s.pairs {
		x.pairs.add(w.name, v, w.weight)
	}
}

// share adds the stems of a vocabulary. What many of its phrases have is its core; how much a stem is of that goes with the
// square of how many have it.
func (x *evidenceIndex) share(v int32, sketches []*sketch) {
	type core struct {
		name            string
		phrases, weight float64
	}
	var cores []core
	at := map[string]int{}
	for _, s := range sketches {
		for _, w := range s.stems {
			x.common.add(w.name, v, w.weight)
			i, known := at[w.name]
			if !known {
				i = len(cores)
				at[w.name] = i
				cores = append(cores, core{name: w.name, weight: w.plain})
			}
			cores[i].phrases++
		}
	}
	total := 0.0
	for _, c := range cores {
		total += c.phrases * c.phrases * c.weight
	}
	for _, c := range cores {
		x.cores.add(c.name, v, c.phrases*c.phrases*c.weight/total)
	}
}

// middle computes the means of a vocabulary's meanings.
func (v *evidenceVocabulary) middle(sketches []*sketch) {
	for _, s := range sketches {
		for d := range dims {
			v.center[d] += s.meaning[d] / float32(len(sketches))
			v.rawCenter[d] += s.raw[d] / float32(len(sketches))
		}
	}
	v.close, v.rawClose = length(&v.center), length(&v.rawCenter)
	if v.close > 0 {
		for d := range dims {
			v.center[d] /= float32(v.close)
		}
	}
}
