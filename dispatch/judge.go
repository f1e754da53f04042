package dispatch

import (
	"net/http"
	"time"

	"parley"
)

// Judge says what becomes of a delivery that somebody brought to its receiver for us, by the rules of callbacks, and for how
// long the receiver wants to be left alone, at most a day.
func Judge(status int, header http.Header, now time.Time) (parley.Outcome, time.Duration) {
	outcome, after := classify(status, header, now, false)
	return outcome, min(after, maxRetryAfter)
}
