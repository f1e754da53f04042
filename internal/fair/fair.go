// Package fair does things for many, of whom some may take long: each waits in a line of their own.
package fair

import "sync"

// Lines do what is offered to them, in order in each line, but for what is done at the same time. Safe for concurrent use.
type Lines[K comparable, V any] struct {
	atOnce, waiting, total int
	do                     func(V)

	mu       sync.Mutex
	lines    map[K]*line[V]
	underWay int // in all lines
	stopped  bool
	wg       sync.WaitGroup
}

// A line is what is under way for one.
type line[V any] struct {
	running int
	waiting []V
}

// New makes lines. At the same time there is so much done, and waits so much besides, for each; and so much is under way in all.
func New[K comparable, V any](atOnce, waiting, total int, do func(V)) *Lines[K, V] {
	return &Lines[K, V]{atOnce: atOnce, waiting: waiting, total: total, do: do, lines: map[K]*line[V]{}}
}

// Offer has something done, now or when its turn comes. It is false if there is no room, or Stop was called. It does not wait.
func (l *Lines[K, V]) Offer(to K, v V) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	of := l.lines[to]
	if l.stopped || l.underWay >= l.total || of != nil && of.running >= l.atOnce && len(of.waiting) >= l.waiting {
		return false
	}
	if of == nil {
		of = &line[V]{}
		l.lines[to] = of
	}
	l.underWay++
	of.waiting = append(of.waiting, v)
	if of.running < l.atOnce {
		of.running++
		l.wg.Go(func() { l.run(to, of) })
	}
	return true
}

// run does what waits in a line until nothing does.
func (l *Lines[K, V]) run(to K, of *line[V]) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(of.waiting) > 0 && !l.stopped {
		next := of.waiting[0]
		of.waiting = of.waiting[1:]
		l.mu.Unlock()
		l.do(next)
		l.mu.Lock()
		l.underWay--
	}
	if of.running--; of.running == 0 {
		delete(l.lines, to)
	}
}

// Stop forgets what waits; what is being done goes on.
func (l *Lines[K, V]) Stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopped = true
}

// Wait returns when nothing is under way any more. Nothing may be offered after that.
func (l *Lines[K, V]) Wait() { l.wg.Wait() }
