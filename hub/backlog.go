package hub

import (
	"context"
	"fmt"
	"slices"
	"time"

	"parley"
)

// mayRepeat says whether one of the post's messageIds was seen before, so that SQL must be asked where.
func (a *active) mayRepeat(p *post) bool {
	if !a.complete {
		return false // the commit looks
	}
	for _, in := range p.inputs {
		if k, ok := in.key(a.id); ok {
			if _, hit := a.known[k.Hash]; hit {
				return true
			}
		}
	}
	return false
}

// lookUpTimeout bounds the reads for one post.
const lookUpTimeout = 10 * time.Second

// workOff routes the posts of the backlog in order, reading what they need, until there are none.
func (a *active) workOff() {
	for {
		a.mu.Lock()
		if len(a.backlog) == 0 {
			a.working = false
			a.mu.Unlock()
			return
		}
		p := a.backlog[0]
		if (a.stale || p.doubted) && a.flying > 0 {
			a.landed.Wait()
			a.mu.Unlock() // who landed may have come back, in front of p
			continue
		}
		a.backlog = a.backlog[1:]
		if a.stale {
			a.state, a.stale = nil, false
		}
		sure := a.state == nil || p.doubted
		p.doubted = false
		state := a.state
		a.mu.Unlock()

		// Reading has a deadline of its own: the caller may be gone, but those behind it are not.
		ctx, cancel := context.WithTimeout(context.Background(), lookUpTimeout)
		plan, err := a.prepare(ctx, p, state, sure)
		cancel()

		a.mu.Lock()
		switch {
		case err != nil:
			p.done(nil, err)
		case a.stale: // another node was first while we were reading: once more, in the same place
			a.wait(p)
		default:
			a.launch(p, plan, sure)
		}
		a.mu.Unlock()
	}
}

// prepare reads what the post needs: the state, too, if that is to be sure. It runs without the lock; only the worker replaces the state.
func (a *active) prepare(ctx context.Context, p *post, state *parley.Conversation, sure bool) (*plan, error) {
	if sure {
		now, err := a.load(ctx, state)
		if err != nil {
			return nil, err
		}
		state = now
	}
	a.mu.Lock()
	asked := a.mayRepeat(p)
	a.mu.Unlock()
	plan, err := a.h.plans.of(ctx, a.tenant, state.Account)
	if err != nil {
		if parley.KindOf(err) != parley.NotFound {
			return nil, err
		}
		return a.withoutAccount(p, state)
	}
	if asked {
		// What SQL does not have may still be on its way there, in a step that was not answered yet: the commit looks again.
		p.mayRepeat = true
		if err := a.findRepeats(ctx, p); err != nil {
			return nil, err
		}
	}
	if err := a.h.lookUp(ctx, a.tenant, a.id, p); err != nil {
		return nil, fmt.Errorf("look up what a message refers to: %w", err)
	}
	return a.noteAvailability(ctx, p, state, plan)
}

// whyGone is why a conversation ends whose account is not there any more.
const whyGone = "the account was removed"

// withoutAccount is the plan of a conversation whose account was deleted. What went on under that was ended before; what began in that very moment
// ends now, since nothing is known any more of who answers it: whoever posts hears that it is over, and has it ended.
func (a *active) withoutAccount(p *post, state *parley.Conversation) (*plan, error) {
	if state.Status == parley.Open && !slices.ContainsFunc(p.inputs, func(in *input) bool { return in.kind != ended && in.kind != reminded }) {
		return &plan{gone: true}, nil
	}
	if state.Status == parley.Open {
		a.h.happen(a.tenant, a.id, &input{kind: ended, why: whyGone}, func(error) {})
	}
	if kind := p.inputs[0].kind; kind == replied || kind == turnFailed {
		return nil, ErrTurnOver
	}
	return nil, errEnded
}

// load makes the state what the record says, if it is not; nil = it is not known at all. Nothing may be in flight.
func (a *active) load(ctx context.Context, known *parley.Conversation) (*parley.Conversation, error) {
	var c parley.Conversation
	var hashes []int64
	var complete bool
	holds := func() bool { return known != nil && known.Epoch == c.Epoch && known.Seq == c.Seq }
	err := a.h.config.Store.View(ctx, func(tx parley.Tx) (err error) {
		if c, err = tx.Conversation(ctx, a.tenant, a.id); err != nil || holds() {
			return err
		}
		hashes, complete, err = tx.RepeatHashes(ctx, a.tenant, a.id, maxKnown)
		return err
	})
	if err != nil {
		if parley.KindOf(err) == parley.NotFound {
			a.h.drop(a)
		}
		return nil, fmt.Errorf("read conversation %s: %w", a.id, err)
	}
	if holds() {
		return known, nil
	}
	if known != nil {
		a.h.metrics.rerouted.Inc()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.state, a.run, a.committed = &c, &parley.Run{}, c.Seq
	a.complete, a.known = complete, make(map[int64]struct{}, len(hashes))
	for _, h := range hashes {
		a.known[h] = struct{}{}
	}
	return &c, nil
}

// doubt has a post routed once more, on what the record says: the state here may be older, and only a commit would show that. Called with mu held.
func (a *active) doubt(p *post) {
	p.doubted = true
	a.wait(p)
}

// findRepeats asks SQL which of the post's messages were committed before.
func (a *active) findRepeats(ctx context.Context, p *post) error {
	var keys []parley.RepeatKey
	for _, in := range p.inputs {
		if k, ok := in.key(a.id); ok {
			keys = append(keys, k)
		}
	}
	var found []parley.FoundRepeat
	err := a.h.config.Store.View(ctx, func(tx parley.Tx) (err error) {
		found, err = tx.Repeats(ctx, a.tenant, a.id, keys)
		return err
	})
	if err != nil {
		return fmt.Errorf("look for repeats in conversation %s: %w", a.id, err)
	}
	p.note(a.id, found)
	return nil
}

// note remembers which inputs were committed before.
func (p *post) note(conversation parley.ConversationID, found []parley.FoundRepeat) {
	for _, in := range p.inputs {
		k, ok := in.key(conversation)
		for _, f := range found {
			if ok && f.Key.Sender == k.Sender && f.Key.MessageID == k.MessageID {
				if p.repeats == nil {
					p.repeats = map[*input]parley.FoundRepeat{}
				}
				p.repeats[in] = f
			}
		}
	}
}
