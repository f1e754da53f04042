package store

import (
	"context"
	"slices"

	"github.com/uptrace/bun/dialect/pgdialect"
)

const (
	// walked is how many conversations PostgreSQL looks at, one after the other in their order, before it asks the index of
	// words. That has no order: every row that it finds is read, and all are sorted.
	walked = 4000
	// sampled is how many of those that the words find are read at first, in whatever order.
	sampled = 2000
	// nearest is how many of those that are likely the first are joined with what else is asked.
	nearest = 5000
	// unionAtOnce bounds the words of a query that are joined by OR: the index looks at all of them for each row that has one. 111
	// words took 740 ms, the same in parts of 8 took 88.
	unionAtOnce = 8
)

// forWords and forOther bracket what is asked by words: with less memory than that a bitmap keeps pages instead of rows where there are more than some 60,000, as five million
// conversations have, and each row of them is looked at, which takes five times as long.
const (
	forWords = "SET LOCAL work_mem = '32MB'"
	forOther = "SET LOCAL work_mem = DEFAULT"
)

// forIndex and forJoin bracket a query by words alone. The planner knows how many conversations have each word, but takes words for
// independent; in between it uses all that narrows the rows to be read, since pages are dear.
const (
	forIndex = "SET LOCAL enable_indexscan = off; SET LOCAL enable_indexonlyscan = off; SET LOCAL seq_page_cost = 10; SET LOCAL random_page_cost = 10; SET LOCAL max_parallel_workers_per_gather = 0"
	forJoin  = "SET LOCAL enable_indexscan = DEFAULT; SET LOCAL enable_indexonlyscan = DEFAULT; SET LOCAL seq_page_cost = DEFAULT; SET LOCAL random_page_cost = DEFAULT; SET LOCAL max_parallel_workers_per_gather = DEFAULT"
)

// forTables and forKeys bracket a query that no word helps: it may look at every conversation there is, and whole tables are then what is
// best read and joined, unlike anywhere else, see openPostgres.
const (
	forTables = "SET LOCAL enable_seqscan = on; SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on"
	forKeys   = "SET LOCAL enable_seqscan = DEFAULT; SET LOCAL enable_hashjoin = DEFAULT; SET LOCAL enable_mergejoin = DEFAULT"
)

// runThroughAll lists the places of the page without words.
func (l *listing) runThroughAll(ctx context.Context) ([]int64, error) {
	if !l.postgres {
		return l.run(ctx, "insights AS i", "")
	}
	if err := l.tx.run(ctx, forTables); err != nil {
		return nil, err
	}
	places, err := l.run(ctx, "insights AS i", "")
	if err != nil {
		return nil, err
	}
	return places, l.tx.run(ctx, forKeys)
}

// runPostgres lists the places of the page by words. It tries what is quick where many conversations fit, then what is quick where few do, or where the table lies about in the order
// of starts, as it does unless an old history was read in; then what always works.
func (l *listing) runPostgres(ctx context.Context) ([]int64, error) {
	if err := l.tx.run(ctx, forWords); err != nil {
		return nil, err
	}
	places, err := l.byWords(ctx)
	if err != nil {
		return nil, err
	}
	return places, l.tx.run(ctx, forOther)
}

func (l *listing) byWords(ctx context.Context) ([]int64, error) {
	if !l.byPlace() {
		return l.sorted(ctx)
	}
	places, err := l.walk(ctx)
	switch {
	case err != nil || len(places) == l.q.Limit:
		return places, err
	case l.q.Descending: // a sample is of the oldest, if of any
		return l.sorted(ctx)
	}
	page := l.q.Offset + l.q.Limit
	size := sampled + 8*page
	sample, err := l.some(ctx, size)
	if err != nil {
		return nil, err
	}
	if len(sample) < size { // all
		return l.among(ctx, sample)
	}
	near, err := l.near(ctx, sample, 2*page)
	if err != nil {
		return nil, err
	}
	if places, err = l.among(ctx, near); err != nil || len(places) == l.q.Limit {
		return places, err
	}
	return l.sorted(ctx)
}

// walk looks at the first conversations in their order.
func (l *listing) walk(ctx context.Context) ([]int64, error) {
	w := where{}
	w.add("(SELECT w.place FROM (SELECT place, terms FROM insight_terms WHERE tenant = ?", l.tenant)
	l.bounds(&w, "place")
	l.place = "f.place"
	w.add(" ORDER BY place"+l.direction()+" LIMIT ?) AS w WHERE w.terms @@ ?::tsquery) AS f JOIN insights AS i ON i.place = f.place", walked, l.set.text(tsquerySyntax, l.everybody()))
	return l.run(ctx, w.String(), "", w.args...)
}

// some are at most n of the places that the words find, in no order. The sub-select is planned as if all were wanted, and left when there
// are enough.
func (l *listing) some(ctx context.Context, n int) ([]int64, error) {
	w := where{}
	w.add("WITH t AS MATERIALIZED (SELECT place FROM insight_terms WHERE ")
	l.words(&w)
	l.bounds(&w, "place")
	w.add(") SELECT place FROM t LIMIT ?", n)
	return l.byIndex(ctx, w.String(), w.args...)
}

// near are the first of the places that the words find, as far as they are not behind place n of a sample: at least n, few more if the
// table lies in the order of starts.
func (l *listing) near(ctx context.Context, sample []int64, n int) ([]int64, error) {
	slices.Sort(sample)
	w := where{}
	w.add("SELECT place FROM insight_terms WHERE ")
	l.words(&w)
	l.bounds(&w, "place")
	w.and("place <= ?", sample[min(n, len(sample)-1)])
	w.add(" ORDER BY place LIMIT ?", nearest)
	return l.byIndex(ctx, w.String(), w.args...)
}

// byIndex are the places that a query of nothing but words and places finds.
func (l *listing) byIndex(ctx context.Context, text string, args ...any) ([]int64, error) {
	if err := l.tx.run(ctx, forIndex); err != nil {
		return nil, err
	}
	places, err := l.tx.places(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	return places, l.tx.run(ctx, forJoin)
}

// among lists the page of those at some places.
func (l *listing) among(ctx context.Context, places []int64) ([]int64, error) {
	if len(places) == 0 {
		return nil, nil
	}
	l.place = "i.place"
	return l.run(ctx, "insights AS i", " AND i.place = ANY(?::bigint[])", pgdialect.Array(places))
}

// sorted lists the page of all that the words find. With OFFSET the rows are found before anything else is thought of.
func (l *listing) sorted(ctx context.Context) ([]int64, error) {
	w := where{}
	w.add("(SELECT place FROM (SELECT place FROM insight_terms WHERE ")
	l.words(&w)
	l.bounds(&w, "place")
	w.add(" OFFSET 0) AS t ORDER BY place" + l.direction() + ") AS f JOIN insights AS i ON i.place = f.place")
	l.place = "f.place"
	return l.run(ctx, w.String(), "", w.args...)
}

// words writes the condition on words. Words are of one tenant.
func (l *listing) words(w *where) {
	for i, part := range l.set.parts(unionAtOnce) {
		sign := " OR "
		if i == 0 {
			sign = "("
		}
		w.add(sign+"terms @@ ?::tsquery", part.text(tsquerySyntax, l.everybody()))
	}
	w.add(")")
}

// parts are sets that together are the set, so that its longest union, alone or in an intersection, has at most n members in each.
func (s termSet) parts(n int) []termSet {
	all, longest := []termSet{s}, -1
	if s.kind == intersection {
		all = s.of
	}
	for i, part := range all {
		if part.kind == union && len(part.of) > n && (longest < 0 || len(part.of) > len(all[longest].of)) {
			longest = i
		}
	}
	if longest < 0 {
		return []termSet{s}
	}
	var parts []termSet
	for some := range slices.Chunk(all[longest].of, n) {
		of := slices.Clone(all)
		of[longest] = termSet{kind: union, of: some}
		parts = append(parts, termSet{kind: intersection, of: of})
	}
	return parts
}
