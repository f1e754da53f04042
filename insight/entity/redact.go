package entity

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"parley/markup"
)

// The modes of redaction.
const (
	Default     = "default"     // the name in brackets: [EMAIL_ADDRESS]
	Obfuscation = "obfuscation" // one asterisk a character
	Custom      = "custom"      // a replacement by name
)

// A Redaction says how entities are taken out of a text. The zero value is mode Default for all of them.
type Redaction struct {
	Type    string            // Default, Obfuscation or Custom; any other counts as Default, so that nothing stays readable
	Exclude []string          // names that stay as they are
	Custom  map[string]string // for type Custom: replacement by name; the key "default" is the mode for all other names
	Known   []string          // what an earlier redaction may have put in: left as it is, although something is found in it
}

// A Span is a part of a text that an entity was found in, by whomever.
type Span struct {
	Name       string
	Start, End int // in bytes; what is outside the text is ignored, a character that is cut counts whole
}

// Spans are what was found, as spans.
func Spans(found []Found) []Span {
	spans := make([]Span, len(found))
	for i, f := range found {
		spans[i] = Span{f.Name, f.Start, f.End}
	}
	return spans
}

// Apply replaces the spans of a text. Spans that overlap are replaced together, under the name of the one that begins first,
// or is longer if they begin together: no character of any span that is not excluded stays.
func (r Redaction) Apply(text string, spans []Span) string {
	return markup.Apply(text, r.edits(text, r.cuts(text, spans)))
}

// cuts are the spans that are taken out of a text, in order and apart from each other.
func (r Redaction) cuts(text string, spans []Span) []Span {
	cuts := make([]Span, 0, len(spans))
	for _, s := range spans {
		s.Start, s.End = characters(text, max(s.Start, 0), min(s.End, len(text)))
		if s.Start < s.End && !slices.Contains(r.Exclude, s.Name) {
			cuts = append(cuts, s)
		}
	}
	slices.SortStableFunc(cuts, func(a, b Span) int {
		if a.Start != b.Start {
			return a.Start - b.Start
		}
		return b.End - a.End
	})
	merged := cuts[:0]
	for _, cut := range cuts {
		if last := len(merged) - 1; last >= 0 && cut.Start < merged[last].End {
			merged[last].End = max(merged[last].End, cut.End)
			continue
		}
		merged = append(merged, cut)
	}
	return merged
}

func (r Redaction) edits(text string, cuts []Span) []markup.Edit {
	edits := make([]markup.Edit, len(cuts))
	for i, cut := range cuts {
		edits[i] = markup.Edit{Start: cut.Start, End: cut.End, With: r.replacement(cut.Name, text[cut.Start:cut.End])}
	}
	return edits
}

// characters widens start:end to the characters that it cuts. A byte that is not UTF-8 is a character of its own.
func characters(text string, start, end int) (from, to int) {
	from, to = start, end
	for back := 1; back < utf8.UTFMax; back++ {
		if i := start - back; i >= 0 && start < len(text) && i+size(text[i:]) > start {
			from = i
		}
		if i := end - back; i >= 0 && end < len(text) && i+size(text[i:]) > end {
			to = i + size(text[i:])
		}
	}
	return from, to
}

func size(text string) int {
	_, n := utf8.DecodeRuneInString(text)
	return n
}

// rounds bounds Redact. One is enough for what people write; a second and a third are needed when what was replaced had
// hidden something beside it.
const rounds = 8

// Redact finds and replaces what [Find] finds, and again in the result until nothing is found there.
func (r Redaction) Redact(text, language string) string {
	return markup.Apply(text, r.Edits(text, func(text string) []Span { return Spans(Find(text, language)) }))
}

// Edits are what Redact makes of a text with whatever find finds. What was put in is never looked into, whatever it reads like, nor is what
// stands in the text already and is Known: what is found there counts only with something beside it.
func (r Redaction) Edits(text string, find func(text string) []Span) []markup.Edit {
	var cuts []Span
	for range rounds {
		shown := newSeen(r, text, cuts)
		grown := slices.Clone(cuts)
		for _, s := range find(shown.text) {
			if slices.Contains(r.Exclude, s.Name) || r.known(shown.text, s) {
				continue
			}
			if s, ok := shown.origin(s); ok {
				grown = append(grown, s)
			}
		}
		if len(grown) == len(cuts) {
			break
		}
		cuts = r.cuts(text, grown)
	}
	return r.edits(text, cuts)
}

// known says whether a span lies inside of something that is Known.
func (r Redaction) known(text string, s Span) bool {
	for _, k := range r.Known {
		if from, to := max(0, s.End-len(k)), min(len(text), s.Start+len(k)); to-from >= len(k) && strings.Contains(text[from:to], k) {
			return true
		}
	}
	return false
}

// A seen text is what is left of a text, with something in place of what was taken out.
type seen struct {
	text   string
	places []place // in order
}

// A place is where a cut stands in the seen text.
type place struct {
	start, end int
	cut        Span
}

// newSeen takes out cuts. In their place stands what Redact puts there, but the name if that is a text of somebody's own: which is as
// good, and bounded.
func newSeen(r Redaction, text string, cuts []Span) seen {
	if len(cuts) == 0 {
		return seen{text: text}
	}
	if r.Type == Custom {
		r = Redaction{Type: Custom, Custom: map[string]string{Default: r.Custom[Default]}}
	}
	s := seen{places: make([]place, len(cuts))}
	edits := r.edits(text, cuts)
	moved := 0
	for i, e := range edits {
		start := e.Start + moved
		s.places[i] = place{start, start + len(e.With), cuts[i]}
		moved += len(e.With) - (e.End - e.Start)
	}
	s.text = markup.Apply(text, edits)
	return s
}

// origin is a span in the text as it was, with all of each cut that it touches; ok is false if there is nothing in it but cuts.
func (s *seen) origin(of Span) (out Span, ok bool) {
	out = of
	if len(s.places) == 0 {
		return out, true
	}
	moved := func(p *place) int { return p.cut.End - p.end } // of what follows it
	// The last place that begins at or before an offset decides what has moved there.
	before := func(at int) int {
		i, _ := slices.BinarySearchFunc(s.places, at, func(p place, at int) int { return cmp.Compare(p.start, at+1) })
		return i - 1
	}
	first, last := before(of.Start), before(of.End-1)
	covered := 0
	for i := max(first, 0); i <= last; i++ {
		p := &s.places[i]
		covered += max(0, min(p.end, of.End)-max(p.start, of.Start))
	}
	if first >= 0 {
		if p := &s.places[first]; of.Start < p.end {
			out.Start = p.cut.Start
		} else {
			out.Start = of.Start + moved(p)
		}
	}
	if last >= 0 {
		if p := &s.places[last]; of.End <= p.end {
			out.End = p.cut.End
		} else {
			out.End = of.End + moved(p)
		}
	}
	return out, covered < of.End-of.Start
}

func (r Redaction) replacement(name, text string) string {
	mode := r.Type
	if mode == Custom {
		if replacement, ok := r.Custom[name]; ok && name != Default {
			return replacement
		}
		mode = r.Custom[Default]
	}
	if mode == Obfuscation {
		return strings.Repeat("*", utf8.RuneCountInString(text))
	}
	return "[" + name + "]"
}
