package dispatch

import "time"

// Schedule is how long to wait after each failed attempt, at most; the delivery is given up after the last. With full
// jitter, so that receivers that come back are not met by everything at once.
var Schedule = []time.Duration{500 * time.Millisecond, 2 * time.Second, 5 * time.Second, 15 * time.Second, time.Minute, 5 * time.Minute,
	30 * time.Minute, 2 * time.Hour, 6 * time.Hour, 24 * time.Hour}

// maxRetryAfter bounds what a receiver may ask for.
const maxRetryAfter = 24 * time.Hour

// backoff is the wait after the given number of failed attempts in a row (from 1); ok is false when there is no further
// one. random is in [0, 1). A receiver's Retry-After is obeyed if it is longer.
func backoff(schedule []time.Duration, failed int, random float64, retryAfter time.Duration) (wait time.Duration, ok bool) {
	if failed < 1 || failed > len(schedule) {
		return 0, false
	}
	wait = time.Duration(random * float64(schedule[failed-1]))
	return max(wait, min(retryAfter, maxRetryAfter)), true
}
