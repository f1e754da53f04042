package bots

import (
	"sync"
	"time"
)

// partialEvery is how often those who listen are told how far an answer is: more often nobody can read, and each time costs every node a hint.
const partialEvery = 100 * time.Millisecond

// A partial tells how far an answer is, now and then. What was said last is told after a moment, unless the answer is over by then.
type partial struct {
	tell func(text string)

	mu      sync.Mutex
	last    time.Time // when something was told
	pending string
	timer   *time.Timer // nil = nothing is pending
	over    bool
}

// so is what was said so far.
func (p *partial) so(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		return
	}
	if p.pending = text; p.timer != nil {
		return
	}
	if wait := partialEvery - time.Since(p.last); wait > 0 {
		p.timer = time.AfterFunc(wait, p.flush)
		return
	}
	p.last = time.Now()
	p.tell(text)
}

func (p *partial) flush() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer = nil; !p.over {
		p.last = time.Now()
		p.tell(p.pending)
	}
}

// end is called when the answer is over: nothing is told after that.
func (p *partial) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
	if p.timer != nil {
		p.timer.Stop()
	}
}
