package store

import (
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"parley"
)

// Words begin alike as far as their texts do, and are the same only for the same text, and only on one database.
func TestWordsKeepHowTextsBegin(t *testing.T) {
	cipher, other := wordCipher(slices.Repeat([]byte{1}, 32)), wordCipher(slices.Repeat([]byte{2}, 32))
	s := parley.Selector{Kind: parley.SelectMetadata, Name: "a"}
	rapid.Check(t, func(r *rapid.T) {
		text := rapid.OneOf(rapid.StringN(0, 40, -1), rapid.StringMatching(`[0-9.]{0,4}(e[0-9])?`))
		x, y := text.Draw(r, "x"), text.Draw(r, "y")
		if rapid.Bool().Draw(r, "alike") {
			y = x[:rapid.IntRange(0, len(x)).Draw(r, "length")] + y
		}
		word := cipher.word(1, s, x)
		if same := word == cipher.word(1, s, y); same != (x == y) {
			r.Errorf("%q and %q have the same word: %v", x, y, same)
		}
		if len(y) <= spelledBytes {
			begins := func(prefix string) bool { return strings.HasPrefix(word, prefix) }
			if got := slices.ContainsFunc(cipher.prefixes(1, s, y), begins); got != strings.HasPrefix(x, y) {
				r.Errorf("the word of %q has the prefix of %q: %v", x, y, got)
			}
		}
		if strings.Trim(word, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
			r.Errorf("the word of %q is %q, want small letters and digits", x, word)
		}
		if len(x) >= 8 && strings.Contains(word, hex.EncodeToString([]byte(x[:min(len(x), spelledBytes)]))) {
			r.Errorf("the word of %q has it as it is", x)
		}
		for _, w := range []string{other.word(1, s, x), cipher.word(2, s, x), cipher.word(1, parley.Selector{Kind: parley.SelectLabel}, x), cipher.word(1, parley.Selector{Kind: parley.SelectMetadata, Name: "b"}, x)} {
			if w == word {
				r.Errorf("%q has the word %q elsewhere, too", x, w)
			}
		}
	})
}

// The cipher of a database stays the same, and the database alone does not tell it.
func TestTheCipherOfWordsIsSealed(t *testing.T) {
	folder := t.TempDir()
	first := openFile(t, folder)
	again := openFile(t, folder)
	if len(first.words) != 32 || !slices.Equal(first.words, again.words) {
		t.Errorf("the cipher was %x and is %x, want 32 bytes that stay", first.words, again.words)
	}
	if other := openFile(t, t.TempDir()); slices.Equal(first.words, other.words) {
		t.Error("two databases have one cipher")
	}
	if stored := first.Texts(t, "SELECT hex(cipher) FROM insight_words"); strings.Contains(strings.ToLower(stored[0]), hex.EncodeToString(first.words)) {
		t.Error("the cipher is stored as it is")
	}
}
