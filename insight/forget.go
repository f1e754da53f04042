package insight

import (
	"context"
	"fmt"
	"time"

	"parley"
)

// An Ender ends conversations, so that whoever takes part in one hears of it.
type Ender interface {
	// End ends a conversation for a reason that its timeline tells. One that is over stays as it is.
	End(ctx context.Context, tenant parley.TenantID, id parley.ConversationID, why string) error
}

// Delete removes a conversation from the manage surface: one that goes on ends, which its sessions and receivers are told; what was found
// in it, its metadata and its insight are gone, its messages are erased, and it does not come back. by is in the audit log. NotFound.
func (c *Conversations) Delete(ctx context.Context, hub Ender, tenant parley.TenantID, n parley.Number, by parley.APIClientID) error {
	in, err := c.Find(ctx, tenant, n)
	if err != nil {
		return fmt.Errorf("delete conversation %s: %w", n, err)
	}
	if err := hub.End(ctx, tenant, in.Conversation, "the conversation was deleted"); err != nil {
		return fmt.Errorf("delete conversation %s: %w", n, err)
	}
	err = c.store.Update(ctx, func(tx parley.Tx) error {
		if _, err := tx.FindInsight(ctx, tenant, n); err != nil { // somebody else was faster
			return err
		}
		if err := forget(ctx, tx, tenant, in.Conversation, c.now()); err != nil {
			return err
		}
		return tx.InsertAudit(ctx, parley.AuditEntry{Tenant: tenant, At: c.now(), Actor: by.String(), Action: "conversations.delete", Subject: in.Conversation.String(), Detail: "{}"})
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
