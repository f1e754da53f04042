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

// may says of which texts a finder finds something at all.
var finders = []struct {
	name string
	find finder
	may  func(*traits) bool
}{
	{URL, findURLs, func(t *traits) bool { return t.name }},
	{EmailAddress, findEmails, func(t *traits) bool { return t.at }},
	{IBAN, findIBANs, func(t *traits) bool { return t.code }},
	{CardNumber, findCards, func(t *traits) bool { return t.run >= minCard }},
	{Date, findNumericDates, func(t *traits) bool { return t.date }},
	{Date, findNamedDates, func(t *traits) bool { return t.month }},
	{Date, findHanDates, func(t *traits) bool { return t.han && t.digits > 0 }},
	{PhoneNumber, findPhones, func(t *traits) bool { return t.run >= minPhone }},
	{Time, findClocks, func(t *traits) bool { return t.clock }},
	{Time, findHours, func(t *traits) bool { return t.hour }},
	{Number, findNumbers, func(t *traits) bool { return t.digits > 0 }},
}

// Find gives the entities of a text in order. The language, a code such as "en-GB", says how a date like 1/2/2026 is read,
// and whose telephone numbers need no country code; "" is English of no country.
func Find(text, language string) []Found {
	if !strings.ContainsAny(text, "@.:/") && !hasDigit(text) {
		return nil // most messages
	}
	return findIn(flatten(text), language, false)
}

// findIn finds entities in a plain text. Unless everything is tried, what its traits rule out is not.
func findIn(p plain, language string, everything bool) []Found {
	var all []Found
	taken := make([]bool, len(p.text))
	t := traitsOf(p.text)
	for _, f := range finders {
		if !everything && !f.may(&t) {
			continue
		}
		f.find(p.text, language, func(start, end int, value string) {
			if start >= end || slices.Contains(taken[start:end], true) {
				return
			}
			for i := start; i < end; i++ {
				taken[i] = true
			}
			from, to := p.origin(start, end)
			all = append(all, Found{f.name, from, to, value})
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
