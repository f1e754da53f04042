package entity

import (
	"regexp"
	"strings"
)

// Digits that belong together, with at most two separators in a row.
var digitsPattern = regexp.MustCompile(`\d(?:[ .·/_-]{0,2}\d){11,}`)

// The shortest and the longest number of a card (ISO/IEC 7812; 12 is Maestro's shortest).
const minCard, maxCard = 12, 19

// findCards looks in each run of digits for groups that make a card number together, so that a date of expiry or a check
// value beside it does not hide it.
func findCards(s, _ string, add func(int, int, string)) {
	for _, m := range digitsPattern.FindAllStringIndex(s, -1) {
		if alnumBefore(s, m[0]) && isDigit(s[m[0]-1]) {
			continue
		}
		run := s[m[0]:m[1]]
		for start := 0; start < len(run); start++ {
			if !isDigit(run[start]) || start > 0 && isDigit(run[start-1]) {
				continue
			}
			if end, number := card(run[start:]); end > 0 {
				add(m[0]+start, m[0]+start+end, number)
				start += end - 1
			}
		}
	}
}

// card gives the end of the longest card number at the beginning of a run, or 0.
func card(run string) (end int, number string) {
	var digits []byte
	for i := 0; i < len(run) && len(digits) < maxCard; i++ {
		if !isDigit(run[i]) {
			continue
		}
		digits = append(digits, run[i])
		if len(digits) < minCard || i+1 < len(run) && isDigit(run[i+1]) {
			continue
		}
		if '2' <= digits[0] && digits[0] <= '6' && luhn(digits) && !same(digits) && (len(digits) > 12 || digits[0] >= '5') {
			end, number = i+1, string(digits)
		}
	}
	return end, number
}

func luhn(digits []byte) bool {
	sum := 0
	for i, d := range digits {
		n := int(d - '0')
		if (len(digits)-i)%2 == 0 {
			if n *= 2; n > 9 {
				n -= 9
			}
		}
		sum += n
	}
	return sum%10 == 0
}

func same(digits []byte) bool { return strings.Count(string(digits), string(digits[0])) == len(digits) }

func isDigit(b byte) bool { return '0' <= b && b <= '9' }

var ibanPattern = regexp.MustCompile(`(?i)[A-Z]{2}[ -]?\d[ -]?\d(?:[ .-]{0,2}[A-Z0-9]){11,31}`)

// ibanLengths are the lengths of IBANs by country (SWIFT's registry, release 99).
var ibanLengths = map[string]int{
	"AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BI": 27, "BR": 29, "BY": 28,
	"CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DJ": 27, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18,
	"FK": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HN": 28, "HR": 21, "HU": 28,
	"IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20,
	"LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MN": 20, "MR": 27, "MT": 31, "MU": 30, "NI": 28,
	"NL": 18, "NO": 15, "OM": 23, "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "RU": 33, "SA": 24,
	"SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "SO": 23, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26,
	"UA": 29, "VA": 22, "VG": 24, "XK": 20, "YE": 30,
}

// findIBANs takes from each candidate as many characters as its country has: words after it may look as if they went on.
func findIBANs(s, _ string, add func(int, int, string)) {
	for from := 0; ; {
		m := ibanPattern.FindStringIndex(s[from:])
		if m == nil {
			return
		}
		start := from + m[0]
		from = start + 1
		if alnumBefore(s, start) {
			continue
		}
		want := ibanLengths[strings.ToUpper(s[start:start+2])]
		if end, iban := take(s[start:], want); end > 0 && !alnumAfter(s, start+end) && mod97(iban) {
			add(start, start+end, iban)
			from = start + end
		}
	}
}

// take gives the first n letters and digits, in capitals, and where they end; 0 if there are not so many.
func take(s string, n int) (end int, taken string) {
	var b strings.Builder
	for i := 0; i < len(s) && b.Len() < n; i++ {
		switch c := s[i]; {
		case isDigit(c) || 'A' <= c && c <= 'Z':
			b.WriteByte(c)
		case 'a' <= c && c <= 'z':
			b.WriteByte(c - 'a' + 'A')
		case c == ' ' || c == '-' || c == '.':
			continue
		default:
			return 0, ""
		}
		end = i + 1
	}
	if n == 0 || b.Len() < n {
		return 0, ""
	}
	return end, b.String()
}

func mod97(iban string) bool {
	rest := 0
	for _, c := range []byte(iban[4:] + iban[:4]) {
		if isDigit(c) {
			rest = (rest*10 + int(c-'0')) % 97
		} else {
			rest = (rest*100 + int(c-'A') + 10) % 97
		}
	}
	return rest == 1
}
