package entity

import (
	"slices"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// The names of what Find finds, in capitals as redaction writes them.
const (
	URL          = "URL"
	EmailAddress = "EMAIL_ADDRESS"
	IBAN         = "IBAN"
	CardNumber   = "CARD_NUMBER"
	Date         = "DATE"
	PhoneNumber  = "PHONE_NUMBER"
	Time         = "TIME"
	Number       = "NUMBER"
)

// Names are all names, the most specific first.
func Names() []string {
	return []string{URL, EmailAddress, IBAN, CardNumber, Date, PhoneNumber, Time, Number}
}

// Found is an entity in a text.
type Found struct {
	Name       string
	Start, End int    // in bytes of the text
	Value      string // in a form of its own: an ISO date or time, digits of a card, E.164; otherwise as it reads, made plain
}

// A finder adds what it finds in a plain form of the text. Spans are in the plain form.
type finder func(plain string, language string, add func(start, end int, value string))

var finders = []struct {
	name string
	find finder
}{
	{URL, findURLs}, {EmailAddress, findEmails}, {IBAN, findIBANs}, {CardNumber, findCards}, {Date, findDates},
	{PhoneNumber, findPhones}, {Time, findTimes}, {Number, findNumbers},
}

// Find gives the entities of a text in order. The language, a code such as "en-GB", says how a date like 1/2/2026 is read,
// and whose telephone numbers need no country code; "" is English of no country.
func Find(text, language string) []Found {
	if !strings.ContainsAny(text, "@.:/") && !hasDigit(text) {
		return nil // most messages
	}
	p := flatten(text)
	var all []Found
	taken := make([]bool, len(p.text))
	for _, f := range finders {
		f.find(p.text, language, func(start, end int, value string) {
			if start >= end || slices.Contains(taken[start:end], true) {
				return
			}
			for i := start; i < end; i++ {
				taken[i] = true
			}
			all = append(all, Found{f.name, p.starts[start], p.ends[end-1], value})
		})
	}
	slices.SortFunc(all, func(a, b Found) int { return a.Start - b.Start })
	return all
}

// region gives the country of a language code, whose telephone numbers need no country code, or "".
func region(language string) string {
	for i, part := range strings.FieldsFunc(language, func(r rune) bool { return r == '-' || r == '_' }) {
		if part = strings.ToUpper(part); i > 0 && len(part) == 2 && phonenumbers.GetSupportedRegions()[part] {
			return part
		}
	}
	return ""
}
