package hub

import (
	"context"
	"runtime"

	"parley"
)

// Remind does at once what the hub does every second.
func (h *Hub) Remind(ctx context.Context) { h.remind(ctx) }

// RemindAtOnce is remindAtOnce.
const RemindAtOnce = remindAtOnce

// LookAtOnce is lookAtOnce.
const LookAtOnce = lookAtOnce

// DoubtTurns lets all who wait for turns look again, as after lost hints.
func (h *Hub) DoubtTurns() { h.waiters.doubt() }

// Forget does at once what the hub does every minute, and says how many conversations are still in memory.
func (h *Hub) Forget() int {
	h.forget()
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.active)
}

// Settle waits until nothing of a conversation is on its way.
func (h *Hub) Settle(tenant parley.TenantID, id parley.ConversationID) {
	a := h.conversation(tenant, id)
	for busy := true; busy; runtime.Gosched() {
		a.mu.Lock()
		busy = a.working || a.flying > 0
		a.mu.Unlock()
	}
}
