package dispatch

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"parley"
	"parley/ident"
	"parley/internal/fair"
	"parley/wire"
)

const (
	maxWhispers = 4096            // under way, to all receivers; beyond it they are dropped
	whisperers  = 4               // attempts at the same time for one receiver
	maxEar      = 32              // that wait for one receiver besides
	whisperLife = 5 * time.Second // who typed longer ago is old news
)

// Whisper implements hub.Dispatcher: one attempt, no retry, no record.
func (d *Dispatcher) Whisper(w parley.Whisper) {
	if !d.config.Work {
		d.metrics.whispers.WithLabelValues("elsewhere").Inc()
		return
	}
	d.whispers.offer(w)
}

// A mark is one that is on its way.
type mark struct {
	parley.Whisper
	at time.Time
}

// whispers are marks of typing and presence on their way. Each receiver's wait by themselves: one that hangs costs its own and nobody
// else's. Safe for concurrent use.
type whispers struct {
	count func(outcome string)
	clock func() time.Time
	lines *fair.Lines[targetName, mark]
	stop  context.CancelFunc // ends the attempts
}

func newWhispers(clock func() time.Time, tell func(context.Context, parley.Whisper) string, count func(string)) *whispers {
	ctx, stop := context.WithCancel(context.Background())
	return &whispers{clock: clock, count: count, stop: stop, lines: fair.New[targetName](whisperers, maxEar, maxWhispers, func(m mark) {
		outcome := "dropped"
		if clock().Sub(m.at) < whisperLife {
			outcome = tell(ctx, m.Whisper)
		}
		count(outcome)
	})}
}

// offer sends one, now or soon, or drops it.
func (ws *whispers) offer(w parley.Whisper) {
	if w.Slot >= len(w.Conversation.State.Parties) { // a bug, which is not the caller's end
		ws.count("error")
		return
	}
	p := w.Conversation.State.Parties[w.Slot]
	if !ws.lines.Offer(targetName{w.Conversation.Tenant, p.Application, p.Role}, mark{w, ws.clock()}) {
		ws.count("dropped")
	}
}

// close forgets what waits and cuts off what runs.
func (ws *whispers) close() {
	ws.lines.Stop()
	ws.stop()
}

// wait returns when nothing runs any more.
func (ws *whispers) wait() { ws.lines.Wait() }

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
	why, err := d.health.held.has(ctx, targetName{w.Conversation.Tenant, p.Application, p.Role})
	if err != nil {
		return "error"
	}
	if why != notHeld {
		return "held"
	}
	to, err := d.targets.of(ctx, parley.Receiver{Tenant: w.Conversation.Tenant, Application: p.Application, Role: p.Role})
	if err != nil {
		return "error"
	}
	switch {
	case to.session():
		return "session" // who takes messages over a session hears of typing by subscribing
	case to.bot():
		return "bot" // one that the hub runs is asked about messages only
	}
	view := wire.View{Conversation: w.Conversation, Customer: p.Role != parley.Customer, Recipients: int64(1) << w.Slot}
	id := ident.Delivery(w.Message.ID, p.Application, p.Role)
	res := d.sender.attempt(ctx, *to, request{id: id.String(), trace: w.Message.Body.Trace,
		body: wire.AppendEnvelope(nil, w.Message.Body.Metadata, view, &w.Message)}, func() bool { return true })
	return res.outcome.String()
}
