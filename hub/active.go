package hub

import (
	"slices"
	"sync"
	"time"

	"parley"
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
	a.launch(p, plan, true)
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
			a.launch(p, plan, false)
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
