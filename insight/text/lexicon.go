package text

import (
	"cmp"
	"slices"
)

// A Lexicon finds every occurrence of its phrases, by the words alone and without any similarity; it is what custom entities
// are made of. It is immutable and safe for concurrent use.
type Lexicon struct {
	index *phraseIndex
	empty bool
}

// An Occurrence is one place where a phrase stands.
type Occurrence struct {
	Phrase     int // index of the phrase as it was given to NewLexicon
	Start, End int // in bytes of the message
}

// NewLexicon prepares phrases. Ones without words are never found.
func NewLexicon(phrases []string) *Lexicon {
	all := make([][]Word, len(phrases))
	for i, p := range phrases {
		all[i] = Words(p)
	}
	return &Lexicon{newPhraseIndex(all), len(all) == 0}
}

// Find gives every occurrence, also those that overlap, in the order in which they begin; of those that begin together the
// longer first.
func (l *Lexicon) Find(message string) []Occurrence {
	if l.empty {
		return nil
	}
	var found []Occurrence
	words := Words(message)
	l.index.find(words, func(phrase, from, to int) {
		found = append(found, Occurrence{phrase, words[from].Start, words[to-1].End})
	})
	slices.SortFunc(found, func(a, b Occurrence) int {
		return cmp.Or(a.Start-b.Start, b.End-a.End, a.Phrase-b.Phrase)
	})
	return found
}
