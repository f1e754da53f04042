package hub

import "context"

// Remind does at once what the hub does every second.
func (h *Hub) Remind(ctx context.Context) { h.remind(ctx) }

// RemindAtOnce is remindAtOnce.
const RemindAtOnce = remindAtOnce
