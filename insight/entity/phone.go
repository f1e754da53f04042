package entity

import (
	"iter"
	"regexp"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// A telephone number is at least seven digits, with what people put between them. Longer runs than any number are not tried.
var phonePattern = regexp.MustCompile(`(?:\+|\b00|\(\+?)?\d(?:[ ()./-]{0,3}\d){6,16}`)

const minPhone = 7 // digits

// candidates are the matches of the pattern. It is tried only on runs of enough digits, with the two characters before one.
func candidates(s string) iter.Seq2[int, int] {
	return func(yield func(start, end int) bool) {
		start, end, digits := 0, 0, 0 // of the run so far
		for i := 0; i <= len(s); i++ {
			if i < len(s) && (isDigit(s[i]) || digits > 0 && i-end < maxBetween && strings.IndexByte(" ()./-", s[i]) >= 0) {
				if isDigit(s[i]) {
					if digits == 0 {
						start = i
					}
					end, digits = i+1, digits+1
				}
				continue
			}
			if digits >= minPhone {
				from := max(0, start-2)
				for _, m := range phonePattern.FindAllStringIndex(s[from:end], -1) {
					if !yield(from+m[0], from+m[1]) {
						return
					}
				}
			}
			digits = 0
		}
	}
}

// findPhones asks libphonenumber's data whether the number exists: with a country code anywhere, without one in the
// conversation's country.
func findPhones(s, language string, add func(int, int, string)) {
	home := region(language)
	if home == "" && !strings.Contains(s, "+") && !strings.Contains(s, "00") {
		return // nothing could say whose number it is
	}
	for start, end := range candidates(s) {
		if !apart(s, start, end) {
			continue
		}
		candidate := s[start:end]
		number, err := phonenumbers.Parse(candidate, home)
		if err != nil && candidate[:2] == "00" {
			number, err = phonenumbers.Parse("+"+candidate[2:], "")
		}
		if err == nil && phonenumbers.IsValidNumber(number) {
			add(start, end, phonenumbers.Format(number, phonenumbers.E164))
		}
	}
}
