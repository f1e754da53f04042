package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"parley"
)

const (
	// maxBatch bounds one commit: larger ones gain little and make the first in them wait for the last.
	maxBatch = 512
	// maxQueued bounds what waits for one writer; beyond it callers hear Busy instead of waiting without end.
	maxQueued = 16384
)

// An entry is one thing that waits to be committed: a step of a conversation, the progress of a lane, or a claim.
type entry struct {
	chain    parley.ConversationID // entries of one chain stand and fall in order; steps only
	step     *parley.Step
	progress *parley.Progress
	claim    *claim

	written   []written // messages of the step as they are written
	committed parley.Committed
	rest      parley.Rest
	err       error
	done      func(*entry) // called once err is decided; must not block
}

// A batcher is one writer: its goroutine takes whatever queued up while the last commit was away, and commits it
// together (group commit, clocked by itself). Another one answers, so that the database need not wait for that. It is owned by the [Store], whose Close waits for it.
type batcher struct {
	s       *Store
	mu      sync.Mutex
	queue   []*entry
	closing bool
	wake    chan struct{} // capacity 1: there is something in queue, or we are closing
	decided chan []*entry // batches whose entries are to be answered, in order; closed by run
	gone    chan struct{} // closed when both goroutines have returned
	recent  recent        // what it committed
}

func startBatcher(s *Store) *batcher {
	b := &batcher{s: s, wake: make(chan struct{}, 1), decided: make(chan []*entry, 1), gone: make(chan struct{}),
		recent: recent{clock: s.now}}
	go b.run()
	go b.answer()
	return b
}

// answer tells what was decided, while the next batch is being committed.
func (b *batcher) answer() {
	defer close(b.gone)
	for batch := range b.decided {
		for _, e := range batch {
			e.done(e)
		}
	}
}

var errQueueFull = &parley.Error{Kind: parley.Busy, Msg: "too much is waiting to be written, try again"}

// add queues entries without waiting; Busy if there is no room or the store is closing.
func (b *batcher) add(entries ...*entry) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closing || len(b.queue)+len(entries) > maxQueued {
		return errQueueFull
	}
	b.queue = append(b.queue, entries...)
	select {
	case b.wake <- struct{}{}:
	default:
	}
	return nil
}

// stop refuses new entries, lets what is queued be committed, and waits for that.
func (b *batcher) stop() {
	b.mu.Lock()
	b.closing = true
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
	<-b.gone
}

func (b *batcher) run() {
	defer close(b.decided)
	// The commits of accepted work outlive every request, so they have a context of their own.
	ctx := context.Background()
	for range b.wake {
		for {
			b.mu.Lock()
			n := min(len(b.queue), maxBatch)
			batch := b.queue[:n:n]
			b.queue = b.queue[n:]
			if len(b.queue) == 0 {
				b.queue = nil // lets the old array go
			}
			closing := b.closing
			b.mu.Unlock()
			if n == 0 {
				if closing {
					return
				}
				break
			}
			b.commit(ctx, batch)
		}
	}
}

// commitTries bounds how often a batch is run again after the database rolled it back for no fault of its own.
const commitTries = 5

// commit makes a batch true and answers each entry. A batch that fails before its commit is taken apart, so that one
// entry that the database refuses does not fail its neighbours.
func (b *batcher) commit(ctx context.Context, batch []*entry) {
	start := time.Now()
	var err error
	for range commitTries {
		for _, e := range batch {
			e.err, e.rest, e.committed, e.written = nil, parley.Rest{}, parley.Committed{}, nil
		}
		if err = b.s.commitBatch(ctx, batch); err == nil || !isTransient(err) {
			break
		}
	}
	if err != nil && len(batch) > 1 && !errors.Is(err, errUnknownOutcome) {
		b.s.config.Logger.ErrorContext(ctx, "shared commit failed, trying its parts one by one", "entries", len(batch), "error", err)
		for _, part := range parts(batch) {
			b.commit(ctx, part)
		}
		return
	}
	b.s.metrics.commit(time.Since(start), batch, err)
	for _, e := range batch {
		if err != nil {
			e.err = &parley.Error{Kind: parley.Internal, Err: err}
		}
		if e.err != nil && e.step != nil {
			e.step.Run.Break() // before the next batch, which may hold what was routed on top of it
		}
	}
	b.decided <- batch
}

// parts splits a batch into its chains, keeping the order inside each, or a single chain into its entries' halves.
func parts(batch []*entry) [][]*entry {
	var split [][]*entry
	at := map[parley.ConversationID]int{}
	for _, e := range batch {
		if e.step == nil {
			split = append(split, []*entry{e})
			continue
		}
		i, ok := at[e.chain]
		if !ok {
			i = len(split)
			at[e.chain] = i
			split = append(split, nil)
		}
		split[i] = append(split[i], e)
	}
	if len(split) == 1 { // one chain: its first steps may be good
		return [][]*entry{batch[:1], batch[1:]}
	}
	return split
}

// Submit implements [parley.Store].
func (s *Store) Submit(step *parley.Step, done func(parley.Committed, error)) error {
	id := step.Conversation.ID
	if c := step.Conversation; !step.New && c.Epoch == step.BaseEpoch && c.Seq == step.BaseSeq {
		return fmt.Errorf("commit to conversation %s: the step moves neither epoch nor seq", id)
	}
	return s.shard(id).add(&entry{chain: id, step: step, done: func(e *entry) { done(e.committed, e.err) }})
}

// shard is the writer of a conversation, always the same, so that its steps keep their order.
func (s *Store) shard(id parley.ConversationID) *batcher {
	return s.shards[int(id[15])%len(s.shards)]
}
