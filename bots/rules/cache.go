package rules

import (
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
	flow func() (*flow.Flow, error)
	used int64
}

// A cache keeps the flows that were used last. Safe for concurrent use.
type cache struct {
	mu    sync.Mutex
	known map[key]*compiled
	clock int64 // counts uses
}

func newCache() *cache { return &cache{known: map[key]*compiled{}} }

// flow compiles what is behind a key, unless it is known. source is asked for it then; its errors are not kept.
func (c *cache) flow(k key, source func() ([]byte, error)) (*flow.Flow, error) {
	one := c.find(k)
	if one == nil {
		text, err := source()
		if err != nil {
			return nil, err
		}
		one = c.add(k, text)
	}
	return one.flow()
}

// find is what is known; nil = nothing.
func (c *cache) find(k key) *compiled {
	c.mu.Lock()
	defer c.mu.Unlock()
	one := c.known[k]
	if one != nil {
		c.clock++
		one.used = c.clock
	}
	return one
}

// add is what is known from now on: of two who add the same, what the first one did.
func (c *cache) add(k key, text []byte) *compiled {
	c.mu.Lock()
	defer c.mu.Unlock()
	one := c.known[k]
	if one == nil {
		one = &compiled{flow: sync.OnceValues(func() (*flow.Flow, error) { return flow.Parse(text) })}
		c.known[k] = one
	}
	c.clock++
	one.used = c.clock
	if len(c.known) > maxKnown {
		c.forgetOne()
	}
	return one
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
