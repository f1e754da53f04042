package hub

import (
	"context"
	"errors"

	"parley"
	"parley/markup"
)

// maxRefused bounds what waits to be noted; beyond it nothing more is: whoever said it was told in any case.
const maxRefused = 1024

// refused notes what a bot or an agent program said that does not have the turn any more, redacted as if it had been said. It does not wait.
func (h *Hub) refused(c *parley.Conversation, p *plan, in *input, err error) {
	r := parley.Refused{Tenant: c.Tenant, Conversation: c.ID, Seq: c.Seq, At: h.now(), Reason: err.Error()}
	if e, ok := errors.AsType[*parley.Error](err); ok {
		r.Reason = e.Msg
	}
	d := &in.draft
	switch {
	case in.kind == replied && errors.Is(err, ErrTurnOver):
		r.Sender, r.Type = parley.CustomBot, parley.TypeText
		if answers := in.word.reply.Messages; len(answers) > 0 {
			d = &answers[0]
		}
	case in.kind == said && (d.Sender.IsBot() || d.Sender.IsAgent()) && !d.Type.Ephemeral() && (parley.ReasonOf(err) == parley.NotParty || parley.KindOf(err) == parley.Closed):
		r.Sender, r.Application, r.Type = d.Sender, in.speaker.Application, d.Type
	default:
		return
	}
	if content := d.Body.Content.Redacted(p.redact, c.State.Language); content != nil && !content.Redact {
		if r.Text = content.Text; r.Text == "" {
			r.Text = markup.Text(content.HTML)
		}
		if runes := []rune(r.Text); len(runes) > parley.MaxRefusedText {
			r.Text = string(runes[:parley.MaxRefusedText])
		}
	}
	select {
	case h.refusals <- r:
	default:
	}
}

// noteRefused writes what gathered while the last transaction was away in one.
func (h *Hub) noteRefused(ctx context.Context) {
	for {
		var batch []parley.Refused
		select {
		case first := <-h.refusals:
			batch = append(batch, first)
		case <-ctx.Done():
			return
		}
		for len(batch) < readsAtOnce && len(h.refusals) > 0 {
			batch = append(batch, <-h.refusals) // nobody else takes from it
		}
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), readsTimeout)
		err := h.config.Store.Update(bounded, func(tx parley.Tx) error { return tx.NoteRefused(bounded, batch) })
		cancel()
		if err != nil {
			h.config.Logger.WarnContext(ctx, "noting what was refused", "error", err)
		}
	}
}
