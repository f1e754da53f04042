package dispatch

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"parley"
)

// takeInterval is how long a message may wait when nobody on this node heard of it: hints may be lost.
const takeInterval = time.Second

// Take lets a session have what the lanes of its receiver owe: run gives it out, in order per lane, at most atOnce at the
// same time, until its context ends; then it returns with nothing left of it. Several sessions of one receiver share its
// lanes, on any nodes. A delivery whose answer was not heard because the session ended is due again at once. NotFound if
// the client application has no such role; Forbidden if the role has a callback.
func (d *Dispatcher) Take(ctx context.Context, r parley.Receiver, atOnce int, hand parley.Hand) (run func(context.Context), err error) {
	to, err := d.targets.of(ctx, r)
	if err != nil {
		return nil, err
	}
	if !to.session() {
		return nil, &parley.Error{Kind: parley.Forbidden, Reason: parley.ActorNotAllowed,
			Msg: "the role has a callback; set it to " + parley.SessionCallback + " to take messages over a session"}
	}
	t := &taker{d: d, receiver: r, hand: hand, stirred: make(chan struct{}, 1)}
	return func(ctx context.Context) {
		d.mu.Lock()
		d.takers[t] = struct{}{}
		d.mu.Unlock()
		t.run(ctx, atOnce)
		d.mu.Lock()
		delete(d.takers, t)
		d.mu.Unlock()
	}, nil
}

// Stirred says that there may be something to take in a tenant.
func (d *Dispatcher) Stirred(tenant parley.TenantID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for t := range d.takers {
		if t.receiver.Tenant == tenant {
			t.stir()
		}
	}
}

// A taker is a session that takes the deliveries of a receiver.
type taker struct {
	d        *Dispatcher
	receiver parley.Receiver
	hand     parley.Hand
	stirred  chan struct{} // capacity 1: look again
}

func (t *taker) stir() {
	select {
	case t.stirred <- struct{}{}:
	default:
	}
}

// run claims lanes and works on each in a goroutine of its own, as long as there are free places.
func (t *taker) run(ctx context.Context, atOnce int) {
	var wg sync.WaitGroup
	defer wg.Wait()
	places := make(chan struct{}, atOnce)
	tick := time.NewTicker(takeInterval)
	defer tick.Stop()
	for {
		if free := atOnce - len(places); free > 0 {
			lanes, err := t.d.config.Store.ClaimFor(ctx, t.receiver, free, lease)
			if err != nil && ctx.Err() == nil {
				t.d.logger.WarnContext(ctx, "claiming lanes for a session", "application", t.receiver.Application, "error", err)
			}
			for _, lane := range lanes {
				places <- struct{}{} // there is room: only this goroutine fills
				wg.Go(func() {
					t.d.work(ctx, lane, t.hand)
					<-places
					t.stir()
				})
			}
		}
		select {
		case <-t.stirred:
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// handOver is the attempt of a delivery over a session.
func (s *sender) handOver(ctx context.Context, hand parley.Hand, h parley.Handed) result {
	ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": h.Trace})
	ctx, span := s.tracer.Start(ctx, "delivery over session", trace.WithSpanKind(trace.SpanKindProducer))
	defer span.End()
	start := s.clock()
	bounded, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	answer, err := hand(bounded, h)
	res := result{outcome: answer.Outcome, retryAfter: answer.After, took: s.clock().Sub(start)}
	switch {
	case err != nil:
		res.outcome, res.problem = Retry, "no answer in time"
	case answer.Outcome != Delivered:
		res.problem, res.answer = "the receiver answered "+answer.Outcome.String(), secrets(nil).excerpt([]byte(answer.Reason))
	}
	span.SetAttributes(attribute.String("parley.outcome", res.outcome.String()))
	return res
}

// sweepPulled gives lanes back to callbacks when their receiver got one, or is gone: then nobody would take them.
func (d *Dispatcher) sweepPulled(ctx context.Context) {
	pulled, err := d.config.Store.Pulled(ctx)
	if err != nil {
		if ctx.Err() == nil {
			d.logger.WarnContext(ctx, "sweeping receivers that pull", "error", err)
		}
		return
	}
	for _, r := range pulled {
		to, err := d.targets.of(ctx, r)
		if err == nil && to.session() || err != nil && parley.KindOf(err) != parley.NotFound {
			continue
		}
		if err := d.config.Store.SetPulled(ctx, r.Key, false); err != nil && ctx.Err() == nil {
			d.logger.WarnContext(ctx, "giving lanes back to callbacks", "application", r.Application, "error", err)
		}
	}
}
