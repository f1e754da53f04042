package criteria

import (
	"time"

	"parley"
)

// The forms of ISO 8601 that are read. Without an offset a time is in UTC; a fraction of a second may follow the seconds.
var timeForms = []string{"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05", "2006-01-02T15:04Z07:00", "2006-01-02T15:04", time.DateOnly}

// parseTime reads a time, to the millisecond.
func parseTime(p parley.Pattern) (time.Time, bool) {
	if p.HasStar() {
		return time.Time{}, false
	}
	for _, form := range timeForms {
		if t, err := time.Parse(form, p.Text()); err == nil {
			return t.UTC().Truncate(time.Millisecond), true
		}
	}
	return time.Time{}, false
}
