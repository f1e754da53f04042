package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"unicode/utf8"

	"parley"
)

// A termSet is a set of conversations that can be told by terms.
type termSet struct {
	kind setKind
	word string
	of   []termSet
	more bool // some in it may not fit the condition that it was made of
}

type setKind uint8

const (
	everybody    setKind = iota // of the tenant
	having                      // the word
	beginning                   // having a word with the prefix
	union                       // of sets
	intersection                // of sets
	complement                  // of one set
)

// termSet is the smallest set of all conversations that fit a condition, as far as terms tell.
func (t *tx) termSet(ctx context.Context, tenant int64, c parley.Condition) (termSet, error) {
	set, parts := termSet{kind: intersection}, c.All
	if c.Any != nil {
		set.kind, parts = union, c.Any
	}
	if parts == nil {
		return t.comparedSet(ctx, tenant, c)
	}
	for _, c := range parts {
		part, err := t.termSet(ctx, tenant, c)
		if err != nil {
			return part, err
		}
		set.more = set.more || part.more
		switch {
		case part.kind == set.kind:
			set.of = append(set.of, part.of...)
		case part.kind != everybody:
			set.of = append(set.of, part)
		case set.kind == union:
			return termSet{more: true}, nil
		}
	}
	if len(set.of) == 0 {
		set.kind = everybody
	}
	return set, nil
}

// comparedSet is the set of a comparison. What changes with every message has no terms, and what is a number of its own neither.
func (t *tx) comparedSet(ctx context.Context, tenant int64, c parley.Condition) (termSet, error) {
	nothing := termSet{more: true}
	switch kind := c.Selector.Kind; {
	case kind == parley.SelectID, kind == parley.SelectStart, kind == parley.SelectEnd:
		return nothing, nil
	case c.Op.IsOrder():
		return t.orderedSet(ctx, tenant, c)
	}
	set := termSet{kind: union}
	for _, v := range c.Values {
		if c.Selector.Kind == parley.SelectName && strings.Trim(v.Parts[0], "0123456789") == "" {
			return nothing, nil // it may be the number of a conversation without a name, for which there is no term
		}
		if !v.HasStar() {
			set.of = append(set.of, termSet{kind: having, word: t.s.words.word(tenant, c.Selector, v.Text())})
			continue
		}
		of, more, err := t.fittingSets(ctx, tenant, c.Selector, v)
		if err != nil {
			return nothing, err
		}
		set.of = append(set.of, of...)
		set.more = set.more || more
	}
	if len(set.of) == 0 {
		set.of = []termSet{t.nobody(tenant)}
	}
	switch {
	case c.Op.Negates() && set.more: // what is too much, taken away, leaves too few
		return nothing, nil
	case c.Op.Negates():
		return termSet{kind: complement, of: []termSet{set}}, nil
	}
	return set, nil
}

// nobody is a set of a word that nobody has.
func (t *tx) nobody(tenant int64) termSet {
	return termSet{kind: having, word: t.s.words.word(tenant, parley.Selector{}, "nobody")}
}

// orderedSet is the set of those with a value on one side of another. The values are looked up, unless there are too many: words have
// no order.
func (t *tx) orderedSet(ctx context.Context, tenant int64, c parley.Condition) (termSet, error) {
	values, few, err := t.fitting(ctx, tenant, c.Selector, parley.Pattern{Parts: []string{"", ""}})
	if err != nil || !few {
		return termSet{more: true}, err
	}
	set := termSet{kind: union}
	for _, value := range values {
		if c.Op.Holds(parley.CompareTexts(value, c.Values[0].Text())) {
			set.of = append(set.of, termSet{kind: having, word: t.s.words.word(tenant, c.Selector, value)})
		}
	}
	if len(set.of) == 0 {
		set.of = []termSet{t.nobody(tenant)}
	}
	return set, nil
}

// fittingSets are the sets of those whose text fits a pattern; more says that there are others in them. A pattern that only says how
// texts begin is a prefix. Of another one the values are looked up that fit, unless there are too many.
func (t *tx) fittingSets(ctx context.Context, tenant int64, s parley.Selector, p parley.Pattern) (of []termSet, more bool, err error) {
	begin := p.Parts[0]
	begins := termSet{kind: beginning, word: t.s.words.prefix(tenant, s, begin)}
	open := strings.Join(p.Parts[1:], "") == ""
	if open && len(begin) <= indexedBytes {
		return []termSet{begins}, false, nil
	}
	values, few, err := t.fitting(ctx, tenant, s, p)
	if err != nil || !few {
		return []termSet{begins}, !open || len(begin) > spelledBytes, err
	}
	for _, value := range values {
		of = append(of, termSet{kind: having, word: t.s.words.word(tenant, s, value)})
	}
	return of, false, nil
}

// fewValues bounds how many values of a metadata key are looked at, and how many words a wildcard may become.
const fewValues = 256

// fitting are the values of a metadata key that fit a pattern; few is false if there are too many to say, or no metadata is
// meant. It steps from one value to the next by the index, however many conversations have each.
func (t *tx) fitting(ctx context.Context, tenant int64, s parley.Selector, p parley.Pattern) (values []string, few bool, err error) {
	if s.Kind != parley.SelectMetadata {
		return nil, false, nil
	}
	prefix := p.Parts[0]
	w := where{postgres: t.s.dialect.unnest}
	w.add(`WITH RECURSIVE v(value, n) AS (
			SELECT (SELECT min(value) FROM conversation_metadata WHERE tenant = ? AND name = ? AND value >= ?), 1
		UNION ALL
			SELECT (SELECT min(m.value) FROM conversation_metadata AS m WHERE m.tenant = ? AND m.name = ? AND m.value > v.value), n + 1 FROM v
			WHERE value IS NOT NULL AND substr(value, 1, ?) = ? AND n <= ?
		) SELECT value, CASE WHEN `, tenant, s.Name, prefix, tenant, s.Name, utf8.RuneCountInString(prefix), prefix, fewValues)
	w.text(parley.Condition{Op: parley.Equal, Values: []parley.Pattern{p}}, "value", "")
	w.add(" THEN 1 ELSE 0 END FROM v WHERE value IS NOT NULL")
	seen := 0
	err = query(ctx, t.db, w.String(), w.args, func(rows *sql.Rows) error {
		var value string
		var fits int
		if err := rows.Scan(&value, &fits); err != nil {
			return err
		}
		if seen++; fits != 0 {
			values = append(values, value)
		}
		return nil
	})
	if err != nil {
		return nil, false, fmt.Errorf("look for values: %w", err)
	}
	return values, seen <= fewValues, nil
}

// A termSyntax is how a database writes operations on sets; without is between two, the second of which is taken away, and star is
// behind a prefix.
type termSyntax struct{ and, or, without, star string }

var (
	fts5Syntax    = termSyntax{" AND ", " OR ", " NOT ", "*"}
	tsquerySyntax = termSyntax{" & ", " | ", " & !", ":*"}
)

// text is a set in a database's syntax: words and signs alone. all is the word of everybody.
func (s termSet) text(x termSyntax, all string) string {
	switch s.kind {
	case having:
		return s.word
	case beginning:
		return s.word + x.star
	case union:
		return s.joined(x.or, x, all)
	case complement:
		return "(" + all + x.without + s.of[0].text(x, all) + ")"
	case intersection: // what is taken away is taken from the others, not from everybody
		in, out := termSet{}, termSet{}
		for _, part := range s.of {
			if part.kind == complement {
				out.of = append(out.of, part.of[0])
			} else {
				in.of = append(in.of, part)
			}
		}
		switch {
		case out.of == nil:
			return in.joined(x.and, x, all)
		case in.of == nil:
			in.of = []termSet{{kind: everybody}}
		}
		return "(" + in.joined(x.and, x, all) + x.without + out.joined(x.or, x, all) + ")"
	default:
		return all
	}
}

func (s termSet) joined(sign string, x termSyntax, all string) string {
	texts := make([]string, len(s.of))
	for i, part := range s.of {
		texts[i] = part.text(x, all)
	}
	if len(texts) == 1 {
		return texts[0]
	}
	return "(" + strings.Join(texts, sign) + ")"
}
