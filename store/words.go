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

// A wordCipher makes words. Both indexes keep words of what was removed for a while, hence its secret; it is one of the database.
type wordCipher []byte

const (
	selectorChars = 10 // of a word
	spelledBytes  = 32 // of a text; two characters of a word each
	// indexedBytes is how much of a text SQLite has prefixes of (migration 0042). Beyond that it merges the lists of all words with a prefix.
	indexedBytes = 16
)

// word is the one of a text that a selector finds; the zero selector has one for the tenant.
func (k wordCipher) word(tenant int64, s parley.Selector, text string) string {
	begin := k.prefix(tenant, s, text)
	if len(text) <= spelledBytes {
		return begin + "z"
	}
	return begin + "y" + short(append(k.salted(begin), text...), 16)
}

// prefix is how the words of all texts begin that begin as this one does, as far as words spell them.
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

// of are the words of a conversation.
func (k wordCipher) of(tenant int64, in *parley.Insight) string {
	words := []string{k.word(tenant, parley.Selector{}, ""), k.word(tenant, parley.Selector{Kind: parley.SelectType}, in.Type)}
	if in.Name != "" {
		words = append(words, k.word(tenant, parley.Selector{Kind: parley.SelectName}, in.Name))
	}
	for name, value := range in.Metadata {
		words = append(words, k.word(tenant, parley.Selector{Kind: parley.SelectMetadata, Name: name}, value))
	}
	for _, label := range in.Labels {
		words = append(words, k.word(tenant, parley.Selector{Kind: parley.SelectLabel}, label))
	}
	slices.Sort(words)
	return strings.Join(words, " ")
}

// short is so much of a hash, five bits a character.
func short(text []byte, chars int) string {
	sum := sha256.Sum256(text)
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))[:chars]
}
