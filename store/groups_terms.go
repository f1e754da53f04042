package store

import (
	"context"
	"slices"
	"strings"

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
	var ranges []valueRange
	add := func(part termSet) {
		set.more = set.more || part.more
		if part.kind == set.kind {
			set.of = append(set.of, part.of...)
		} else {
			set.of = append(set.of, part)
		}
	}
	for _, c := range parts {
		if set.kind == intersection && c.Op.IsOrder() && hasRange(c.Selector) && c.Selector.Kind != parley.SelectLabel { // one label may be above, another below
			r, err := t.orderRange(ctx, tenant, c)
			if err != nil {
				return set, err
			}
			i := slices.IndexFunc(ranges, r.meets)
			if i < 0 {
				ranges = append(ranges, r)
			} else { // between two bounds
				ranges[i] = ranges[i].meet(r)
			}
			continue
		}
		part, err := t.termSet(ctx, tenant, c)
		switch {
		case err != nil:
			return part, err
		case part.kind != everybody:
			add(part)
		case set.kind == union:
			return termSet{more: true}, nil
		}
		set.more = set.more || part.more
	}
	for _, r := range ranges {
		add(t.rangeSet(tenant, r))
	}
	if len(set.of) == 0 {
		set.kind = everybody
	}
	return set, nil
}

// comparedSet is the set of a comparison. Starts are what places are in order of, and are no terms.
func (t *tx) comparedSet(ctx context.Context, tenant int64, c parley.Condition) (termSet, error) {
	nothing := termSet{more: true}
	switch kind := c.Selector.Kind; {
	case c.Op.IsOrder() && hasRange(c.Selector):
		r, err := t.orderRange(ctx, tenant, c)
		return t.rangeSet(tenant, r), err
	case kind == parley.SelectEnd && !c.Op.Negates():
		return t.rangeSet(tenant, t.endRange(tenant, c)), nil
	case kind == parley.SelectID, kind == parley.SelectStart, kind == parley.SelectEnd, c.Op.IsOrder():
		return nothing, nil
	}
	set := termSet{kind: union}
	for _, v := range c.Values {
		if c.Selector.Kind == parley.SelectName && strings.Trim(strings.Join(v.Parts, ""), "0123456789") == "" { // it may be the number of a conversation without a name
			set.of = append(set.of, t.withoutName(tenant))
			set.more = set.more || strings.Join(v.Parts, "") != "" || !v.HasStar()
		}
		if !v.HasStar() {
			set.of = append(set.of, termSet{kind: having, word: t.s.words.word(tenant, c.Selector, v.Text())})
			continue
		}
		of, more, err := t.wildcardSets(ctx, tenant, c.Selector, v)
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

// withoutName is the set of those that are shown with their number as a name.
func (t *tx) withoutName(tenant int64) termSet {
	return termSet{kind: having, word: t.s.words.word(tenant, unnamed, "")}
}

// nobody is a set of a word that nobody has.
func (t *tx) nobody(tenant int64) termSet {
	return termSet{kind: having, word: t.s.words.word(tenant, parley.Selector{}, "nobody")}
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
