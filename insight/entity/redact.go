package entity

import (
	"slices"
	"strings"
	"unicode/utf8"
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
	var b strings.Builder
	at := 0
	for i := 0; i < len(cuts); {
		cut := cuts[i]
		for i++; i < len(cuts) && cuts[i].Start < cut.End; i++ {
			cut.End = max(cut.End, cuts[i].End)
		}
		b.WriteString(text[at:cut.Start])
		b.WriteString(r.replacement(cut.Name, text[cut.Start:cut.End]))
		at = cut.End
	}
	b.WriteString(text[at:])
	return b.String()
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
	for range rounds {
		next := r.Apply(text, Spans(Find(text, language)))
		if next == text {
			break
		}
		text = next
	}
	return text
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
