package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"parley"
)

// A day of one bot is one row. Its counts are varints, for each dimension with anything: the dimension's key, then the numbers of
// numbersOf, in order of the keys, which are written as the distance from the one before.

// numbersOf are the numbers of a cell, in the order in which they are written.
func numbersOf(c *parley.Cell) [10]*int64 {
	return [...]*int64{&c.Visits, &c.Messages.Sum, &c.Messages.Min, &c.Messages.Max, &c.Seconds.Sum, &c.Seconds.Min, &c.Seconds.Max, &c.Said[0], &c.Said[1], &c.Said[2]}
}

// eachOf calls fn for the cells of a row. The cell is the same each time.
func eachOf(counts []byte, start int64, fn func(*parley.Cell) error) error {
	var c parley.Cell
	c.Start = start
	next := func() (int64, bool) {
		v, n := binary.Varint(counts)
		if n <= 0 {
			return 0, false
		}
		counts = counts[n:]
		return v, true
	}
	for len(counts) > 0 {
		distance, whole := next()
		c.Dimension += distance
		for _, number := range numbersOf(&c) {
			v, ok := next()
			whole = whole && ok
			*number = v
		}
		if !whole {
			return fmt.Errorf("the counts of day %d end too early", start)
		}
		if err := fn(&c); err != nil {
			return err
		}
	}
	return nil
}

// pack writes the cells of one row.
func pack(cells map[int64]parley.Cell) (counts []byte) {
	keys := make([]int64, 0, len(cells))
	for key := range cells {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	var before int64
	for _, key := range keys {
		c := cells[key]
		counts = binary.AppendVarint(counts, key-before)
		before = key
		for _, number := range numbersOf(&c) {
			counts = binary.AppendVarint(counts, *number)
		}
	}
	return counts
}

var (
	seriesOfDimensions = newBulk("SELECT d.key, d.series FROM %ROWS% CROSS JOIN visit_dimensions AS d WHERE d.key = v.dimension", column{"dimension", bigint})
	daysOfSeries       = newBulk("SELECT d.series, d.start, d.counts FROM %ROWS% CROSS JOIN visit_days AS d WHERE d.series = v.of_series AND d.start = v.at_start",
		column{"of_series", bigint}, column{"at_start", bigint})
	upsertDays = newBulk(`INSERT INTO visit_days (series, start, counts) SELECT series, start, counts FROM %ROWS% WHERE true
		ON CONFLICT (series, start) DO UPDATE SET counts = excluded.counts`, column{"series", bigint}, column{"start", bigint}, column{"counts", bytea})
)

// putDays puts days' cells in place of what they were.
func (t *tx) putDays(ctx context.Context, days []parley.Cell) error {
	var dimensions [][]any
	for i := range days {
		dimensions = append(dimensions, []any{days[i].Dimension})
	}
	seriesOf := map[int64]int64{}
	if err := seriesOfDimensions.run(ctx, t.conn(), dimensions, func(rows *sql.Rows) error {
		var key, series int64
		err := rows.Scan(&key, &series)
		seriesOf[key] = series
		return err
	}); err != nil {
		return err
	}
	type place struct{ series, start int64 }
	changed := map[place]map[int64]parley.Cell{}
	var places [][]any
	for i := range days {
		p := place{seriesOf[days[i].Dimension], days[i].Start}
		if changed[p] == nil {
			changed[p] = map[int64]parley.Cell{}
			places = append(places, []any{p.series, p.start})
		}
	}
	if err := daysOfSeries.run(ctx, t.conn(), places, func(rows *sql.Rows) error {
		var p place
		var counts []byte
		if err := rows.Scan(&p.series, &p.start, &counts); err != nil {
			return err
		}
		return eachOf(counts, p.start, func(c *parley.Cell) error {
			changed[p][c.Dimension] = *c
			return nil
		})
	}); err != nil {
		return err
	}
	for i := range days {
		changed[place{seriesOf[days[i].Dimension], days[i].Start}][days[i].Dimension] = days[i]
	}
	var rows [][]any
	for _, p := range places {
		rows = append(rows, []any{p[0], p[1], pack(changed[place{p[0].(int64), p[1].(int64)}])})
	}
	return upsertDays.run(ctx, t.conn(), rows, discard)
}

// DayCells implements [parley.Figures].
func (t *tx) DayCells(ctx context.Context, dimensions []parley.KnownDimension, from, until time.Time, totals bool, fn func(*parley.Cell) error) error {
	type place struct{ dimension, start int64 }
	wanted, stored := map[int64]bool{}, map[place][]byte{}
	var keys, series []int64
	for _, d := range dimensions {
		wanted[d.Key] = true
		keys, series = append(keys, d.Key), append(series, d.Series)
	}
	slices.Sort(series)
	bounds := []any{from.UnixMilli(), until.UnixMilli()}
	if totals {
		if err := t.byDimension(ctx, "SELECT x.dimension, x.start, x.totals FROM visit_day_totals AS x WHERE x.dimension IN (?) AND x.start >= ? AND x.start < ?", keys, bounds, func(rows *sql.Rows) error {
			var p place
			var text []byte
			err := rows.Scan(&p.dimension, &p.start, &text)
			stored[p] = text
			return err
		}); err != nil {
			return fmt.Errorf("read totals of days: %w", err)
		}
	}
	err := t.byDimension(ctx, "SELECT d.start, d.counts FROM visit_days AS d WHERE d.series IN (?) AND d.start >= ? AND d.start < ? ORDER BY d.series, d.start", slices.Compact(series), bounds, func(rows *sql.Rows) error {
		var start int64
		var counts sql.RawBytes
		if err := rows.Scan(&start, &counts); err != nil {
			return err
		}
		return eachOf(counts, start, func(c *parley.Cell) error {
			if !wanted[c.Dimension] {
				return nil
			}
			c.Totals = stored[place{c.Dimension, c.Start}]
			return fn(c)
		})
	})
	if err != nil {
		return fmt.Errorf("read figures of days: %w", err)
	}
	return nil
}
