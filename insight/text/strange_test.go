//go:build fit

package text

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestStrange says what a classifier without vectors makes of Banking77, see unseenShare: 30 choices of 6 intents with 5 examples each, 10 more
// queries of each as messages, and one of each other intent:
//
//	BANKING77=path/to/train.csv go test -tags fit -run TestStrange -v ./insight/text
func TestStrange(t *testing.T) {
	const chosen, examples, messages, sure = 6, 5, 10, 0.6
	queries, names := banking77(t)
	random := rand.New(rand.NewPCG(7, 7))
	var own, others []float64 // confidences: of what was understood rightly, and of what none of the intents is meant by
	for range 30 {
		order := random.Perm(len(names))
		var some []Intent
		for _, i := range order[:chosen] {
			all := slices.Clone(queries[names[i]])
			random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
			some = append(some, Intent{names[i], all[:examples+messages]})
		}
		trained := slices.Clone(some)
		for i := range trained {
			trained[i].Examples = trained[i].Examples[:examples]
		}
		c := classifier(t, trained, "xx")
		for _, one := range some {
			for _, message := range one.Examples[examples:] {
				if best := c.Classify(message)[0]; best.Name == one.Name {
					own = append(own, best.Confidence)
				}
			}
		}
		for _, i := range order[chosen:] {
			others = append(others, c.Classify(queries[names[i]][random.IntN(len(queries[names[i]]))])[0].Confidence)
		}
	}
	asked := 30 * chosen * messages
	t.Logf("of %d messages %.1f %% are understood, of %d of other intents %.1f %% taken for one", asked, share(own, sure, asked), len(others), share(others, sure, len(others)))
	slices.Sort(own)
	cut := own[len(own)-asked*65/100]
	t.Logf("where 65 %% are understood, which is at %.2f, %.1f %% of the others are taken for one", cut, share(others, cut, len(others)))
}

// share is how many of all are at least so sure, in per cent.
func share(confidences []float64, sure float64, all int) float64 {
	n := 0
	for _, c := range confidences {
		if c >= sure {
			n++
		}
	}
	return 100 * float64(n) / float64(all)
}
