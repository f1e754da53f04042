package flow

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"parley"
	found "parley/insight/entity"
	"parley/insight/text"
)

// An entity is something that may be in an input: words of a list, what agrees with a pattern, or a built-in one.
type entity struct {
	name    string
	lexicon *text.Lexicon
	values  []string // of the lexicon's phrases
	pattern *regexp.Regexp
	builtIn string // a name of package insight/entity
}

// builtIns are the entities that need no description.
var builtIns = map[string]string{"date": found.Date, "time": found.Time, "number": found.Number, "email": found.EmailAddress,
	"phone": found.PhoneNumber, "url": found.URL}

const (
	// MaxUnderstood is how much of an input is looked at, in bytes.
	MaxUnderstood = 16 << 10
	maxFound      = 50 // entities of an input
)

// Entities finds those of an input, in order. Locale says how dates are written there, and telephone numbers dialled.
func (f *Flow) Entities(input, locale string) []parley.NLPEntity {
	input = clip(input)
	var all []parley.NLPEntity
	var built []found.Found
	add := func(name, value string, start, end int) {
		all = append(all, parley.NLPEntity{Name: name, Value: value, Original: input[start:end], Start: start, End: end})
	}
	for i := range f.entities {
		switch e := &f.entities[i]; {
		case e.lexicon != nil:
			end := 0
			for _, o := range e.lexicon.Find(input) {
				if o.Start >= end { // the longest of those that begin together comes first
					add(e.name, e.values[o.Phrase], o.Start, o.End)
					end = o.End
				}
			}
		case e.pattern != nil:
			for _, m := range e.pattern.FindAllStringSubmatchIndex(input, maxFound) {
				switch {
				case len(m) > 2 && m[2] >= 0 && m[2] < m[3]: // the first group is what counts
					add(e.name, input[m[2]:m[3]], m[0], m[1])
				case m[0] < m[1]:
					add(e.name, input[m[0]:m[1]], m[0], m[1])
				}
			}
		default:
			if built == nil {
				built = found.Find(input, locale)
			}
			for _, b := range built {
				if b.Name == e.builtIn {
					add(e.name, b.Value, b.Start, b.End)
				}
			}
		}
	}
	slices.SortStableFunc(all, func(a, b parley.NLPEntity) int { return cmp.Or(a.Start-b.Start, b.End-a.End) })
	all = all[:min(len(all), maxFound)]
	inCharacters(input, all)
	return all
}

// inCharacters turns places in bytes into places in characters. Entities are in order of their start.
func inCharacters(input string, all []parley.NLPEntity) {
	at, characters := 0, 0
	for i := range all {
		characters += utf8.RuneCountInString(input[at:all[i].Start])
		at = all[i].Start
		all[i].End = characters + utf8.RuneCountInString(input[at:all[i].End])
		all[i].Start = characters
	}
}

// clip is as much of an input as is looked at, in whole characters.
func clip(s string) string {
	if len(s) <= MaxUnderstood {
		return s
	}
	return strings.ToValidUTF8(s[:MaxUnderstood], "")
}

// Accept says whether an answer to a question will do, and what is kept of it.
func (a *Ask) Accept(f *Flow, input, locale string) (value string, ok bool) {
	input = strings.TrimSpace(clip(input))
	if input == "" {
		return "", false
	}
	if a.Entity != "" {
		for _, e := range f.Entities(input, locale) {
			if e.Name == a.Entity {
				return e.Value, true
			}
		}
		return "", false
	}
	switch a.Type {
	case "DATE":
		return first(input, locale, found.Date, func(v string) bool { return !strings.HasPrefix(v, "--") }) // a year is part of it
	case "HOUR":
		return first(input, locale, found.Time, func(string) bool { return true })
	}
	return input, a.pattern == nil || a.pattern.MatchString(input)
}

// first is the first built-in entity of a kind that will do.
func first(input, locale, name string, will func(string) bool) (string, bool) {
	for _, e := range found.Find(input, locale) {
		if e.Name == name && will(e.Value) {
			return e.Value, true
		}
	}
	return "", false
}
