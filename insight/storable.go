package insight

import (
	"strings"
	"time"
)

// The record takes no text with the character 0 or that is not UTF-8, and no conversation that starts outside of these years. What people
// tell the manage surface is refused then. What is said elsewhere is as it is: there such a text is cut and such a time moved, for
// detection goes on for everybody or for nobody.
const firstYear, lastYear = 1970, 2200

// checkText wants a text that the record takes.
func checkText(field, text string) error {
	if storable(text) != text {
		return invalid(field, "%q must be text without the character 0", field)
	}
	return nil
}

// storable is what the record takes of a text.
func storable(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, ""), "\x00", "")
}

// datable is the nearest time that the record takes.
func datable(t time.Time) time.Time {
	switch year := t.UTC().Year(); {
	case year < firstYear:
		return time.Date(firstYear, 1, 1, 0, 0, 0, 0, time.UTC)
	case year > lastYear:
		return time.Date(lastYear, 12, 31, 0, 0, 0, 0, time.UTC)
	}
	return t
}
