package store

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"parley"
)

// Conversations are found by words: each text that they can be compared with becomes one, and the words are kept in a full-text index,
// which intersects, joins and subtracts long lists of conversations quicker than anything that reads rows (docs/performance.md). SQLite
// has FTS5 for it, PostgreSQL a GIN index over a tsvector.
//
// A word is the hash of tenant and selector, then the first bytes of the text, enciphered one by one, then its end. Texts that begin
// alike have words that begin alike, and only they, so that a wildcard is looked up as a prefix. Longer texts end with a hash.
//
// Values of metadata that are numbers are in the order of numbers when they are compared with one, and in that of texts otherwise. They have
// two words: that of the text, as if it were of another selector, and one that begins alike for numbers that lie together (groups_ranges.go).
// So have names and labels. Of ids and ends the first digits are words (groups_digits.go).

// A wordCipher makes words. Both indexes keep words of what was removed for a while, hence its secret; it is one of the database.
type wordCipher []byte

const (
	selectorChars = 10 // of a word
	spelledBytes  = 32 // of a text; two characters of a word each
	// indexedBytes is how much of a text SQLite has prefixes of (migration 0042). Beyond that it merges the lists of all words with a prefix.
	indexedBytes = 16
	// figureDigits are the hexadecimal digits of a number.
	figureDigits = 16
	// groupDigits is how many of a number's first digits have words of their own.
	groupDigits = 6
	// numbersKind and figuresKind are added to the kind of a selector: its texts that are numbers have words of their own, and the numbers, too.
	numbersKind, figuresKind parley.SelectorKind = 64, 128
)

// hasNumbers says whether texts that a selector finds are numbers when they are compared with one. Types are none: they are "meeting".
func hasNumbers(s parley.Selector) bool {
	return s.Kind == parley.SelectMetadata || s.Kind == parley.SelectName || s.Kind == parley.SelectLabel
}

// unnamed finds conversations that are shown with their number as a name; they have its empty text.
var unnamed = parley.Selector{Kind: parley.SelectName, Name: "unnamed"}

func numberTexts(s parley.Selector) parley.Selector {
	return parley.Selector{Kind: s.Kind + numbersKind, Name: s.Name}
}

func figureTexts(s parley.Selector) parley.Selector {
	return parley.Selector{Kind: s.Kind + figuresKind, Name: s.Name}
}

// word is the one of a text that a selector finds; the zero selector has one for the tenant.
func (k wordCipher) word(tenant int64, s parley.Selector, text string) string {
	if _, ok := parley.Figure(text); ok && hasNumbers(s) {
		s = numberTexts(s)
	}
	return k.spelled(tenant, s, text)
}

// figure is the word of a number that a key of metadata has as its value.
func (k wordCipher) figure(tenant int64, s parley.Selector, figure int64) string {
	return k.spelled(tenant, figureTexts(s), figureText(figure))
}

// figureText has a character for each hexadecimal digit, so that the index has prefixes of any number of them.
func figureText(figure int64) string {
	digits := make([]byte, figureDigits)
	rest := uint64(figure)
	for i := range digits {
		digits[len(digits)-1-i] = byte(rest & 15)
		rest >>= 4
	}
	return string(digits)
}

func (k wordCipher) spelled(tenant int64, s parley.Selector, text string) string {
	begin := k.prefix(tenant, s, text)
	if len(text) <= spelledBytes {
		return begin + "z"
	}
	return begin + "y" + short(append(k.salted(begin), text...), 16)
}

// prefixes are how the words of all texts begin that begin as this one does, as far as words spell them: of those that are no numbers, and
// of those that are, if any can be.
func (k wordCipher) prefixes(tenant int64, s parley.Selector, text string) []string {
	prefixes := []string{k.prefix(tenant, s, text)}
	if hasNumbers(s) && strings.Trim(text, "0123456789.+-eE") == "" {
		prefixes = append(prefixes, k.prefix(tenant, numberTexts(s), text))
	}
	return prefixes
}

// prefix is how words begin.
func (k wordCipher) prefix(tenant int64, s parley.Selector, text string) string {
	begin := short(fmt.Appendf(k.salted(""), "%d %d %s", tenant, s.Kind, s.Name), selectorChars)
	spelled := []byte(text[:min(len(text), spelledBytes)])
	before := k.salted(begin)
	for i, b := range spelled { // what a byte becomes depends on all before it, so that letters cannot be counted
		sum := sha256.Sum256(before)
		before = append(before, b)
		spelled[i] = b ^ sum[0]
	}
	return begin + hex.EncodeToString(spelled)
}

func (k wordCipher) salted(text string) []byte {
	return append(append(make([]byte, 0, len(k)+len(text)+spelledBytes), k...), text...)
}

// group is the word of the numbers that have the first n digits of one: PostgreSQL has no lists of prefixes, and joins those of all
// words with one. A bound with 250,000 numbers below it took 205 ms so, and takes 50.
func (k wordCipher) group(tenant int64, s parley.Selector, figure int64, n int) string {
	return groupOf(k.prefix(tenant, figureTexts(s), figureText(figure)[:n]))
}

// groupOf is the word of all that begin so: short, since rows get wide by them, and no longer than the shortest prefix that words are looked up by.
func groupOf(prefix string) string { return short([]byte(prefix), selectorChars) }

// of are the words of a conversation; with those of groups of numbers, or without.
func (k wordCipher) of(tenant int64, in *parley.Insight, groups bool) string {
	words := []string{k.word(tenant, parley.Selector{}, ""), k.word(tenant, parley.Selector{Kind: parley.SelectType}, in.Type)}
	add := func(s parley.Selector, value string) {
		words = append(words, k.word(tenant, s, value))
		if f := figure(value); f != nil {
			words = append(words, k.figure(tenant, s, *f))
			for n := 1; n <= groupDigits && groups; n++ {
				words = append(words, k.group(tenant, s, *f, n))
			}
		}
	}
	if in.Name == "" {
		words = append(words, k.word(tenant, unnamed, ""))
	} else {
		add(parley.Selector{Kind: parley.SelectName}, in.Name)
	}
	for name, value := range in.Metadata {
		add(parley.Selector{Kind: parley.SelectMetadata, Name: name}, value)
	}
	for _, label := range in.Labels {
		add(parley.Selector{Kind: parley.SelectLabel}, label)
	}
	for s, block := range map[parley.Selector]int64{{Kind: parley.SelectID}: blockOf(int64(in.Number)), {Kind: parley.SelectEnd}: blockOfEnd(in.Ended)} {
		if !groups {
			words = append(words, k.spelled(tenant, s, blockText(block)))
			continue
		}
		for n := range blockDigits {
			words = append(words, groupOf(k.prefix(tenant, s, blockText(block)[:n+1])))
		}
	}
	slices.Sort(words)
	return strings.Join(words, " ")
}

// short is so much of a hash, five bits a character.
func short(text []byte, chars int) string {
	sum := sha256.Sum256(text)
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))[:chars]
}
