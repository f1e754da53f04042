package entity

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// The traits of a plain text tell at a glance what it cannot have: patterns cost microseconds each, and most messages have nothing of most kinds.
type traits struct {
	digits     int  // 0 to 9
	separators int  // - / .
	at, han    bool // @ 月
	name       bool // what may be an address in the web: "://", a letter after a point, or w before one
	month      bool // a word that is the name of a month
	clock      bool // a digit before : . h and another digit
	hour       bool // a digit, maybe a space, and a letter with which a time of day goes on: a, p, o, u
	code       bool // two letters and a digit, as IBANs begin
}

func traitsOf(s string) (t traits) {
	t.han, t.name = strings.Contains(s, "月"), strings.Contains(s, "://")
	word := -1 // where the word began that goes on
	endWord := func(end int) {
		if word >= 0 && !t.month && utf8.RuneCountInString(s[word:end]) >= 3 {
			t.month = months[strings.ToLower(s[word:end])] > 0
		}
		word = -1
	}
	for i, r := range s {
		letter := unicode.IsLetter(r)
		switch {
		case letter && word < 0:
			word = i
		case !letter:
			endWord(i)
		}
		switch r {
		case '@':
			t.at = true
		case '-', '/', '.':
			t.separators++
		}
		if r == '.' && !t.name {
			next, _ := utf8.DecodeRuneInString(s[i+1:])
			t.name = unicode.IsLetter(next) || i > 0 && s[i-1]|0x20 == 'w'
		}
		if r < '0' || r > '9' {
			continue
		}
		t.digits++
		t.clock = t.clock || i+2 < len(s) && strings.IndexByte(":.hH", s[i+1]) >= 0 && isDigit(s[i+2])
		t.hour = t.hour || strings.IndexAny(strings.TrimPrefix(s[i+1:min(i+3, len(s))], " "), "apouAPOU") == 0
		before := strings.TrimSuffix(strings.TrimSuffix(s[max(0, i-3):i], " "), "-")
		t.code = t.code || len(before) >= 2 && isLatin(before[len(before)-1]) && isLatin(before[len(before)-2])
	}
	endWord(len(s))
	return t
}

func isLatin(b byte) bool { return 'a' <= b|0x20 && b|0x20 <= 'z' }
