package dispatch

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"parley"
	"parley/ident"
)

// retry has the lane claimed anew, by whoever works on it.
func (s *shift) retry() {
	if s.hand != nil {
		s.d.Stirred(s.lane.Tenant)
		return
	}
	s.d.take([]int64{s.lane.Key})
}

// giveUp makes a delivery dead. The lane goes on after it, or, if its receiver wants that, stays before it.
func (s *shift) giveUp(ctx context.Context, m *parley.Message, to *target, why string) (stay bool, err error) {
	s.d.metrics.deliveries.WithLabelValues("dead").Inc()
	id := ident.Delivery(m.ID, s.lane.Receiver.Application, s.lane.Receiver.Role)
	s.dead = append(s.dead, parley.DeadDelivery{Delivery: id, Message: m.ID, Seq: m.Seq, Reason: why})
	s.lost = append(s.lost, *m)
	s.failed = 0
	if to.role.Delivery.Block {
		_, err := s.note(ctx, parley.Progress{Release: true, Block: m.Seq})
		return false, err
	}
	s.acked = m.Seq
	return true, nil
}

// keep records progress and extends the lease. An error means that the lane is not ours any more.
//
//go:noinline
func (s *shift) keep(ctx context.Context) error {
	_, err := s.note(ctx, parley.Progress{})
	return err
}

// giveBack records progress and ends the shift; the lane is due again at the given time.
//
//go:noinline
func (s *shift) giveBack(ctx context.Context, due time.Time) error {
	_, err := s.note(ctx, parley.Progress{Release: true, Retry: due})
	return err
}

// note records what was done since the last time. Only then the hub hears of dead deliveries.
func (s *shift) note(ctx context.Context, p parley.Progress) (rest parley.Rest, err error) {
	p.Lane, p.Acked, p.Failed, p.Attempts, p.Dead, p.Replayed, p.Extend = s.lane, s.acked, s.failed, s.tried, s.dead, s.redone, lease
	start := s.d.config.Clock()
	rest, err = s.d.config.Store.Finish(ctx, p)
	if err != nil {
		return rest, err
	}
	s.until, s.noted, s.tried, s.dead, s.redone = start.Add(lease), start, nil, nil, nil
	s.again = rest.Again
	lost := s.lost
	s.lost = nil
	for i, m := range lost {
		s.d.tell(ctx, parley.GivenUp{Tenant: s.lane.Tenant, Lane: s.lane.Key, Slot: s.lane.Slot, Message: m, Receiver: s.lane.Receiver,
			Delivery: p.Dead[i].Delivery, Reason: p.Dead[i].Reason})
	}
	return rest, nil
}

// tell says to people and to the hub that a delivery was given up, and notes that it did. Should either fail, the sweeper says it again:
// the hub may hear of one twice, and never not at all. A panic in the hub is the end of this one try.
func (d *Dispatcher) tell(ctx context.Context, g parley.GivenUp) {
	d.notice(ctx, parley.OwedNotice{Receiver: g.Receiver, Reason: g.Reason, Delivery: g.Delivery})
	if d.config.Hub == nil {
		return
	}
	defer func() {
		if p := recover(); p != nil {
			d.logger.ErrorContext(ctx, "telling the hub of a dead delivery panicked", "conversation", g.Message.Conversation, "seq", g.Message.Seq,
				"panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		}
	}()
	err := d.config.Hub.DeliveryFailed(ctx, g.Tenant, g.Slot, g.Message)
	if kind := parley.KindOf(err); err == nil || kind == parley.Closed || kind == parley.NotFound { // there is nothing to go on with
		err = d.config.Store.Told(ctx, g)
	}
	if err != nil {
		d.logger.WarnContext(ctx, "telling the hub of a dead delivery", "conversation", g.Message.Conversation, "seq", g.Message.Seq, "error", err)
	}
}
