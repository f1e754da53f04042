package insight_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley"
	"parley/insight"
	"parley/store/storetest"
)

// The least similarity that a text asks for leaves out what is less similar, and never what stands there word by word.
func TestConfidenceThreshold(t *testing.T) {
	s := newStage(t, storetest.Open(t))
	s.tracker(parley.Tracker{Name: "Contract", Vocabulary: []string{"cancel contract today", "contract"}})
	const said = "I'd cancel the contract"
	exact, both := "Contract: contract at 15 in "+said, "Contract: cancel contract today at -1 in "+said
	for least, want := range map[float64][]string{0: {both, exact}, 0.5: {both, exact}, 0.6: {both, exact}, 0.7: {exact}, 1: {exact}} {
		n, _ := s.say(insight.Text{Similarity: least}, said)
		s.round()
		if diff := cmp.Diff(want, s.found(n)); diff != "" {
			t.Errorf("at least %v (-want +got):\n%s", least, diff)
		}
	}
}
