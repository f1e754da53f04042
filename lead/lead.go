// Package lead has one of many nodes do what needs to be done once. It makes double work rare, no more: nothing may depend on it for correctness.
package lead

import (
	"context"
	"sync"
	"time"

	"parley"
	"parley/ident"
)

// A Locker keeps locks that all nodes see; [parley.Live] is one.
type Locker interface {
	Lock(ctx context.Context, name, token string, ttl time.Duration) (bool, error)
}

// A Lead is what one of the nodes has. Safe for concurrent use.
type Lead struct {
	locker Locker
	name   string
	ttl    time.Duration
	token  string

	mu    sync.Mutex
	asked time.Time // when it was last told that this node leads; zero = it does not
}

// New is the lead of that name. Should the node that has it end, another one may have it after ttl. Without a locker every node leads.
func New(locker Locker, name string, ttl time.Duration) *Lead {
	return &Lead{locker: locker, name: name, ttl: ttl, token: ident.New[parley.Live]().String()}
}

// Mine says whether this node leads, and keeps the lead for some time if it does. While the locks cannot be asked every node leads.
func (l *Lead) Mine(ctx context.Context) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.locker == nil || !l.asked.IsZero() && time.Since(l.asked) < l.ttl/4 {
		return true
	}
	now := time.Now()
	if mine, err := l.locker.Lock(ctx, l.name, l.token, l.ttl); err == nil && !mine {
		l.asked = time.Time{}
		return false
	}
	l.asked = now
	return true
}
