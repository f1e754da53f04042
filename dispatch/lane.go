package dispatch

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"parley"
	"parley/ident"
	"parley/internal/stack"
)

const (
	// lease is how long a lane is ours. Before each try at least attemptTimeout of it must be left; so after a crash
	// another worker has the lane within this time.
	lease = 8 * time.Second
	// owedPage is how many messages of a lane are read together.
	owedPage = 20
	// claimPage is how many lanes are claimed together.
	claimPage = 128
	// quietFor is how long progress may stay unrecorded while a lane's messages go out one after the other.
	quietFor = time.Second
)

// take claims lanes and gives those that were won to the pool. It returns at once.
func (d *Dispatcher) take(lanes []int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ending {
		return
	}
	d.wg.Go(func() {
		for len(lanes) > 0 {
			n := min(len(lanes), claimPage)
			won, err := d.config.Store.Claim(d.ctx, lanes[:n], lease)
			if err != nil {
				d.logger.WarnContext(d.ctx, "claiming lanes", "error", err)
				return // the sweeper comes by
			}
			for _, l := range won {
				d.add(l)
			}
			lanes = lanes[n:]
		}
	})
}

// A shift is a worker's time with one lane: what it delivered and has not recorded yet.
type shift struct {
	d      *Dispatcher
	lane   *parley.Lane
	hand   parley.Hand // nil = by callback
	until  time.Time   // end of the lease
	noted  time.Time   // when progress was last recorded
	acked  int64
	failed int
	again  int  // deliveries to replay, as far as is known
	thinks bool // the lane is one to a bot that the hub runs, and in the pool of these
	tried  []parley.Attempt
	redone []parley.Replayed
	dead   []parley.DeadDelivery
	lost   []parley.Message // dead, to be told to the hub once that is recorded
}

// work delivers what a lane owes, in order, until it owes nothing, must wait, or is somebody else's: by callback, or, with
// hand, over a session, whose end is ctx's.
func (d *Dispatcher) work(ctx context.Context, lane *parley.Lane, hand parley.Hand) {
	d.workOn(ctx, lane, hand, false)
}

func (d *Dispatcher) workOn(ctx context.Context, lane *parley.Lane, hand parley.Hand, thinks bool) {
	now := d.config.Clock()
	s := &shift{d: d, lane: lane, hand: hand, until: lane.Until, noted: now, acked: lane.Acked, failed: lane.Attempts, again: lane.Again, thinks: thinks}
	if err := s.guarded(ctx); err != nil && !errors.Is(err, parley.ErrLeaseLost) && !errors.Is(err, errChanged) && ctx.Err() == nil {
		d.logger.WarnContext(ctx, "working on a lane", "lane", lane.Key, "conversation", lane.Conversation, "error", err)
	}
}

// guarded runs the shift. A panic in it is a fault of ours like any other: it costs this lane time, and not the others the process.
func (s *shift) guarded(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = s.cannot(ctx, fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
		}
	}()
	return s.run(ctx)
}

func (s *shift) run(ctx context.Context) error {
	for vain := false; ; {
		// A lane may have waited for its turn for long, or longer than its lease: then it is whoever's claimed it next.
		if !s.d.config.Clock().Before(s.until.Add(-lease / 2)) {
			if err := s.keep(ctx); err != nil {
				return err
			}
		}
		if !s.lane.Probe && s.d.health.open(s.lane.Receiver.Key) { // held: due, and not claimed while the breaker is open
			return s.giveBack(ctx, s.d.config.Clock())
		}
		replayed := 0
		if s.again > 0 {
			n, stay, err := s.replay(ctx)
			if err != nil || !stay {
				return err
			}
			replayed = n
		}
		c, owed, err := s.owed(ctx)
		if err != nil {
			return s.failedOurselves(ctx, err)
		}
		if len(owed) > 0 {
			again, err := s.handOn(ctx, c, owed)
			if err != nil || !again {
				return err
			}
			if len(owed) == owedPage {
				continue
			}
		}
		rest, err := s.note(ctx, parley.Progress{Release: true})
		if err != nil {
			return err
		}
		if !rest.More {
			if !rest.Next.IsZero() {
				s.d.later(rest.Next.Sub(s.d.config.Clock()), s.retry)
			}
			return nil
		}
		if len(owed) > 0 || replayed > 0 {
			vain = false
			continue
		}
		if vain { // twice the record says that something is owed, but nothing is addressed to the lane: never spin
			return s.giveBack(ctx, s.d.config.Clock().Add(time.Minute))
		}
		vain = true
	}
}

// owed is what the lane owes: as it was committed here just now, or else as it is read, aside: see there.
func (s *shift) owed(ctx context.Context) (*parley.Conversation, []parley.Message, error) {
	at := *s.lane
	at.Acked = s.acked
	if c, owed := s.d.config.Store.AtHand(&at, owedPage); len(owed) > 0 {
		return c, owed, nil
	}
	type found struct {
		c    parley.Conversation
		owed []parley.Message
		err  error
	}
	f := stack.Aside(func() *found {
		var f found
		f.c, f.owed, f.err = s.d.config.Store.Owed(ctx, &at, owedPage)
		return &f
	})
	return &f.c, f.owed, f.err
}

// handOn lets whoever is concerned have what is owed.
func (s *shift) handOn(ctx context.Context, c *parley.Conversation, owed []parley.Message) (again bool, err error) {
	if s.thinks {
		return s.converse(ctx, c, owed)
	}
	return s.deliver(ctx, c, owed)
}

// deliver makes an attempt for each message. again is false when the lane was given back.
func (s *shift) deliver(ctx context.Context, c *parley.Conversation, owed []parley.Message) (again bool, err error) {
	to, err := s.d.targets.of(ctx, s.lane.Receiver)
	if err != nil && parley.KindOf(err) != parley.NotFound {
		return false, s.failedOurselves(ctx, err)
	}
	known := err == nil
	if known && to.bot() && !s.thinks { // nobody knew when the lane was claimed
		s.d.bots.add(s.lane)
		return false, nil
	}
	if known && to.session() != (s.hand != nil) { // the role was changed: its lanes are somebody else's work from now on
		return false, errors.Join(s.d.config.Store.SetPulled(ctx, s.lane.Receiver.Key, to.session()), s.giveBack(ctx, s.d.config.Clock()))
	}
	for i := range owed {
		m := &owed[i]
		if !known {
			_, _ = s.giveUp(ctx, m, &target{}, "the client application, or its role, does not exist any more") // never blocks
			continue
		}
		if ready, err := s.ready(ctx); err != nil || !ready {
			return false, err
		}
		stay, err := s.one(ctx, to, c, m)
		if err != nil || !stay {
			return false, err
		}
	}
	return true, nil
}

// ready sees to it that an attempt may be made and that there is time for it. It is false when the lane was given back, because we are
// stopping, or its receiver is held.
func (s *shift) ready(ctx context.Context) (bool, error) {
	if ctx.Err() != nil || s.held(ctx) {
		return false, s.giveBack(context.WithoutCancel(ctx), s.d.config.Clock())
	}
	if s.d.config.Clock().After(s.until.Add(-attemptTimeout-time.Second)) || s.d.config.Clock().Sub(s.noted) > quietFor {
		if err := s.keep(ctx); err != nil {
			return false, err
		}
	}
	return true, nil
}

// one makes the attempts for one message: one, or more for a transcript. stay is false when the lane was given back.
func (s *shift) one(ctx context.Context, to *target, c *parley.Conversation, m *parley.Message) (stay bool, err error) {
	res, err := s.try(ctx, to, c, m)
	if err != nil {
		return false, s.cannot(ctx, err)
	}
	return s.settle(ctx, to, m, &res)
}

// settle does what an attempt came to.
func (s *shift) settle(ctx context.Context, to *target, m *parley.Message, res *result) (stay bool, err error) {
	switch res.outcome {
	case Delivered:
		s.d.metrics.deliveries.WithLabelValues("delivered").Inc()
		s.d.metrics.seconds.Observe(s.d.config.Clock().Sub(m.Created).Seconds())
		s.acked, s.failed = m.Seq, 0
		return true, nil
	case Rejected:
		return s.giveUp(ctx, m, to, res.problem)
	case Gone:
		s.d.health.disable(ctx, s.lane.Receiver, "the receiver answered 410")
		return false, s.giveBack(ctx, s.d.config.Clock())
	}
	if ctx.Err() != nil { // we are stopping: that is not the receiver's fault
		s.tried = s.tried[:len(s.tried)-1]
		return false, s.giveBack(context.WithoutCancel(ctx), s.d.config.Clock())
	}
	s.failed++
	schedule := to.role.Delivery.Schedule
	if schedule == nil {
		schedule = s.d.config.Schedule
	}
	wait, ok := backoff(schedule, s.failed, s.d.config.Random(), res.retryAfter)
	if !ok {
		return s.giveUp(ctx, m, to, res.problem)
	}
	if wait <= hastened && s.d.health.outlived(s.lane.Receiver.Key, s.tried[len(s.tried)-1].At) {
		first, _ := backoff(schedule, 1, s.d.config.Random(), res.retryAfter)
		wait = min(wait, first)
	}
	now := s.d.config.Clock()
	back := parley.Progress{Release: true, Retry: now.Add(wait)}
	if res.retryAfter > 0 {
		back.Asked = now.Add(min(res.retryAfter, wait))
	}
	if _, err := s.note(ctx, back); err != nil {
		return false, err
	}
	s.d.later(wait, s.retry)
	return false, nil
}

// try makes the attempts for one message until one is not good. The error is ours: it does not count against the receiver.
func (s *shift) try(ctx context.Context, to *target, c *parley.Conversation, m *parley.Message) (res result, err error) {
	bodies := [][]byte{nil}
	if !to.bot() {
		bodies, err = s.d.payloads(ctx, s.lane, c, m)
	}
	if s.lane.Receiver.Role == parley.BusinessNotification && parley.KindOf(err) == parley.NotFound {
		return result{outcome: Rejected, problem: "the webhook, or its bot, does not exist any more"}, nil
	}
	if err != nil {
		return res, err
	}
	for i, body := range bodies {
		id := ident.Delivery(m.ID, s.lane.Receiver.Application, s.lane.Receiver.Role)
		if i < len(bodies)-1 { // a transcript's pages before the message itself have ids of their own
			id = ident.Delivery(parley.MessageID(id), s.lane.Receiver.Application, parley.Role(rune('0'+i%10)))
		}
		if to, err = s.pace(ctx, to); err != nil {
			return res, err
		}
		at := s.d.config.Clock()
		if to.bot() {
			res = *s.think(ctx, c, m)
		} else {
			res = s.send(ctx, to, m, id.String(), body)
		}
		if res.ours != nil {
			return res, res.ours
		}
		s.record(m, at, &res)
		if s.hand == nil && !to.bot() && ctx.Err() == nil {
			s.d.health.judge(ctx, s.lane, to, res.outcome, at)
		}
		if res.outcome != Delivered {
			return res, nil
		}
	}
	return res, nil
}

// record keeps an attempt until it is noted.
func (s *shift) record(m *parley.Message, at time.Time, res *result) {
	s.d.faults.over(s.lane.Key)
	s.d.metrics.attempted(*res)
	s.tried = append(s.tried, parley.Attempt{Message: m.ID, Seq: m.Seq, At: at, Duration: res.took, Status: res.status,
		Error: res.problem, Answer: res.answer})
}

// send makes one attempt: over the session, or by callback.
func (s *shift) send(ctx context.Context, to *target, m *parley.Message, id string, body []byte) result {
	if s.hand != nil {
		return s.d.sender.handOver(ctx, s.hand, parley.Handed{Delivery: id, Conversation: m.Conversation, Seq: m.Seq, Attempt: s.failed + 1, Body: body, Trace: m.Body.Trace})
	}
	return s.d.sender.attempt(ctx, *to, request{id: id, body: body, trace: m.Body.Trace, again: s.failed > 0}, func() bool { return s.keep(ctx) == nil })
}
