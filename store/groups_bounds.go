package store

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"

	"parley"
)

// A ranging is a range in the making.
type ranging struct {
	*tx
	ctx    context.Context
	tenant int64
	s      parley.Selector
	op     parley.Operator
	values values // of s
	found  valueRange
}

func (r *ranging) below() bool { return r.op == parley.Less || r.op == parley.LessOrEqual }

func (r *ranging) equal() bool { return r.op == parley.LessOrEqual || r.op == parley.GreaterOrEqual }

func (r *ranging) add(spans ...span) { r.found.spans = append(r.found.spans, spans...) }

// find finds the values on the side of a bound.
func (r *ranging) find(bound string) error {
	if f := figure(bound); f != nil {
		r.found.numeric = true
		if err := r.figures(*f); err != nil {
			return err
		}
		if others, err := r.others(); err != nil || !others {
			return err
		}
	}
	return r.texts(bound)
}

// block ends a range with the values that begin like the bound: all, unless the range ends within them.
func (r *ranging) block(prefixes []string, within bool) {
	for _, prefix := range prefixes {
		r.add(span{word: prefix, open: true})
	}
	r.found.more = r.found.more || within
}

// others says whether there may be values that are no numbers.
func (r *ranging) others() (bool, error) {
	var least, most sql.NullString
	v := r.values
	err := r.db.NewRaw("SELECT (SELECT min("+v.value+") FROM "+v.rows+"), (SELECT max("+v.value+") FROM "+v.rows+")", slices.Concat(v.args, v.args)...).Scan(r.ctx, &least, &most)
	if err != nil || !least.Valid {
		return false, err
	}
	for _, value := range []string{least.String, most.String} {
		if _, number := parley.Figure(value); !number {
			return true, nil
		}
	}
	word := termSet{kind: beginning, word: r.tx.s.words.prefix(r.tenant, r.s, "")}
	text, arg := "SELECT 1 FROM insight_terms WHERE insight_terms MATCH ? LIMIT 1", word.text(fts5Syntax, "")
	if r.tx.s.dialect.unnest {
		text, arg = "SELECT 1 FROM insight_terms WHERE terms @@ ?::tsquery LIMIT 1", word.text(tsquerySyntax, "")
	}
	none, err := r.free(r.ctx, text, arg)
	return !none, err
}

// figures finds numbers.
func (r *ranging) figures(bound int64) error {
	next, err := r.nextFigures(bound)
	if err != nil {
		return err
	}
	word := r.tx.s.words.figure(r.tenant, r.s, bound)
	begin := func(figure int64, n int, except string) span {
		return span{word: r.tx.s.words.prefix(r.tenant, figureTexts(r.s), figureText(figure)[:n]), open: true, except: except,
			grouped: n > 0 && n <= groupDigits && r.tx.s.dialect.unnest}
	}
	for n := range figureDigits {
		rest := int64(-1)
		if n > 0 {
			rest = int64(1)<<(4*(figureDigits-n)) - 1
		}
		first, last := n > 0 && bound&rest == 0, n > 0 && bound&rest == rest // of all that begin so
		switch {
		case first && r.op == parley.Less, last && r.op == parley.Greater:
			return nil
		case first && r.op == parley.LessOrEqual, last && r.op == parley.GreaterOrEqual:
			r.add(span{word: word})
			return nil
		case first && r.op == parley.GreaterOrEqual, last && r.op == parley.LessOrEqual:
			r.add(begin(bound, n, ""))
			return nil
		case first, last:
			r.add(begin(bound, n, word))
			return nil
		case len(r.found.spans)+len(next[n]) > branches:
			r.add(begin(bound, n, ""))
			r.found.more = true
			return nil
		}
		for _, figure := range next[n] {
			r.add(begin(figure, n+1, ""))
		}
	}
	if r.equal() {
		r.add(span{word: word})
	}
	return nil
}

// nextFigures are, for each number of digits of the bound, a number of each digit that follows these and lies in the range.
func (r *ranging) nextFigures(bound int64) ([][]int64, error) {
	next := make([][]int64, figureDigits)
	w := where{}
	w.add("WITH RECURSIVE levels(n, mask, low, high) AS (")
	levels := 0
	for n := range figureDigits {
		mask := int64(1)<<(4*(figureDigits-1-n)) - 1 // of the digits behind digit n
		low, high := int64(math.MinInt64), int64(math.MaxInt64)
		if n > 0 {
			low, high = bound&^(mask<<4|15), bound|mask<<4|15
		}
		smaller, greater := bound&^mask, bound|mask // what begins with the digit, too, is from smaller to greater
		switch {
		case r.below() && smaller == low, !r.below() && greater == high:
			continue // no digit is on that side
		case r.below():
			high = smaller - 1
		default:
			low = greater + 1
		}
		if levels++; levels > 1 {
			w.add(" UNION ALL ")
		}
		w.add("SELECT ?, CAST(? AS BIGINT), CAST(? AS BIGINT), CAST(? AS BIGINT)", n, mask, low, high)
	}
	if levels == 0 {
		return next, nil
	}
	w.add(`), found(n, mask, high, figure, seen) AS (
			SELECT n, mask, high, (SELECT min(m.figure) FROM `+r.values.rows+` AND m.figure >= levels.low AND m.figure <= levels.high), 1 FROM levels
		UNION ALL
			SELECT n, mask, high, (SELECT min(m.figure) FROM `+r.values.rows+` AND m.figure > (found.figure | found.mask) AND m.figure <= found.high), seen + 1
			FROM found WHERE figure IS NOT NULL AND seen <= ?
		) SELECT n, figure FROM found WHERE figure IS NOT NULL`, append(slices.Concat(r.values.args, r.values.args), branches)...)
	err := query(r.ctx, r.db, w.String(), w.args, func(rows *sql.Rows) error {
		var n int
		var figure int64
		if err := rows.Scan(&n, &figure); err != nil {
			return err
		}
		next[n] = append(next[n], figure)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for numbers: %w", err)
	}
	return next, nil
}

// last is no character; what begins as a text and goes on with less comes before the text with it.
const last = "\U0010FFFF"

// texts finds texts, without numbers if the bound is one.
func (r *ranging) texts(bound string) error {
	chars := []rune(bound)
	depth := 0 // how many characters of the bound are looked at
	for size := 0; depth < len(chars) && size+utf8.UTFMax <= indexedBytes; depth++ {
		size += utf8.RuneLen(chars[depth])
	}
	next, err := r.nextTexts(chars, depth)
	if err != nil {
		return err
	}
	before := len(r.found.spans)
	for n := range depth {
		begin := string(chars[:n])
		if len(r.found.spans)-before+len(next[n]) > branches {
			r.block(r.begins(begin), true)
			return nil
		}
		for _, text := range next[n] {
			switch text {
			case begin:
				r.word(text)
			case string(chars[:n+1]): // goes on with what is not below last
			default:
				r.block(r.begins(text), false)
			}
		}
	}
	switch begin := string(chars[:depth]); {
	case depth < len(chars):
		r.block(r.begins(begin), true)
	case r.below():
		if r.equal() {
			r.word(bound)
		}
	case r.equal() || r.found.numeric:
		r.block(r.begins(begin), false)
	default:
		for _, prefix := range r.begins(begin) {
			r.add(span{word: prefix, open: true, except: r.tx.s.words.word(r.tenant, r.s, bound)})
		}
	}
	return nil
}

// word adds those with a text.
func (r *ranging) word(text string) {
	if _, number := parley.Figure(text); !number || !r.found.numeric {
		r.add(span{word: r.tx.s.words.word(r.tenant, r.s, text)})
	}
}

// begins are the prefixes of all texts that begin so.
func (r *ranging) begins(text string) []string {
	prefixes := r.tx.s.words.prefixes(r.tenant, r.s, text)
	if r.found.numeric {
		return prefixes[:1]
	}
	return prefixes
}

// nextTexts are, for each number of characters of the bound, how the values begin, one character further, that have these and lie in the
// range; and for those below it the characters alone, if they are a value. There may be too many to say: then they are more than branches.
func (r *ranging) nextTexts(chars []rune, depth int) ([][]string, error) {
	next := make([][]string, depth)
	if depth == 0 {
		return next, nil
	}
	v := r.values
	w := where{}
	w.add("WITH RECURSIVE levels(n, base, low, high) AS (")
	for n := range depth {
		if n > 0 {
			w.add(" UNION ALL ")
		}
		begin, end := string(chars[:n]), string(chars[:n+1])
		low, high := begin, end
		if !r.below() {
			low, high = end+last, ""
		}
		w.add("SELECT ?, CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS TEXT)", n, begin, low, high)
	}
	w.add(`), found(n, base, high, value, seen) AS (
			SELECT n, base, high, (SELECT min(`+v.value+`) FROM `+v.rows+` AND `+v.value+` >= levels.low`, v.args...)
	if r.below() {
		w.and(v.value + " < levels.high")
	}
	w.add(`), 1 FROM levels
		UNION ALL
			SELECT n, base, high, (SELECT min(`+v.value+`) FROM `+v.rows+` AND `+v.value+` >
				CASE WHEN found.value = found.base OR substr(found.value, 1, found.n + 1) || ? < found.value THEN found.value ELSE substr(found.value, 1, found.n + 1) || ? END`,
		append(slices.Clone(v.args), last, last)...)
	if r.below() {
		w.and(v.value + " < found.high")
	}
	w.add(`), seen + 1
			FROM found WHERE value IS NOT NULL AND seen <= ? AND substr(value, 1, n) = base
		) SELECT n, substr(value, 1, n + 1) FROM found WHERE value IS NOT NULL AND substr(value, 1, n) = base`, branches)
	err := query(r.ctx, r.db, w.String(), w.args, func(rows *sql.Rows) error {
		var n int
		var text string
		if err := rows.Scan(&n, &text); err != nil {
			return err
		}
		next[n] = append(next[n], text)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for values: %w", err)
	}
	return next, nil
}
