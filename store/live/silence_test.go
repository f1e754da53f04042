package live

import (
	"context"
	"net/url"
	"os"
	"testing"
	"time"

	"parley"
	"parley/chaos"
)

// A subscription whose connection went silent is made anew, and what was said meanwhile is known to be lost.
func TestSilentRedisIsLeft(t *testing.T) {
	raw := os.Getenv("PARLEY_TEST_REDIS")
	if raw == "" {
		t.Skip("set PARLEY_TEST_REDIS to the URL of a Redis (scripts/services does)")
	}
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	proxy, err := chaos.NewProxy(t.Context(), u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	u.Host = proxy.Address()
	l, err := Open(t.Context(), Config{URL: u.String()})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	lost := make(chan struct{}, 100)
	done := make(chan struct{})
	defer func() {
		cancel()
		<-done
	}()
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			_ = l.Hints(ctx, func(h parley.Hint) {
				if h.Kind == parley.HintLost {
					lost <- struct{}{}
				}
			})
		}
	}()
	<-lost
	proxy.Mode(chaos.HalfOpen)
	if _, err := l.announce(ctx, nil); err == nil { // its own connection is silent too
		t.Error("an announcement that nobody answers did not fail")
	}
	proxy.Mode(chaos.Pass)
	select {
	case <-lost:
	case <-time.After(40 * time.Second):
		t.Fatal("nobody noticed")
	}
}
