package text

import (
	"github.com/coregx/ahocorasick"
)

// A phraseIndex finds thousands of phrases in one pass over a text, by whole words: Aho-Corasick on the sequence of the
// words. Equal phrases are one pattern.
//
// The library (coregx/ahocorasick: kept, without dependencies, reports overlapping matches) works on bytes with a table row
// for each state. Were it given the words' letters, 25,000 phrases would be a million states. So each distinct word is a
// number, written with a fixed count of digits; a small base keeps the rows short. A match that does not begin at a word's
// first digit is none.
type phraseIndex struct {
	numbers   map[string]int
	width     int                    // digits of a word
	automaton *ahocorasick.Automaton // nil if no phrase has words
	patterns  [][]int32              // the phrases that each pattern stands for, in order
}

// digitBase makes eight classes of bytes with the one that no phrase has, so a state's row is 32 bytes.
const digitBase = 7

// unknownDigit is written for words that no phrase has.
const unknownDigit = 0xff

// newPhraseIndex indexes phrases; one without words is never found.
func newPhraseIndex(phrases [][]Word) *phraseIndex {
	x := &phraseIndex{numbers: map[string]int{}}
	for _, p := range phrases {
		for _, w := range p {
			if _, known := x.numbers[w.Folded]; !known {
				x.numbers[w.Folded] = len(x.numbers)
			}
		}
	}
	for n := len(x.numbers); n > 0; n /= digitBase {
		x.width++
	}
	pattern := map[string]int{}
	builder := ahocorasick.NewBuilder().SetPrefilter(false)
	for i, p := range phrases {
		if len(p) == 0 {
			continue
		}
		digits := x.digits(p)
		n, known := pattern[string(digits)]
		if !known {
			n = len(x.patterns)
			pattern[string(digits)] = n
			x.patterns = append(x.patterns, nil)
			builder.AddPattern(digits)
		}
		x.patterns[n] = append(x.patterns[n], int32(i))
	}
	if len(x.patterns) > 0 {
		x.automaton, _ = builder.Build() // fails only without patterns or with an empty one
	}
	return x
}

// digits writes words as their numbers.
func (x *phraseIndex) digits(words []Word) []byte {
	out := make([]byte, 0, len(words)*x.width)
	for _, w := range words {
		n, known := x.numbers[w.Folded]
		for range x.width {
			digit := byte(unknownDigit)
			if known {
				digit = byte(n % digitBase)
			}
			out = append(out, digit)
			n /= digitBase
		}
	}
	return out
}

// find calls found for every occurrence of every phrase, in the order of the occurrences' ends: words[from:to] is the phrase.
func (x *phraseIndex) find(words []Word, found func(phrase, from, to int)) {
	if x.automaton == nil {
		return
	}
	for _, m := range x.automaton.FindAllOverlapping(x.digits(words)) {
		if m.Start%x.width != 0 {
			continue
		}
		for _, phrase := range x.patterns[m.PatternID] {
			found(int(phrase), m.Start/x.width, m.End/x.width)
		}
	}
}
