package dispatch

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"parley"
)

// An Outcome says what becomes of a delivery after one attempt; short names for the root's.
type Outcome = parley.Outcome

const (
	Retry     = parley.OutcomeRetry
	Delivered = parley.OutcomeDelivered
	Rejected  = parley.OutcomeRejected
	Gone      = parley.OutcomeGone
)

// classify judges an answer. 408, 425, 429 and 5xx are Retry, not before Retry-After. Redirects are not followed: a body
// goes only where the ClientApplication said, so a 3xx is Rejected like any other status that is not 2xx. A 401 was
// dealt with before (token renewed once); the one that is left is Retry for a token recipe, which may work later, and
// Rejected otherwise (reference section 10: "basic or no authentication and 401 → plain failure").
func classify(status int, header http.Header, now time.Time, renewable bool) (Outcome, time.Duration) {
	switch {
	case status >= 200 && status <= 299:
		return Delivered, 0
	case status == http.StatusGone:
		return Gone, 0
	case status == http.StatusUnauthorized && renewable:
		return Retry, 0
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly, status == http.StatusTooManyRequests, status >= 500:
		return Retry, retryAfter(header.Get("Retry-After"), now)
	}
	return Rejected, 0
}

// retryAfter reads both forms of the header (RFC 9110 section 10.2.3): seconds, or a date. More seconds than fit are as many as fit, not none:
// who asks for too much wants to be left alone.
func retryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseInt(value, 10, 32); err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(max(seconds, 0)) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}
