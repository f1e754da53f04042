package text

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/blas/blas32"
)

// An Intent is one of the things that a message may want, with examples of how people say it.
type Intent struct {
	Name     string
	Examples []string
}

// A Score says how sure a classifier is of an intent.
type Score struct {
	Intent     int // index, as given to NewClassifier
	Name       string
	Confidence float64 // 0 to 1; all scores of a message are together less than 1, the rest is for "none of them"
}

// A Classifier chooses between intents. It is immutable and safe for concurrent use.
type Classifier struct {
	intents  []Intent
	features *featureSpace
	examples []example
	postings [][]posting // by feature: the examples that have it
	// weights of each example for each intent: of kernel ridge regression, one intent against all others.
	weights []float32 // by example, then intent
	far     float32   // what the kernel has of texts that have nothing in common: taken off if there is one intent
}

// MaxExamples is the most a classifier takes: the time to train it grows with their cube.
const MaxExamples = 4000

// The classifier's parameters, chosen by cross-validation on Banking77: docs/detection.md says how.
const (
	ridge = 0.05 // added to the diagonal
	width = 2    // of the kernel exp(-width (1 - cosine))

	// Scores of ridge regression are about 1 for the intent and 0 for others; these make probabilities of them. noneScore is
	// what "none of them" scores.
	sharpness, noneScore = 20, 0.15

	// An intent that is alone has no others to be told from, and the mean of its targets would leave nothing of them: this is taken instead.
	aloneMean = 0.4
)

// NewClassifier trains a classifier on examples in a language. It takes less than a second for 2,300 examples on two
// cores, and four bytes times the square of their number while it does. It fails if there are no examples, or more than [MaxExamples].
func NewClassifier(intents []Intent, language string) (*Classifier, error) {
	var texts []string
	var of []int
	for i, intent := range intents {
		for _, e := range intent.Examples {
			texts = append(texts, e)
			of = append(of, i)
		}
	}
	switch {
	case len(texts) == 0:
		return nil, fmt.Errorf("a classifier of %d intents without examples", len(intents))
	case len(texts) > MaxExamples:
		return nil, fmt.Errorf("a classifier with %d examples, more than %d", len(texts), MaxExamples)
	}
	c := &Classifier{intents: intents}
	c.features, c.examples = newFeatureSpace(texts, of, base(language))
	c.postings = make([][]posting, len(c.features.numbers))
	for i, e := range c.examples {
		for _, f := range e.sparse {
			c.postings[f.number] = append(c.postings[f.number], posting{int32(i), f.weight})
		}
	}
	c.train(of)
	return c, nil
}

// train solves (K + ridge) W = T, where T has 1 for an example of an intent and 0 for others, less the mean.
func (c *Classifier) train(of []int) {
	n, intents := len(c.examples), len(c.intents)
	mean := 1 / float32(intents)
	if intents == 1 {
		mean, c.far = aloneMean, float32(math.Exp(-width))
	}
	kernel := square(n)
	together(n, func(i int) {
		c.kernel(&c.examples[i], kernel.Data[i*n:i*n+i+1])
		kernel.Data[i*n+i] += ridge
	})
	factorise(kernel)
	weights := blas32.General{Rows: n, Cols: intents, Stride: intents, Data: make([]float32, n*intents)}
	for i := range weights.Data {
		weights.Data[i] = -mean
	}
	for i, intent := range of {
		weights.Data[i*intents+intent]++
	}
	solve(kernel, weights)
	c.weights = weights.Data
}

// kernel compares an example with the first len(row) examples.
func (c *Classifier) kernel(e *example, row []float32) {
	for _, f := range e.sparse {
		for _, p := range c.postings[f.number] {
			if int(p.of) >= len(row) {
				break
			}
			row[p.of] += f.weight * p.weight
		}
	}
	for i := range row {
		cosine := row[i] + dot(&e.dense, &c.examples[i].dense)
		row[i] = float32(math.Exp(width*(float64(cosine)-1))) - c.far
	}
}

// Classify gives all intents, the likeliest first; of equal ones, as they were given.
func (c *Classifier) Classify(message string) []Score {
	sums := c.regress(message)
	scores := make([]Score, len(c.intents))
	largest := max(slices.Max(sums), noneScore)
	total := math.Exp(sharpness * (noneScore - largest))
	for i, s := range sums {
		scores[i] = Score{i, c.intents[i].Name, math.Exp(sharpness * (s - largest))}
		total += scores[i].Confidence
	}
	for i := range scores {
		scores[i].Confidence /= total
	}
	slices.SortStableFunc(scores, func(a, b Score) int { return cmp.Compare(b.Confidence, a.Confidence) })
	return scores
}

// regress gives what the regression says of each intent.
func (c *Classifier) regress(message string) []float64 {
	e := c.features.example(message)
	row := make([]float32, len(c.examples))
	c.kernel(&e, row)
	n := len(c.intents)
	sums := make([]float64, n)
	for i, k := range row {
		for intent, w := range c.weights[i*n : (i+1)*n] {
			sums[intent] += float64(k * w)
		}
	}
	return sums
}
