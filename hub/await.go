package hub

import (
	"context"
	"errors"
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
	again  chan struct{} // places of those who were woken and look at the record
}

// lookAtOnce is how many of those who were woken read the record at the same time. When hints were lost all are woken, thousands maybe, and whoever
// posts or begins to wait must not stand behind them.
const lookAtOnce = 16

// A turnName is what a turn is waited for by.
type turnName struct {
	conversation parley.ConversationID
	seq          int64
}

func newWaiters() *waiters {
	return &waiters{byTurn: map[turnName]map[chan struct{}]struct{}{}, again: make(chan struct{}, lookAtOnce)}
}

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
		h.TurnOver(c.Tenant, c.ID, t.Seq)
		h.metrics.turns.WithLabelValues(string(t.Status)).Inc()
		h.metrics.turnSeconds.Observe(t.Closed.Sub(t.Opened).Seconds())
	}
	if open := c.State.Bot.Open; len(open) > 0 && !open[0].Settles.IsZero() {
		time.AfterFunc(open[0].Settles.Sub(h.now()), func() { // should this node be gone by then, the reminder does it
			h.happen(c.Tenant, c.ID, &input{kind: settles}, func(error) {})
		})
	}
}

// TurnOver lets those who wait for a turn look at it, here and on other nodes. Whoever was to answer a turn and finds it over says so, too: the node
// that closed it may have died before it did.
func (h *Hub) TurnOver(tenant parley.TenantID, id parley.ConversationID, seq int64) {
	h.waiters.wake(turnName{id, seq})
	h.hint(parley.Hint{Kind: parley.HintTurn, Tenant: tenant, Conversation: id, Seq: seq})
}

// AwaitTurn returns the turn of a question once it is over, or as it is when ctx ends, with that error. NotFound if there is none.
func (h *Hub) AwaitTurn(ctx context.Context, tenant parley.TenantID, id parley.ConversationID, seq int64) (*parley.Turn, error) {
	t := &parley.Turn{}
	woken, leave := h.waiters.join(turnName{id, seq})
	defer leave()
	err := h.readTurn(ctx, t, tenant, id, seq)
	for err == nil && t.Status == parley.TurnOpen {
		select {
		case <-woken:
		case <-ctx.Done():
			return t, h.lastLook(ctx, t, tenant, id, seq)
		}
		select {
		case h.waiters.again <- struct{}{}:
			err = h.readAgain(ctx, t, tenant, id, seq)
		case <-ctx.Done():
			return t, context.Cause(ctx)
		}
	}
	return t, err
}

// lastLook reads the turn for one whose time is over, who may have been told nothing of its end: nil if it is. Whoever has gone needs no look.
func (h *Hub) lastLook(ctx context.Context, t *parley.Turn, tenant parley.TenantID, id parley.ConversationID, seq int64) error {
	over := context.Cause(ctx)
	if !errors.Is(over, context.DeadlineExceeded) {
		return over
	}
	h.waiters.again <- struct{}{}
	if err := h.readAgain(ctx, t, tenant, id, seq); err != nil || t.Status != parley.TurnOpen {
		return err
	}
	return over
}

// readAgain is readTurn for one who has a place, and gives it up.
func (h *Hub) readAgain(ctx context.Context, t *parley.Turn, tenant parley.TenantID, id parley.ConversationID, seq int64) error {
	defer func() { <-h.waiters.again }()
	return h.readTurn(ctx, t, tenant, id, seq)
}

// readTurn reads a turn into t, also when ctx has ended: whoever asks wants to know how it stands.
func (h *Hub) readTurn(ctx context.Context, t *parley.Turn, tenant parley.TenantID, id parley.ConversationID, seq int64) error {
	ctx = context.WithoutCancel(ctx)
	err := h.config.Store.View(ctx, func(tx parley.Tx) (err error) {
		*t, err = tx.Turn(ctx, tenant, id, seq)
		return err
	})
	if err != nil {
		return fmt.Errorf("await turn %d of conversation %s: %w", seq, id, err)
	}
	return nil
}
