package entity

import "regexp"

// A number may have a sign, groups of three, and a fraction. Several points, as in 192.168.1.20, make one number too: where the
// groups end cannot be told.
var numberPattern = regexp.MustCompile(`[+-]?(?:\d{1,3}(?:[ ']\d{3})+(?:[.,]\d+)?\b|\d+(?:[.,]\d+)*)`)

// findNumbers takes numbers that are no part of a word: of B2B and 4th there is none.
func findNumbers(s, _ string, add func(int, int, string)) {
	for _, m := range numberPattern.FindAllStringIndex(s, -1) {
		start := m[0]
		if (s[start] == '+' || s[start] == '-') && alnumBefore(s, start) {
			start++ // a hyphen and no sign
		}
		if apart(s, start, m[1]) {
			add(start, m[1], s[start:m[1]])
		}
	}
}
