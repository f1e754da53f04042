package dispatch

import (
	"context"
	"fmt"
	"sync"
	"time"

	"parley"
)

// targetTTL is how long a change of a client application or authentication may stay unseen.
const targetTTL = 2 * time.Second

// targets caches how receivers are reached, and what the channels of customers carry. Safe for concurrent use.
type targets struct {
	store    parley.Store
	clock    func() time.Time
	mu       sync.Mutex
	byName   map[targetName]cachedTarget
	reads    uint64 // of targets, so far
	channels map[channelName]cachedChannel
}

// A channelName is what a channel is found by.
type channelName struct {
	tenant      parley.TenantID
	channelType string
}

type cachedChannel struct {
	rich  bool
	until time.Time
}

// A targetName is what a target is found by.
type targetName struct {
	tenant      parley.TenantID
	application parley.ApplicationID
	role        parley.Role
}

type cachedTarget struct {
	target *target // shared; nobody changes it
	err    error   // NotFound is cached too
	until  time.Time
}

func newTargets(store parley.Store, clock func() time.Time) *targets {
	return &targets{store: store, clock: clock, byName: map[targetName]cachedTarget{}, channels: map[channelName]cachedChannel{}}
}

// of is how a receiver is reached; NotFound if its application, or the role, is gone.
func (t *targets) of(ctx context.Context, r parley.Receiver) (*target, error) {
	name := targetName{r.Tenant, r.Application, r.Role}
	t.mu.Lock()
	c, ok := t.byName[name]
	if ok && t.clock().Before(c.until) {
		t.mu.Unlock()
		return c.target, c.err
	}
	t.reads++
	to := &target{version: t.reads}
	t.mu.Unlock()
	err := t.store.View(ctx, func(tx parley.Tx) error {
		app, err := tx.Applications().Find(ctx, r.Tenant, r.Application)
		if err != nil {
			return err
		}
		role, ok := app.Role(r.Role)
		if !ok || role.Callback == "" {
			return &parley.Error{Kind: parley.NotFound, Msg: "the application has no callback in that role"}
		}
		to.role = role
		if role.Authentication.IsZero() {
			return nil
		}
		a, err := tx.Authentications().Find(ctx, r.Tenant, role.Authentication)
		if err != nil {
			return err
		}
		to.authentication = &a
		return nil
	})
	if err != nil {
		err = fmt.Errorf("read receiver %s of application %s: %w", r.Role, r.Application, err)
		if parley.KindOf(err) != parley.NotFound {
			return nil, err
		}
	}
	t.mu.Lock()
	t.byName[name] = cachedTarget{to, err, t.clock().Add(targetTTL)}
	t.mu.Unlock()
	return to, err
}

// known is how a receiver was reached when it was last looked at; the zero target if it was not.
func (t *targets) known(r parley.Receiver) *target {
	t.mu.Lock()
	defer t.mu.Unlock()
	if to := t.byName[targetName{r.Tenant, r.Application, r.Role}].target; to != nil {
		return to
	}
	return &target{}
}

// rich says whether a channel carries HTML to the customer; one that is gone restricts nothing.
func (t *targets) rich(ctx context.Context, tenant parley.TenantID, channelType string) (bool, error) {
	name := channelName{tenant, channelType}
	t.mu.Lock()
	cached, ok := t.channels[name]
	t.mu.Unlock()
	if ok && t.clock().Before(cached.until) {
		return cached.rich, nil
	}
	var channel parley.Channel
	err := t.store.View(ctx, func(tx parley.Tx) (err error) {
		channel, err = tx.ChannelByType(ctx, tenant, channelType)
		return err
	})
	if err != nil && parley.KindOf(err) != parley.NotFound {
		return false, fmt.Errorf("read channel %s: %w", channelType, err)
	}
	cached = cachedChannel{richText(&channel), t.clock().Add(targetTTL)}
	t.mu.Lock()
	t.channels[name] = cached
	t.mu.Unlock()
	return cached.rich, nil
}

// Forget drops what is cached: configuration changed.
func (d *Dispatcher) Forget() {
	d.health.forget()
	d.targets.mu.Lock()
	defer d.targets.mu.Unlock()
	clear(d.targets.byName)
	clear(d.targets.channels)
}
