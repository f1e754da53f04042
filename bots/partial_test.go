package bots

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// How far an answer is, is told at once, then at most ten times a second and to the last word; nothing is told once the answer is over.
func TestPartials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		p := &partial{tell: func(text string) { told = append(told, text) }}
		for _, text := range []string{"a", "a b", "a b c"} {
			p.so(text)
		}
		<-time.After(partialEvery) // by the clock of the test
		synctest.Wait()
		p.so("a b c d")
		p.end()
		p.so("a b c d e")
		p.flush() // as a timer does that had gone off already
		<-time.After(10 * partialEvery)
		synctest.Wait()
		if diff := cmp.Diff([]string{"a", "a b c"}, told); diff != "" {
			t.Errorf("told (-want +got)\n%s", diff)
		}
	})
}
