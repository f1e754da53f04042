package text

// A rule is the phrase side of the plain rule of reference 3.5: which concepts a sentence must mention, and how close together.
type rule struct {
	concepts int // distinct ones; 0 = only exact matching can find the phrase
	negated  bool
}

// enough is the share of a phrase's concepts that a sentence must mention.
const enough = 0.6

// needs is how many of the concepts a sentence must mention.
func (r rule) needs() int {
	n := 1
	for float64(n) < enough*float64(r.concepts) {
		n++
	}
	return n
}

// window is within how many words they must stand.
func (r rule) window() int { return 3*r.concepts + 4 }

// A ruleIndex finds the phrases that the rule finds in a sentence, without looking at the others.
type ruleIndex struct {
	rules    []rule // by phrase
	numbers  map[string]int32
	phrases  [][]int32 // by concept: the phrases that have it
	contents [][]int32 // by phrase: its concepts
}

func newRuleIndex(phrases []reading) *ruleIndex {
	x := &ruleIndex{numbers: map[string]int32{}, rules: make([]rule, len(phrases)), contents: make([][]int32, len(phrases))}
	for i, p := range phrases {
		seen := map[string]bool{}
		for _, c := range p.concepts {
			if seen[c.name] {
				continue
			}
			seen[c.name] = true
			n, known := x.numbers[c.name]
			if !known {
				n = int32(len(x.phrases))
				x.numbers[c.name] = n
				x.phrases = append(x.phrases, nil)
			}
			x.phrases[n] = append(x.phrases[n], int32(i))
			x.contents[i] = append(x.contents[i], n)
		}
		x.rules[i] = rule{len(seen), p.negated}
	}
	return x
}

// find calls found for each phrase that the sentence satisfies, with the share of its concepts that the sentence mentions.
// counts has a zero for each phrase, and has so again afterwards.
func (x *ruleIndex) find(sentence reading, counts []uint16, found func(phrase int, cover float64)) {
	places := map[int32][]int{} // by concept: where in the sentence
	var order []int32
	for _, c := range sentence.concepts {
		n, known := x.numbers[c.name]
		if !known {
			continue
		}
		if places[n] == nil {
			order = append(order, n)
		}
		places[n] = append(places[n], c.word)
	}
	var touched []int32
	for _, n := range order {
		for _, p := range x.phrases[n] {
			if counts[p] == 0 {
				touched = append(touched, p)
			}
			counts[p]++
		}
	}
	for _, p := range touched {
		hits := int(counts[p])
		counts[p] = 0
		r := x.rules[p]
		if r.negated == sentence.negated && hits >= r.needs() && (r.concepts == 1 || x.close(p, places)) {
			found(int(p), float64(hits)/float64(r.concepts))
		}
	}
}

// close says whether enough of a phrase's concepts stand within its window somewhere in the sentence.
func (x *ruleIndex) close(phrase int32, places map[int32][]int) bool {
	r := x.rules[phrase]
	for _, first := range x.contents[phrase] {
		for _, from := range places[first] {
			within := 0
			for _, c := range x.contents[phrase] {
				for _, at := range places[c] {
					if from <= at && at < from+r.window() {
						within++
						break
					}
				}
			}
			if within >= r.needs() {
				return true
			}
		}
	}
	return false
}
