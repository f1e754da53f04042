package insight

import (
	"context"
	"fmt"
	"time"

	"parley"
)

// Delete removes a conversation from the manage surface: what was found in it, its metadata and its insight are gone, its messages are
// erased, and it does not come back, whatever else is said in it. In a conversation that goes on what is said later is not looked at.
// NotFound.
func (c *Conversations) Delete(ctx context.Context, tenant parley.TenantID, n parley.Number) error {
	err := c.store.Update(ctx, func(tx parley.Tx) error {
		in, err := tx.FindInsight(ctx, tenant, n)
		if err != nil {
			return err
		}
		return forget(ctx, tx, tenant, in.Conversation, c.now())
	})
	if err != nil {
		return fmt.Errorf("delete conversation %s: %w", n, err)
	}
	return nil
}

// forget forgets a conversation, and what the jobs of its messages were told about it. Those that go on end.
func forget(ctx context.Context, tx parley.Tx, tenant parley.TenantID, id parley.ConversationID, now time.Time) error {
	jobs, err := tx.Forget(ctx, tenant, id)
	if err != nil {
		return err
	}
	for _, id := range jobs {
		j, err := tx.Job(ctx, tenant, id)
		if err != nil {
			return err
		}
		j.Request = parley.JobRequest{Webhook: j.Request.Webhook, WebhookTry: j.Request.WebhookTry}
		if !j.Status.Over() {
			j.Status, j.Finished, j.Reason = parley.JobFailed, now, "the conversation was deleted"
		}
		if err := tx.ReplaceJob(ctx, j); err != nil {
			return err
		}
	}
	return nil
}

// forgetLate forgets once more: a text that was on its way when its conversation was deleted came in after that.
func (d *Detector) forgetLate(ctx context.Context, tenant parley.TenantID, late []parley.ConversationID) error {
	return d.config.Record.Update(ctx, func(tx parley.Tx) error {
		for _, id := range late {
			if err := forget(ctx, tx, tenant, id, d.now()); err != nil {
				return fmt.Errorf("forget a late text: %w", err)
			}
		}
		return nil
	})
}
