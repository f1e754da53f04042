package figures

import (
	"context"
	"slices"
	"time"

	"parley"
)

// A slice is some of the visits of a range that have the same dimensions and began in the same bucket, whichever that is.
type slice struct {
	parley.Cell
	at         time.Time // when the first of them may have begun
	dimensions *parley.Dimensions
	totals     *Totals // if they were asked for
	single     bool    // it is one visit, which began at that time
}

// cover calls fn for all visits that a query wants, slice by slice, on one snapshot: by the day as far as the range has whole days, and
// the query's bucket is not shorter, then by the hour, and what is left at its ends visit by visit.
func (s *Statistics) cover(ctx context.Context, q *Query, totals bool, fn func(*slice) error) error {
	return s.Record.View(ctx, func(tx parley.Tx) error {
		known, err := wanted(ctx, tx, q)
		if err != nil || len(known) == 0 {
			return err
		}
		at := make(map[int64]*parley.Dimensions, len(known))
		for i := range known {
			at[known[i].Key] = &known[i].Dimensions
		}
		// Visits begin at whole milliseconds.
		for _, p := range spans(up(q.From, time.Millisecond), up(q.Until, time.Millisecond), q.Bucket == Hour) {
			if err := p.read(ctx, tx, known, at, totals, fn); err != nil {
				return err
			}
		}
		return nil
	})
}

// wanted are the dimensions that a query asks for.
func wanted(ctx context.Context, tx parley.Tx, q *Query) ([]parley.KnownDimension, error) {
	all, err := tx.VisitDimensions(ctx, q.Tenant)
	return slices.DeleteFunc(all, func(d parley.KnownDimension) bool { return !q.matches(&d.Dimensions) }), err
}

// keysOfDimensions are their keys.
func keysOfDimensions(known []parley.KnownDimension) []int64 {
	keys := make([]int64, len(known))
	for i := range known {
		keys[i] = known[i].Key
	}
	return keys
}

// A span is a part of a range that is read in one way.
type span struct {
	from, until time.Time
	by          spanKind
}

type spanKind uint8

const (
	byDay spanKind = iota
	byHour
	byVisit
)

// spans cut a range into days, hours, and what is left.
func spans(from, until time.Time, hourly bool) (all []span) {
	add := func(from, until time.Time, by spanKind) {
		if from.Before(until) {
			all = append(all, span{from, until, by})
		}
	}
	firstHour, lastHour := up(from, time.Hour), until.Truncate(time.Hour)
	if !firstHour.Before(lastHour) { // not one whole hour
		add(from, until, byVisit)
		return all
	}
	add(from, firstHour, byVisit)
	add(lastHour, until, byVisit)
	const aDay = 24 * time.Hour
	firstDay, lastDay := up(from, aDay), until.Truncate(aDay)
	if hourly || !firstDay.Before(lastDay) {
		add(firstHour, lastHour, byHour)
		return all
	}
	add(firstHour, firstDay, byHour)
	add(firstDay, lastDay, byDay)
	add(lastDay, lastHour, byHour)
	return all
}

// up is the first multiple of a unit that is not before a time.
func up(at time.Time, unit time.Duration) time.Time {
	return at.UTC().Add(unit - time.Nanosecond).Truncate(unit)
}

// read calls fn for what is in the span.
func (p span) read(ctx context.Context, tx parley.Tx, known []parley.KnownDimension, at map[int64]*parley.Dimensions, totals bool, fn func(*slice) error) error {
	if p.by == byVisit {
		return tx.EachVisit(ctx, keysOfDimensions(known), p.from, p.until, func(v *parley.Visit) error { return fn(sliceOf(v, totals)) })
	}
	read := tx.DayCells
	if p.by == byHour {
		read = tx.HourCells
	}
	var s slice
	return read(ctx, known, p.from, p.until, totals, func(c *parley.Cell) error {
		if s.Start != c.Start {
			s.at = time.UnixMilli(c.Start).UTC()
		}
		s.Cell, s.dimensions, s.totals = *c, at[c.Dimension], nil
		if totals {
			t, err := decode(c.Totals)
			if err != nil {
				return err
			}
			s.totals = &t
		}
		return fn(&s)
	})
}

// sliceOf is a single visit. What was said in an hour is not told by it: see Statistics.Messages.
func sliceOf(v *parley.Visit, totals bool) *slice {
	c := &slice{at: v.Started, dimensions: &v.Dimensions, single: true}
	addTo(&c.Count, v)
	if totals {
		c.totals = &Totals{}
		c.totals.Add(v)
	}
	return c
}
