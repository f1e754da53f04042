package hub

import "sync"

// Workers are goroutines that posts cause and Run waits for. Posts may come while Run waits, or after that, which a
// sync.WaitGroup alone forbids; so end decides, for each of them, whether it is waited for or does not begin. The zero value
// is ready. Safe for concurrent use.
type workers struct {
	mu      sync.Mutex
	ended   bool
	running sync.WaitGroup // grows only with mu held and ended false, hence never while end waits
}

// start runs fn on a goroutine of its own; false if the workers have ended, and then fn is not run.
func (w *workers) start(fn func()) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		return false
	}
	w.running.Go(fn)
	return true
}

// end lets no more start and waits for those that run.
func (w *workers) end() {
	w.mu.Lock()
	w.ended = true
	w.mu.Unlock()
	w.running.Wait()
}
