package figures

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"parley"
)

const (
	hour = time.Hour / time.Millisecond
	day  = 24 * hour
)

// count works out what counting conversations on changes in a generation: some since they were counted last, others as a whole. Nobody
// else may change the generation meanwhile; that nobody did is seen when the change is made true.
func (c *Counter) count(ctx context.Context, generation int64, part, whole []int64) (parley.FigureChange, error) {
	stories, err := c.stories(ctx, generation, part, whole)
	if err != nil {
		return parley.FigureChange{}, err
	}
	if err := c.readSettings(ctx, stories); err != nil {
		return parley.FigureChange{}, err
	}
	found := make([][]parley.Visit, len(stories))
	for i := range stories {
		h := &stories[i]
		before := c.before[h.Tenant]
		found[i] = slices.DeleteFunc(Fold(h, c.silenceOf(h), c.now()), func(v parley.Visit) bool { return v.Last.Before(before) })
		for _, m := range h.Messages {
			if counts(&m) && !h.Whole {
				c.metrics.lag.Observe(c.now().Sub(m.Created).Seconds())
			}
		}
	}
	return c.replace(ctx, generation, stories, found)
}

// replace works out what having these visits in place of those that stories have changes in a generation: of whole stories all of them, else
// those of the same parts.
func (c *Counter) replace(ctx context.Context, generation int64, stories []parley.Story, found [][]parley.Visit) (change parley.FigureChange, err error) {
	change.Generation = generation
	b := board{share: c.share, cells: map[parley.CellName]*sheet{}}
	var missing []parley.Dimensions
	for _, visits := range found {
		for _, v := range visits {
			if _, ok := c.dimensions[generation][v.Dimensions]; !ok && !slices.Contains(missing, v.Dimensions) {
				missing = append(missing, v.Dimensions)
			}
		}
	}
	if err := c.addDimensions(ctx, generation, missing); err != nil {
		return change, err
	}
	keyOf := c.dimensions[generation]
	days := map[parley.CellName]bool{}
	touch := func(dimension int64, at int64) {
		days[parley.CellName{Dimension: dimension, Start: at - at%int64(day)}] = true
	}
	for i := range stories {
		for _, v := range stories[i].Visits {
			touch(v.Cell.Dimension, v.Cell.Start)
			for h := range v.Facts.Hours {
				touch(v.Cell.Dimension, h*int64(hour))
			}
		}
		for j := range found[i] {
			v := &found[i][j]
			touch(keyOf[v.Dimensions], v.Started.UnixMilli())
			for h := range v.Facts.Hours {
				touch(keyOf[v.Dimensions], h*int64(hour))
			}
		}
	}
	if err := b.load(ctx, c.config.Record, days); err != nil {
		return change, err
	}
	for i := range stories {
		stored := stories[i].Visits
		change.News = append(change.News, news(&stories[i], found[i])...)
		for _, v := range found[i] {
			n := parley.StoredVisit{Visit: v}
			at := slices.IndexFunc(stored, func(s parley.StoredVisit) bool { return s.Part == v.Part })
			start := v.Started.UnixMilli()
			start -= start % int64(hour)
			if at >= 0 {
				old := &stored[at]
				b.say(old.Cell.Dimension, &old.Visit, -1)
				if old.Cell.Dimension == keyOf[v.Dimensions] && old.Cell.Start == start {
					n.Cell = old.Cell
					b.at(old.Cell).was = append(b.at(old.Cell).was, &old.Visit)
				} else {
					b.take(old)
				}
			}
			if n.Cell == (parley.CellName{}) {
				n.Cell = b.room(keyOf[v.Dimensions], start)
			}
			b.put(&n)
			b.say(n.Cell.Dimension, &v, +1)
			change.Visits = append(change.Visits, n)
		}
		if !stories[i].Whole {
			continue
		}
		for j := range stored {
			if slices.ContainsFunc(found[i], func(v parley.Visit) bool { return v.Part == stored[j].Part }) {
				continue
			}
			b.say(stored[j].Cell.Dimension, &stored[j].Visit, -1)
			b.take(&stored[j])
			change.Gone = append(change.Gone, parley.VisitName{Conversation: stored[j].Conversation, Part: stored[j].Part})
		}
	}
	change.Hours, change.Days, err = b.finish(ctx, c.config.Record)
	return change, err
}

// stories reads conversations. Of one that is forgotten every visit has to go, so it is read as a whole.
func (c *Counter) stories(ctx context.Context, generation int64, part, whole []int64) (all []parley.Story, err error) {
	err = c.config.Record.View(ctx, func(tx parley.Tx) error {
		some, err := tx.Stories(ctx, generation, part, false)
		if err != nil {
			return err
		}
		wanted := slices.Clone(whole)
		some = slices.DeleteFunc(some, func(h parley.Story) bool {
			if h.Forgotten {
				wanted = append(wanted, h.Key)
			}
			return h.Forgotten
		})
		rest, err := tx.Stories(ctx, generation, wanted, true)
		all = append(some, rest...)
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b parley.Story) int { return cmp.Compare(a.Key, b.Key) })
	return all, nil
}

// readSettings reads those of the tenants concerned, and how long visits are kept.
func (c *Counter) readSettings(ctx context.Context, stories []parley.Story) error {
	c.settings, c.before = map[parley.TenantID]parley.FigureSettings{}, map[parley.TenantID]time.Time{}
	return c.config.Record.View(ctx, func(tx parley.Tx) error {
		kept, err := tx.RetentionsNow(ctx, c.now())
		if err != nil {
			return err
		}
		for i := range kept {
			c.before[kept[i].Tenant] = kept[i].Before(parley.RetainedAnalytics, c.now())
		}
		for i := range stories {
			tenant := stories[i].Tenant
			if _, ok := c.settings[tenant]; ok {
				continue
			}
			s, err := tx.FigureSettings(ctx, tenant)
			if err != nil {
				return err
			}
			c.settings[tenant] = s
		}
		return nil
	})
}

func (c *Counter) silenceOf(h *parley.Story) time.Duration {
	s := c.settings[h.Tenant]
	return s.SilenceOf(&h.State)
}

// addDimensions learns the keys of dimensions. That they are there although nothing has them does no harm.
func (c *Counter) addDimensions(ctx context.Context, generation int64, missing []parley.Dimensions) error {
	if c.dimensions[generation] == nil {
		c.dimensions[generation] = map[parley.Dimensions]int64{}
	}
	if len(missing) == 0 {
		return nil
	}
	var known []parley.KnownDimension
	err := c.config.Record.Update(ctx, func(tx parley.Tx) (err error) {
		known, err = tx.AddDimensions(ctx, generation, missing)
		return err
	})
	for _, k := range known {
		c.dimensions[generation][k.Dimensions] = k.Key
	}
	return err
}

// A board is the cells that a change concerns.
type board struct {
	share int                        // see countOn
	cells map[parley.CellName]*sheet // all hours of the days concerned
}

func (b *board) load(ctx context.Context, record Record, days map[parley.CellName]bool) error {
	names := make([]parley.CellName, 0, len(days))
	for d := range days {
		names = append(names, d)
	}
	return record.View(ctx, func(tx parley.Tx) error {
		cells, err := tx.CellsOn(ctx, names)
		for _, c := range cells {
			b.cells[c.CellName] = &sheet{Cell: c, before: c.Visits, changed: map[parley.VisitName]*parley.StoredVisit{}}
		}
		return err
	})
}

func (b *board) at(name parley.CellName) *sheet {
	s := b.cells[name]
	if s == nil {
		s = &sheet{Cell: parley.Cell{CellName: name}, changed: map[parley.VisitName]*parley.StoredVisit{}}
		b.cells[name] = s
	}
	s.dirty = true
	return s
}

// room is a cell of an hour in which there is room.
func (b *board) room(dimension, start int64) parley.CellName {
	name := parley.CellName{Dimension: dimension, Start: start}
	for {
		s := b.at(name)
		if s.Visits < parley.MaxCell {
			s.Visits++ // until it is counted anew
			return name
		}
		name.Part++
	}
}

// put counts a visit in its cell, in place of what it was; take does so no more.
func (b *board) put(v *parley.StoredVisit) {
	b.at(v.Cell).changed[parley.VisitName{Conversation: v.Conversation, Part: v.Part}] = v
}

func (b *board) take(v *parley.StoredVisit) {
	s := b.at(v.Cell)
	s.changed[parley.VisitName{Conversation: v.Conversation, Part: v.Part}] = nil
	s.was = append(s.was, &v.Visit)
}

// say adds what was said in a visit to the hours in which it was, or takes it away.
func (b *board) say(dimension int64, v *parley.Visit, sign int64) {
	for h, said := range v.Facts.Hours {
		s := b.at(parley.CellName{Dimension: dimension, Start: h * int64(hour)})
		for i, n := range said {
			s.Said[i] += sign * int64(n)
		}
	}
}

// finish counts the cells concerned, on or anew, and the days that they are part of.
func (b *board) finish(ctx context.Context, record Record) (hours, days []parley.Cell, err error) {
	var names []parley.CellName
	for name, s := range b.cells {
		if !s.dirty || s.before == 0 || len(s.changed) == 0 {
			continue
		}
		on, err := s.countOn(b.share)
		if err != nil {
			return nil, nil, fmt.Errorf("hour %d of dimensions %d: %w", name.Start, name.Dimension, err)
		}
		if !on {
			names = append(names, name)
		}
	}
	inside := map[parley.CellName][]parley.StoredVisit{}
	err = record.View(ctx, func(tx parley.Tx) error {
		clear(inside)
		visits, err := tx.VisitsIn(ctx, names)
		for _, v := range visits {
			inside[v.Cell] = append(inside[v.Cell], v)
		}
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	concerned := map[parley.CellName]bool{}
	for name, s := range b.cells {
		if !s.dirty {
			continue
		}
		concerned[parley.CellName{Dimension: name.Dimension, Start: name.Start - name.Start%int64(day)}] = true
		if !s.counted() {
			if s.totals == nil {
				s.recount(inside[name])
			}
			if s.Cell.Totals, err = s.totals.encode(); err != nil {
				return nil, nil, err
			}
		}
		hours = append(hours, s.Cell)
	}
	for name := range concerned {
		d, err := b.day(name)
		if err != nil {
			return nil, nil, err
		}
		days = append(days, d)
	}
	order := func(a, b parley.Cell) int {
		return cmp.Or(cmp.Compare(a.Dimension, b.Dimension), cmp.Compare(a.Start, b.Start), cmp.Compare(a.Part, b.Part))
	}
	slices.SortFunc(hours, order)
	slices.SortFunc(days, order)
	return hours, days, nil
}

// day adds up the hours of one.
func (b *board) day(name parley.CellName) (parley.Cell, error) {
	d := parley.Cell{CellName: name}
	var totals Totals
	for at := name.Start; at < name.Start+int64(day); at += int64(hour) {
		for part := 0; ; part++ {
			s := b.cells[parley.CellName{Dimension: name.Dimension, Start: at, Part: part}]
			if s == nil {
				break
			}
			mergeCount(&d.Count, &s.Count)
			for i := range d.Said {
				d.Said[i] += s.Said[i]
			}
			of := s.totals
			if of == nil {
				stored, err := decode(s.Cell.Totals)
				if err != nil {
					return d, fmt.Errorf("hour %d of dimensions %d: %w", at, name.Dimension, err)
				}
				of = &stored
			}
			if err := totals.Merge(of); err != nil {
				return d, err
			}
		}
	}
	var err error
	d.Totals, err = totals.encode()
	return d, err
}
