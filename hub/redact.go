package hub

import "parley"

// redacted is content as it is stored, in the language of the conversation.
func (r *routing) redacted(c *parley.Content) *parley.Content {
	return c.Redacted(r.plan.redact, r.c.State.Language)
}
