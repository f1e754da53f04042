package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"parley"
)

// ListInsights implements [parley.Insights].
func (t *tx) ListInsights(ctx context.Context, q parley.InsightQuery) ([]parley.Insight, error) {
	places, err := t.listPlaces(ctx, q, true)
	if err != nil {
		return nil, err
	}
	return t.insightsAt(ctx, q.Tenant, places)
}

// listPlaces are the places of a page; without terms, as a query by hand would find them.
func (t *tx) listPlaces(ctx context.Context, q parley.InsightQuery, terms bool) ([]int64, error) {
	tenant, err := t.s.tenantKey(ctx, t.db, q.Tenant)
	if err != nil || q.Limit <= 0 {
		return nil, err
	}
	var all parley.Condition
	for _, c := range []*parley.Condition{q.Condition, q.Filter} {
		if c != nil {
			all.All = append(all.All, *c)
		}
	}
	set := termSet{more: len(all.All) > 0}
	if terms && len(all.All) > 0 && !picksNumbers(all) {
		if set, err = t.termSet(ctx, tenant, all); err != nil {
			return nil, err
		}
	}
	l := listing{tx: t, tenant: tenant, q: q, postgres: t.s.dialect.unnest, all: all, set: set, place: "i.place"}
	switch {
	case set.kind == everybody:
		return l.runThroughAll(ctx)
	case l.postgres:
		return l.runPostgres(ctx)
	}
	// FTS5 gives the places in order, one by one, however many there are, if it is asked by its own name for them.
	l.place = "insight_terms.rowid"
	return l.run(ctx, "insight_terms CROSS JOIN insights AS i ON i.place = insight_terms.rowid",
		" AND insight_terms MATCH ?", set.text(fts5Syntax, l.everybody()))
}

// picksNumbers says whether a condition names the conversations that it can fit.
func picksNumbers(c parley.Condition) bool {
	for _, part := range c.All {
		if picksNumbers(part) {
			return true
		}
	}
	return c.Selector.Kind == parley.SelectID && (c.Op == parley.Equal || c.Op == parley.In)
}

// A listing is a query in the making.
type listing struct {
	*tx
	tenant   int64
	q        parley.InsightQuery
	postgres bool
	all      parley.Condition
	set      termSet
	place    string // column
}

func (l *listing) everybody() string { return l.s.words.word(l.tenant, parley.Selector{}, "") }

// byPlace says whether the order is that of places.
func (l *listing) byPlace() bool {
	return len(l.q.Sort) == 0 || len(l.q.Sort) == 1 && l.q.Sort[0].Kind == parley.SelectStart
}

func (l *listing) direction() string {
	if l.q.Descending {
		return " DESC"
	}
	return ""
}

// bounds writes the bounds of time that places have, where the rows are looked for: places are in order there.
func (l *listing) bounds(w *where, column string) {
	if !l.q.From.IsZero() {
		from := l.q.From.UnixMilli()
		if l.q.From.UnixNano()%int64(time.Millisecond) != 0 { // nothing starts within a millisecond
			from++
		}
		w.and(column+" >= ?", firstPlace(from))
	}
	if !l.q.Until.IsZero() { // who ends before a time starts before it
		w.and(column+" < ?", firstPlace(l.q.Until.UnixMilli()+1))
	}
	for _, c := range starts(l.all, nil) {
		w.and("(")
		w.start(c, column)
		w.add(")")
	}
}

// starts adds what a condition says of starts, and each that fits it must fit; of ends what starts must fit, too.
func starts(c parley.Condition, found []parley.Condition) []parley.Condition {
	ends := c.Selector.Kind == parley.SelectEnd && (c.Op == parley.Less || c.Op == parley.LessOrEqual) // who ends before a time starts before it
	if c.Selector.Kind == parley.SelectStart && !c.Op.Negates() || ends {
		found = append(found, c)
	}
	for _, part := range c.All {
		found = starts(part, found)
	}
	return found
}

// run lists the places of the page. from has insights as i and may have arguments; found is how terms narrow the rows.
func (l *listing) run(ctx context.Context, from, found string, args ...any) ([]int64, error) {
	w := where{postgres: l.postgres, probes: l.postgres && l.set.kind != everybody}
	cut := strings.Count(from, "?")
	w.add("SELECT i.place FROM "+from+" WHERE i.tenant = ?", append(slices.Clone(args[:cut]), l.tenant)...)
	l.bounds(&w, l.place)
	if !l.q.Until.IsZero() {
		w.and("i.ended <= ?", l.q.Until.UnixMilli())
	}
	w.add(found, args[cut:]...)
	if l.set.more {
		w.and("")
		w.condition(l.all)
	}
	l.order(&w)
	w.add(" LIMIT ? OFFSET ?", l.q.Limit, l.q.Offset)
	return l.tx.places(ctx, w.String(), w.args...)
}

// places are the places that a query finds.
func (t *tx) places(ctx context.Context, text string, args ...any) (places []int64, err error) {
	err = query(ctx, t.db, text, args, func(rows *sql.Rows) error {
		var place int64
		if err := rows.Scan(&place); err != nil {
			return err
		}
		places = append(places, place)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list insights: %w", err)
	}
	return places, nil
}

func (l *listing) order(w *where) {
	w.add(" ORDER BY ")
	nulls := " NULLS FIRST"
	if l.q.Descending {
		nulls = " NULLS LAST"
	}
	for _, s := range l.q.Sort {
		if l.byPlace() {
			break // as it is, so that an index gives the order
		}
		column, args := l.sortColumn(s)
		w.add(column+l.direction()+nulls+", ", args...)
	}
	w.add(l.place + l.direction())
}

// sortColumn is what a selector sorts by: a conversation without that metadata key comes before all that have it.
func (l *listing) sortColumn(s parley.Selector) (column string, args []any) {
	w := where{postgres: l.postgres}
	switch s.Kind {
	case parley.SelectMetadata:
		return w.collated("(SELECT m.value FROM conversation_metadata AS m WHERE m.place = i.place AND m.name = ?)"), []any{s.Name}
	case parley.SelectName:
		return w.collated("CASE i.name WHEN '' THEN " + numberText + " ELSE i.name END"), nil
	case parley.SelectType:
		return w.collated("i.type"), nil
	case parley.SelectStart:
		return "i.place >> " + strconv.Itoa(placeBits), nil
	case parley.SelectEnd:
		return "i.ended", nil
	default:
		return "i.number", nil
	}
}
