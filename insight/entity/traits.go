package entity

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// The traits of a plain text tell at a glance what it cannot have: patterns cost microseconds each, and most messages have nothing of most kinds.
type traits struct {
	digits  int  // 0 to 9
	at, han bool // @ 月
	name    bool // what may be an address in the web: "://", a letter after a point, or w before one
	date    bool // digits, - / or . and digits, twice with at most two digits between, as 1/2/26
	month   bool // the name of a month near a digit
	clock   bool // a digit before : or h and two digits, or before . and two digits with what may say am or pm
	hour    bool // a digit, maybe a space, and a letter with which a time of day goes on: a, p, o, u
	code    bool // two letters and a digit, as IBANs begin
	run     int  // the most digits between which there is at most what people put into telephone or card numbers
}

const (
	// toMonth and fromMonth are how many bytes may stand between a day and the month after it ("1st of ", "1º de "), and
	// between a month and the day after it (". ").
	toMonth, fromMonth = 9, 2
	// between are what may stand between the digits of telephone and card numbers, at most three together.
	between, maxBetween = " ()./-_·", 3
)

func traitsOf(s string) (t traits) {
	t.han, t.name = strings.Contains(s, "月"), strings.Contains(s, "://")
	word, wordEnd := -1, -1 // the last word; wordEnd is -1 while it goes on
	digit := -1             // the last digit
	run, gap := 0, 0        // digits that may belong together, and what stands after the last of them
	month := func() bool { return months[strings.ToLower(s[word:wordEnd])] > 0 }
	endWord := func(end int) {
		if word >= 0 && wordEnd < 0 {
			wordEnd = end
			t.month = t.month || digit >= 0 && digit < word && word-digit-1 <= toMonth && month()
		}
	}
	for i, r := range s {
		if unicode.IsLetter(r) {
			if word < 0 || wordEnd >= 0 {
				word, wordEnd = i, -1
			}
		} else {
			endWord(i)
		}
		t.at = t.at || r == '@'
		if r == '.' && !t.name {
			next, _ := utf8.DecodeRuneInString(s[i+1:])
			t.name = unicode.IsLetter(next) || i > 0 && s[i-1]|0x20 == 'w'
		}
		if r < '0' || r > '9' {
			if gap++; gap > maxBetween || !strings.ContainsRune(between, r) {
				run = 0
			}
			continue
		}
		t.digits++
		run, gap = run+1, 0
		t.run = max(t.run, run)
		t.month = t.month || wordEnd >= 0 && i-wordEnd <= fromMonth && month()
		t.date = t.date || dateAt(s[i:])
		t.clock = t.clock || clockAt(s[i:])
		t.hour = t.hour || strings.IndexAny(strings.TrimPrefix(s[i+1:min(i+3, len(s))], " "), "apouAPOU") == 0
		before := strings.TrimSuffix(strings.TrimSuffix(s[max(0, i-3):i], " "), "-")
		t.code = t.code || len(before) >= 2 && isLatin(before[len(before)-1]) && isLatin(before[len(before)-2])
		digit = i
	}
	endWord(len(s))
	return t
}

// dateAt says whether s begins as a date does from the last digit of its first part on: 1/2/2.
func dateAt(s string) bool {
	const separators = "-/."
	if len(s) < 5 || strings.IndexByte(separators, s[1]) < 0 || !isDigit(s[2]) {
		return false
	}
	second := 3
	if isDigit(s[3]) {
		second = 4
	}
	return len(s) > second+1 && strings.IndexByte(separators, s[second]) >= 0 && isDigit(s[second+1])
}

// clockAt says whether s begins as a time of day does from the last digit of its hour on: 1:23, or 1.23 pm, since 1.23 alone is a number.
func clockAt(s string) bool {
	if len(s) < 4 || strings.IndexByte(":.hH", s[1]) < 0 || !isDigit(s[2]) || !isDigit(s[3]) {
		return false
	}
	if s[1] != '.' {
		return true
	}
	half := s[4:]
	if len(half) > 3 && half[0] == ':' && isDigit(half[1]) && isDigit(half[2]) { // seconds
		half = half[3:]
	}
	return strings.IndexAny(strings.TrimPrefix(half, " "), "apAP") == 0
}

func isLatin(b byte) bool { return 'a' <= b|0x20 && b|0x20 <= 'z' }
