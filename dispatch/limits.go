package dispatch

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// limits keep the rates of receivers that have one. Safe for concurrent use.
type limits struct {
	mu sync.Mutex
	of map[int64]*rate.Limiter
}

func newLimits() *limits { return &limits{of: map[int64]*rate.Limiter{}} }

// reserve takes the next attempt of a receiver and says how long it must wait.
func (l *limits) reserve(receiver int64, perSecond float64) time.Duration {
	if perSecond == 0 {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	limiter := l.of[receiver]
	if limiter == nil {
		limiter = rate.NewLimiter(rate.Limit(perSecond), 1)
		l.of[receiver] = limiter
	}
	if limiter.Limit() != rate.Limit(perSecond) {
		limiter.SetLimit(rate.Limit(perSecond))
	}
	return limiter.Reserve().Delay()
}

// pace waits until the receiver may have its next attempt, in a place that is the receiver's own, and keeps the lane
// meanwhile.
func (s *shift) pace(ctx context.Context, perSecond float64) error {
	for left := s.d.limits.reserve(s.lane.Receiver.Key, perSecond); left > 0; {
		now := min(left, time.Second)
		pause(ctx, now)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		left -= now
		if s.d.config.Clock().After(s.until.Add(-attemptTimeout - time.Second)) {
			if err := s.keep(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}
