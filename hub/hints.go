package hub

import (
	"context"
	"time"

	"parley"
)

// maxHints bounds what waits to be told to other nodes; beyond it hints are dropped, and counted.
const maxHints = 8192

// hint queues a hint for the other nodes without waiting.
func (h *Hub) hint(hint parley.Hint) {
	if h.config.Live == nil {
		return
	}
	select {
	case h.hints <- hint:
	default:
		h.metrics.hintsLost.Inc()
		h.dropped.Store(true)
	}
}

// publishAgain is how long a node waits before it says that hints of it were lost, should that fail too.
const publishAgain = 500 * time.Millisecond

// sendHints publishes what queued up while the last round trip was away, in one. After a loss it says so as soon as it is
// heard again, so that the other nodes read what they missed.
func (h *Hub) sendHints(ctx context.Context) {
	for lost := false; ; {
		var batch []parley.Hint
		if lost {
			batch = append(batch, parley.Hint{Kind: parley.HintLost})
			if pause(ctx, publishAgain) != nil {
				return
			}
		} else {
			select {
			case first := <-h.hints:
				batch = append(batch, first)
			case <-ctx.Done():
				return
			}
		}
		for len(batch) < 512 {
			select {
			case more := <-h.hints:
				batch = append(batch, more)
				continue
			default:
			}
			break
		}
		if h.dropped.Swap(false) {
			batch = append(batch, parley.Hint{Kind: parley.HintLost})
		}
		bounded, cancel := context.WithTimeout(ctx, time.Second)
		err := h.config.Live.Publish(bounded, batch)
		cancel()
		if lost = err != nil; lost {
			h.metrics.liveError.Inc()
		}
	}
}

// pause waits, or until ctx ends, and then says why.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// receiveHints listens to the other nodes, again and again should the connection be lost.
func (h *Hub) receiveHints(ctx context.Context) {
	for ctx.Err() == nil {
		if err := h.config.Live.Hints(ctx, func(hint parley.Hint) { h.hinted(ctx, hint) }); err != nil && ctx.Err() == nil {
			h.metrics.liveError.Inc()
			h.config.Logger.WarnContext(ctx, "listening to other nodes", "error", err)
		}
		_ = pause(ctx, time.Second) // its end is the loop's
	}
}

// hinted acts on what another node said.
func (h *Hub) hinted(ctx context.Context, hint parley.Hint) {
	switch hint.Kind {
	case parley.HintConfig:
		h.plans.forget(hint.Tenant)
	case parley.HintLost:
		h.topics.doubt()
		h.waiters.doubt()
	case parley.HintTurn:
		h.waiters.wake(turnName{hint.Conversation, hint.Seq})
	case parley.HintTyping:
		if hint.Typing != nil {
			h.retell(ctx, hint, func(c *parley.Conversation, _ []parley.Message) {
				h.topics.whisper(&Event{Conversation: c, Typing: hint.Typing})
			})
		}
	case parley.HintPartial:
		if hint.Partial != nil {
			h.retell(ctx, hint, func(c *parley.Conversation, _ []parley.Message) {
				h.topics.whisper(&Event{Conversation: c, Partial: hint.Partial})
			})
		}
	case parley.HintReceipt:
		if hint.Receipt != nil {
			h.retell(ctx, hint, func(c *parley.Conversation, _ []parley.Message) {
				h.topics.whisper(&Event{Conversation: c, Receipt: hint.Receipt})
			})
		}
	case parley.HintFrame:
		if fn := h.frames.Load(); fn != nil {
			(*fn)(hint.Session, hint.Frame)
		}
	case parley.HintMessage:
		if h.config.Dispatcher != nil {
			h.config.Dispatcher.Stirred(hint.Tenant)
		}
		h.mu.Lock()
		a := h.active[hint.Conversation]
		h.mu.Unlock()
		if a != nil {
			a.outrun(hint.Seq)
		}
		if t := h.topics.find(hint.Conversation); t != nil {
			t.mu.Lock()
			if t.published < 0 {
				t.published = hint.Seq - 1 // nothing yet: who wants what was before reads it
			}
			if t.published < hint.Seq {
				h.topics.fill(t, hint.Seq)
			}
			t.mu.Unlock()
		}
		h.retell(ctx, hint, func(c *parley.Conversation, messages []parley.Message) {
			for _, s := range h.topics.listeners(c) {
				for i := range messages {
					s.Deliver(&Event{Conversation: c, Message: &messages[i]})
				}
			}
		})
	}
}

// maxFrames is how many hints may wait while a frame is still taken. Frames are large, anybody may post them, and they must not crowd out
// what the nodes tell each other.
const maxFrames = 256

// ForwardFrame hands what a client posted for a session to the node that has it; HandleFrames says who takes it there. Like
// every hint it may be lost: the client repeats what gets no reply. Kinds: NotFound (there are no other nodes), Busy.
func (h *Hub) ForwardFrame(session, frame string) error {
	switch {
	case h.config.Live == nil:
		return &parley.Error{Kind: parley.NotFound, Msg: "there is no such session"}
	case len(h.hints) >= maxFrames:
		return &parley.Error{Kind: parley.Busy, Msg: "too many frames are waiting"}
	}
	h.hint(parley.Hint{Kind: parley.HintFrame, Session: session, Frame: frame})
	return nil
}

// HandleFrames sets who takes frames that other nodes forward. fn must not block.
func (h *Hub) HandleFrames(fn func(session, frame string)) { h.frames.Store(&fn) }

// outrun marks the state as old when another node committed beyond it.
func (a *active) outrun(seq int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.state != nil && a.flying == 0 && !a.working && a.committed < seq {
		a.state = nil // the next post reads it again
	}
}

// retell reads what a hint is about, if anybody on this node could want it.
func (h *Hub) retell(ctx context.Context, hint parley.Hint, tell func(*parley.Conversation, []parley.Message)) {
	h.topics.mu.Lock()
	wanted := h.topics.tenants[hint.Tenant] > 0 || hint.Kind != parley.HintMessage && h.topics.byID[hint.Conversation] != nil
	h.topics.mu.Unlock()
	if !wanted {
		return
	}
	var c parley.Conversation
	var messages []parley.Message
	err := h.config.Store.View(ctx, func(tx parley.Tx) (err error) {
		if c, err = tx.Conversation(ctx, hint.Tenant, hint.Conversation); err != nil || hint.Seq == 0 {
			return err
		}
		messages, err = tx.Messages(ctx, parley.MessageQuery{Tenant: hint.Tenant, Conversation: hint.Conversation, After: hint.Seq - 1,
			Before: hint.Seq + 1, Limit: 1})
		return err
	})
	if err != nil {
		h.config.Logger.WarnContext(ctx, "reading what a hint is about", "conversation", hint.Conversation, "error", err)
		return
	}
	tell(&c, messages)
}
