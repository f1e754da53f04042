package dispatch

import (
	"context"
	"fmt"
	"runtime/debug"

	"parley"
	"parley/ident"
	"parley/wire"
)

const (
	maxWhispers = 1024 // that wait; beyond it they are dropped
	whisperers  = 4
)

// Whisper implements hub.Dispatcher: one attempt, no retry, no record.
func (d *Dispatcher) Whisper(w parley.Whisper) {
	if !d.config.Work {
		d.metrics.whispers.WithLabelValues("elsewhere").Inc()
		return
	}
	select {
	case d.whispers <- w:
	default:
		d.metrics.whispers.WithLabelValues("dropped").Inc()
	}
}

// whisper sends typing and presence while ctx lasts.
func (d *Dispatcher) whisper(ctx context.Context) {
	for {
		select {
		case w := <-d.whispers:
			d.metrics.whispers.WithLabelValues(d.whisperOnce(ctx, w)).Inc()
		case <-ctx.Done():
			return
		}
	}
}

func (d *Dispatcher) whisperOnce(ctx context.Context, w parley.Whisper) (outcome string) {
	defer func() {
		if p := recover(); p != nil {
			d.logger.ErrorContext(ctx, "telling of typing panicked", "conversation", w.Conversation.ID, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			outcome = "error"
		}
	}()
	p := w.Conversation.State.Parties[w.Slot]
	if d.pool.has(w.Conversation.ID, w.Slot) {
		return "overtaken" // messages are waiting: who typed before them is old news
	}
	to, err := d.targets.of(ctx, parley.Receiver{Tenant: w.Conversation.Tenant, Application: p.Application, Role: p.Role})
	if err != nil {
		return "error"
	}
	if to.session() {
		return "session" // who takes messages over a session hears of typing by subscribing
	}
	view := wire.View{Conversation: w.Conversation, Customer: p.Role != parley.Customer, Recipients: int64(1) << w.Slot}
	id := ident.Delivery(w.Message.ID, p.Application, p.Role)
	res := d.sender.attempt(ctx, *to, request{id: id.String(), trace: w.Message.Body.Trace,
		body: wire.AppendEnvelope(nil, w.Message.Body.Metadata, view, &w.Message)}, func() bool { return true })
	return res.outcome.String()
}
