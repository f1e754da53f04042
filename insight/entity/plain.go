package entity

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// A plain text is what a text looks like, in characters that patterns know: any script's digits as 0 to 9, full-width forms
// as ordinary ones, one dash and one space for all of them, and nothing of what nobody sees.
type plain struct {
	text         string
	starts, ends []int // for each byte of text: the character of the original that it came from; nil = that byte
}

// origin is where what stands at start to end of the plain text is in the original.
func (p *plain) origin(start, end int) (int, int) {
	if p.starts == nil {
		return start, end
	}
	return p.starts[start], p.ends[end-1]
}

func flatten(text string) plain {
	if isASCII(text) {
		return plain{text: text} // looks like what it is
	}
	p := plain{starts: make([]int, 0, len(text)), ends: make([]int, 0, len(text))}
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		if r = look(r); r >= 0 {
			n := len(out)
			out = utf8.AppendRune(out, r)
			for range len(out) - n {
				p.starts, p.ends = append(p.starts, i), append(p.ends, i+size)
			}
		}
		i += size
	}
	p.text = string(out)
	return p
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// look gives the character that a reader takes r for, or -1 if there is nothing to see.
func look(r rune) rune {
	if r < utf8.RuneSelf {
		return r
	}
	if folded := width.LookupRune(r).Folded(); folded != 0 {
		r = folded
	}
	switch {
	case unicode.Is(unicode.Nd, r):
		return '0' + digit(r)
	case unicode.In(r, unicode.Cf, unicode.Variation_Selector) || r == '\u034f': // the last one is the grapheme joiner
		return -1
	case unicode.Is(unicode.Pd, r) || r == '−' || r == '\u2043':
		return '-'
	case unicode.Is(unicode.Zs, r):
		return ' '
	}
	return r
}

// digit gives the value of a decimal digit. Unicode gives every script its ten digits in a row.
func digit(r rune) rune {
	for _, t := range unicode.Nd.R16 {
		if rune(t.Lo) <= r && r <= rune(t.Hi) {
			return (r - rune(t.Lo)) % 10
		}
	}
	for _, t := range unicode.Nd.R32 {
		if rune(t.Lo) <= r && r <= rune(t.Hi) {
			return (r - rune(t.Lo)) % 10
		}
	}
	return 0
}

func hasDigit(text string) bool {
	for _, r := range text {
		if '0' <= r && r <= '9' || r >= utf8.RuneSelf && unicode.IsDigit(r) {
			return true
		}
	}
	return false
}

// alnum says whether the character before or after a byte offset would make a longer word of what stands there.
func alnumBefore(s string, i int) bool {
	r, _ := utf8.DecodeLastRuneInString(s[:i])
	return i > 0 && (unicode.IsLetter(r) || unicode.IsDigit(r))
}

func alnumAfter(s string, i int) bool {
	r, _ := utf8.DecodeRuneInString(s[i:])
	return i < len(s) && (unicode.IsLetter(r) || unicode.IsDigit(r))
}

// apart says whether s[start:end] stands apart from letters and digits.
func apart(s string, start, end int) bool { return !alnumBefore(s, start) && !alnumAfter(s, end) }
