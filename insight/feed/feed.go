// Package feed is for those who follow the record of messages by their keys.
//
// A key is given before its transaction commits, so on PostgreSQL a smaller one may turn up after a greater one: the holes between keys are
// looked at again until they are filled, or too old for a commit to be on its way still.
package feed

import (
	"slices"
	"time"
)

const (
	// holeFor is for how long a commit may be on its way. Writers are cut off long before (see store.Config.Silence).
	holeFor = time.Minute
	// maxHoles bounds the memory for them; the oldest go first.
	maxHoles = 10_000
)

// Places are which keys were seen. The zero value has seen none. Not safe for concurrent use.
type Places struct {
	Cursor int64 // greatest key seen
	holes  []Hole
}

// A Hole is keys that were not there when greater ones were, both bounds exclusive.
type Hole struct {
	After, Before int64
	since         time.Time
}

func (h Hole) empty() bool { return h.Before-h.After < 2 }

// Begin starts behind the last key there is. What is on its way then has keys that are missing among the last ones: those after a key,
// in order.
func (p *Places) Begin(cursor, after int64, last []int64, now time.Time) {
	*p = Places{Cursor: cursor}
	for _, key := range last {
		if h := (Hole{after, key, now}); !h.empty() {
			p.holes = append(p.holes, h)
		}
		after = key
	}
}

// Clone is a copy that changes apart.
func (p *Places) Clone() Places { return Places{p.Cursor, slices.Clone(p.holes)} }

// Holes are where to look again.
func (p *Places) Holes() []Hole { return p.holes }

// Passed notes what was found behind the cursor, in order, and in holes.
func (p *Places) Passed(page, late []int64, now time.Time) {
	for _, key := range late {
		i := slices.IndexFunc(p.holes, func(h Hole) bool { return h.After < key && key < h.Before })
		if i < 0 {
			continue
		}
		h := p.holes[i]
		p.holes = slices.Replace(p.holes, i, i+1, slices.DeleteFunc([]Hole{{h.After, key, h.since}, {key, h.Before, h.since}}, Hole.empty)...)
	}
	for _, key := range page {
		if h := (Hole{p.Cursor, key, now}); !h.empty() {
			p.holes = append(p.holes, h)
		}
		p.Cursor = key
	}
	p.holes = slices.DeleteFunc(p.holes, func(h Hole) bool { return now.Sub(h.since) > holeFor })
	if extra := len(p.holes) - maxHoles; extra > 0 {
		p.holes = slices.Delete(p.holes, 0, extra)
	}
}

// Safe is the key up to which nothing can turn up any more: where somebody else would begin.
func (p *Places) Safe() int64 {
	if len(p.holes) > 0 {
		return p.holes[0].After
	}
	return p.Cursor
}
