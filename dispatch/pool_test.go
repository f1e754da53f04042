package dispatch

import (
	"testing"

	"parley"
	"parley/ident"
)

// A lane that waits for its turn and is claimed again meanwhile waits once, under its new lease.
func TestClaimedAgainWhileWaiting(t *testing.T) {
	release, worked := make(chan struct{}), make(chan int64, 10)
	p := newPool(4, func(parley.Receiver) int { return 1 }, func(l *parley.Lane) {
		worked <- l.Lease
		<-release
	})
	first, second := ident.New[parley.Conversation](), ident.New[parley.Conversation]()
	claim := func(c parley.ConversationID, lease int64) {
		p.add(&parley.Lane{Conversation: c, Slot: 1, Receiver: parley.Receiver{Key: 1}, Lease: lease})
	}
	claim(first, 1)
	<-worked // and is stuck: the receiver's one place is taken
	for lease := range int64(100) {
		claim(second, 100+lease)
	}
	if n := len(p.waiting[1]); n != 1 {
		t.Errorf("%d wait, want one", n)
	}
	close(release)
	if lease := <-worked; lease != 199 {
		t.Errorf("worked under lease %d, want the last", lease)
	}
	p.wait()
	if len(worked) != 0 || p.has(first, 1) || p.has(second, 1) || len(p.pending) != 0 {
		t.Errorf("something is left: %d worked again, %v", len(worked), p.pending)
	}
}

// idle says whether nothing runs or waits.
func (p *pool) idle() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.lanes) == 0
}

// atWork is how many lanes are worked on.
func (p *pool) atWork() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.running
}
