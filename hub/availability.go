package hub

import (
	"context"
	"slices"
	"time"

	"parley"
	"parley/ident"
)

// announces says whether a draft is what an agent program says of itself outside of a conversation.
func announces(d *parley.Draft) bool {
	return d.Conversation.IsZero() && (d.Type == parley.TypeAgentAvailable || d.Type == parley.TypeAgentUnavailable)
}

// announce takes what agent programs say of themselves, one after the other, or nothing of it. A credential that is bound
// to an application speaks for that one; an unbound one for every application that has the role.
func (h *Hub) announce(ctx context.Context, s parley.Speaker, inputs []*input) ([]Posted, error) {
	apps := make([][]parley.ApplicationID, len(inputs))
	for i, in := range inputs {
		d := &in.draft
		if !announces(d) {
			return nil, in.located(&parley.Error{Kind: parley.Invalid, Reason: parley.Missing, Field: "conversation.id", Msg: "only announcements go without a conversation"})
		}
		if !Permitted(d.Sender, d.Type) {
			return nil, in.located(&parley.Error{Kind: parley.Forbidden, Reason: parley.TypeNotAllowed, Field: "type.value",
				Msg: "a " + string(d.Sender) + " may not send " + string(d.Type)})
		}
		var err error
		if apps[i], err = h.announcers(ctx, s, d.Sender); err != nil {
			return nil, err
		}
		if len(apps[i]) == 0 {
			return nil, in.located(notParty("no client application has the role " + string(d.Sender)))
		}
	}
	posted := make([]Posted, len(inputs))
	for i, in := range inputs {
		for _, app := range apps[i] {
			if err := h.setAvailable(ctx, s.Tenant, app, in.draft.Type == parley.TypeAgentAvailable); err != nil {
				return nil, err
			}
		}
		posted[i] = in.posted(parley.ConversationID{}, ident.New[parley.Message](), 0)
	}
	return posted, nil
}

// announcers are the applications that a speaker speaks for in a role.
func (h *Hub) announcers(ctx context.Context, s parley.Speaker, role parley.Role) (apps []parley.ApplicationID, err error) {
	if len(s.Roles) > 0 && !slices.Contains(s.Roles, role) {
		return nil, nil
	}
	err = h.config.Store.View(ctx, func(tx parley.Tx) error {
		const page = 100
		for offset := 0; ; offset += page {
			all, count, err := tx.Applications().List(ctx, s.Tenant, offset, page)
			if err != nil {
				return err
			}
			for _, a := range all {
				if _, ok := a.Role(role); ok && (s.Application.IsZero() || s.Application == a.ID) {
					apps = append(apps, a.ID)
				}
			}
			if offset+page >= count {
				return nil
			}
		}
	})
	return apps, err
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
		marked, err := a.h.setAvailableUnless(ctx, a.tenant, r.senderApplication(), t == parley.TypeAgentAvailable, func(tx parley.Tx) (bool, error) {
			// Another node gave the conversation to somebody else: the step will not hold, and is routed again on what there is.
			c, err := tx.Conversation(ctx, a.tenant, a.id)
			if parley.KindOf(err) == parley.NotFound { // it begins with this step
				return false, nil
			}
			return c.Epoch > state.Epoch, err
		})
		if err != nil {
			return nil, err
		}
		changed = changed || marked
	}
	if !changed {
		return plan, nil
	}
	return a.h.plans.of(ctx, a.tenant, state.Account)
}

// releaseTimeout bounds giving out what was held; what is left then, or was not begun because the hub had ended, goes out by
// the conversations' own reminders.
const releaseTimeout = 5 * time.Minute

// setAvailable stores what an agent program said and, if it is back, gives out what was held for it.
func (h *Hub) setAvailable(ctx context.Context, tenant parley.TenantID, app parley.ApplicationID, available bool) error {
	_, err := h.setAvailableUnless(ctx, tenant, app, available, func(parley.Tx) (bool, error) { return false, nil })
	return err
}

// setAvailableUnless is setAvailable, unless the record says that it is not so any more.
func (h *Hub) setAvailableUnless(ctx context.Context, tenant parley.TenantID, app parley.ApplicationID, available bool, over func(parley.Tx) (bool, error)) (marked bool, err error) {
	err = h.config.Store.Update(ctx, func(tx parley.Tx) error {
		stale, err := over(tx)
		if marked = !stale; err != nil || stale {
			return err
		}
		return tx.SetAvailable(ctx, tenant, app, available, h.now())
	})
	if err != nil || !marked {
		return false, err
	}
	h.ConfigChanged(ctx, tenant)
	if available {
		h.work.start(func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout) // outlives the request that caused it
			defer cancel()
			if err := h.release(ctx, tenant, app); err != nil {
				h.config.Logger.WarnContext(ctx, "giving out held messages", "application", app, "error", err)
			}
		})
	}
	return true, nil
}
