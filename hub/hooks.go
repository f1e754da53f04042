package hub

import (
	"context"

	"parley"
)

// A plannedHook hears of what happens in the conversations of a bot, and never speaks.
type plannedHook struct {
	party   parley.Party
	trigger parley.HookTrigger
}

// readHooks resolves the hooks of a bot. Those that are switched off or gone hear nothing.
func readHooks(ctx context.Context, tx parley.Tx, tenant parley.TenantID, ids []parley.ApplicationID) (hooks []plannedHook, err error) {
	for _, id := range ids {
		app, err := tx.Applications().Find(ctx, tenant, id)
		if parley.KindOf(err) == parley.NotFound || err == nil && (app.Hook == nil || !app.Active) {
			continue
		}
		if err != nil {
			return nil, err
		}
		hooks = append(hooks, plannedHook{parley.Party{Application: id, Role: parley.BusinessNotification, Name: app.Hook.Title, Callback: true}, app.Hook.Trigger})
	}
	return hooks, nil
}

// hooked addresses a message to the hooks that want to hear of it, and to no others.
func (r *routing) hooked(m *parley.Message) int64 {
	to := m.To
	for slot, p := range r.c.State.Parties {
		if p.Role == parley.BusinessNotification {
			to &^= bit(slot)
		}
	}
	for _, h := range r.plan.hooks {
		if h.wants(m) {
			to |= bit(r.party(h.party))
		}
	}
	return to
}

func (h *plannedHook) wants(m *parley.Message) bool {
	switch h.trigger {
	case parley.HookMessage:
		_, rich := m.Type.Rich()
		return m.Sender != parley.System && (rich || m.Type == parley.TypeText)
	case parley.HookStart:
		return m.Seq == 1
	case parley.HookEnd:
		return m.Type == parley.TypeConversationEnd
	case parley.HookArchive:
		return m.Type == parley.TypeConversationEnd && m.Sender == parley.System
	case parley.HookUnavailable:
		status := stateOf(m)
		return status == statusRetained || status == statusOffHours
	case parley.HookManual:
		status := stateOf(m)
		return status == statusRetained || status == statusEscalated
	}
	return false
}

// The states that the hub tells of by itself.
const (
	statusEscalated = "escalated" // people have it
	statusRetained  = "retained"  // they will, once they are there
	statusOffHours  = "off_hours" // nobody is there, and it is over
)

// stateOf is what a message of the hub says became of its conversation; "" if it says no such thing.
func stateOf(m *parley.Message) string {
	if m.Type != parley.TypeConversationState || m.Sender != parley.System {
		return ""
	}
	return text(m.Body.Content, "status")
}
