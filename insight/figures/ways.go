package figures

import (
	"cmp"
	"context"
	"slices"

	"parley"
)

// A Node is a place to which conversations went, with how many did.
type Node struct {
	Place parley.FlowPlace
	Count int64
}

// Nodes are where conversations went after they had gone a way from their beginning, the most frequent first. An empty way asks where
// they went at first.
func (s *Statistics) Nodes(ctx context.Context, q Query, way []string) ([]Node, error) {
	count := tally[parley.FlowPlace]{}
	var err error
	if len(way) == 0 {
		var t Totals
		t, _, err = s.Totals(ctx, q)
		for e, n := range t.Edges {
			if e.Depth == 0 {
				count.add(e.To, n)
			}
		}
	} else {
		err = s.each(ctx, &q, func(v *parley.Visit) error {
			steps := v.Facts.Steps
			if len(steps) <= len(way) {
				return nil
			}
			for i, id := range way {
				if steps[i].To.Name() != id {
					return nil
				}
			}
			count.add(steps[len(way)].To, 1)
			return nil
		})
	}
	var nodes []Node
	for p, n := range count {
		nodes = append(nodes, Node{p, n})
	}
	slices.SortFunc(nodes, func(a, b Node) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Place.Name(), b.Place.Name()), cmp.Compare(a.Place.Type, b.Place.Type))
	})
	return nodes, err
}

// StepDetails are figures of one dialog.
type StepDetails struct {
	Messages      int64 // that were said in it
	Dropoffs      int64 // conversations whose customers fell silent in it
	Conversations int64 // that came by it
}

// Step is the details of a dialog. One that nobody came by has zeros.
func (s *Statistics) Step(ctx context.Context, q Query, id string) (d StepDetails, err error) {
	t, _, err := s.Totals(ctx, q)
	d.Messages, d.Conversations = t.Said[id], t.Visited[id]
	for e, n := range t.Edges {
		if e.To.Type == parley.PlaceDropoff && e.From.Type == parley.PlaceDialog && e.From.ID == id {
			d.Dropoffs += n
		}
	}
	return d, err
}

// A Way is between which places how many conversations went.
type Way struct {
	From, To parley.FlowPlace
	Count    int64
}

// Ways are those that lead to a place, or from it, the most frequent first. Places are called by their names.
func (s *Statistics) Ways(ctx context.Context, q Query, name string, to bool) ([]Way, error) {
	t, _, err := s.Totals(ctx, q)
	return t.Ways(func(e Edge) bool {
		if to {
			return e.To.Name() == name
		}
		return e.From.Name() == name
	}), err
}

// Ways are those of the edges that are wanted, at whatever depth, the most frequent first.
func (t *Totals) Ways(want func(Edge) bool) []Way {
	type ends struct{ from, to parley.FlowPlace }
	count := tally[ends]{}
	for e, n := range t.Edges {
		if want(e) {
			count.add(ends{e.From, e.To}, n)
		}
	}
	var ways []Way
	for e, n := range count {
		ways = append(ways, Way{e.from, e.to, n})
	}
	slices.SortFunc(ways, func(a, b Way) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.From.Name(), b.From.Name()), cmp.Compare(a.To.Name(), b.To.Name()))
	})
	return ways
}

// A Funnel is what conversations are sent through: how many come by the first step, how many of those by the second one after it, and so on.
type Funnel struct {
	Steps  []string // names of places
	Strict bool     // each step must follow the one before at once
	Break  *Dimension
}

// A FunnelLine is how many came by each step, of those with one value of the dimension.
type FunnelLine struct {
	Value  string // "" without a dimension
	Counts []int64
}

// Funnel counts conversations, one line for each value of the dimension, the greatest first.
func (s *Statistics) Funnel(ctx context.Context, q Query, f Funnel) ([]FunnelLine, error) {
	lines := map[string]*FunnelLine{}
	if f.Break == nil {
		lines[""] = &FunnelLine{Counts: make([]int64, len(f.Steps))}
	}
	err := s.each(ctx, &q, func(v *parley.Visit) error {
		value := ""
		if f.Break != nil {
			value = f.Break.valueOf(&v.Dimensions)
		}
		names := make([]string, len(v.Facts.Steps))
		for i, t := range v.Facts.Steps {
			names[i] = t.To.Name()
		}
		far := howFar(names, f.Steps, f.Strict)
		if far == 0 {
			return nil
		}
		line := lines[value]
		if line == nil {
			line = &FunnelLine{Value: value, Counts: make([]int64, len(f.Steps))}
			lines[value] = line
		}
		for i := range far {
			line.Counts[i]++
		}
		return nil
	})
	return inOrder(lines), err
}

// inOrder are lines, the greatest first.
func inOrder(lines map[string]*FunnelLine) (all []FunnelLine) {
	for _, line := range lines {
		all = append(all, *line)
	}
	slices.SortFunc(all, func(a, b FunnelLine) int {
		return cmp.Or(slices.Compare(b.Counts, a.Counts), cmp.Compare(a.Value, b.Value))
	})
	return all
}

// howFar is how many of the steps came in order among names: with others between them, or strictly one after the other from any place on.
func howFar(names, steps []string, strict bool) (far int) {
	if !strict {
		for _, name := range names {
			if far < len(steps) && name == steps[far] {
				far++
			}
		}
		return far
	}
	for from := range names {
		n := 0
		for n < len(steps) && from+n < len(names) && names[from+n] == steps[n] {
			n++
		}
		far = max(far, n)
	}
	return far
}

// A Passage is an edge with how many conversations went that way.
type Passage struct {
	Edge
	Count int64
}

// Transitions are all edges, by depth, the most frequent first.
func (t *Totals) Transitions() []Passage {
	all := make([]Passage, 0, len(t.Edges))
	for e, n := range t.Edges {
		all = append(all, Passage{e, n})
	}
	slices.SortFunc(all, func(a, b Passage) int {
		return cmp.Or(cmp.Compare(a.Depth, b.Depth), cmp.Compare(b.Count, a.Count), cmp.Compare(a.From.Name(), b.From.Name()), cmp.Compare(a.To.Name(), b.To.Name()))
	})
	return all
}
