package dispatch

import (
	"context"
	"errors"
	"sync"
	"time"

	"parley"
)

const (
	// ourFault is the wait after a failure that is not the receiver's: it does not count against it, and ends no delivery.
	ourFault = time.Second
	// A message that cannot be made into a request will hardly be in a second: the wait doubles, up to this.
	ourFaultLongest = 5 * time.Minute
	// maxFaulty bounds the lanes of which it is known how often they failed by our fault.
	maxFaulty = 100_000
)

// ourFaults counts, for each lane, how often in a row its message could not be made into a request. Only this process knows: another one may be
// of a version that can. Safe for concurrent use.
type ourFaults struct {
	mu sync.Mutex
	of map[int64]int
}

// again is the wait after one more.
func (f *ourFaults) again(lane int64) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.of) >= maxFaulty {
		clear(f.of)
	}
	n := f.of[lane]
	f.of[lane] = n + 1
	return min(ourFault<<min(n, 30), ourFaultLongest)
}

// over forgets them: a request was made.
func (f *ourFaults) over(lane int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.of, lane)
}

// failedOurselves gives the lane back after a fault that is neither the receiver's nor the message's, such as of the record, and returns the
// error. ctx may have ended.
func (s *shift) failedOurselves(ctx context.Context, err error) error {
	return s.after(ctx, "record", err, func() time.Duration { return ourFault })
}

// cannot is failedOurselves when the message could not be made into a request, or the attempt is at fault.
func (s *shift) cannot(ctx context.Context, err error) error {
	return s.after(ctx, "request", err, func() time.Duration { return s.d.faults.again(s.lane.Key) })
}

func (s *shift) after(ctx context.Context, part string, err error, wait func() time.Duration) error {
	left := time.Duration(0)
	if ctx.Err() == nil && !errors.Is(err, parley.ErrLeaseLost) && !errors.Is(err, errChanged) { // else we are stopping, too late, or the next claim knows
		s.d.metrics.faults.WithLabelValues(part).Inc()
		left = wait()
	}
	return errors.Join(err, s.giveBack(context.WithoutCancel(ctx), s.d.config.Clock().Add(left)))
}
