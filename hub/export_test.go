package hub

import "context"

// Remind does at once what the hub does every second.
func (h *Hub) Remind(ctx context.Context) { h.remind(ctx) }

// RemindAtOnce is remindAtOnce.
const RemindAtOnce = remindAtOnce

// LookAtOnce is lookAtOnce.
const LookAtOnce = lookAtOnce

// DoubtTurns lets all who wait for turns look again, as after lost hints.
func (h *Hub) DoubtTurns() { h.waiters.doubt() }
