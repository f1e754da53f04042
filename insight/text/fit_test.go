//go:build fit

package text

import (
	"encoding/binary"
	"encoding/csv"
	"math"
	"os"
	"slices"
	"sync"
	"testing"
)

// TestFit fits the whitening and the model of similarity on Banking77: it writes whitening.bin, prints the coefficients and the
// threshold for model.go, and says what they are worth on intents that neither was fitted on:
//
//	BANKING77=path/to/train.csv go test -tags fit -run TestFit -v ./insight/text
//
// Vocabularies are 5, 10, 20 or 30 queries from the middle of each intent, never the first 30, which `make detection` uses; the
// whitening does not see those either.
func TestFit(t *testing.T) {
	queries, intents := banking77(t)
	for fold := range 2 {
		in := func(intent int) bool { return intent%2 == fold }
		splits, c, cut := fit(queries, intents, in)
		for i, s := range splits {
			t.Logf("fitted on half of the intents: F1 of the others with %d phrases %.3f", sizes[i], macroF1(verdicts(s, c), cut, func(intent int) bool { return !in(intent) }))
		}
	}
	every := func(int) bool { return true }
	splits, c, cut := fit(queries, intents, every)
	for i, s := range splits {
		t.Logf("fitted on all: F1 with %d phrases %.3f", sizes[i], macroF1(verdicts(s, c), cut, every))
	}
	t.Logf("coefficients %.3f", c)
	t.Logf("threshold %.2f", cut)
	if err := os.WriteFile("whitening.bin", []byte(whiteningFile), 0o644); err != nil {
		t.Fatal(err)
	}
}

// banking77 gives the queries of each intent, and the intents in order.
func banking77(t *testing.T) (queries map[string][]string, intents []string) {
	t.Helper()
	file, err := os.Open(os.Getenv("BANKING77"))
	if err != nil {
		t.Fatalf("BANKING77 must name train.csv of Banking77: %v", err)
	}
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	queries = map[string][]string{}
	for _, row := range rows[1:] {
		if queries[row[1]] == nil {
			intents = append(intents, row[1])
		}
		queries[row[1]] = append(queries[row[1]], row[0])
	}
	return queries, intents
}

var sizes = []int{5, 10, 20, 30}

// skipped are the first queries of an intent, which nothing is fitted on.
const skipped = 30

// fit makes whitening, coefficients and threshold of some intents. It gives the pairs of all.
func fit(queries map[string][]string, intents []string, in func(int) bool) (splits [][]pair, c []float64, cut float64) {
	whiteningFile = fitWhitening(queries, intents, in)
	englishWhitening = sync.OnceValue(readWhitening)
	var all []pair
	for _, size := range sizes {
		split := pairs(queries, intents, size)
		splits = append(splits, split)
		all = append(all, split...)
	}
	c = regress(all, in)
	for _, s := range splits {
		cut += bestCut(verdicts(s, c), in) / float64(len(splits))
	}
	return splits, c, cut
}

// fitWhitening gives a file as whitening.go reads it.
func fitWhitening(queries map[string][]string, intents []string, in func(int) bool) string {
	var examples []example
	var of []int
	for i, intent := range intents {
		if !in(i) {
			continue
		}
		for _, q := range queries[intent][skipped:] {
			examples, of = append(examples, example{dense: meaningOf(Words(q))}), append(of, i)
		}
	}
	var center meaning
	for _, e := range examples {
		for d, x := range e.dense {
			center[d] += x / float32(len(examples))
		}
	}
	factor := spreadOf(examples, of)
	var out []byte
	put := func(x float32) { out = binary.LittleEndian.AppendUint32(out, math.Float32bits(x)) }
	for _, x := range center {
		put(x)
	}
	for d := range dims {
		for e := range d + 1 {
			put(factor.Data[d*dims+e])
		}
	}
	return string(out)
}

// A pair is a text, which is a message or a sentence of one, before a vocabulary.
type pair struct {
	features []float64 // nil = it says the opposite of every phrase
	message  int
	intent   int // of the vocabulary
	meant    bool
	spare    bool // another sentence of the message is likelier what makes it meant
}

func pairs(queries map[string][]string, intents []string, size int) []pair {
	var phrases [][]Word
	var begins []int
	for _, intent := range intents {
		begins = append(begins, len(phrases))
		q := queries[intent]
		for _, p := range q[min(skipped, len(q)-size):][:size] {
			phrases = append(phrases, Words(p))
		}
	}
	readings := make([]reading, len(phrases))
	for i, p := range phrases {
		readings[i] = read(p, "en")
	}
	x := newEvidenceIndex(phrases, begins)
	t := newScratch(x)
	var list []pair
	messages := 0
	for meant, intent := range intents {
		q := queries[intent]
		from := min(skipped, len(q)-size)
		for i, message := range q {
			if i%6 != 0 || from <= i && i < from+size {
				continue
			}
			messages++
			words := Words(message)
			parts := partsOf(message, words)
			sentences := len(parts)
			if sentences > 1 {
				parts = append(parts, words)
			}
			likeliest, likely := -1, 0.0
			for n, part := range parts {
				s, r := sketchOf(part, t.known), read(part, "en")
				s.part = sentences > 1 && n < sentences
				x.gather(t, s)
				for v := range x.vocabularies {
					p := pair{message: messages, intent: v, meant: v == meant}
					f, ok := nearest(x, t, s, int32(v), r, readings)
					if ok {
						c := f.vector()
						p.features = c[:]
					}
					if ok && v == meant {
						if likeliest < 0 || f.meaning+f.stems+f.centered > likely {
							if likeliest >= 0 {
								list[likeliest].spare = true
							}
							likeliest, likely = len(list), f.meaning+f.stems+f.centered
						} else {
							p.spare = true
						}
					}
					list = append(list, p)
				}
			}
		}
	}
	return list
}

func nearest(x *evidenceIndex, t *scratch, s *sketch, v int32, r reading, readings []reading) (best features, ok bool) {
	whole := x.vocabularyFeatures(t, s, v)
	for p := x.vocabularies[v].from; p < x.vocabularies[v].to; p++ {
		if opposite(readings[p], r) {
			continue
		}
		if f := whole.of(x, t, s, p); !ok || f.meaning+f.stems > best.meaning+best.stems {
			best, ok = f, true
		}
	}
	return best, ok
}

// regress is logistic regression by Newton's method.
func regress(list []pair, use func(int) bool) []float64 {
	n := len(coefficients)
	c := make([]float64, n)
	for range 12 {
		h := make([][]float64, n)
		g := make([]float64, n)
		for k := range h {
			h[k] = make([]float64, n+1)
			h[k][k] = 0.1
			g[k] = -0.1 * c[k]
		}
		for _, p := range list {
			if p.features == nil || p.spare || !use(p.intent) {
				continue
			}
			sum, meant := 0.0, 0.0
			for k, f := range p.features {
				sum += c[k] * f
			}
			if p.meant {
				meant = 1
			}
			q := 1 / (1 + math.Exp(-sum))
			for k, f := range p.features {
				g[k] += (meant - q) * f
				for l, e := range p.features {
					h[k][l] += q * (1 - q) * f * e
				}
			}
		}
		for k := range h {
			h[k][n] = g[k]
		}
		for k := range h { // Gauss and Jordan
			for l := range h {
				if l != k {
					by := h[l][k] / h[k][k]
					for m := k; m <= n; m++ {
						h[l][m] -= by * h[k][m]
					}
				}
			}
		}
		for k := range c {
			c[k] += h[k][n] / h[k][k]
		}
	}
	return c
}

func logitOf(p pair, c []float64) float64 {
	if p.features == nil {
		return math.Inf(-1)
	}
	sum := 0.0
	for k, f := range p.features {
		sum += c[k] * f
	}
	return sum
}

// A verdict is what the model says of a message and a vocabulary.
type verdict struct {
	intent int
	meant  bool
	logit  float64 // of the likeliest of the message's texts
}

func verdicts(list []pair, c []float64) []verdict {
	var all []verdict
	at := map[[2]int]int{}
	for _, p := range list {
		l := logitOf(p, c)
		i, seen := at[[2]int{p.message, p.intent}]
		if !seen {
			at[[2]int{p.message, p.intent}] = len(all)
			all = append(all, verdict{p.intent, p.meant, l})
			continue
		}
		all[i].logit = max(all[i].logit, l)
	}
	return all
}

// macroF1 is the mean F1 of some vocabularies.
func macroF1(all []verdict, cut float64, use func(int) bool) float64 {
	type count struct{ hits, right, meant float64 }
	counts := map[int]*count{}
	for _, v := range all {
		if !use(v.intent) {
			continue
		}
		k := counts[v.intent]
		if k == nil {
			k = &count{}
			counts[v.intent] = k
		}
		if v.meant {
			k.meant++
		}
		if v.logit >= cut {
			k.hits++
			if v.meant {
				k.right++
			}
		}
	}
	sum := 0.0
	for _, k := range counts {
		sum += 2 * k.right / max(1, k.hits+k.meant)
	}
	return sum / float64(len(counts))
}

// bestCut is the threshold with the highest F1: the middle of those that come within a thousandth of it.
func bestCut(all []verdict, use func(int) bool) float64 {
	cuts, f1s := []float64{}, []float64{}
	for cut := -2.5; cut <= 1; cut += 0.05 {
		cuts, f1s = append(cuts, cut), append(f1s, macroF1(all, cut, use))
	}
	best := slices.Max(f1s)
	sum, n := 0.0, 0.0
	for i, f := range f1s {
		if f >= best-0.001 {
			sum, n = sum+cuts[i], n+1
		}
	}
	return sum / n
}
