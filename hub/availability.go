package hub

import (
	"context"
	"time"

	"parley"
	"parley/ident"
)

// announce takes what an agent program says of itself outside of a conversation. A credential that is bound to an
// application speaks for that one; an unbound one for every application that has the role.
func (h *Hub) announce(ctx context.Context, s parley.Speaker, d parley.Draft) ([]Posted, error) {
	if !Permitted(d.Sender, d.Type) {
		return nil, &parley.Error{Kind: parley.Forbidden, Reason: parley.TypeNotAllowed, Field: "type.value",
			Msg: "a " + string(d.Sender) + " may not send " + string(d.Type)}
	}
	var apps []parley.ApplicationID
	err := h.config.Store.View(ctx, func(tx parley.Tx) error {
		const page = 100
		for offset := 0; ; offset += page {
			all, count, err := tx.Applications().List(ctx, s.Tenant, offset, page)
			if err != nil {
				return err
			}
			for _, a := range all {
				if _, ok := a.Role(d.Sender); ok && (s.Application.IsZero() || s.Application == a.ID) {
					apps = append(apps, a.ID)
				}
			}
			if offset+page >= count {
				return nil
			}
		}
	})
	if err != nil {
		return nil, err
	}
	if len(apps) == 0 {
		return nil, notParty("no client application has the role " + string(d.Sender))
	}
	for _, app := range apps {
		if err := h.setAvailable(ctx, s.Tenant, app, d.Type == parley.TypeAgentAvailable); err != nil {
			return nil, err
		}
	}
	in := input{draft: d}
	return []Posted{in.posted(parley.ConversationID{}, ident.New[parley.Message](), 0)}, nil
}

// noteAvailability sets the mark of an agent program that says in a conversation whether it can take work, before the
// message is committed: once the sender has its answer, the mark is stored. A sender who may not say so is left to
// route, which refuses it.
func (a *active) noteAvailability(ctx context.Context, p *post, state *parley.Conversation, plan *plan) (*plan, error) {
	changed := false
	for _, in := range p.inputs {
		t := in.draft.Type
		if in.kind != said || t != parley.TypeAgentAvailable && t != parley.TypeAgentUnavailable {
			continue
		}
		r := routing{c: *state, plan: plan, now: a.h.now(), in: in}
		if state.Status == parley.Ended || !Permitted(in.draft.Sender, t) || r.checkSpeaker() != nil || r.checkOwner() != nil {
			continue
		}
		if err := a.h.setAvailable(ctx, a.tenant, r.senderApplication(), t == parley.TypeAgentAvailable); err != nil {
			return nil, err
		}
		changed = true
	}
	if !changed {
		return plan, nil
	}
	return a.h.plans.of(ctx, a.tenant, state.Account)
}

// releaseTimeout bounds giving out what was held; what is left then goes out by the conversations' own reminders.
const releaseTimeout = 5 * time.Minute

// setAvailable stores what an agent program said and, if it is back, gives out what was held for it.
func (h *Hub) setAvailable(ctx context.Context, tenant parley.TenantID, app parley.ApplicationID, available bool) error {
	err := h.config.Store.Update(ctx, func(tx parley.Tx) error {
		return tx.SetAvailable(ctx, tenant, app, available, h.now())
	})
	if err != nil {
		return err
	}
	h.ConfigChanged(ctx, tenant)
	if available {
		h.work.Go(func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout) // outlives the request that caused it
			defer cancel()
			if err := h.release(ctx, tenant, app); err != nil {
				h.config.Logger.WarnContext(ctx, "giving out held messages", "application", app, "error", err)
			}
		})
	}
	return nil
}
