package text

// A scratch is what one comparison needs, kept for the next one. Sums are in units of 1/fine.
type scratch struct {
	stems              []int32 // by phrase
	stemSums, pairSums []int32 // by vocabulary: over its phrases
	cores              []int32 // by vocabulary
	covered            []int32 // by vocabulary: of the message's words, by their weight

	best    []int32   // by vocabulary: how well it has the word that is looked at
	bests   []int32   // the vocabularies with a best
	counts  []float32 // of spelling.relatives
	touched []int32

	// Of the message that is compared: its parts have words in common.
	known     memo
	relatives map[*facts][]relative
}

// forget prepares for the next message.
func (t *scratch) forget() {
	clear(t.known)
	clear(t.relatives)
}

func newScratch(x *evidenceIndex) *scratch {
	n, v := len(x.owners), len(x.vocabularies)
	return &scratch{
		stems: make([]int32, n), stemSums: make([]int32, v), pairSums: make([]int32, v), covered: make([]int32, v), cores: make([]int32, v),
		best: make([]int32, v), counts: make([]float32, len(x.having)), known: memo{}, relatives: map[*facts][]relative{},
	}
}

// gather sums up what of a text the phrases and vocabularies have.
func (x *evidenceIndex) gather(t *scratch, s *sketch) {
	clear(t.stems)
	clear(t.stemSums)
	clear(t.pairSums)
	clear(t.covered)
	clear(t.cores)
	for _, w := range s.words {
		relatives, found := t.relatives[w.facts]
		if !found {
			relatives = x.spelling.relatives(w.facts, t)
			t.relatives[w.facts] = relatives
		}
		t.bests = t.bests[:0]
		for _, r := range relatives {
			alike := int32(float32(w.weight/s.weights*fine) * r.alike)
			for _, v := range x.having[r.word] {
				if t.best[v] == 0 {
					t.bests = append(t.bests, v)
				}
				t.best[v] = max(t.best[v], alike)
			}
		}
		for _, v := range t.bests {
			t.covered[v] += t.best[v]
			t.best[v] = 0
		}
	}
	x.stems.gather(t.stems, s.stems)
	x.pairs.gather(t.pairSums, s.pairs)
	x.common.gather(t.stemSums, s.stems)
	for _, w := range s.stems {
		if n, known := x.cores.numbers[w.name]; known {
			addTo(t.cores, x.cores.lists[n], fine)
		}
	}
}

// evidence is what speaks for one phrase, each part between about 0 and 1.
type evidence struct{ meaning, stems float64 }

// evidence reads what gather found for a phrase, and compares the vectors.
func (x *evidenceIndex) evidence(t *scratch, s *sketch, phrase int32) evidence {
	return evidence{float64(dot(&s.meaning, &x.meanings[phrase])), float64(t.stems[phrase]) / fine}
}
