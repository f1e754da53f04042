package entity

import (
	"regexp"
	"strings"
)

var (
	// A URL has a scheme, begins with www., or is a name in one of the best known domains; the last two may have a path.
	urlPattern = regexp.MustCompile(`(?i)(?:\b(?:https?|ftp|wss?)://[^\s<>"]+|\bwww\.[^\s<>"]+|` +
		`\b(?:[\pL\pN](?:[\pL\pN-]*[\pL\pN])?\.)+(?:com|org|net|edu|gov|io|info|biz|app|dev|ai|co|eu|uk|de|fr|es|it|nl|pl|ch|at|be|se|ca|au|jp|cn|in|br|ru|us)(?::\d+)?(?:/[^\s<>"]*)?)`)
	emailPattern = regexp.MustCompile(`[\pL\pN._%+'&=!#$*/?^{}|~-]*[\pL\pN_%+-]@(?:[\pL\pN](?:[\pL\pN-]*[\pL\pN])?\.)+[\pL\pN-]*\pL`)
)

// findURLs leaves out punctuation at the end that belongs to the sentence, and names that are the domain of an e-mail address.
func findURLs(s, _ string, add func(int, int, string)) {
	for _, m := range urlPattern.FindAllStringIndex(s, -1) {
		start, end := m[0], m[1]
		for end > start {
			last := s[end-1]
			closes := strings.IndexByte(")]}", last)
			if !strings.ContainsRune(".,;:!?'*_~", rune(last)) &&
				(closes < 0 || strings.Count(s[start:end], string(last)) <= strings.Count(s[start:end], string("([{"[closes]))) {
				break
			}
			end--
		}
		bare := !strings.Contains(s[start:end], "://")
		if bare && (start > 0 && strings.ContainsRune("@.-_", rune(s[start-1])) || alnumBefore(s, start) ||
			alnumAfter(s, end) || end < len(s) && s[end] == '@' || strings.Contains(s[start:end], "@")) {
			continue
		}
		add(start, end, s[start:end])
	}
}

// findEmails takes an address without the apostrophe or slash that may stand before it.
func findEmails(s, _ string, add func(int, int, string)) {
	for _, m := range emailPattern.FindAllStringIndex(s, -1) {
		start := m[0] + len(s[m[0]:m[1]]) - len(strings.TrimLeft(s[m[0]:m[1]], `.'/&=!#$*?^{}|~-`))
		at := strings.LastIndexByte(s[start:m[1]], '@')
		if at <= 0 || alnumAfter(s, m[1]) {
			continue
		}
		add(start, m[1], s[start:start+at]+strings.ToLower(s[start+at:m[1]]))
	}
}
