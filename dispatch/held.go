package dispatch

import (
	"context"
	"sync"
	"time"

	"parley"
)

// heldTTL is how long it may stay unseen that a receiver is held because of another node: what is claimed before goes on for so long.
const heldTTL = time.Second

// held knows the receivers to which nothing is sent now. Their lanes are not claimed; it is asked by whoever has one, or needs none. Safe for
// concurrent use.
type held struct {
	store parley.Store
	clock func() time.Time

	mu     sync.Mutex
	of     map[targetName]hold
	until  time.Time // zero = unknown
	change int       // grows with drop, so that what was read before is not kept
}

// A hold says why nothing is sent to a receiver.
type hold uint8

const (
	notHeld  hold = iota
	broken        // its circuit breaker is open: it is tried with one delivery now and then
	disabled      // until somebody enables it
)

// has says whether, and why, nothing is sent to a receiver.
func (h *held) has(ctx context.Context, name targetName) (hold, error) {
	h.mu.Lock()
	found := h.of[name]
	fresh, change := h.clock().Before(h.until), h.change
	h.mu.Unlock()
	if fresh {
		return found, nil
	}
	all, err := h.store.Held(ctx)
	if err != nil {
		return notHeld, err
	}
	of := make(map[targetName]hold, len(all))
	for _, r := range all {
		why := broken
		if r.Disabled != "" {
			why = disabled
		}
		of[targetName{r.Tenant, r.Application, r.Role}] = why
	}
	h.mu.Lock()
	if change == h.change {
		h.of, h.until = of, h.clock().Add(heldTTL)
	}
	h.mu.Unlock()
	return of[name], nil
}

// drop forgets: this node knows that a receiver is held from now on, or not any more.
func (h *held) drop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.until = time.Time{}
	h.change++
}

// held says whether the lane's receiver is held since it was claimed: then nothing more is sent, but what tries a receiver whose breaker is
// open. If that cannot be known, it goes on.
func (s *shift) held(ctx context.Context) bool {
	r := s.lane.Receiver
	why, err := s.d.health.held.has(ctx, targetName{r.Tenant, r.Application, r.Role})
	return err == nil && (why == disabled || why == broken && s.hand == nil && !s.thinks && !s.lane.Probe)
}

// sweepHeld lets go of what is held for receivers whose role is gone: nobody can enable these, and nothing tries them. Their lanes then
// end like those of any receiver that is gone.
func (d *Dispatcher) sweepHeld(ctx context.Context) {
	held, err := d.config.Store.Held(ctx)
	if err != nil {
		if ctx.Err() == nil {
			d.logger.WarnContext(ctx, "sweeping receivers that are held", "error", err)
		}
		return
	}
	for _, r := range held {
		if _, err := d.targets.of(ctx, r); parley.KindOf(err) != parley.NotFound {
			continue
		}
		if err := d.config.Store.Disable(ctx, r.Key, ""); err != nil {
			d.logger.WarnContext(ctx, "letting go of what is held", "application", r.Application, "role", r.Role, "error", err)
			continue
		}
		d.health.held.drop()
		d.logger.InfoContext(ctx, "the role of a held receiver is gone; what it was owed is given up", "application", r.Application, "role", r.Role)
	}
}
