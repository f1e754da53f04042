package hub

import (
	"context"
	"time"

	"parley"
)

// shownEvery is for how long marks of what was shown gather before they are written: nobody waits for them.
const shownEvery = time.Second

// Shown notes how far the client of a party has a conversation. It does not wait; false means that too many marks are on their way, and that
// the caller may say it again later. Marks that are on their way when a node dies are lost: a client that comes back says it again.
func (h *Hub) Shown(m parley.ReadMark) bool {
	select {
	case h.shown <- m:
		return true
	default:
		return false
	}
}

// markShown writes marks of what was shown, a second's in one transaction.
func (h *Hub) markShown(ctx context.Context) {
	for {
		batch, over := h.gatherShown(ctx)
		if len(batch) > 0 {
			bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), readsTimeout) // what was taken is written
			err := h.config.Store.Update(bounded, func(tx parley.Tx) error { return tx.MarkShown(bounded, batch) })
			cancel()
			if err != nil {
				h.config.Logger.WarnContext(ctx, "noting what was shown", "error", err)
			}
		}
		if over {
			return
		}
	}
}

// gatherShown is what comes within a second of the first, or until there is enough for a transaction. over = ctx has ended, and nothing is left.
func (h *Hub) gatherShown(ctx context.Context) (batch []parley.ReadMark, over bool) {
	timer := time.NewTimer(shownEvery)
	timer.Stop()
	defer timer.Stop()
	for len(batch) < readsAtOnce {
		select {
		case m := <-h.shown:
			if batch = append(batch, m); len(batch) == 1 {
				timer.Reset(shownEvery)
			}
		case <-timer.C:
			return batch, false
		case <-ctx.Done():
			for len(batch) < readsAtOnce && len(h.shown) > 0 {
				batch = append(batch, <-h.shown) // nobody else takes from it
			}
			return batch, len(h.shown) == 0
		}
	}
	return batch, false
}
