package hub

import (
	"errors"
	"fmt"

	"parley"
	"parley/ident"
)

// launch routes a post on the state and submits the step. Called with mu held; done is called from here for posts that
// are refused or change nothing, which holds only if it is sure that the state is what the record says.
func (a *active) launch(p *post, plan *plan, sure bool) {
	base := a.state
	r := routing{c: *base, plan: plan, now: a.h.now()}
	p.placed = make([]Posted, len(p.inputs))
	var keys []parley.RepeatKey
	for i, in := range p.inputs {
		if f, ok := p.repeats[in]; ok {
			p.placed[i] = in.posted(a.id, f.Message, f.Seq)
			a.h.metrics.repeats.Inc()
			continue
		}
		if first := p.sameBefore(i, a.id); first >= 0 {
			p.placed[i] = p.placed[first]
			a.h.metrics.repeats.Inc()
			continue
		}
		in.newID = ident.New[parley.Message]
		at, whispers := len(r.step.Messages), len(r.effects)
		if err := a.h.routed(&r, in); err != nil {
			if !sure && parley.KindOf(err) != parley.Internal {
				a.doubt(p)
				return
			}
			due, plain := plainError(err)
			a.h.refused(base, plan, in, plain)
			p.done(nil, in.located(plain))
			if due != nil {
				a.wait(&post{surface: "hub", done: func([]Posted, error) {}, inputs: []*input{{kind: notified, notice: *due}}})
			}
			return
		}
		switch {
		case in.kind == said && len(r.step.Messages) > at:
			// The sender's own message is the first of those it caused, except that a refusal text may come before.
			m := &r.step.Messages[at]
			p.placed[i] = in.posted(a.id, m.ID, m.Seq)
			if k, ok := in.key(a.id); ok {
				keys = append(keys, k)
			}
		case in.kind == detected && len(r.step.Messages) > at:
			if k, ok := in.key(a.id); ok {
				keys = append(keys, k)
			}
		case in.kind == said:
			id := in.newID()
			p.placed[i] = in.posted(a.id, id, 0)
			for j := whispers; j < len(r.effects); j++ {
				r.effects[j].id = id
			}
		}
	}
	p.effects = r.effects
	step := r.step
	if len(step.Messages) == 0 && !step.StateChanged && step.Readdress == nil {
		if !sure && p.happened() {
			a.doubt(p)
			return
		}
		p.done(p.placed, nil)
		a.h.perform(base, p)
		return
	}
	c := r.c
	if c.Epoch == base.Epoch && c.Seq == base.Seq { // every step moves one of them, or a step of another node would hold on what was before it
		c.Epoch++
	}
	step.Conversation, step.BaseEpoch, step.BaseSeq, step.Run = &c, base.Epoch, base.Seq, a.run
	step.Repeats, step.RepeatsKnown = keys, a.complete && !p.mayRepeat
	if step.New {
		step.StartKey = p.startKey
	}
	if a.h.config.Dispatcher != nil {
		step.Lease, step.LeaseNot = a.h.config.Dispatcher.Lease()
	}
	p.base, p.step = base, &step
	if err := a.h.config.Store.Submit(p.step, func(done parley.Committed, err error) { a.land(p, done, err) }); err != nil {
		p.done(nil, err)
		return
	}
	a.flying++
	a.state = &c
	if a.complete {
		for _, k := range keys {
			a.known[k.Hash] = struct{}{}
		}
		a.complete = len(a.known) <= maxKnown
	}
}

// land takes the answer of a commit. It runs on the store's goroutine, in the order of the steps.
func (a *active) land(p *post, done parley.Committed, err error) {
	a.mu.Lock()
	a.flying--
	if a.flying == 0 {
		defer a.landed.Broadcast()
	}
	if err == nil {
		a.committed = max(a.committed, p.step.Conversation.Seq)
		a.mu.Unlock()
		a.h.committed(p, done)
		return
	}
	a.stale = true
	repeated, isRepeat := errors.AsType[*parley.Repeated](err)
	p.tries++
	switch {
	case isRepeat && repeated.Start:
		defer a.h.repeatStart(a, p, repeated)
	case isRepeat && p.tries < maxTries:
		p.note(a.id, repeated.Found)
		a.wait(p)
	case parley.KindOf(err) == parley.Conflict && p.tries < maxTries && !p.step.New:
		a.h.metrics.rerouted.Inc()
		a.wait(p)
	default:
		err = fmt.Errorf("commit to conversation %s: %w", a.id, err)
		if parley.KindOf(err) == parley.Conflict { // nothing that the caller could decide anew
			err = &parley.Error{Kind: parley.Busy, Msg: "the conversation changes too fast, try again", Err: err}
		}
		defer p.done(nil, err)
		if p.step.New {
			defer a.h.drop(a)
		}
	}
	a.mu.Unlock()
}

// repeatStart answers a start that had made a conversation before. Further messages of the request go there.
func (h *Hub) repeatStart(a *active, p *post, r *parley.Repeated) {
	h.metrics.repeats.Inc()
	h.drop(a)
	first := p.inputs[0].posted(r.Conversation, r.Found[0].Message, r.Found[0].Seq)
	if len(p.inputs) == 1 {
		p.done([]Posted{first}, nil)
		return
	}
	rest := &post{surface: p.surface, from: p.from, inputs: p.inputs[1:], done: func(posted []Posted, err error) {
		if err != nil {
			p.done(nil, err)
			return
		}
		p.done(append([]Posted{first}, posted...), nil)
	}}
	h.conversation(a.tenant, r.Conversation).submit(rest)
}
