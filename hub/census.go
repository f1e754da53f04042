package hub

import (
	"context"
	"time"

	"parley"
)

const (
	// countEvery is how often open conversations are counted, for the metrics.
	countEvery = 10 * time.Second
	// countShare is how much longer than a count the next one waits at least, so that many conversations are not made a
	// load by counting them.
	countShare = 100
)

// census shows how many conversations are open, at once and then again and again until ctx ends.
func (h *Hub) census(ctx context.Context) {
	for {
		began := time.Now()
		h.countOpen(ctx)
		next := time.NewTimer(max(countEvery, countShare*time.Since(began)))
		select {
		case <-next.C:
		case <-ctx.Done():
			next.Stop()
			return
		}
	}
}

// countOpen counts once. What was shown before stays if it cannot.
func (h *Hub) countOpen(ctx context.Context) {
	var open map[parley.OwnerKind]int
	err := h.config.Store.View(ctx, func(tx parley.Tx) (err error) {
		open, err = tx.OpenByOwner(ctx)
		return err
	})
	if err != nil {
		if ctx.Err() == nil {
			h.config.Logger.WarnContext(ctx, "counting open conversations", "error", err)
		}
		return
	}
	for _, kind := range []parley.OwnerKind{parley.OwnerNone, parley.OwnerBot, parley.OwnerQueue, parley.OwnerAgent} {
		h.metrics.open.WithLabelValues(string(kind)).Set(float64(open[kind])) // zero for those that have none any more
	}
}
