package hub

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"parley"
)

// A QueuePlace says where a conversation stands among those that wait for the same agents. Position 1 is next; 0 says
// that it does not wait any more. Estimate is how long it may take; zero = nobody can tell yet.
type QueuePlace struct {
	Position int
	Estimate time.Duration
}

const (
	// queueInterval is between two looks at the queues; a change on this node is told at once.
	queueInterval = 2 * time.Second
	// maxQueued bounds how many places of one queue are counted; those beyond it are told the last one.
	maxQueued = 10_000
)

// A queueKey names a queue: the agent program that is waited for, zero if it is none in particular.
type queueKey struct {
	tenant      parley.TenantID
	application parley.ApplicationID
}

func (k queueKey) samples() string {
	return "queue:" + k.tenant.String() + ":" + k.application.String()
}

// queues knows the waiting conversations that somebody on this node listens to. Safe for concurrent use.
type queues struct {
	h      *Hub
	signal chan struct{} // capacity 1: look now
	left   chan queueKey // somebody was given to an agent; full = one sample less

	mu      sync.Mutex
	waiting map[parley.ConversationID]*waiting
	some    atomic.Bool // waiting is not empty: spares the lock on the road of every message
}

// A waiting conversation is one whose listeners want to hear of its place.
type waiting struct {
	key  queueKey
	c    parley.Conversation
	told QueuePlace
}

func newQueues(h *Hub) *queues {
	return &queues{h: h, signal: make(chan struct{}, 1), left: make(chan queueKey, 64), waiting: map[parley.ConversationID]*waiting{}}
}

// look asks for the places to be told now.
func (q *queues) look() {
	select {
	case q.signal <- struct{}{}:
	default:
	}
}

// note keeps up with a conversation that somebody here listens to.
func (q *queues) note(c *parley.Conversation) {
	if c.Owner.Kind != parley.OwnerQueue && !q.some.Load() {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	w := q.waiting[c.ID]
	switch {
	case c.Owner.Kind == parley.OwnerQueue && w == nil:
		q.waiting[c.ID] = &waiting{key: queueKey{c.Tenant, c.Owner.Application}, c: *c, told: QueuePlace{Position: -1}}
		q.some.Store(true)
		q.look()
	case c.Owner.Kind == parley.OwnerQueue:
		w.key, w.c = queueKey{c.Tenant, c.Owner.Application}, *c
	case w != nil:
		w.c = *c
		q.look()
	}
}

// gave notes that a queue gave a conversation to an agent: how often that happens is what estimates are made of.
func (q *queues) gave(base, now *parley.Conversation) {
	if base.Owner.Kind != parley.OwnerQueue || now.Owner.Kind != parley.OwnerAgent {
		return
	}
	select {
	case q.left <- queueKey{now.Tenant, base.Owner.Application}:
	default:
	}
}

// run tells places while ctx lasts.
func (q *queues) run(ctx context.Context) {
	tick := time.NewTicker(queueInterval)
	defer tick.Stop()
	for {
		select {
		case key := <-q.left:
			if q.h.config.Live == nil {
				continue
			}
			bounded, cancel := context.WithTimeout(ctx, time.Second)
			if err := q.h.config.Live.Sample(bounded, key.samples(), q.h.now().UnixMilli()); err != nil {
				q.h.metrics.liveError.Inc()
			}
			cancel()
			continue
		case <-q.signal:
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		q.tell(ctx)
	}
}

// tell reads the queues that matter here and tells listeners what changed.
func (q *queues) tell(ctx context.Context) {
	type listened struct { // what is read of a waiting one, which note may change meanwhile
		*waiting
		id     parley.ConversationID
		queued bool
	}
	q.mu.Lock()
	byKey := map[queueKey][]listened{}
	for id, w := range q.waiting {
		if q.h.topics.find(id) == nil {
			delete(q.waiting, id)
			continue
		}
		byKey[w.key] = append(byKey[w.key], listened{w, id, w.c.Owner.Kind == parley.OwnerQueue})
	}
	q.some.Store(len(q.waiting) > 0)
	q.mu.Unlock()
	for key, all := range byKey {
		ids, estimate, err := q.read(ctx, key)
		if err != nil {
			q.h.config.Logger.WarnContext(ctx, "reading a queue", "error", err)
			continue
		}
		for _, l := range all {
			position := slices.Index(ids, l.id) + 1
			if position == 0 && len(ids) == maxQueued && l.queued {
				position = maxQueued + 1
			}
			q.told(l.waiting, QueuePlace{Position: position, Estimate: estimate(position)})
		}
	}
}

// told tells the place if it is another one than before, and forgets who does not wait any more.
func (q *queues) told(w *waiting, place QueuePlace) {
	q.mu.Lock()
	c, changed := w.c, w.told.Position != place.Position
	w.told = place
	if place.Position == 0 {
		delete(q.waiting, c.ID)
	}
	q.mu.Unlock()
	if changed {
		q.h.topics.whisper(&Event{Conversation: &c, Queue: &place})
	}
}

// read is who waits in a queue, first come first, and how long a place may take.
func (q *queues) read(ctx context.Context, key queueKey) (ids []parley.ConversationID, estimate func(position int) time.Duration, err error) {
	err = q.h.config.Store.View(ctx, func(tx parley.Tx) (err error) {
		ids, err = tx.Queued(ctx, key.tenant, key.application, maxQueued)
		return err
	})
	var samples []int64
	if err == nil && q.h.config.Live != nil {
		if samples, err = q.h.config.Live.Samples(ctx, key.samples()); err != nil {
			q.h.metrics.liveError.Inc()
			samples, err = nil, nil // a place without an estimate is better than none
		}
	}
	now := q.h.now()
	return ids, func(position int) time.Duration { return estimateWait(position, samples, now) }, err
}

// estimateWait is how long a place may take, from when (Unix milliseconds, newest first) the queue gave conversations to
// agents before. The time since the last one counts, so that an estimate grows while nobody is served. Zero = too little is
// known.
func estimateWait(position int, gave []int64, now time.Time) time.Duration {
	if position < 1 || len(gave) < 2 {
		return 0
	}
	span := now.Sub(time.UnixMilli(gave[len(gave)-1]))
	return (time.Duration(position) * span / time.Duration(len(gave))).Round(time.Second)
}

// Place is where a conversation stands in its queue; ok is false if it does not wait. From then on listeners on this node
// hear of changes.
func (h *Hub) Place(ctx context.Context, c *parley.Conversation) (place QueuePlace, ok bool, err error) {
	if c.Owner.Kind != parley.OwnerQueue {
		return place, false, nil
	}
	ids, estimate, err := h.queues.read(ctx, queueKey{c.Tenant, c.Owner.Application})
	if err != nil {
		return place, false, err
	}
	position := slices.Index(ids, c.ID) + 1
	if position == 0 {
		return place, false, nil // it was served meanwhile
	}
	h.queues.note(c)
	return QueuePlace{Position: position, Estimate: estimate(position)}, true, nil
}
