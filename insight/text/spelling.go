package text

// spelledAlike is the least share of common character groups at which two words count as related.
const spelledAlike = 0.3

// groups are the sequences of 3 to 5 bytes of a word with a mark at both ends, as hashes.
func groups(folded string) []uint32 {
	marked := " " + folded + " "
	found := make([]uint32, 0, 3*len(marked))
	for n := 3; n <= 5; n++ {
		for i := 0; i+n <= len(marked); i++ {
			h := uint32(2166136261) // FNV-1a
			for j := i; j < i+n; j++ {
				h = (h ^ uint32(marked[j])) * 16777619
			}
			found = append(found, h)
		}
	}
	return found
}

// A spelling knows the words of all phrases, and finds those that are written like a given word: its other forms, compounds,
// and what it becomes with a slip of the finger. It is not changed after it was built.
type spelling struct {
	numbers map[string]int32
	sizes   []float32          // by word: how many groups it has
	words   map[uint32][]int32 // by group: the words that have it, once for each time
}

// A relative is a word of the phrases that is written like another one, and how much: 1 = it is the same.
type relative struct {
	word  int32
	alike float32
}

func newSpelling() *spelling {
	return &spelling{numbers: map[string]int32{}, words: map[uint32][]int32{}}
}

// add gives a word's number.
func (s *spelling) add(w *facts) int32 {
	if n, known := s.numbers[w.folded]; known {
		return n
	}
	n := int32(len(s.sizes))
	s.numbers[w.folded] = n
	for _, g := range w.groups {
		s.words[g] = append(s.words[g], n)
	}
	s.sizes = append(s.sizes, float32(len(w.groups)))
	return n
}

// relatives gives the words written like one. Their order depends on what else is indexed; no sum over them may.
func (s *spelling) relatives(w *facts, t *scratch) []relative {
	t.touched = t.touched[:0]
	for _, g := range w.groups {
		for _, o := range s.words[g] {
			if t.counts[o] == 0 {
				t.touched = append(t.touched, o)
			}
			t.counts[o]++
		}
	}
	var found []relative
	for _, o := range t.touched {
		shared := t.counts[o]
		t.counts[o] = 0
		if shared*shared >= spelledAlike*spelledAlike*float32(len(w.groups))*s.sizes[o] {
			found = append(found, relative{o, min(1, shared/max(float32(len(w.groups)), s.sizes[o]))})
		}
	}
	return found
}
