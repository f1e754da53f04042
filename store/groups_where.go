package store

import (
	"math"
	"strings"

	"github.com/uptrace/bun"

	"parley"
)

// A where is the text of a condition with its arguments, of which no text of a stranger becomes a part.
type where struct {
	strings.Builder
	args     []any
	postgres bool
	probes   bool // PostgreSQL shall look up what a row has, row by row, rather than plan a join
}

func (w *where) add(text string, args ...any) {
	w.WriteString(text)
	w.args = append(w.args, args...)
}

// and begins one more part of an AND that has one already.
func (w *where) and(text string, args ...any) { w.add(" AND "+text, args...) }

// condition writes what [criteria.Match] decides, about the row i of insights.
func (w *where) condition(c parley.Condition) {
	all, sign := c.All, " AND "
	if c.Any != nil {
		all, sign = c.Any, " OR "
	}
	if all == nil {
		w.comparison(c)
		return
	}
	for i, c := range all {
		if i == 0 {
			w.add("(")
		} else {
			w.add(sign)
		}
		w.condition(c)
	}
	w.add(")")
}

const numberText = "CAST(i.number AS TEXT)"

func (w *where) comparison(c parley.Condition) {
	not := ""
	if c.Op.Negates() {
		not = "NOT "
	}
	switch c.Selector.Kind {
	case parley.SelectMetadata:
		w.add(not+"EXISTS (SELECT 1 FROM conversation_metadata AS m WHERE m.place = i.place AND m.name = ? AND ", c.Selector.Name)
		w.text(c, "m.value", "m.figure")
		w.probe()
	case parley.SelectLabel:
		w.add(not + "EXISTS (SELECT 1 FROM conversation_labels AS m WHERE m.place = i.place AND ")
		w.text(c, "m.label", "m.figure")
		w.probe()
	case parley.SelectName:
		w.add(not + "(")
		w.text(c, "CASE i.name WHEN '' THEN "+numberText+" ELSE i.name END", "i.figure")
	case parley.SelectType:
		w.add(not + "(")
		w.text(c, w.unindexed("i.type"), "")
	case parley.SelectID:
		w.add(not + "(")
		w.number(c)
	case parley.SelectStart:
		w.add(not + "(")
		w.start(c, "i.place")
	case parley.SelectEnd:
		w.add(not + "(")
		w.end(c)
	default: // the zero condition
		w.add("(1 = 0")
	}
	w.add(")")
}

// probe ends a sub-select; with OFFSET the planner leaves it one.
func (w *where) probe() {
	if w.probes {
		w.add(" OFFSET 0")
	}
}

// text compares a column, as if a negating operator did not negate. figure is the column of its number, "" = it is none.
func (w *where) text(c parley.Condition, column, figureColumn string) {
	if c.Op.IsOrder() {
		value := c.Values[0].Text()
		f := figure(value)
		if f == nil || figureColumn == "" {
			w.add(w.collated(column)+" "+c.Op.String()+" ?", value)
			return
		}
		w.add("CASE WHEN "+figureColumn+" IS NULL THEN "+w.collated(column)+" "+c.Op.String()+" ? ELSE "+figureColumn+" "+c.Op.String()+" ? END", value, *f)
		return
	}
	var plain []string
	w.add("(")
	for _, v := range c.Values {
		switch {
		case !v.HasStar():
			plain = append(plain, v.Text())
		case w.postgres:
			w.add(w.collated(column)+` LIKE ? ESCAPE '\' OR `, escapedParts(v, likeEscape, "%"))
		default: // LIKE of SQLite does not tell upper from lower case
			w.add(column+" GLOB ? OR ", escapedParts(v, globEscape, "*"))
		}
	}
	if plain == nil {
		w.add("1 = 0)")
		return
	}
	w.add(column+" IN (?))", bun.List(plain))
}

// unindexed is a column that SQLite shall not look up in an index: it would take one without the order of places.
func (w *where) unindexed(column string) string {
	if w.postgres {
		return column
	}
	return "+" + column
}

// collated is a column whose text is compared by code points, as SQLite does anyway.
func (w *where) collated(column string) string {
	if w.postgres {
		return column + ` COLLATE "C"`
	}
	return column
}

var globEscape = strings.NewReplacer("*", "[*]", "?", "[?]", "[", "[[]")

func escapedParts(p parley.Pattern, escape *strings.Replacer, star string) string {
	parts := make([]string, len(p.Parts))
	for i, part := range p.Parts {
		parts[i] = escape.Replace(part)
	}
	return strings.Join(parts, star)
}

// number compares the public id.
func (w *where) number(c parley.Condition) {
	if c.Op.IsOrder() {
		if f, ok := parley.Figure(c.Values[0].Text()); ok {
			w.add("i.number "+c.Op.String()+" ?", wholeBound(c.Op, f))
			return
		}
	}
	w.text(c, numberText, "")
}

// wholeBound is the whole number with which whole numbers are compared as with a bound.
func wholeBound(op parley.Operator, bound float64) int64 {
	if op == parley.Less || op == parley.GreaterOrEqual {
		return integer(math.Ceil(bound))
	}
	return integer(math.Floor(bound))
}

// integer is a whole number, or the last one on its side.
func integer(f float64) int64 {
	switch {
	case f >= math.MaxInt64:
		return math.MaxInt64
	case f <= math.MinInt64:
		return math.MinInt64
	}
	return int64(f)
}

// start compares the time that a place, of that column, stands for.
func (w *where) start(c parley.Condition, place string) {
	for i, v := range c.Values {
		ms := v.Time.UnixMilli()
		first, next := firstPlace(ms), firstPlace(ms+1)
		if i > 0 {
			w.add(" OR ")
		}
		switch c.Op {
		case parley.Less:
			w.add(place+" < ?", first)
		case parley.LessOrEqual:
			w.add(place+" < ?", next)
		case parley.Greater:
			w.add(place+" >= ?", next)
		case parley.GreaterOrEqual:
			w.add(place+" >= ?", first)
		default:
			w.add(place+" >= ? AND "+place+" < ?", first, next)
		}
	}
}

func (w *where) end(c parley.Condition) {
	if c.Op.IsOrder() {
		w.add("i.ended "+c.Op.String()+" ?", c.Values[0].Time.UnixMilli())
		return
	}
	var all []int64
	for _, v := range c.Values {
		all = append(all, v.Time.UnixMilli())
	}
	w.add("i.ended IN (?)", bun.List(all))
}
