package dispatch

import (
	"context"
	"time"

	"parley"
)

// replay tries deliveries again that somebody asked for, each once; then they are delivered, or dead as before. What the
// lane owes waits meanwhile: a lane has one attempt at a time. n is how many there were; stay is false when the lane was given back.
func (s *shift) replay(ctx context.Context) (n int, stay bool, err error) {
	c, messages, err := s.d.config.Store.Again(ctx, s.lane, owedPage)
	if err != nil {
		return 0, false, s.failedOurselves(ctx, err)
	}
	to, err := s.d.targets.of(ctx, s.lane.Receiver)
	if err != nil && parley.KindOf(err) != parley.NotFound {
		return 0, false, s.failedOurselves(ctx, err)
	}
	known := err == nil
	for i := range messages {
		m := &messages[i]
		if ctx.Err() != nil || s.held(ctx) {
			return 0, false, s.giveBack(context.WithoutCancel(ctx), s.d.config.Clock())
		}
		if s.d.config.Clock().After(s.until.Add(-attemptTimeout - time.Second)) {
			if err := s.keep(ctx); err != nil {
				return 0, false, err
			}
		}
		problem := "the client application, or its role, does not exist any more"
		if known {
			res, err := s.try(ctx, to, &c, m)
			if err != nil {
				return 0, false, s.cannot(ctx, err)
			}
			if res.outcome == Gone {
				s.d.health.disable(ctx, s.lane.Receiver, "the receiver answered 410")
				return 0, false, s.giveBack(ctx, s.d.config.Clock())
			}
			if problem = res.problem; res.outcome == Delivered {
				problem = ""
			}
		}
		outcome := "replayed"
		if problem != "" {
			outcome = "dead"
		}
		s.d.metrics.deliveries.WithLabelValues(outcome).Inc()
		s.redone = append(s.redone, parley.Replayed{Seq: m.Seq, Problem: problem})
	}
	s.again = 0 // until the record says otherwise
	return len(messages), true, nil
}
