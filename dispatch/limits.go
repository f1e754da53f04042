package dispatch

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"parley"
)

// limits keep the rates of receivers that have one, each as it was set last: workers of one receiver may have read its settings at different
// times. Safe for concurrent use.
type limits struct {
	mu sync.Mutex
	of map[int64]*limit
}

// A limit is the rate of one receiver until that is changed.
type limit struct {
	perSecond float64 // 0 = none
	version   uint64  // of the target it was read from
	limiter   *rate.Limiter
	over      chan struct{} // closed when another one takes its place: what was reserved holds no more
}

func newLimits() *limits { return &limits{of: map[int64]*limit{}} }

// reserve takes the next attempt of a receiver, and says until when that holds. Without a rate both are nil.
func (l *limits) reserve(receiver int64, to *target) (*rate.Reservation, <-chan struct{}) {
	perSecond := to.role.Delivery.PerSecond
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.of[receiver]
	if now == nil && perSecond == 0 {
		return nil, nil
	}
	if now == nil || to.version > now.version {
		if now == nil || now.perSecond != perSecond {
			if now != nil {
				close(now.over)
			}
			now = &limit{perSecond: perSecond, limiter: rate.NewLimiter(rate.Limit(perSecond), 1), over: make(chan struct{})}
			l.of[receiver] = now
		}
		now.version = to.version
	}
	if now.perSecond == 0 {
		return nil, nil
	}
	return now.limiter.Reserve(), now.over
}

// lookAgain is how often who waits looks whether the receiver, or its rate, was changed.
const lookAgain = time.Second

// errChanged says that the receiver is another one, or none, or held, since the lane was claimed.
var errChanged = errors.New("the receiver was changed")

// pace waits until the receiver may have its next attempt, in a place that is the receiver's own, keeps the lane meanwhile, and says how the
// receiver is reached then.
func (s *shift) pace(ctx context.Context, to *target) (*target, error) {
	for {
		mine, over := s.d.limits.reserve(s.lane.Receiver.Key, to)
		if mine == nil {
			return to, nil
		}
		fresh, again, err := s.wait(ctx, to, mine.Delay(), over)
		if err != nil {
			mine.Cancel()
			return to, err
		}
		if to = fresh; !again {
			return to, nil
		}
	}
}

// wait is one wait of pace; again says that what was reserved holds no more.
func (s *shift) wait(ctx context.Context, to *target, left time.Duration, over <-chan struct{}) (fresh *target, again bool, err error) {
	for left > 0 {
		now := min(left, lookAgain)
		left -= now
		t := time.NewTimer(now)
		select {
		case <-t.C:
		case <-ctx.Done():
		case <-over:
		}
		t.Stop()
		if ctx.Err() != nil {
			return to, false, ctx.Err()
		}
		if s.held(ctx) {
			return to, false, errChanged
		}
		fresh, err := s.d.targets.of(ctx, s.lane.Receiver)
		switch kind := parley.KindOf(err); {
		case err != nil && kind == parley.NotFound, err == nil && (fresh.session() != to.session() || fresh.bot() != to.bot()):
			return to, false, errChanged
		case err == nil: // else it stays as it was
			to = fresh
		}
		if s.d.config.Clock().After(s.until.Add(-attemptTimeout - time.Second)) {
			if err := s.keep(ctx); err != nil {
				return to, false, err
			}
		}
		select {
		case <-over:
			return to, true, nil
		default:
		}
		if s.d.limits.stale(s.lane.Receiver.Key, to) {
			return to, true, nil
		}
	}
	return to, false, nil
}

// stale says whether a receiver has another rate than is kept.
func (l *limits) stale(receiver int64, to *target) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.of[receiver]
	return now != nil && to.version > now.version && to.role.Delivery.PerSecond != now.perSecond
}
