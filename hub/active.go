package hub

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"parley"
	"parley/ident"
)

// maxKnown bounds the hashes of messageIds that are kept for one conversation; beyond it SQL looks for repeats.
const maxKnown = 20_000

// maxTries bounds how often a post is routed again after another node was first.
const maxTries = 50

// An active conversation is one whose state is in memory. Posts are routed on state under mu, in order; the answers of
// their commits come in the same order. When the state is not usable (not loaded, or another node was first) posts wait
// in the backlog, for which one worker goroutine at a time reads what is needed.
type active struct {
	h      *Hub
	id     parley.ConversationID
	tenant parley.TenantID

	mu        sync.Mutex
	state     *parley.Conversation // after all posts in flight; nil = to be read
	run       *parley.Run          // of the steps routed since state was read
	committed int64                // Seq up to which the store is known to be
	known     map[int64]struct{}   // hashes of all messageIds, if complete
	complete  bool
	stale     bool // state must be read again once nothing is in flight
	flying    int
	landed    sync.Cond // flying is zero; uses mu
	backlog   []*post
	turns     int64 // given to posts so far; see post.turn
	working   bool
	used      time.Time
}

// conversation is the active conversation of that id; it need not exist in the store.
func (h *Hub) conversation(tenant parley.TenantID, id parley.ConversationID) *active {
	h.mu.Lock()
	defer h.mu.Unlock()
	a := h.active[id]
	if a == nil || a.tenant != tenant { // a stranger's guess must not disturb the owner's
		a = &active{h: h, id: id, tenant: tenant}
		a.landed.L = &a.mu
		if h.active[id] == nil && len(h.active) < h.config.MaxActive {
			h.active[id] = a
		}
	}
	return a
}

func (a *active) idleSince(before time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.flying == 0 && !a.working && a.used.Before(before)
}

// begin routes the first post of a new conversation.
func (a *active) begin(p *post, plan *plan) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.state, a.run = &parley.Conversation{ID: a.id, Tenant: a.tenant}, &parley.Run{}
	a.known, a.complete, a.used = map[int64]struct{}{}, true, a.h.now()
	p.sure = true
	a.launch(p, plan)
	if a.flying == 0 { // refused: there is no such conversation
		a.state = nil
		a.h.drop(a)
	}
}

// drop forgets a conversation that did not come to be.
func (h *Hub) drop(a *active) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.active[a.id] == a {
		delete(h.active, a.id)
	}
}

// submit routes the post now if it can be, else leaves it to the worker.
func (a *active) submit(p *post) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.used = a.h.now()
	if len(a.backlog)+a.flying >= a.h.config.MaxInFlight {
		p.done(nil, errTooMany)
		return
	}
	a.turns++
	p.turn = a.turns
	if a.state != nil && !a.stale && !a.working && !p.refers() && !a.mayRepeat(p) {
		if plan := a.h.plans.fresh(a.tenant, a.state.Account); plan != nil {
			a.launch(p, plan)
			return
		}
	}
	a.wait(p)
}

// wait puts a post into the backlog, in the place of its turn, and sees to it that somebody works on that. Posts that are
// tried again keep their order so, among themselves too: they may come back while others of them still wait. Nobody works on
// it once the hub has ended; the post is answered Busy then. Called with mu held.
func (a *active) wait(p *post) {
	if p.turn == 0 {
		a.turns++
		p.turn = a.turns
	}
	if !a.working && !a.h.work.start(a.workOff) {
		p.done(nil, errEnding)
		return
	}
	a.working = true
	at := slices.IndexFunc(a.backlog, func(other *post) bool { return other.turn > p.turn })
	if at < 0 {
		at = len(a.backlog)
	}
	a.backlog = slices.Insert(a.backlog, at, p)
}

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
		p.sure = a.state == nil || p.doubted
		p.doubted = false
		asked := a.mayRepeat(p)
		state := a.state
		a.mu.Unlock()

		// Reading has a deadline of its own: the caller may be gone, but those behind it are not.
		ctx, cancel := context.WithTimeout(context.Background(), lookUpTimeout)
		plan, err := a.prepare(ctx, p, state, asked)
		cancel()

		a.mu.Lock()
		switch {
		case err != nil:
			p.done(nil, err)
		case a.stale: // another node was first while we were reading: once more, in the same place
			a.wait(p)
		default:
			a.launch(p, plan)
		}
		a.mu.Unlock()
	}
}

// prepare reads what the post needs. It runs without the lock; only the worker replaces the state.
func (a *active) prepare(ctx context.Context, p *post, state *parley.Conversation, asked bool) (*plan, error) {
	if p.sure {
		now, err := a.load(ctx, state)
		if err != nil {
			return nil, err
		}
		state = now
		a.mu.Lock()
		asked = a.mayRepeat(p)
		a.mu.Unlock()
	}
	plan, err := a.h.plans.of(ctx, a.tenant, state.Account)
	if err != nil {
		if parley.KindOf(err) == parley.NotFound { // the account was deleted: its conversations were ended
			err = errEnded
		}
		return nil, err
	}
	if asked {
		// What SQL does not have may still be on its way there, in a step that was not answered yet: the commit looks again.
		p.doubtful = true
		if err := a.findRepeats(ctx, p); err != nil {
			return nil, err
		}
	}
	if err := a.h.lookUp(ctx, a.tenant, a.id, p); err != nil {
		return nil, fmt.Errorf("look up what a message refers to: %w", err)
	}
	return a.noteAvailability(ctx, p, state, plan)
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

// launch routes a post on the state and submits the step. Called with mu held; done is called from here for posts that
// are refused or change nothing.
func (a *active) launch(p *post, plan *plan) {
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
			if !p.sure && parley.KindOf(err) != parley.Internal {
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
		if !p.sure && p.happened() {
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
	step.Repeats, step.RepeatsKnown = keys, a.complete && !p.doubtful
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
