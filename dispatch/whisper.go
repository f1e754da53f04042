package dispatch

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"parley"
	"parley/ident"
	"parley/wire"
)

const (
	maxWhispers = 4096            // under way, to all receivers; beyond it they are dropped
	whisperers  = 4               // attempts at the same time for one receiver
	maxEar      = 32              // that wait for one receiver
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

// whispers are marks of typing and presence on their way. Each receiver's wait by themselves: one that hangs costs its own and nobody
// else's. Safe for concurrent use.
type whispers struct {
	tell  func(ctx context.Context, w parley.Whisper) (outcome string)
	count func(outcome string)
	clock func() time.Time
	ctx   context.Context // of the attempts; ends with close
	stop  context.CancelFunc

	mu       sync.Mutex
	ears     map[targetName]*ear
	underWay int // in all ears
	closed   bool
	wg       sync.WaitGroup
}

// An ear is what is under way to one receiver.
type ear struct {
	running int
	waiting []heard
}

type heard struct {
	parley.Whisper
	at time.Time
}

func newWhispers(clock func() time.Time, tell func(context.Context, parley.Whisper) string, count func(string)) *whispers {
	w := &whispers{tell: tell, count: count, clock: clock, ears: map[targetName]*ear{}}
	w.ctx, w.stop = context.WithCancel(context.Background())
	return w
}

// offer sends one, now or soon, or drops it.
func (ws *whispers) offer(w parley.Whisper) {
	if w.Slot >= len(w.Conversation.State.Parties) { // a bug, which is not the caller's end
		ws.count("error")
		return
	}
	p := w.Conversation.State.Parties[w.Slot]
	name := targetName{w.Conversation.Tenant, p.Application, p.Role}
	ws.mu.Lock()
	defer ws.mu.Unlock()
	e := ws.ears[name]
	if ws.closed || ws.underWay >= maxWhispers || e != nil && len(e.waiting) >= maxEar {
		ws.count("dropped")
		return
	}
	if e == nil {
		e = &ear{}
		ws.ears[name] = e
	}
	ws.underWay++
	e.waiting = append(e.waiting, heard{w, ws.clock()})
	if e.running < whisperers {
		e.running++
		ws.wg.Go(func() { ws.run(name, e) })
	}
}

// run sends what waits for a receiver until nothing does.
func (ws *whispers) run(name targetName, e *ear) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for len(e.waiting) > 0 && !ws.closed {
		next := e.waiting[0]
		e.waiting = e.waiting[1:]
		ws.mu.Unlock()
		outcome := "dropped"
		if ws.clock().Sub(next.at) < whisperLife {
			outcome = ws.tell(ws.ctx, next.Whisper)
		}
		ws.count(outcome)
		ws.mu.Lock()
		ws.underWay--
	}
	if e.running--; e.running == 0 {
		delete(ws.ears, name)
	}
}

// close forgets what waits and cuts off what runs.
func (ws *whispers) close() {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.closed = true
	ws.stop()
}

// wait returns when nothing runs any more.
func (ws *whispers) wait() { ws.wg.Wait() }

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
	if to.session() {
		return "session" // who takes messages over a session hears of typing by subscribing
	}
	view := wire.View{Conversation: w.Conversation, Customer: p.Role != parley.Customer, Recipients: int64(1) << w.Slot}
	id := ident.Delivery(w.Message.ID, p.Application, p.Role)
	res := d.sender.attempt(ctx, *to, request{id: id.String(), trace: w.Message.Body.Trace,
		body: wire.AppendEnvelope(nil, w.Message.Body.Metadata, view, &w.Message)}, func() bool { return true })
	return res.outcome.String()
}
