package api

import (
	"context"
	"sync"
)

// Places let requests that come to this node about one thing, such as a session, go one after the other. Safe for concurrent use.
type Places[K comparable] struct {
	mu   sync.Mutex
	busy map[K]*queue
}

// A queue is a thing about which requests are in progress or wait.
type queue struct {
	turn chan struct{} // capacity 1: whoever is in it has the place
	n    int
}

// NewPlaces returns places of which none is taken.
func NewPlaces[K comparable]() *Places[K] { return &Places[K]{busy: map[K]*queue{}} }

// Take waits for a place; leave must be called after that. An error means that it did not come before ctx ended.
func (p *Places[K]) Take(ctx context.Context, of K) (leave func(), err error) {
	p.mu.Lock()
	q := p.busy[of]
	if q == nil {
		q = &queue{turn: make(chan struct{}, 1)}
		p.busy[of] = q
	}
	q.n++
	p.mu.Unlock()
	done := func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if q.n--; q.n == 0 {
			delete(p.busy, of)
		}
	}
	select {
	case q.turn <- struct{}{}:
		return func() {
			<-q.turn
			done()
		}, nil
	case <-ctx.Done():
		done()
		return nil, ctx.Err()
	}
}
