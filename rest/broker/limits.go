package broker

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"parley"
)

// The rate of turns of one API key (reference 14), on each node.
const (
	turnsPerSecond = 10
	burst          = 20
)

// limits keeps the rate of each key. Safe for concurrent use.
type limits struct {
	now   func() time.Time
	mu    sync.Mutex
	byKey map[parley.APIClientID]*rate.Limiter
}

func newLimits(now func() time.Time) *limits {
	return &limits{now: now, byKey: map[parley.APIClientID]*rate.Limiter{}}
}

// take is nil if the key may have another turn now.
func (l *limits) take(key parley.APIClientID) *problem {
	l.mu.Lock()
	limiter := l.byKey[key]
	if limiter == nil { // as many as there are keys
		limiter = rate.NewLimiter(turnsPerSecond, burst)
		l.byKey[key] = limiter
	}
	l.mu.Unlock()
	now := l.now()
	r := limiter.ReserveN(now, 1)
	if wait := r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
		p := fail(429, "RATE_LIMITED", "the API key has more turns a second than it may")
		p.retryAfter = max(wait, time.Second)
		return p
	}
	return nil
}

// doorWidth bounds of how many turns it is read whose they are, at the same time, and how many are posted. The store does not work on more at once,
// and what has not begun holds little: 2,000 turns that come together would fill the memory with what they are all in the middle of. Bodies come
// as slowly as callers like, so they are read outside.
const doorWidth = 32

// A door lets so many through at the same time as its capacity.
type door chan struct{}

// pass goes through the door, does what is to be done, and leaves room again. It does nothing if ctx ends before there is room.
func (d door) pass(ctx context.Context, do func() error) error {
	select {
	case d <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-d }()
	return do()
}

// placeFor is how long a turn waits for its place in its session (reference 4.1).
const placeFor = 10 * time.Second
