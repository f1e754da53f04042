package criteria

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"parley"
)

// Match says whether a condition fits what is known about a conversation.
func Match(c parley.Condition, facts parley.Insight) bool {
	fits := func(c parley.Condition) bool { return Match(c, facts) }
	switch {
	case c.All != nil:
		return !slices.ContainsFunc(c.All, func(c parley.Condition) bool { return !fits(c) })
	case c.Any != nil:
		return slices.ContainsFunc(c.Any, fits)
	case c.Selector.Kind == parley.SelectStart:
		return matchTime(c, facts.Started)
	case c.Selector.Kind == parley.SelectEnd:
		return matchTime(c, facts.Ended)
	}
	// One text that fits is enough; where the operator negates, one that is equal spoils it.
	found := slices.ContainsFunc(texts(c.Selector, facts), func(text string) bool { return matchText(c, text) })
	return found != c.Op.Negates()
}

// texts are what a selector finds.
func texts(s parley.Selector, facts parley.Insight) []string {
	number := facts.Number.String()
	switch s.Kind {
	case parley.SelectMetadata:
		if value, ok := facts.Metadata[s.Name]; ok {
			return []string{value}
		}
	case parley.SelectID:
		return []string{number}
	case parley.SelectName:
		return []string{cmp.Or(facts.Name, number)}
	case parley.SelectType:
		return []string{facts.Type}
	case parley.SelectLabel:
		return facts.Labels
	}
	return nil
}

// matchText compares one text, as if a negating operator did not negate.
func matchText(c parley.Condition, text string) bool {
	if c.Op.IsOrder() {
		return c.Op.Holds(parley.CompareTexts(text, c.Values[0].Text()))
	}
	return slices.ContainsFunc(c.Values, func(p parley.Pattern) bool { return fits(p, text) })
}

func matchTime(c parley.Condition, t time.Time) bool {
	if c.Op.IsOrder() {
		return c.Op.Holds(t.Compare(c.Values[0].Time))
	}
	return slices.ContainsFunc(c.Values, func(p parley.Pattern) bool { return p.Time.Equal(t) }) != c.Op.Negates()
}

// fits says whether a text is the pattern's first part, then the others in order with anything before each, the last one
// at its end.
func fits(p parley.Pattern, text string) bool {
	first, rest := p.Parts[0], p.Parts[1:]
	text, ok := strings.CutPrefix(text, first)
	if !ok || len(rest) == 0 {
		return ok && text == ""
	}
	last := len(rest) - 1
	for _, part := range rest[:last] {
		if _, text, ok = strings.Cut(text, part); !ok {
			return false
		}
	}
	return strings.HasSuffix(text, rest[last])
}
