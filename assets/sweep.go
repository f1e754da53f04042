package assets

import (
	"context"
	"fmt"
	"time"

	"parley"
)

const (
	sweepEvery = time.Hour
	sweepBatch = 100
)

// Run sweeps every hour until ctx ends. Several nodes may do so: each file is removed once.
func (a *Assets) Run(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		if n, err := a.Sweep(ctx); err != nil {
			a.cfg.Log.ErrorContext(ctx, "sweep of unused assets", "removed", n, "error", err)
		} else if n > 0 {
			a.cfg.Log.InfoContext(ctx, "unused assets swept", "removed", n)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// Sweep removes every file that no message has used for a day, and says how many those were. The record goes first: bytes
// without a record are waste, a record without bytes would be a promise.
func (a *Assets) Sweep(ctx context.Context) (removed int, err error) {
	before := a.cfg.Now().Add(-a.cfg.Keep)
	for {
		var unused []parley.Asset
		err := a.records.View(ctx, func(tx parley.Tx) (err error) {
			unused, err = tx.UnusedAssets(ctx, before, sweepBatch)
			return err
		})
		if err != nil {
			return removed, fmt.Errorf("list unused assets: %w", err)
		}
		for _, asset := range unused {
			switch err := a.Delete(ctx, asset.Tenant, asset.ID); parley.KindOf(err) {
			case parley.NotFound, parley.Forbidden: // another node was first, or a message was
			default:
				if err != nil {
					return removed, err
				}
				removed++
			}
		}
		if len(unused) < sweepBatch {
			return removed, nil
		}
	}
}
