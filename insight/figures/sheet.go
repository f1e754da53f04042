package figures

import "parley"

// recountShare says when a cell is counted anew from all of its visits: if more than one in so many of them changed. A cell in which
// fewer did is counted on, from what these were and are, which reads none of the others.
const recountShare = 16

// A sheet is one cell of an hour.
type sheet struct {
	parley.Cell
	before  int64                                    // visits that it has in the record
	was     []*parley.Visit                          // that the record has in it and that change, or leave it
	changed map[parley.VisitName]*parley.StoredVisit // visits in it; nil = gone from it
	dirty   bool
	totals  *Totals // of a dirty one, once it is counted
}

// counted says whether there is nothing to count in a sheet but what was said.
func (s *sheet) counted() bool { return len(s.changed) == 0 && s.Cell.Totals != nil }

// recount counts a cell anew from the visits that the record has in it.
func (s *sheet) recount(stored []parley.StoredVisit) {
	s.Count, s.totals = parley.Count{}, &Totals{}
	for i := range stored {
		if _, ok := s.changed[parley.VisitName{Conversation: stored[i].Conversation, Part: stored[i].Part}]; !ok {
			s.add(&stored[i].Visit)
		}
	}
	for _, v := range s.changed {
		if v != nil {
			s.add(&v.Visit)
		}
	}
}

func (s *sheet) add(v *parley.Visit) {
	s.totals.Add(v)
	for i, f := range figuresOf(&s.Count, v) {
		switch {
		case s.Visits == 0 || f.value < f.spread.Min:
			s.totals.Least[i] = 1
		case f.value == f.spread.Min:
			s.totals.Least[i]++
		}
	}
	addTo(&s.Count, v)
}

// countOn counts a cell on. It says whether that can be told without the other visits: not if the least or the greatest of a figure
// is not known any more, or somebody is not among the people that may be there by another visit, too. share is [recountShare].
func (s *sheet) countOn(share int) (ok bool, err error) {
	if len(s.changed)*share > int(s.before) {
		return false, nil
	}
	for _, v := range s.was {
		now := s.changed[parley.VisitName{Conversation: v.Conversation, Part: v.Part}]
		if v.Person != 0 && (now == nil || now.Person != v.Person) {
			return false, nil
		}
	}
	totals, err := decode(s.Cell.Totals)
	if err != nil {
		return false, err
	}
	on := sheet{Cell: parley.Cell{Count: s.Count}, totals: &totals}
	on.Visits = s.before // some may have been let in since
	greatest := [2]int64{on.Messages.Max, on.Seconds.Max}
	var open [2]bool // the greatest has changed
	for _, v := range s.was {
		for i, f := range figuresOf(&on.Count, v) {
			if f.value == f.spread.Min {
				totals.Least[i]--
			}
			open[i] = open[i] || f.value == f.spread.Max
			f.spread.Sum -= f.value
		}
		on.Visits--
		totals.take(v)
	}
	if on.Visits == 0 || totals.Least[0] <= 0 || totals.Least[1] <= 0 { // also of a cell that a hub wrote which did not count them
		return false, nil
	}
	for _, v := range s.changed {
		if v == nil {
			continue
		}
		for i, f := range figuresOf(&on.Count, &v.Visit) {
			open[i] = open[i] && f.value < greatest[i]
		}
		on.add(&v.Visit)
	}
	if open[0] || open[1] {
		return false, nil
	}
	s.Count, s.totals = on.Count, on.totals
	return true, nil
}

// A figureOf is what a visit adds to a spread.
type figureOf struct {
	spread *parley.Spread
	value  int64
}

func figuresOf(c *parley.Count, v *parley.Visit) [2]figureOf {
	return [2]figureOf{{&c.Messages, int64(v.Facts.Messages())}, {&c.Seconds, seconds(v)}}
}
