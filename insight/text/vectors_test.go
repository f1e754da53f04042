package text

import (
	"math"
	"os"
	"strings"
	"testing"
)

func cosine(t *testing.T, a, b string) float64 {
	t.Helper()
	x, y := meaningOf(Words(a)), meaningOf(Words(b))
	return float64(dot(&x, &y))
}

func TestMeaningsOfWordsAreNear(t *testing.T) {
	for _, c := range [][3]string{{"price", "cost", "parrot"}, {"doctor", "physician", "guitar"}, {"money", "budget", "volcano"}} {
		if near, far := cosine(t, c[0], c[1]), cosine(t, c[0], c[2]); near < far+0.2 {
			t.Errorf("%s is to %s %.2f, to %s %.2f", c[0], c[1], near, c[2], far)
		}
	}
}

func TestMeaningsAreUnitVectorsOrZero(t *testing.T) {
	for s, want := range map[string]float64{"": 0, "?!": 0, "xqzvw": 0, "price": 1, "I don't know": 1, "the": 1, "price xqzvw": 1} {
		m := meaningOf(Words(s))
		if got := math.Sqrt(float64(dot(&m, &m))); math.Abs(got-want) > 1e-3 {
			t.Errorf("meaningOf(%q) has length %v, want %v", s, got, want)
		}
	}
}

// The file is what genvectors writes: its words are distinct, in order of frequency, and all of it is used.
func TestVectorFileIsWhole(t *testing.T) {
	v := englishVectors()
	if len(v.index) != len(v.ranks) || len(v.rows) != rowSize*len(v.ranks) || len(v.ranks) < 90_000 || !strings.HasPrefix(vectorFile, "PVEC1") {
		t.Errorf("%d words, %d ranks, %d bytes of vectors", len(v.index), len(v.ranks), len(v.rows))
	}
	for i := 1; i < len(v.ranks); i++ {
		if v.ranks[i] <= v.ranks[i-1] {
			t.Fatalf("rank %d stands after %d", v.ranks[i], v.ranks[i-1])
		}
	}
	if len(vectorFile) > 12<<20 {
		t.Errorf("the file has %d bytes, more than 12 MiB", len(vectorFile))
	}
	notice, err := os.ReadFile("vectors.LICENSE")
	if err != nil || !strings.Contains(string(notice), "GRAYPE Systems") || !strings.Contains(string(notice), "Public Domain Dedication") {
		t.Errorf("the notices of the vectors are not beside them: %v", err)
	}
}

func TestWhiteningFileIsWhole(t *testing.T) {
	if want := 4 * (dims + dims*(dims+1)/2); len(whiteningFile) != want {
		t.Errorf("the file has %d bytes, want %d", len(whiteningFile), want)
	}
	notice, err := os.ReadFile("whitening.LICENSE")
	if err != nil || !strings.Contains(string(notice), "PolyAI") || !strings.Contains(string(notice), "Attribution 4.0") {
		t.Errorf("the notice of the whitening is not beside it: %v", err)
	}
}

// Short phrases, exact ones and other languages need no vectors, so nobody waits for them.
func TestVectorsAreReadWhenAskedFor(t *testing.T) {
	read := englishVectors
	defer func() { englishVectors = read }()
	englishVectors = func() *wordVectors { panic("read") }
	m := NewMatcher([]Vocabulary{{Phrases: []string{"cancel my contract"}}, {Languages: []string{"de"}, Phrases: []string{"Ich will meinen Vertrag heute kündigen"}}})
	m.Match("I'd like to cancel the contract", "en-US")
	m.Match("Kündigen will ich den Vertrag", "de-DE")
	NewMatcher([]Vocabulary{{Phrases: []string{"I would like to cancel my contract"}}})
}
