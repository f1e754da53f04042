package store

import (
	"context"
	"strings"

	"parley"
)

// Values on one side of a bound are a few sets of values that begin alike: below "customer-5" come those that begin with "customer-0" to
// "customer-4", those that begin with less than "c", and so on. Which of these there are is looked up in the index of values, step by
// step, however many values begin so. Numbers are in the order of words that spell what they are (wordCipher.figure).

// branches bounds into how many sets a range is taken apart. What is left of it then is decided row by row; a bound of random digits has
// some 1/4000 of the values left, or fewer.
const branches = 24

// A span is a set of values: that of the word; or if open, of all words that begin so, except one.
type span struct {
	word    string
	open    bool
	except  string // "" = none
	grouped bool   // the words that begin so have one in common: wordCipher.group
}

func (s span) set() termSet {
	if !s.open {
		return termSet{kind: having, word: s.word}
	}
	begins := termSet{kind: beginning, word: s.word}
	if s.grouped {
		begins = termSet{kind: having, word: groupOf(s.word)}
	}
	if s.except == "" {
		return begins
	}
	return termSet{kind: intersection, of: []termSet{begins, {kind: complement, of: []termSet{{kind: having, word: s.except}}}}}
}

// meet is what two spans have in common; ok is false if that is nothing.
func (s span) meet(other span) (_ span, ok bool) {
	if len(s.word) < len(other.word) || s.open && !other.open {
		s, other = other, s
	}
	if inside := s.word == other.word || other.open && strings.HasPrefix(s.word, other.word); !inside {
		return span{}, false
	}
	switch {
	case !s.open:
		return s, s.word != other.except
	case s.except == "" && strings.HasPrefix(other.except, s.word):
		s.except = other.except
	}
	return s, true // of two exceptions one is left: see valueRange.more
}

// A valueRange are the values of a metadata key, or of what else a selector finds, on one side of a bound, or between two; more says that others may be among them.
type valueRange struct {
	selector parley.Selector
	numeric  bool // the bound is a number, so that numbers are not compared as texts
	spans    []span
	more     bool
}

// meets says whether ranges can be told apart by their words: numbers have one as numbers and another one as texts.
func (r valueRange) meets(other valueRange) bool {
	return r.selector == other.selector && r.numeric == other.numeric
}

// meet is the range of what two have in common.
func (r valueRange) meet(other valueRange) valueRange {
	both := valueRange{selector: r.selector, numeric: r.numeric, more: r.more || other.more}
	for _, a := range r.spans {
		for _, b := range other.spans {
			if s, ok := a.meet(b); ok {
				both.spans = append(both.spans, s)
				both.more = both.more || a.except != "" && b.except != "" && a.except != b.except
			}
		}
	}
	return both
}

// rangeSet is the set of those with a value in a range.
func (t *tx) rangeSet(tenant int64, r valueRange) termSet {
	set := termSet{kind: union, more: r.more}
	for _, s := range r.spans {
		set.of = append(set.of, s.set())
	}
	if len(set.of) == 0 {
		set.of = []termSet{t.nobody(tenant)}
	}
	return set
}

// hasRange says whether comparisons by order with what a selector finds are ranges of words. Starts bound places instead, and there is hardly
// more than one type.
func hasRange(s parley.Selector) bool {
	return s.Kind != parley.SelectStart && s.Kind != parley.SelectType
}

// orderRange is the range of a comparison by order.
func (t *tx) orderRange(ctx context.Context, tenant int64, c parley.Condition) (valueRange, error) {
	switch c.Selector.Kind {
	case parley.SelectID:
		return t.idRange(ctx, tenant, c)
	case parley.SelectEnd:
		return t.endRange(tenant, c), nil
	case parley.SelectName:
		return t.nameRange(ctx, tenant, c)
	default:
		return t.valueRange(ctx, tenant, c)
	}
}

// nameRange is the range of a comparison of names: of those that were given, and of the numbers that are shown where none was.
func (t *tx) nameRange(ctx context.Context, tenant int64, c parley.Condition) (valueRange, error) {
	r, err := t.valueRange(ctx, tenant, c)
	if err != nil {
		return r, err
	}
	least, most, err := t.numbers(ctx, tenant)
	if some, all := fitNumbers(c, least, most); some {
		r.spans = append(r.spans, span{word: t.withoutName(tenant).word})
		r.more = r.more || !all
	}
	return r, err
}

// valueRange is the range of a comparison by order with a metadata key, labels, or names that were given.
func (t *tx) valueRange(ctx context.Context, tenant int64, c parley.Condition) (valueRange, error) {
	r := ranging{tx: t, ctx: ctx, tenant: tenant, s: c.Selector, op: c.Op, values: valuesOf(tenant, c.Selector), found: valueRange{selector: c.Selector}}
	text := c.Values[0].Text()
	err := r.find(text)
	for i, s := range r.found.spans {
		if s.except != "" && c.Selector.Kind == parley.SelectLabel { // who has the exception may have another one of the span, too
			r.found.spans[i].except, r.found.more = "", true
		}
	}
	return r.found, err
}
