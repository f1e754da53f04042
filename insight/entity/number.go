package entity

import (
	"regexp"
	"strings"
)

// A number may have a sign, groups of three, and a fraction. Several points, as in 192.168.1.20, make one number too: where the
// groups end cannot be told.
var numberPattern = regexp.MustCompile(`[+-]?(?:\d{1,3}(?:[ ']\d{3})+(?:[.,]\d+)?\b|\d+(?:[.,]\d+)*)`)

// findNumbers takes numbers that are no part of a word: of B2B and 4th there is none.
func findNumbers(s, _ string, add func(int, int, string)) {
	for from := 0; from < len(s); from++ {
		if !isDigit(s[from]) {
			continue
		}
		end := from + 1
		for end < len(s) && (isDigit(s[end]) || strings.IndexByte("+- '.,", s[end]) >= 0) {
			end++
		}
		if from > 0 && (s[from-1] == '+' || s[from-1] == '-') {
			from--
		}
		// The pattern is tried only where it may be, with the character after that: it may make a word of it.
		for _, m := range numberPattern.FindAllStringIndex(s[from:min(end+1, len(s))], -1) {
			start, end := from+m[0], from+m[1]
			if (s[start] == '+' || s[start] == '-') && alnumBefore(s, start) {
				start++ // a hyphen and no sign
			}
			if apart(s, start, end) {
				add(start, end, s[start:end])
			}
		}
		from = end
	}
}
