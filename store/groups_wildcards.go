package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"unicode/utf8"

	"parley"
)

const (
	// fewValues bounds how many values are looked at for a wildcard.
	fewValues = 4096
	// fewWords bounds how many words and prefixes a wildcard may become: each is compared for every conversation that is found.
	fewWords = 256
)

// wildcardSets are the sets of those whose text fits a pattern; more says that there are others in them. A pattern that only says how
// texts begin is a prefix. Of another one the values are looked up that fit, unless there are too many.
func (t *tx) wildcardSets(ctx context.Context, tenant int64, s parley.Selector, p parley.Pattern) (of []termSet, more bool, err error) {
	begin := p.Parts[0]
	open := strings.Join(p.Parts[1:], "") == ""
	if !open || len(begin) > indexedBytes {
		values, few, err := t.lookUp(ctx, tenant, s, p)
		if err != nil {
			return nil, false, err
		}
		if few {
			if of = t.cover(of, tenant, s, values, begin); len(of) <= fewWords {
				return of, false, nil
			}
			of = nil
		}
	}
	for _, prefix := range t.s.words.prefixes(tenant, s, begin) {
		of = append(of, termSet{kind: beginning, word: prefix})
	}
	return of, !open || len(begin) > spelledBytes, nil
}

// A foundValue is a value of a selector; fits says whether a pattern fits it.
type foundValue struct {
	text string
	fits bool
}

// lookUp finds the values of a selector that begin as a pattern does, in order; few is false if there are too many to say. It steps
// from one value to the next by the index, however many conversations have each.
func (t *tx) lookUp(ctx context.Context, tenant int64, s parley.Selector, p parley.Pattern) (values []foundValue, few bool, err error) {
	prefix := p.Parts[0]
	from := valuesOf(tenant, s)
	w := where{postgres: t.s.dialect.unnest}
	w.add("WITH RECURSIVE v(value, n) AS (SELECT (SELECT min("+from.value+") FROM "+from.rows, from.args...)
	w.add(" AND "+from.value+" >= ?), 1 UNION ALL SELECT (SELECT min("+from.value+") FROM "+from.rows, append([]any{prefix}, from.args...)...)
	w.add(" AND "+from.value+` > v.value), n + 1 FROM v
			WHERE value IS NOT NULL AND substr(value, 1, ?) = ? AND n <= ?
		) SELECT value, CASE WHEN `, utf8.RuneCountInString(prefix), prefix, t.s.few)
	w.text(parley.Condition{Op: parley.Equal, Values: []parley.Pattern{p}}, "value", "")
	w.add(" THEN 1 ELSE 0 END FROM v WHERE value IS NOT NULL ORDER BY n")
	err = query(ctx, t.db, w.String(), w.args, func(rows *sql.Rows) error {
		var text string
		var fits int
		if err := rows.Scan(&text, &fits); err != nil {
			return err
		}
		values = append(values, foundValue{text, fits != 0})
		return nil
	})
	if err != nil {
		return nil, false, fmt.Errorf("look for values: %w", err)
	}
	few = len(values) <= t.s.few
	for len(values) > 0 && !strings.HasPrefix(values[len(values)-1].text, prefix) { // the one at which it stopped
		values = values[:len(values)-1]
	}
	return values, few, nil
}

// cover adds sets that have all values that fit and no others, of values that are all there are of those that begin so: if all fit, that
// is one prefix.
func (t *tx) cover(of []termSet, tenant int64, s parley.Selector, values []foundValue, begin string) []termSet {
	fit := 0
	for _, v := range values {
		if v.fits {
			fit++
		}
	}
	switch {
	case fit == 0 || len(of) > fewWords:
		return of
	case fit > 1 && fit == len(values) && len(begin) <= indexedBytes:
		for _, prefix := range t.s.words.prefixes(tenant, s, begin) {
			of = append(of, termSet{kind: beginning, word: prefix})
		}
		return of
	}
	for i := 0; i < len(values); {
		text := values[i].text
		if text == begin || len(begin) >= indexedBytes {
			if values[i].fits {
				of = append(of, termSet{kind: having, word: t.s.words.word(tenant, s, text)})
			}
			i++
			continue
		}
		_, size := utf8.DecodeRuneInString(text[len(begin):])
		next := text[:len(begin)+size]
		first := i
		for i < len(values) && strings.HasPrefix(values[i].text, next) {
			i++
		}
		of = t.cover(of, tenant, s, values[first:i], next)
	}
	return of
}
