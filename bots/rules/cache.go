package rules

import (
	"bytes"
	"sync"

	"parley"
	"parley/flow"
)

// maxKnown is how many compiled flows are kept: with examples in a few languages one takes some MB.
const maxKnown = 64

type key struct {
	tenant  parley.TenantID
	bot     parley.ApplicationID
	version int64
}

// A compiled flow, or why it is none, is made once, by the first who wants it.
type compiled struct {
	source []byte
	flow   func() (*flow.Flow, error)
	used   int64
}

// A cache keeps the flows that were used last. Safe for concurrent use.
type cache struct {
	mu    sync.Mutex
	known map[key]*compiled
	clock int64 // counts uses
}

func newCache() *cache { return &cache{known: map[key]*compiled{}} }

// flow compiles a source unless it is known. A version whose source is another one than before is compiled anew.
func (c *cache) flow(k key, source []byte) (*flow.Flow, error) {
	c.mu.Lock()
	c.clock++
	one, ok := c.known[k]
	if !ok || !bytes.Equal(one.source, source) {
		one = &compiled{source: source, flow: sync.OnceValues(func() (*flow.Flow, error) { return flow.Parse(source) })}
		c.known[k] = one
	}
	one.used = c.clock
	if len(c.known) > maxKnown {
		c.forgetOne()
	}
	c.mu.Unlock()
	return one.flow()
}

// forgetOne drops the flow that was not used for the longest time.
func (c *cache) forgetOne() {
	var oldest key
	least := c.clock + 1
	for k, one := range c.known {
		if one.used < least {
			oldest, least = k, one.used
		}
	}
	delete(c.known, oldest)
}
