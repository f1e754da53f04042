package hub

import (
	"context"

	"parley"
)

// redacted is content as it is stored, in the language of the conversation.
func (r *routing) redacted(c *parley.Content) *parley.Content {
	return c.Redacted(r.plan.redact, r.c.State.Language)
}

// answer is the body of what a bot that the hub runs answers, as it is stored. The names of its files are descriptions, so they are said.
func (r *routing) answer(said parley.Body) parley.Body {
	by, language := r.plan.redact, r.c.State.Language
	said.Content, said.Answer = r.redacted(said.Content), said.Answer.Redacted(by, language)
	if by != nil && said.Attachments != nil {
		clean := make([]parley.Attachment, len(said.Attachments))
		for i, a := range said.Attachments {
			a.Name = parley.RedactedText(by, language, a.Name)
			clean[i] = a
		}
		said.Attachments = clean
	}
	return said
}

// Redactor is what a tenant's settings do to what is said, for who keeps words that are no messages; nil if they stay as they are.
func (h *Hub) Redactor(ctx context.Context, tx parley.Tx, tenant parley.TenantID) (parley.Redactor, error) {
	if h.config.Redaction == nil {
		return nil, nil
	}
	return h.config.Redaction(ctx, tx, tenant)
}
