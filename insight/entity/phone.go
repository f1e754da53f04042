package entity

import (
	"regexp"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// A telephone number is at least seven digits, with what people put between them. Longer runs than any number are not tried.
var phonePattern = regexp.MustCompile(`(?:\+|\b00|\(\+?)?\d(?:[ ()./-]{0,3}\d){6,16}`)

const minPhone = 7 // digits

// findPhones asks libphonenumber's data whether the number exists: with a country code anywhere, without one in the
// conversation's country.
func findPhones(s, language string, add func(int, int, string)) {
	home := region(language)
	if home == "" && !strings.Contains(s, "+") && !strings.Contains(s, "00") {
		return // nothing could say whose number it is
	}
	for _, m := range phonePattern.FindAllStringIndex(s, -1) {
		if !apart(s, m[0], m[1]) {
			continue
		}
		candidate := s[m[0]:m[1]]
		number, err := phonenumbers.Parse(candidate, home)
		if err != nil && candidate[:2] == "00" {
			number, err = phonenumbers.Parse("+"+candidate[2:], "")
		}
		if err == nil && phonenumbers.IsValidNumber(number) {
			add(m[0], m[1], phonenumbers.Format(number, phonenumbers.E164))
		}
	}
}
