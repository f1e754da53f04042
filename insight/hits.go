package insight

import (
	"context"

	"parley"
)

// Hits is what was found in a conversation, as it is for people who look into one.
type Hits struct {
	Insight  parley.Insight // its Number is 0 until the conversation was looked at
	LastSeq  int64
	Trackers []parley.TrackerHit
	Entities []parley.EntityHit
	Messages map[int64]parley.MessageID // in which something was found, by Seq
}

// Hits is what was found in a conversation. NotFound.
func (c *Conversations) Hits(ctx context.Context, tenant parley.TenantID, id parley.ConversationID) (h Hits, err error) {
	err = c.store.View(ctx, func(tx parley.Tx) error {
		conversation, err := tx.Conversation(ctx, tenant, id)
		if err != nil {
			return err
		}
		h = Hits{LastSeq: conversation.Seq, Messages: map[int64]parley.MessageID{}}
		if h.Insight, err = tx.InsightOf(ctx, tenant, id); parley.KindOf(err) == parley.NotFound {
			return nil
		} else if err != nil {
			return err
		}
		if h.Trackers, err = tx.TrackerHits(ctx, tenant, id); err != nil {
			return err
		}
		if h.Entities, err = tx.EntityHits(ctx, tenant, id); err != nil || len(h.Trackers)+len(h.Entities) == 0 {
			return err
		}
		messages, err := messagesUpTo(ctx, tx, tenant, id, 0, h.Insight.Seq)
		for _, m := range messages {
			h.Messages[m.Seq] = m.ID
		}
		return err
	})
	return h, err
}
