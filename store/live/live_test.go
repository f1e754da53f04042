package live

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/redis/go-redis/v9"

	"parley"
	"parley/ident"
)

// each runs a test on every Redis there is: an external one, a private child, and miniredis. What it opens belongs together.
func each(t *testing.T, test func(t *testing.T, open func() *Live)) {
	installation := ident.New[parley.Live]().String()
	start := func(t *testing.T, c Config) *Live {
		t.Helper()
		c.Installation, c.Logger = installation, slog.New(slog.DiscardHandler)
		l, err := Open(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := l.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
		return l
	}
	t.Run("redis", func(t *testing.T) {
		url := os.Getenv("PARLEY_TEST_REDIS")
		if url == "" {
			t.Skip("set PARLEY_TEST_REDIS to the URL of a Redis (scripts/services does)")
		}
		test(t, func() *Live { return start(t, Config{URL: url}) })
	})
	t.Run("child", func(t *testing.T) {
		if _, err := exec.LookPath("redis-server"); err != nil {
			t.Skip("install redis-server (scripts/services does)")
		}
		first := start(t, Config{URL: Auto, Dir: t.TempDir()})
		if first.Kind != "child" {
			t.Fatalf("Kind = %q, want child", first.Kind)
		}
		test(t, func() *Live { return start(t, Config{URL: "unix://" + first.options.Addrs[0]}) })
	})
	t.Run("miniredis", func(t *testing.T) {
		first := start(t, Config{URL: Auto, Server: "none"})
		test(t, func() *Live { return start(t, Config{URL: "redis://" + first.options.Addrs[0]}) })
	})
}

func TestHintsReachOtherNodesOnly(t *testing.T) {
	each(t, func(t *testing.T, open func() *Live) {
		here, there := open(), open()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		heard := make(chan parley.Hint, 100)
		own := make(chan parley.Hint, 100)
		except := func(into chan<- parley.Hint) func(parley.Hint) { // without what each hears when it begins to listen
			return func(h parley.Hint) {
				if h.Kind != parley.HintLost {
					into <- h
				}
			}
		}
		go func() { _ = there.Hints(ctx, except(heard)) }()
		go func() { _ = here.Hints(ctx, except(own)) }()
		want := parley.Hint{Kind: parley.HintMessage, Tenant: parley.DefaultTenant, Conversation: ident.New[parley.Conversation](), Seq: 7}
		deadline := time.After(10 * time.Second)
		for { // until the other side's subscription stands
			if err := here.Publish(t.Context(), []parley.Hint{want}); err != nil {
				t.Fatal(err)
			}
			select {
			case got := <-heard:
				if got != want {
					t.Errorf("hint = %+v, want %+v", got, want)
				}
				select {
				case got := <-own:
					t.Errorf("heard our own hint %+v", got)
				default:
				}
				return
			case <-time.After(20 * time.Millisecond):
			case <-deadline:
				t.Fatal("the hint did not arrive")
			}
		}
	})
}

// Who shares a Redis and belongs to another installation has locks and sessions of its own, and hears of nothing.
func TestInstallationsAreApart(t *testing.T) {
	each(t, func(t *testing.T, open func() *Live) {
		here, there, ctx := open(), open(), t.Context()
		there.prefix = "parley:" + ident.New[parley.Live]().String() + ":"
		for _, l := range []*Live{here, there} {
			if ok, err := l.Lock(ctx, "detection", l.prefix, time.Minute); !ok || err != nil {
				t.Errorf("Lock = %v, %v", ok, err)
			}
			if ok, _, err := l.Allow(ctx, "key", 1, time.Minute); !ok || err != nil {
				t.Errorf("Allow = %v, %v", ok, err)
			}
		}
		if err := errors.Join(here.Join(ctx, "agents", "s", time.Minute), here.Sample(ctx, "agents", 1)); err != nil {
			t.Fatal(err)
		}
		if n, err := there.Present(ctx, "agents"); err != nil || n[0] != 0 {
			t.Errorf("Present = %d, %v; want 0", n, err)
		}
		if samples, err := there.Samples(ctx, "agents"); err != nil || len(samples) != 0 {
			t.Errorf("Samples = %v, %v; want none", samples, err)
		}
		listening, cancel := context.WithCancel(ctx)
		defer cancel()
		subscribed := make(chan struct{}, 100)
		go func() { _ = there.Hints(listening, func(parley.Hint) { subscribed <- struct{}{} }) }()
		<-subscribed
		if err := here.Publish(ctx, []parley.Hint{{Kind: parley.HintConfig, Tenant: parley.DefaultTenant}}); err != nil {
			t.Fatal(err)
		}
		if !here.isAlone() {
			t.Error("somebody of another installation heard a hint")
		}
	})
}

func TestLocksSamplesAndRates(t *testing.T) {
	each(t, func(t *testing.T, open func() *Live) {
		l, ctx, name := open(), t.Context(), ident.New[parley.Message]().String()
		if ok, err := l.Lock(ctx, name, "a", time.Minute); !ok || err != nil {
			t.Fatalf("Lock = %v, %v", ok, err)
		}
		if ok, _ := l.Lock(ctx, name, "b", time.Minute); ok {
			t.Error("the lock was taken twice")
		}
		if ok, _ := l.Lock(ctx, name, "a", time.Minute); !ok {
			t.Error("the holder could not renew")
		}
		if err := l.Unlock(ctx, name, "b"); err != nil {
			t.Error(err)
		}
		if ok, _ := l.Lock(ctx, name, "b", time.Minute); ok {
			t.Error("a stranger unlocked")
		}
		for i := range int64(parley.MaxSamples + 5) {
			if err := l.Sample(ctx, name, i); err != nil {
				t.Fatal(err)
			}
		}
		samples, err := l.Samples(ctx, name)
		if err != nil || len(samples) != parley.MaxSamples || samples[0] != parley.MaxSamples+4 {
			t.Errorf("Samples = %v, %v; want the last %d, newest first", samples, err, parley.MaxSamples)
		}
		if none, err := l.Samples(ctx, name+"x"); err != nil || len(none) != 0 {
			t.Errorf("Samples of nothing = %v, %v", none, err)
		}
		for i := range 3 {
			ok, wait, err := l.Allow(ctx, name, 2, time.Minute)
			if err != nil || ok != (i < 2) || !ok && wait <= 0 {
				t.Errorf("Allow %d = %v, %v, %v", i, ok, wait, err)
			}
		}
		// What has a time ends by itself, in miniredis too, which has to be told that time passes.
		if ok, err := l.Lock(ctx, name+"brief", "a", 100*time.Millisecond); !ok || err != nil {
			t.Fatalf("Lock = %v, %v", ok, err)
		}
		waitFor(t, "the lock to end by itself", func() bool { ok, err := l.Lock(ctx, name+"brief", "b", time.Minute); return ok && err == nil })
		if ok, _, err := l.Allow(ctx, name+"brief", 1, 100*time.Millisecond); !ok || err != nil {
			t.Fatalf("Allow = %v, %v", ok, err)
		}
		waitFor(t, "the window to end by itself", func() bool { ok, _, err := l.Allow(ctx, name+"brief", 1, time.Minute); return ok && err == nil })
		if err := l.Join(ctx, name, "s1", time.Minute); err != nil {
			t.Fatal(err)
		}
		if n, err := l.Present(ctx, name+"none", name, name); err != nil || !slices.Equal(n, []int{0, 1, 1}) {
			t.Errorf("Present = %d, %v; want 0, 1 and 1", n, err)
		}
		if err := l.Leave(ctx, name, "s1"); err != nil {
			t.Fatal(err)
		}
		if n, err := l.Present(ctx, name); err != nil || !slices.Equal(n, []int{0}) {
			t.Errorf("Present after Leave = %d, %v; want 0", n, err)
		}
	})
}

// A private server that is killed is back soon, and still has what was in its file.
func TestChildIsStartedAgain(t *testing.T) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("install redis-server (scripts/services does)")
	}
	l, err := Open(t.Context(), Config{URL: Auto, Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	id := func() string { return l.client.Info(context.Background(), "server").Val() }
	before := id()
	if err := l.client.ShutdownNoSave(t.Context()).Err(); err != nil && !strings.Contains(err.Error(), "EOF") {
		t.Logf("shutdown: %v", err)
	}
	waitFor(t, "another server", func() bool {
		now := id()
		return now != "" && runID(now) != runID(before)
	})
}

func runID(info string) string {
	_, after, _ := strings.Cut(info, "run_id:")
	before, _, _ := strings.Cut(after, "\r")
	return before
}

// waitFor polls a condition that another process makes true.
func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.After(15 * time.Second)
	for !done() {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func TestURLs(t *testing.T) {
	for url, want := range map[string]redis.UniversalOptions{
		"redis://h:1/2":                       {Addrs: []string{"h:1"}, DB: 2},
		"redis://h":                           {Addrs: []string{"h:6379"}},
		"rediss://u:p@h:1":                    {Addrs: []string{"h:1"}, Username: "u", Password: "p", TLSConfig: &tls.Config{ServerName: "h", MinVersion: tls.VersionTLS12}},
		"redis+sentinel://u:p@a:1,b:2/main/3": {Addrs: []string{"a:1", "b:2"}, Username: "u", Password: "p", MasterName: "main", DB: 3},
		"redis+cluster://u:p@a:1,b:2":         {Addrs: []string{"a:1", "b:2"}, Username: "u", Password: "p", IsClusterMode: true},
	} {
		got, err := parseURL(url)
		if err != nil {
			t.Errorf("parseURL(%q) = %v", url, err)
			continue
		}
		if diff := cmp.Diff(&want, got, cmpopts.IgnoreUnexported(redis.UniversalOptions{}, tls.Config{})); diff != "" {
			t.Errorf("parseURL(%q) (-want +got):\n%s", url, diff)
		}
	}
	for url, want := range map[string]string{
		"redis+sentinel://a:1":          "master",
		"redis+sentinel://a:1/main/x":   "number",
		"http://h":                      "scheme",
		"redis://:planted-secret@h:x/":  "--redis",
		"redis://:planted-secret@h:1/x": "--redis",
	} {
		if _, err := parseURL(url); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "planted-secret") {
			t.Errorf("parseURL(%q) = %v, want %q and no password", url, err, want)
		}
	}
}

// A node that is alone says nothing, and speaks again as soon as another one listens.
func TestAloneIsQuiet(t *testing.T) {
	each(t, func(t *testing.T, open func() *Live) {
		here := open()
		hint := []parley.Hint{{Kind: parley.HintConfig, Tenant: parley.DefaultTenant}}
		if err := here.Publish(t.Context(), hint); err != nil {
			t.Fatal(err)
		}
		if here.alone.Load() == 0 {
			t.Error("nobody listens, but the node believes that somebody does")
		}
		if err := here.Publish(t.Context(), hint); err != nil { // in vain
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		heard := make(chan parley.HintKind, 100)
		there := open()
		subscribed := make(chan struct{}, 100)
		go func() { _ = here.Hints(ctx, func(parley.Hint) { subscribed <- struct{}{} }) }()
		<-subscribed
		here.alone.Store(time.Now().Add(time.Hour).UnixNano())
		here.unsaid.Store(true)
		go func() { _ = there.Hints(ctx, func(h parley.Hint) { heard <- h.Kind }) }()
		for _, why := range []string{"it begins to listen", "the other was quiet before"} {
			if kind := <-heard; kind != parley.HintLost {
				t.Errorf("heard %q, want %q, since %s", kind, parley.HintLost, why)
			}
		}
		waitFor(t, "the greeting", func() bool { return here.alone.Load() == 0 })
		waitFor(t, "a hint", func() bool {
			if err := here.Publish(t.Context(), hint); err != nil {
				t.Error(err)
			}
			select {
			case <-heard:
				return true
			default:
				return false
			}
		})
	})
}
