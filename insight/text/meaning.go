package text

import (
	"math"
	"strings"
	"sync"
)

// commonness is a in the weight a/(a+p) of a word with probability p (Arora, Liang, Ma: A Simple but Tough-to-Beat Baseline
// for Sentence Embeddings, ICLR 2017). Chosen among 1e-4 to 1 on Banking77.
const commonness = 3e-4

// commonDirections is how many directions that all sentences share are taken out.
const commonDirections = 2

// A meaning is the unit vector of a text, or zero if none of its words has a vector.
type meaning = [dims]float32

// probability of a word, from its rank by frequency: the law of Zipf and Mandelbrot, scaled to sum up to about one.
func probability(rank int32) float64 { return 1 / (float64(rank) + 2.7) / 13 }

// rank gives a word's place in the order of frequency. A word without a vector counts as rarer than all that have one.
func (v *wordVectors) rank(folded string) int32 {
	if i, ok := v.index[folded]; ok {
		return v.ranks[i]
	}
	return 100_000
}

// A common is what the sentences of a language have in common.
type common struct {
	mean       [dims]float64
	directions [commonDirections][dims]float64
}

// englishCommon is computed from the words alone, weighted as sentences weigh them: there is no corpus in this package.
var englishCommon = sync.OnceValue(func() *common {
	v := englishVectors()
	var c common
	total := 0.0
	for i, rank := range v.ranks {
		p := probability(rank)
		w := p * commonness / (commonness + p)
		for d, x := range v.row(int32(i)) {
			c.mean[d] += w * float64(x)
		}
		total += w
	}
	for d := range c.mean {
		c.mean[d] /= total
	}
	// Rarer words add next to nothing to the covariance.
	const covered = 5000
	var covariance [dims][dims]float64
	for i := range covered {
		p := probability(v.ranks[i])
		w := commonness / (commonness + p)
		w *= p * w
		x := v.row(int32(i))
		for d := range x {
			for e := range d + 1 {
				covariance[d][e] += w * (float64(x[d]) - c.mean[d]) * (float64(x[e]) - c.mean[e])
			}
		}
	}
	for d := range covariance {
		for e := range d {
			covariance[e][d] = covariance[d][e]
		}
	}
	for k := range c.directions {
		c.directions[k] = largestDirection(&covariance, c.directions[:k])
	}
	return &c
})

// largestDirection finds the direction of most variance that is none of others, by repeated multiplication.
func largestDirection(covariance *[dims][dims]float64, others [][dims]float64) (x [dims]float64) {
	for d := range x {
		x[d] = math.Sin(float64(d + 1 + len(others))) // any start that is not orthogonal to the direction
	}
	for range 100 {
		var next [dims]float64
		for d := range next {
			for e := range x {
				next[d] += covariance[d][e] * x[e]
			}
		}
		for _, o := range others {
			subtract(&next, &o)
		}
		length := 0.0
		for _, y := range next {
			length += y * y
		}
		for d := range next {
			x[d] = next[d] / math.Sqrt(length)
		}
	}
	return x
}

// subtract takes out of x what lies in a unit direction.
func subtract(x, direction *[dims]float64) {
	along := 0.0
	for d := range x {
		along += x[d] * direction[d]
	}
	for d := range x {
		x[d] -= along * direction[d]
	}
}

// meaningOf gives the meaning of English words.
func meaningOf(words []Word) (m meaning) {
	v, c := englishVectors(), englishCommon()
	var sum [dims]float64
	known := false
	add := func(i int32) {
		known = true
		p := probability(v.ranks[i])
		w := commonness / (commonness + p)
		for d, x := range v.row(i) {
			sum[d] += w * (float64(x) - c.mean[d])
		}
	}
	for _, w := range words {
		for part := range strings.FieldsSeq(vectorParts(w.Folded)) {
			if i, ok := v.index[part]; ok {
				add(i)
			}
		}
	}
	if !known {
		return m
	}
	for k := range c.directions {
		subtract(&sum, &c.directions[k])
	}
	length := 0.0
	for _, x := range sum {
		length += x * x
	}
	if length == 0 {
		return m
	}
	for d := range m {
		m[d] = float32(sum[d] / math.Sqrt(length))
	}
	return m
}

// vectorParts splits contractions as the vectors' corpus did, but writes their "n't" as the word that it is.
func vectorParts(folded string) string {
	if !strings.Contains(folded, "'") {
		return folded
	}
	if verb, ok := strings.CutSuffix(folded, "n't"); ok {
		return "not " + verb
	}
	verb, _, _ := strings.Cut(folded, "'")
	return verb
}

func dot(a, b *meaning) float32 {
	var s0, s1, s2, s3 float32 // four sums, so that additions do not wait for each other
	for d := 0; d < dims; d += 4 {
		s0 += a[d] * b[d]
		s1 += a[d+1] * b[d+1]
		s2 += a[d+2] * b[d+2]
		s3 += a[d+3] * b[d+3]
	}
	return s0 + s1 + s2 + s3
}

// length is that of a vector.
func length(m *meaning) float64 { return math.Sqrt(float64(dot(m, m))) }

// weight says how much a word of English tells about what a text is about, by its rarity.
func weight(folded string) float64 {
	w := math.Sqrt(-math.Log(probability(englishVectors().rank(strings.TrimSuffix(folded, "'s")))) / 12)
	if functionWords[folded] || askingWords[folded] {
		w /= 2
	}
	return w
}

// Words of asking: customers say them whatever it is that they want.
var askingWords = set(`want wants wanted need needs needed know help use using used make making made try trying tried able possible tell
work works working way like look looking see find found give explain wondering keep go going gone show understand sure
something anything happen happened happening long much many take takes think believe seems say says put`)
