package insight

import (
	"context"
	"errors"
	"slices"

	"parley"
)

// keptAtOnce is of how many conversations detections are stored in one transaction. On SQLite whoever posts waits for it: for 1000 of them
// 8 to 14 ms on a busy machine.
const keptAtOnce = 200

// keep stores detections of a page with how far its jobs are. Posts that wait for the writer get it in between.
func (d *Detector) keep(ctx context.Context, tenant parley.TenantID, found []parley.Detection, jobs map[parley.JobID]*textJob) error {
	for together := range slices.Chunk(found, keptAtOnce) {
		if err := d.keepTogether(ctx, tenant, together, jobs); err != nil {
			return err
		}
	}
	return nil
}

// keepTogether stores detections. A record that does not take them together is given each conversation's
// alone; one that it does not take either is put down as looked at, with nothing found, since it would hold up everything that is said
// after it, everywhere, for good. A record that does not even take that is not well, and all is tried again.
func (d *Detector) keepTogether(ctx context.Context, tenant parley.TenantID, found []parley.Detection, jobs map[parley.JobID]*textJob) error {
	err := d.put(ctx, tenant, found, jobs)
	if err == nil || ctx.Err() != nil {
		return err
	}
	for i := range found {
		alone := d.put(ctx, tenant, found[i:i+1], jobs)
		if alone == nil {
			continue
		}
		bare := found[i]
		bare.Trackers, bare.Entities, bare.Labels = nil, nil, nil
		bare.Insight.Name, bare.Insight.Metadata, bare.Insight.Members = "", map[string]string{}, nil
		if d.put(ctx, tenant, []parley.Detection{bare}, jobs) != nil {
			return errors.Join(err, alone)
		}
		d.metrics.errors.Inc()
		d.config.Logger.ErrorContext(ctx, "what was found in a conversation cannot be stored, it counts as nothing", "conversation", bare.Insight.Conversation,
			"seq", bare.Insight.Seq, "error", alone)
	}
	return nil
}

func (d *Detector) put(ctx context.Context, tenant parley.TenantID, found []parley.Detection, jobs map[parley.JobID]*textJob) error {
	of := make(map[parley.ConversationID]bool, len(found))
	for i := range found {
		of[found[i].Insight.Conversation] = true
	}
	return d.config.Record.Update(ctx, func(tx parley.Tx) error {
		for _, j := range jobs {
			if !of[j.job.Conversation] {
				continue
			}
			if err := j.advance(ctx, tx, d.now()); err != nil {
				return err
			}
		}
		return tx.PutDetections(ctx, tenant, found)
	})
}
