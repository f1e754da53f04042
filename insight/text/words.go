package text

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/words"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// A Word is a run of letters, digits and the marks on them, with apostrophes inside it.
//
// Scripts that write no spaces have no such runs, so there a word is what Unicode's segmentation (UAX #29) takes for one:
// each Han or Hiragana character, each run of Katakana, each cluster of Thai, Lao, Khmer or Burmese. A phrase in such a
// script is therefore found wherever its characters stand one after the other.
type Word struct {
	Folded     string // NFKC, case folded, apostrophes straightened, the dots of Turkish i and invisible characters dropped
	Start, End int    // where it stands in the text, in bytes
}

// Words gives the words of a text in order. Bytes that are not UTF-8 belong to no word. It is safe for concurrent use, as
// everything in this package that takes plain text.
func Words(s string) []Word {
	found := make([]Word, 0, len(s)/5+1)
	for segments := words.FromString(s); segments.Next(); {
		found = appendRuns(found, segments.Value(), segments.Start())
	}
	return found
}

// appendRuns adds the words of one segment. Most segments are one word or none; "3.5", "a_b" and "example.com" are segments
// of several words.
func appendRuns(found []Word, segment string, at int) []Word {
	for i := 0; i < len(segment); {
		if size := wordRune(segment[i:]); size == 0 || !begins(segment[i:]) {
			_, size = utf8.DecodeRuneInString(segment[i:])
			i += size
			continue
		}
		start, end := i, i
		for i < len(segment) {
			if size := wordRune(segment[i:]); size > 0 {
				i += size
				end = i
			} else if size := apostrophe(segment[i:]); size > 0 && i+size < len(segment) && wordRune(segment[i+size:]) > 0 && begins(segment[i+size:]) {
				i += size
			} else {
				break
			}
		}
		if folded := fold(segment[start:end]); folded != "" {
			found = append(found, Word{folded, at + start, at + end})
		}
	}
	return found
}

// wordRune gives the size of the first rune if words are made of such, otherwise 0.
func wordRune(s string) int {
	if b := s[0]; b < utf8.RuneSelf {
		if 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' {
			return 1
		}
		return 0
	}
	r, size := utf8.DecodeRuneInString(s)
	if r == utf8.RuneError && size < 2 || r == '’' || r == 'ʼ' || r == '＇' || r == '‘' {
		return 0
	}
	if unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.Cf) {
		return size
	}
	return 0
}

// begins says whether a word may begin here: not with a mark that belongs to what stands before (the half-width sound marks
// of Japanese are letters by their category, but marks to segmentation), nor with a character that nobody sees.
func begins(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return r < utf8.RuneSelf || !unicode.In(r, unicode.M, unicode.Cf) && r != 'ﾞ' && r != 'ﾟ'
}

// apostrophe gives the size of the first rune if it is one of those that people type inside words, otherwise 0.
func apostrophe(s string) int {
	switch r, size := utf8.DecodeRuneInString(s); r {
	case '\'', '’', '‘', 'ʼ', '＇':
		return size
	}
	return 0
}

// fold gives the form in which words are compared.
func fold(word string) string {
	plain := true // lower-case ASCII already
	for i := range len(word) {
		b := word[i]
		if b >= utf8.RuneSelf {
			return foldUnicode(word)
		}
		plain = plain && (b < 'A' || 'Z' < b)
	}
	if plain {
		return word
	}
	return strings.ToLower(word)
}

func foldUnicode(word string) string {
	// Folding may undo the normal form and the other way round; after the second round nothing changes any more.
	for range 2 {
		word = norm.NFKC.String(cases.Fold().String(norm.NFKC.String(word)))
	}
	var b strings.Builder
	var last rune
	for _, r := range word {
		switch {
		case apostrophe(string(r)) > 0:
			r = '\''
		case r == 'ı': // so that the four letters i of Turkish are one, whatever folded them
			r = 'i'
		case r == '\u0307' && last == 'i':
			continue
		case !unicode.In(r, unicode.L, unicode.M, unicode.N):
			continue // a soft hyphen, a joiner, or what the normal form made of a ligature
		}
		b.WriteRune(r)
		last = r
	}
	return norm.NFKC.String(b.String()) // what was left out may have kept others apart
}

// UTF16Offset turns an offset in bytes into one in UTF-16 code units, which is how JavaScript counts. Each byte that is not
// UTF-8 counts as the one replacement character that it is decoded to. An offset beyond the text is the text's end.
func UTF16Offset(s string, offset int) int {
	units := 0
	for i, r := range s {
		if i >= offset {
			break
		}
		units++
		if r > 0xFFFF {
			units++
		}
	}
	return units
}
