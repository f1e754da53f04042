package dispatch

import (
	"net/http"
	"strconv"
	"time"

	"parley"
)

// Judge says what becomes of a delivery that somebody brought to its receiver for us, by the rules of callbacks, and for how
// long the receiver wants to be left alone, at most a day.
func Judge(status int, header http.Header, now time.Time) (parley.Outcome, time.Duration) {
	outcome, after := classify(status, header, now, false)
	return outcome, min(after, maxRetryAfter)
}

// Stamp sets the headers that every callback has: its id, its time and, with secrets, its signatures.
func Stamp(h http.Header, secrets []string, id string, at time.Time, body []byte) error {
	h.Set("Content-Type", "application/json")
	h.Set("User-Agent", "Parley")
	h.Set("Webhook-Id", id)
	h.Set("Webhook-Timestamp", strconv.FormatInt(at.Unix(), 10))
	signature, err := sign(secrets, id, at, body)
	if err == nil && signature != "" {
		h.Set("Webhook-Signature", signature)
	}
	return err
}
