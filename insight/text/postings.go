package text

// A posting says that a phrase or a vocabulary has something, with a weight.
type posting struct {
	of     int32
	weight float32
}

// postings by name.
type postings struct {
	numbers map[string]int32
	lists   [][]posting
}

func newPostings() postings { return postings{numbers: map[string]int32{}} }

// add adds to a list; what is added for the same one, one after the other, is one posting.
func (p *postings) add(name string, of int32, weight float64) {
	n, known := p.numbers[name]
	if !known {
		n = int32(len(p.lists))
		p.numbers[name] = n
		p.lists = append(p.lists, nil)
	}
	p.lists[n] = addPosting(p.lists[n], of, float32(weight))
}

func addPosting(list []posting, of int32, weight float32) []posting {
	if n := len(list); n > 0 && list[n-1].of == of {
		list[n-1].weight += weight
		return list
	}
	return append(list, posting{of, weight})
}

func (p *postings) gather(sums []int32, of []weighted) {
	for _, w := range of {
		n, known := p.numbers[w.name]
		if !known {
			continue
		}
		addTo(sums, p.lists[n], float32(w.weight*fine))
	}
}

// addTo adds to the sum of each thing in a list its weight times k.
func addTo(sums []int32, list []posting, k float32) {
	for len(list) >= 4 { // written out: most of the time of a comparison is spent here
		a, b, c, d := list[0], list[1], list[2], list[3]
		sums[a.of] += int32(k * a.weight)
		sums[b.of] += int32(k * b.weight)
		sums[c.of] += int32(k * c.weight)
		sums[d.of] += int32(k * d.weight)
		list = list[4:]
	}
	for _, p := range list {
		sums[p.of] += int32(k * p.weight)
	}
}
