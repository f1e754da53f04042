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
	own, others, asked := chosenIntents(t, chosen, examples, messages, "xx")
	t.Logf("of %d messages %.1f %% are understood, of %d of other intents %.1f %% taken for one", asked, share(own, sure, asked), len(others), share(others, sure, len(others)))
	slices.Sort(own)
	cut := own[len(own)-asked*65/100]
	t.Logf("where 65 %% are understood, which is at %.2f, %.1f %% of the others are taken for one", cut, share(others, cut, len(others)))
}

// TestAlone says what a classifier of one intent makes of Banking77, see aloneMean.
func TestAlone(t *testing.T) {
	for _, language := range []string{"en", "xx"} {
		for _, examples := range []int{3, 8} {
			own, others, asked := chosenIntents(t, 1, examples, 10, language)
			t.Logf("%s, %d examples: %.0f %% of the messages are understood at 0.5, and %.0f %% of other intents' taken for it", language, examples, share(own, 0.5, asked), share(others, 0.5, len(others)))
		}
	}
}

// chosenIntents makes classifiers of 30 choices of intents. It gives the confidences in what was understood rightly, of how many messages, and in
// what none of the intents is meant by.
func chosenIntents(t *testing.T, chosen, examples, messages int, language string) (own, others []float64, asked int) {
	queries, names := banking77(t)
	random := rand.New(rand.NewPCG(7, 7))
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
		c := classifier(t, trained, language)
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
	return own, others, 30 * chosen * messages
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
