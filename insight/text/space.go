package text

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
)

// A featureSpace is how a classifier sees texts: stems and their pairs, groups of characters, and vectors, each of them a unit
// vector. It is made from the examples, which say how telling a feature is.
type featureSpace struct {
	language string
	numbers  map[string]int32
	rarity   []float32      // by feature
	unseen   float64        // rarity of a feature that no example has
	center   meaning        // of the examples
	spread   blas32.General // factor of how examples of one intent differ; empty without vectors
}

// The shares of the three kinds of features in the comparison of two texts; without vectors theirs goes to the others.
const denseShare, stemShare, groupShare = 0.45, 0.2, 0.35

// unseenShare is how much of what no example has counts in the length of a text, without vectors: words that no example has speak
// against all intents, and without vectors nothing else does. With all of it little but the examples themselves would be sure.
const unseenShare = 0.5

// An example is a text as a classifier sees it. Two of them multiply to at most about 1.
type example struct {
	sparse []feature // by number, rising
	dense  meaning
}

type feature struct {
	number int32
	weight float32
}

// counted are the features of a text before they are weighed. Those of each kind have a prefix of their own.
type counted struct{ stems, groups map[string]float64 }

func (s *featureSpace) count(words []Word) counted {
	c := counted{map[string]float64{}, map[string]float64{}}
	last := "^"
	for _, w := range words {
		concept := w.Folded
		if s.language == "en" {
			concept = conceptOf(w.Folded)
		} else {
			concept = stem(concept, s.language)
		}
		c.stems["w"+concept]++
		c.stems["p"+last+" "+concept]++
		last = concept
		marked := " " + w.Folded + " "
		for n := 3; n <= 5; n++ {
			for i := 0; i+n <= len(marked); i++ {
				c.groups["g"+marked[i:i+n]]++
			}
		}
	}
	c.stems["p"+last+" $"]++
	return c
}

// newFeatureSpace makes the space of texts that are examples of intents.
func newFeatureSpace(texts []string, of []int, language string) (*featureSpace, []example) {
	s := &featureSpace{language: language, numbers: map[string]int32{}}
	all := make([]counted, len(texts))
	examples := make([]example, len(texts))
	together(len(texts), func(i int) {
		words := Words(texts[i])
		all[i] = s.count(words)
		if language == "en" {
			examples[i].dense = meaningOf(words)
		}
	})
	var having []float64 // by feature: how many texts have it
	for i := range texts {
		for _, kind := range []map[string]float64{all[i].stems, all[i].groups} {
			for _, name := range names(kind) {
				n, known := s.numbers[name]
				if !known {
					n = int32(len(having))
					s.numbers[name] = n
					having = append(having, 0)
				}
				having[n]++
			}
		}
		if language == "en" {
			for d, x := range examples[i].dense {
				s.center[d] += x / float32(len(texts))
			}
		}
	}
	s.rarity = make([]float32, len(having))
	for n, h := range having {
		s.rarity[n] = float32(rarity(len(texts), h))
	}
	s.unseen = rarity(len(texts), 0)
	if language == "en" {
		s.spread = spreadOf(examples, of)
	}
	together(len(examples), func(i int) { s.finish(&examples[i], all[i]) })
	return s, examples
}

// rarity says how telling a feature is that so many of the texts have.
func rarity(texts int, having float64) float64 {
	return math.Sqrt(math.Log(float64(texts+1)/(having+1)) + 1)
}

func names(counts map[string]float64) []string {
	list := make([]string, 0, len(counts))
	for name := range counts {
		list = append(list, name)
	}
	slices.Sort(list) // features get the same numbers every time
	return list
}

// example gives a text as the classifier sees it; of features that no example has it sees at most how many they are.
func (s *featureSpace) example(text string) (e example) {
	words := Words(text)
	words = words[:min(len(words), maxCompared)]
	if s.language == "en" {
		e.dense = meaningOf(words)
	}
	s.finish(&e, s.count(words))
	return e
}

// finish weighs what was counted, and moves the vector to where the examples' center is zero.
func (s *featureSpace) finish(e *example, c counted) {
	stems, groups := stemShare, groupShare
	if s.language != "en" {
		stems, groups = 0.5, 0.5
	}
	e.sparse = append(s.weigh(c.stems, stems), s.weigh(c.groups, groups)...)
	slices.SortFunc(e.sparse, func(a, b feature) int { return int(a.number - b.number) })
	if e.dense == (meaning{}) {
		return
	}
	x := &e.dense
	for d := range x {
		x[d] -= s.center[d]
	}
	// Directions in which examples of one intent differ anyway count for less.
	blas32.Trsv(blas.NoTrans, lower(s.spread), blas32.Vector{N: dims, Inc: 1, Data: x[:]})
	scale := float32(math.Sqrt(denseShare / max(float64(dot(x, x)), 1e-12)))
	for d := range x {
		x[d] *= scale
	}
}

// evenness is how much of the same spread in all directions is added to the measured one, as a multiple of its mean: a few
// examples say little about a hundred directions.
const evenness = 3

// spreadOf gives the factor of the covariance of the vectors within intents.
func spreadOf(examples []example, of []int) blas32.General {
	intents := 0
	for _, i := range of {
		intents = max(intents, i+1)
	}
	centers := make([]meaning, intents)
	sizes := make([]float32, intents)
	for i, e := range examples {
		sizes[of[i]]++
		for d, x := range e.dense {
			centers[of[i]][d] += x
		}
	}
	spread := square(dims)
	total := float32(1e-6) // if no intent has two different examples, all directions are alike
	for i, e := range examples {
		var x meaning
		for d := range x {
			x[d] = e.dense[d] - centers[of[i]][d]/sizes[of[i]]
			total += x[d] * x[d]
		}
		for d := range x {
			for e := range d + 1 {
				spread.Data[d*dims+e] += x[d] * x[e]
			}
		}
	}
	for d := range dims {
		spread.Data[d*dims+d] += evenness * total / dims
	}
	factorise(spread)
	return spread
}

// weigh gives the features of one kind, of length √share together with what counts of those that no example has.
func (s *featureSpace) weigh(counts map[string]float64, share float64) []feature {
	list := make([]feature, 0, len(counts))
	strange := 0
	for name, n := range counts {
		if number, known := s.numbers[name]; known {
			list = append(list, feature{number, float32(1+math.Log(n)) * s.rarity[number]})
		} else {
			strange++
		}
	}
	slices.SortFunc(list, func(a, b feature) int { return int(a.number - b.number) })
	length := 0.0
	if s.language != "en" {
		length = unseenShare * float64(strange) * s.unseen * s.unseen
	}
	for _, f := range list {
		length += float64(f.weight) * float64(f.weight)
	}
	scale := float32(math.Sqrt(share / length))
	for i := range list {
		list[i].weight *= scale
	}
	return list
}
