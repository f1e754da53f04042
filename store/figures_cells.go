package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"parley"
)

const cellColumns = `h.dimension, h.start, h.part, h.visits, h.messages, h.messages_min, h.messages_max, h.seconds, h.seconds_min, h.seconds_max,
	h.said_user, h.said_bot, h.said_agent`

func scanCell(rows *sql.Rows, more ...any) (c parley.Cell, err error) {
	err = rows.Scan(append([]any{&c.Dimension, &c.Start, &c.Part, &c.Visits, &c.Messages.Sum, &c.Messages.Min, &c.Messages.Max, &c.Seconds.Sum, &c.Seconds.Min, &c.Seconds.Max,
		&c.Said[0], &c.Said[1], &c.Said[2]}, more...)...)
	return c, err
}

// dimensionsAtOnce bounds the dimensions that one query names.
const dimensionsAtOnce = 500

// byDimension runs a query that names dimensions first, in as many pieces as it takes.
func (t *tx) byDimension(ctx context.Context, text string, dimensions []int64, args []any, scan func(*sql.Rows) error) error {
	for len(dimensions) > 0 {
		n := min(len(dimensions), dimensionsAtOnce)
		if err := query(ctx, t.db, text, append([]any{bun.List(dimensions[:n])}, args...), scan); err != nil {
			return err
		}
		dimensions = dimensions[n:]
	}
	return nil
}

// HourCells implements [parley.Figures].
func (t *tx) HourCells(ctx context.Context, dimensions []parley.KnownDimension, from, until time.Time, totals bool, fn func(*parley.Cell) error) error {
	const within = "WHERE h.dimension IN (?) AND h.start >= ? AND h.start < ? ORDER BY h.dimension, h.start, h.part"
	text := "SELECT " + cellColumns + " FROM visit_hours AS h " + within
	if totals {
		text = "SELECT " + cellColumns + ", x.totals FROM visit_hours AS h JOIN visit_hour_totals AS x ON x.dimension = h.dimension AND x.start = h.start AND x.part = h.part " + within
	}
	keys := make([]int64, len(dimensions))
	for i, d := range dimensions {
		keys[i] = d.Key
	}
	err := t.byDimension(ctx, text, keys, []any{from.UnixMilli(), until.UnixMilli()}, func(rows *sql.Rows) error {
		var more []any
		var stored []byte
		if totals {
			more = []any{&stored}
		}
		c, err := scanCell(rows, more...)
		if err != nil {
			return err
		}
		c.Totals = stored
		return fn(&c)
	})
	if err != nil {
		return fmt.Errorf("read figures of hours: %w", err)
	}
	return nil
}

var cellsOfHours = newBulk("SELECT "+cellColumns+`, x.totals FROM %ROWS% CROSS JOIN visit_hours AS h
	JOIN visit_hour_totals AS x ON x.dimension = h.dimension AND x.start = h.start AND x.part = h.part
	WHERE h.dimension = v.in_dimension AND h.start >= v.from_start AND h.start < v.until_start ORDER BY h.dimension, h.start, h.part`,
	column{"in_dimension", bigint}, column{"from_start", bigint}, column{"until_start", bigint})

// CellsOn implements [parley.Figures].
func (t *tx) CellsOn(ctx context.Context, days []parley.CellName) (found []parley.Cell, err error) {
	rows := make([][]any, len(days))
	for i, d := range days {
		rows[i] = []any{d.Dimension, d.Start, d.Start + int64(24*time.Hour/time.Millisecond)}
	}
	err = cellsOfHours.run(ctx, t.conn(), rows, func(rows *sql.Rows) error {
		var stored []byte
		c, err := scanCell(rows, &stored)
		c.Totals = stored
		found = append(found, c)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read figures of days: %w", err)
	}
	return found, nil
}

// upsertVisits writes visits as changed now, but in a generation that does not answer yet those that are as in the answering one as changed
// when they are there: an export goes on from one to the other (see [parley.VisitPlace]). 0 was left by a hub of before there were exports,
// which counted on while this one was started beside it.
var upsertVisits = newBulk(`INSERT INTO visits (generation, tenant, changed, conversation, part, dimension, hour, cell, first_seq, last_seq, started, last, closes, person, facts)
	SELECT v.generation, d.tenant, COALESCE((SELECT NULLIF(o.changed, 0) FROM visits AS o JOIN visit_dimensions AS e ON e.key = o.dimension
			WHERE o.conversation = v.conversation AND o.generation = v.answering AND o.part = v.part AND o.first_seq = v.first_seq AND o.last_seq = v.last_seq
				AND o.started = v.started AND o.last = v.last AND o.person = v.person AND o.facts = v.facts AND e.bot = d.bot AND e.version = d.version AND e.channel = d.channel
				AND e.language = d.language AND e.campaign = d.campaign AND e.source = d.source AND e.owner = d.owner), v.changed),
		v.conversation, v.part, v.dimension, v.hour, v.cell, v.first_seq, v.last_seq, v.started, v.last, v.closes, v.person, v.facts
	FROM %ROWS% CROSS JOIN visit_dimensions AS d WHERE d.key = v.dimension
	ON CONFLICT (conversation, generation, part) DO UPDATE SET changed = excluded.changed, dimension = excluded.dimension, hour = excluded.hour, cell = excluded.cell,
		first_seq = excluded.first_seq, last_seq = excluded.last_seq, started = excluded.started, last = excluded.last, closes = excluded.closes, person = excluded.person,
		facts = excluded.facts`,
	column{"generation", bigint}, column{"answering", bigint}, column{"changed", bigint}, column{"conversation", bigint}, column{"part", bigint}, column{"dimension", bigint},
	column{"hour", bigint}, column{"cell", bigint}, column{"first_seq", bigint}, column{"last_seq", bigint}, column{"started", bigint}, column{"last", bigint},
	column{"closes", bigint}, column{"person", bigint}, column{"facts", text})

var deleteVisits = newBulk(`DELETE FROM visits WHERE key IN (SELECT x.key FROM %ROWS% CROSS JOIN visits AS x
	WHERE x.conversation = v.of_conversation AND x.generation = v.of_generation AND x.part = v.of_part)`,
	column{"of_conversation", bigint}, column{"of_generation", bigint}, column{"of_part", bigint})

var cellTable = []column{{"dimension", bigint}, {"start", bigint}, {"part", bigint}, {"visits", bigint}, {"messages", bigint}, {"messages_min", bigint}, {"messages_max", bigint},
	{"seconds", bigint}, {"seconds_min", bigint}, {"seconds_max", bigint}, {"said_user", bigint}, {"said_bot", bigint}, {"said_agent", bigint}}

var upsertHours = newBulk(`INSERT INTO visit_hours (dimension, start, part, visits, messages, messages_min, messages_max, seconds, seconds_min, seconds_max, said_user, said_bot, said_agent)
	SELECT dimension, start, part, visits, messages, messages_min, messages_max, seconds, seconds_min, seconds_max, said_user, said_bot, said_agent FROM %ROWS% WHERE true
	ON CONFLICT (dimension, start, part) DO UPDATE SET visits = excluded.visits, messages = excluded.messages, messages_min = excluded.messages_min,
		messages_max = excluded.messages_max, seconds = excluded.seconds, seconds_min = excluded.seconds_min, seconds_max = excluded.seconds_max,
		said_user = excluded.said_user, said_bot = excluded.said_bot, said_agent = excluded.said_agent`, cellTable...)

func upsertTotals(table string) *bulk {
	return newBulk(`INSERT INTO `+table+`_totals (dimension, start, part, totals) SELECT dimension, start, part, totals FROM %ROWS% WHERE true
		ON CONFLICT (dimension, start, part) DO UPDATE SET totals = excluded.totals`,
		column{"dimension", bigint}, column{"start", bigint}, column{"part", bigint}, column{"totals", bytea})
}

var (
	upsertHourTotals, upsertDayTotals = upsertTotals("visit_hour"), upsertTotals("visit_day")
	deleteChanges                     = newBulk("DELETE FROM figure_changes WHERE key IN (SELECT seen FROM %ROWS%)", column{"seen", bigint})
)

// PutFigures implements [parley.Figures].
func (t *tx) PutFigures(ctx context.Context, p *parley.FigureProgress, changes []parley.FigureChange) error {
	if err := t.putProgress(ctx, p); err != nil {
		return err
	}
	for i := range changes {
		if err := t.putFigures(ctx, p, &changes[i]); err != nil {
			return fmt.Errorf("write figures: %w", err)
		}
		if changes[i].Generation == p.Generation {
			if err := t.oweNews(ctx, changes[i].News); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *tx) putFigures(ctx context.Context, p *parley.FigureProgress, c *parley.FigureChange) error {
	var visits, gone, seen [][]any
	var answering int64 // if it is another one
	if c.Generation != p.Generation {
		answering = p.Generation
	}
	changed := changedIn(c.Generation, p.Version+1)
	for i := range c.Visits {
		v := &c.Visits[i]
		facts, err := json.Marshal(&v.Facts)
		if err != nil {
			return err
		}
		visits = append(visits, []any{c.Generation, answering, changed, v.Conversation, int64(v.Part), v.Cell.Dimension, v.Cell.Start, int64(v.Cell.Part), v.FirstSeq, v.LastSeq,
			v.Started.UnixMilli(), v.Last.UnixMilli(), millis(v.Closes), v.Person, string(facts)})
	}
	for _, g := range c.Gone {
		gone = append(gone, []any{g.Conversation, c.Generation, int64(g.Part)})
	}
	for _, key := range c.Changed {
		seen = append(seen, []any{key})
	}
	hours, hourTotals := cellRows(c.Hours)
	_, dayTotals := cellRows(c.Days)
	if err := t.putDays(ctx, c.Days); err != nil {
		return err
	}
	for _, w := range []struct {
		b    *bulk
		rows [][]any
	}{{deleteVisits, gone}, {upsertVisits, visits}, {upsertHours, hours}, {upsertHourTotals, hourTotals}, {upsertDayTotals, dayTotals}, {deleteChanges, seen}} {
		if err := w.b.run(ctx, t.conn(), w.rows, discard); err != nil {
			return err
		}
	}
	return nil
}

func cellRows(cells []parley.Cell) (rows, totals [][]any) {
	for i := range cells {
		c := &cells[i]
		rows = append(rows, []any{c.Dimension, c.Start, int64(c.Part), c.Visits, c.Messages.Sum, c.Messages.Min, c.Messages.Max, c.Seconds.Sum, c.Seconds.Min, c.Seconds.Max,
			c.Said[0], c.Said[1], c.Said[2]})
		totals = append(totals, []any{c.Dimension, c.Start, int64(c.Part), c.Totals})
	}
	return rows, totals
}

// droppedAtOnce bounds what one transaction of DropFigures removes.
const droppedAtOnce = 5000

// DropFigures implements [parley.Figures].
func (t *tx) DropFigures(ctx context.Context, generation int64) (more bool, err error) {
	for _, table := range []string{"visit_hours", "visit_hour_totals", "visit_day_totals"} {
		// By dimension, of which each has at most some ten thousand cells.
		result, err := t.db.NewRaw("DELETE FROM "+table+" WHERE dimension = (SELECT MIN(dimension) FROM "+table+" AS x WHERE x.dimension IN (SELECT key FROM visit_dimensions WHERE generation = ?))",
			generation).Exec(ctx)
		if err != nil {
			return false, err
		}
		if n, err := result.RowsAffected(); n > 0 || err != nil {
			return true, err
		}
	}
	if err := t.run(ctx, "DELETE FROM visit_days WHERE series IN (SELECT key FROM visit_dimensions WHERE generation = ?)", generation); err != nil {
		return false, err
	}
	result, err := t.db.NewRaw("DELETE FROM visits WHERE key IN (SELECT key FROM visits WHERE dimension IN (SELECT key FROM visit_dimensions WHERE generation = ?) LIMIT ?)",
		generation, droppedAtOnce).Exec(ctx)
	if err != nil {
		return false, err
	}
	if n, err := result.RowsAffected(); n > 0 || err != nil {
		return true, err
	}
	return false, t.run(ctx, "DELETE FROM visit_dimensions WHERE generation = ?", generation)
}
