package hub

import (
	"context"
	"fmt"
	"sync"
	"time"

	"parley"
)

// waiters are those who wait for turns to be over. A waiter costs a channel: it is woken by the commit that closes its turn, on this
// node or, by a hint, on another. Safe for concurrent use.
type waiters struct {
	mu     sync.Mutex
	byTurn map[turnName]map[chan struct{}]struct{}
}

// A turnName is what a turn is waited for by.
type turnName struct {
	conversation parley.ConversationID
	seq          int64
}

func newWaiters() *waiters { return &waiters{byTurn: map[turnName]map[chan struct{}]struct{}{}} }

// join waits from now on. leave must be called.
func (w *waiters) join(name turnName) (woken chan struct{}, leave func()) {
	woken = make(chan struct{}, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.byTurn[name] == nil {
		w.byTurn[name] = map[chan struct{}]struct{}{}
	}
	w.byTurn[name][woken] = struct{}{}
	return woken, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.byTurn[name], woken)
		if len(w.byTurn[name]) == 0 {
			delete(w.byTurn, name)
		}
	}
}

// wake lets those who wait for a turn look again.
func (w *waiters) wake(name turnName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.byTurn[name] {
		nudge(c)
	}
}

// doubt lets everyone look again: hints of other nodes were lost.
func (w *waiters) doubt() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, all := range w.byTurn {
		for c := range all {
			nudge(c)
		}
	}
}

func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// turnsOver wakes those who wait for the turns that a step closed, here and on other nodes, and keeps the time of those that settle.
func (h *Hub) turnsOver(step *parley.Step) {
	c := step.Conversation
	for i := range step.Turns {
		t := &step.Turns[i]
		if t.Status == parley.TurnOpen {
			continue
		}
		h.waiters.wake(turnName{c.ID, t.Seq})
		h.hint(parley.Hint{Kind: parley.HintTurn, Tenant: c.Tenant, Conversation: c.ID, Seq: t.Seq})
		h.metrics.turns.WithLabelValues(string(t.Status)).Inc()
		h.metrics.turnSeconds.Observe(t.Closed.Sub(t.Opened).Seconds())
	}
	if open := c.State.Bot.Open; len(open) > 0 && !open[0].Settles.IsZero() {
		time.AfterFunc(open[0].Settles.Sub(h.now()), func() { // should this node be gone by then, the reminder does it
			h.happen(c.Tenant, c.ID, &input{kind: settles}, func(error) {})
		})
	}
}

// AwaitTurn returns the turn of a question once it is over, or as it is when ctx ends, with that error. NotFound if there is none.
func (h *Hub) AwaitTurn(ctx context.Context, tenant parley.TenantID, id parley.ConversationID, seq int64) (*parley.Turn, error) {
	t := &parley.Turn{}
	woken, leave := h.waiters.join(turnName{id, seq})
	defer leave()
	for {
		err := h.config.Store.View(context.WithoutCancel(ctx), func(tx parley.Tx) (err error) {
			*t, err = tx.Turn(ctx, tenant, id, seq)
			return err
		})
		if err != nil {
			return t, fmt.Errorf("await turn %d of conversation %s: %w", seq, id, err)
		}
		if t.Status != parley.TurnOpen {
			return t, nil
		}
		select {
		case <-woken:
		case <-ctx.Done():
			return t, context.Cause(ctx)
		}
	}
}
