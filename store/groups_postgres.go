package store

import "context"

// walked is how many conversations PostgreSQL looks at, one after the other in their order, before it asks the index of
// terms. That has no order: every row that it finds is read, and all are sorted.
const walked = 4000

// forTerms and forAll bracket a query by terms. The planner knows how many conversations have each word, but takes words for
// independent; where it is wrong it reads whole tables, and compiles a query that takes milliseconds.
const (
	forTerms = "SET LOCAL jit = off; SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off"
	forAll   = "SET LOCAL jit = DEFAULT; SET LOCAL enable_seqscan = DEFAULT; SET LOCAL enable_hashjoin = DEFAULT; SET LOCAL enable_mergejoin = DEFAULT"
)

// runPostgres lists the places of the page by terms: if the first conversations have as many as are wanted, without the
// index.
func (l *listing) runPostgres(ctx context.Context) ([]int64, error) {
	if err := l.tx.run(ctx, forTerms); err != nil {
		return nil, err
	}
	text := l.set.text(tsquerySyntax, l.everybody())
	l.place = "f.place"
	if l.byPlace() {
		w := where{}
		w.add("(SELECT w.place FROM (SELECT place, terms FROM insight_terms WHERE tenant = ?", l.tenant)
		l.bounds(&w, "place")
		w.add(" ORDER BY place"+l.direction()+" LIMIT ?) AS w WHERE w.terms @@ ?::tsquery) AS f JOIN insights AS i ON i.place = f.place", walked, text)
		places, err := l.run(ctx, w.String(), "", w.args...)
		if err != nil {
			return nil, err
		}
		if len(places) == l.q.Limit {
			return places, l.tx.run(ctx, forAll)
		}
	}
	// With OFFSET the rows are found before anything else is thought of. Words are of one tenant.
	w := where{}
	w.add("(SELECT place FROM (SELECT place FROM insight_terms WHERE terms @@ ?::tsquery", text)
	l.bounds(&w, "place")
	w.add(" OFFSET 0) AS t ORDER BY place" + l.direction() + ") AS f JOIN insights AS i ON i.place = f.place")
	places, err := l.run(ctx, w.String(), "", w.args...)
	if err != nil {
		return nil, err
	}
	return places, l.tx.run(ctx, forAll)
}
