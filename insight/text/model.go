package text

import "math"

// features are what the model looks at. Each speaks of one phrase, of its whole vocabulary, or of the text.
type features struct {
	evidence         // of the phrase
	long     float64 // of the phrase: logarithm

	// Means over the vocabulary's phrases.
	meaningMean float64
	rawMean     float64 // of meanings that are not whitened
	stemsMean   float64
	pairsMean   float64

	// Of the vocabulary as a whole.
	centered float64 // likeness of the meaning to the middle of the vocabulary's
	covered  float64 // share of the text's words that the vocabulary has in some form
	core     float64 // share of what its phrases have in common that the text has
	close    float64 // how much its phrases' meanings resemble each other
	rawClose float64 // likewise, not whitened
	size     float64 // logarithm of the number of phrases

	// Of the text.
	textLong float64 // logarithm
	part     float64 // 1 = it is a sentence of several
}

// logit gives the log-odds that a text means what a phrase means. The coefficients are a logistic regression on pairs of
// queries and intents of Banking77: see docs/detection.md, and fit_test.go, which prints them.
func (f *features) logit() float64 {
	sum := 0.0
	for i, x := range f.vector() {
		sum += coefficients[i] * x
	}
	return sum
}

// The places of the features of a phrase in the vector; those of its vocabulary and of the text follow.
const (
	atMeaning = 1 + iota
	atStems
	atLong
)

func (f *features) vector() [len(coefficients)]float64 {
	return [...]float64{1, f.meaning, f.stems, f.long,
		f.meaningMean, f.stemsMean, f.pairsMean,
		f.centered, f.covered, f.core, f.close, f.size,
		f.textLong, f.part, f.part * f.textLong, f.rawMean, f.rawClose}
}

var coefficients = [...]float64{-10.352, 2.724, 5.735, 0.374, -4.826, -4.412, 4.547, 10.451, 3.898, 2.227, -3.190, -1.254, 0.853, -3.679, 1.264, -5.437, 5.047}

// threshold is the one for all vocabularies: where the mean of their F1 is highest.
const threshold = -0.94

// sure turns log-odds into how sure the model is: one half at the threshold.
func sure(logit float64) float64 { return 1 / (1 + math.Exp(threshold-logit)) }

// vocabularyFeatures are those that all phrases of a vocabulary share.
func (x *evidenceIndex) vocabularyFeatures(t *scratch, s *sketch, owner int32) features {
	v := &x.vocabularies[owner]
	n := float64(v.to-v.from) * fine
	f := features{
		stemsMean: float64(t.stemSums[owner]) / n, pairsMean: float64(t.pairSums[owner]) / n,
		centered: float64(dot(&s.meaning, &v.center)), covered: float64(t.covered[owner]) / fine, core: float64(t.cores[owner]) / fine,
		close: v.close, size: v.size, textLong: float64(s.long),
	}
	f.meaningMean = f.centered * v.close
	f.rawMean, f.rawClose = float64(dot(&s.raw, &v.rawCenter)), v.rawClose
	if s.part {
		f.part = 1
	}
	return f
}

// of adds the features of a phrase.
func (f features) of(x *evidenceIndex, t *scratch, s *sketch, phrase int32) features {
	f.evidence, f.long = x.evidence(t, s, phrase), float64(x.longs[phrase])
	return f
}

// meant calls found for each phrase that gather's text means, with the log-odds.
//
// The model is linear: what it says of a vocabulary is computed once, and a phrase's vectors are only looked at if with the
// best ones it would be found. A phrase without a stem in common is not found: vectors alone say too little.
func (x *evidenceIndex) meant(t *scratch, s *sketch, found func(phrase int32, logit float64)) {
	c := &coefficients
	const slack = 1e-3 // these sums are in another order, and shorter, than those of logit, which decides
	byMeaning, byStems, byLong := float32(math.Abs(c[atMeaning])), float32(c[atStems])/fine, float32(c[atLong])
	for i := range x.vocabularies {
		if t.covered[i] == 0 {
			continue // no phrase of it has a word in common
		}
		v := &x.vocabularies[i]
		whole := x.vocabularyFeatures(t, s, int32(i))
		need := float32(threshold - slack - whole.logit())
		stems := t.stems[v.from:v.to]
		longs := x.longs[v.from:v.to][:len(stems)]
		for i := range stems {
			if need-byStems*float32(stems[i])-byLong*longs[i] > byMeaning || stems[i] == 0 {
				continue
			}
			p := v.from + int32(i)
			f := whole.of(x, t, s, p)
			if logit := f.logit(); logit >= threshold {
				found(p, logit)
			}
		}
	}
}
