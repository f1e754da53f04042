package dispatch

import (
	"context"
	"sync"
	"time"

	"parley"
)

// heldTTL is how long what another node says of a receiver may stay unseen by what is not claimed from the record.
const heldTTL = time.Second

// held knows the receivers to which nothing is sent now. Lanes need not ask: the record does not let them be claimed. Safe for concurrent
// use.
type held struct {
	store parley.Store
	clock func() time.Time

	mu     sync.Mutex
	of     map[targetName]struct{}
	until  time.Time // zero = unknown
	change int       // grows with drop, so that what was read before is not kept
}

// has says whether nothing is sent to a receiver.
func (h *held) has(ctx context.Context, name targetName) (bool, error) {
	h.mu.Lock()
	_, found := h.of[name]
	fresh, change := h.clock().Before(h.until), h.change
	h.mu.Unlock()
	if fresh {
		return found, nil
	}
	all, err := h.store.Held(ctx)
	if err != nil {
		return false, err
	}
	of := make(map[targetName]struct{}, len(all))
	for _, r := range all {
		of[targetName{r.Tenant, r.Application, r.Role}] = struct{}{}
	}
	h.mu.Lock()
	if change == h.change {
		h.of, h.until = of, h.clock().Add(heldTTL)
	}
	h.mu.Unlock()
	_, found = of[name]
	return found, nil
}

// drop forgets: this node knows that a receiver is held from now on, or not any more.
func (h *held) drop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.until = time.Time{}
	h.change++
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
