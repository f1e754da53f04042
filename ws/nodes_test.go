package ws_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"parley"
	"parley/hub"
	"parley/store/live"
	"parley/ws"
)

// A node is another hub and another server of sessions on the record of a site.
type node struct {
	site // what is of the node is replaced
	stop func()
}

// nodes are two nodes on one record and one Redis.
func nodes(t *testing.T, change func(*ws.Config)) (a, b *node) {
	t.Helper()
	redis := os.Getenv("PARLEY_TEST_REDIS")
	if redis == "" {
		t.Skip("set PARLEY_TEST_REDIS to the URL of a Redis (scripts/services does)")
	}
	s := newSite(t, nil)
	quiet := slog.New(slog.DiscardHandler)
	open := func() *node {
		l, err := live.Open(t.Context(), live.Config{URL: redis, Installation: s.store.Installation(), Logger: quiet})
		if err != nil {
			t.Fatal(err)
		}
		n := &node{site: site{t: t, file: s.file, store: s.store, account: s.account, grants: s.grants}}
		n.hub = hub.New(hub.Config{Store: s.store, Live: l, Logger: quiet, TypingFor: time.Second})
		c := ws.Config{Rate: 1e6, Burst: 1e6, Hub: n.hub, Tokens: s, Logger: quiet, Code: code, Live: l}
		if change != nil {
			change(&c)
		}
		n.server = ws.New(c)
		n.http = httptest.NewServer(n.server)
		running, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = n.hub.Run(running)
		}()
		stopped := false
		n.stop = func() {
			if stopped {
				return
			}
			stopped = true
			now, cut := context.WithCancel(context.Background())
			cut()
			n.server.Drain(now)
			n.http.Close()
			cancel()
			<-done
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		}
		t.Cleanup(n.stop)
		return n
	}
	return open(), open()
}

// hearsUntil passes over objects of a kind until one is as wanted.
func (c *client) hearsUntil(kind string, is func(map[string]any) bool) {
	c.t.Helper()
	for {
		if is(c.object(kind)) {
			return
		}
	}
}

// What is live is heard on the other node: typing and its end, marks of reading, places in the queue, who comes and who leaves, and how
// many sessions somebody has.
func TestLiveStateAcrossNodes(t *testing.T) {
	a, b := nodes(t, func(c *ws.Config) { c.PerCustomer = 2 })
	anna, _ := a.connect("anna")
	id := anna.ask("open", map[string]any{"message": text("m1")})["conversation"]
	agent, _ := b.connect("dana")
	agent.ask("subscribe", map[string]any{"conversation": id, "after": 0})
	agent.message()
	for begun := false; !begun; { // hints are heard once the other node listens
		anna.ask("typing", map[string]any{"conversation": id, "on": true})
		begun = agent.object("typing")["on"] == true
	}
	agent.hearsUntil("typing", func(o map[string]any) bool { return o["on"] == false }) // by itself
	agent.ask("read", map[string]any{"conversation": id, "seq": 1})
	if r := anna.object("receipt"); r["role"] != "custom_agent" || r["read"] != 1.0 {
		t.Errorf("the customer hears %v", r)
	}

	again, _ := b.connect("anna", map[string]any{"conversation": id, "after": 1}) // her second session
	if r := again.object("receipt"); r["read"] != 1.0 {
		t.Errorf("on the other node the customer hears %v", r)
	}
	third := a.dial(nil)
	if got := third.hears(`{"id":"1","connect":{"token":"anna"}}`); got != "4409" {
		t.Errorf("the third session on two nodes = %s, want 4409", got)
	}
	anna.conn.CloseNow()
	agent.ask("post", in(id, text("m2")))
	if m := again.message(); m.Seq != 2 {
		t.Errorf("the customer sees %+v", m)
	}
	again.conn.CloseNow()
	agent.hearsUntil("presence", func(o map[string]any) bool { return o["active"] == false })
	anna, _ = a.connect("anna", map[string]any{"conversation": id, "after": 1})
	agent.hearsUntil("presence", func(o map[string]any) bool { return o["active"] == true })
	if m := anna.message(); m.Seq != 2 {
		t.Errorf("on the first node the customer sees %+v", m)
	}

	// A node that ends while somebody types there leaves no mark behind.
	anna.ask("typing", map[string]any{"conversation": id, "on": true})
	agent.hearsUntil("typing", func(o map[string]any) bool { return o["on"] == true })
	a.stop()
	agent.hearsUntil("typing", func(o map[string]any) bool { return o["on"] == false })
}

// Customers on two nodes wait in one queue: what happens on one moves those on the other.
func TestQueueAcrossNodes(t *testing.T) {
	a, b := nodes(t, nil)
	agent, _ := a.connect("dana")
	join := func(id any) {
		t.Helper()
		agent.ask("post", in(id, map[string]any{"type": map[string]string{"value": "agent.join"}, "content": map[string]any{"json": map[string]string{"agentName": "Dana"}}}))
	}
	transfer := func(id any) {
		t.Helper()
		agent.ask("post", in(id, map[string]any{"type": map[string]string{"value": "queue.transfer"}, "content": map[string]any{"json": map[string]any{"queue": map[string]string{"id": "q"}}}}))
	}
	bert, _ := a.connect("bert")
	first := bert.ask("open", map[string]any{"message": text("b1")})["conversation"]
	anna, _ := b.connect("anna")
	second := anna.ask("open", map[string]any{"message": text("a1")})["conversation"]
	for _, id := range []any{first, second} {
		join(id)
		transfer(id)
	}
	at := func(position float64) func(map[string]any) bool {
		return func(o map[string]any) bool { return o["position"] == position }
	}
	bert.hearsUntil("queue", at(1))
	anna.hearsUntil("queue", at(2))
	bert.ask("post", in(first, map[string]any{"type": map[string]string{"value": "conversation.end"}}))
	anna.hearsUntil("queue", at(1))
	join(second)
	anna.hearsUntil("queue", at(0))
	conversation, err := parley.ParseID[parley.Conversation](fmt.Sprint(second))
	if err != nil {
		t.Fatal(err)
	}
	if c, _, err := b.hub.Conversation(t.Context(), parley.Speaker{Tenant: parley.DefaultTenant}, conversation); err != nil || c.Owner.Kind != parley.OwnerAgent {
		t.Errorf("the turn is with %v, %v", c.Owner, err)
	}
}

// A listener is a subscriber that keeps what it hears.
type listener chan *hub.Event

func (l listener) Deliver(e *hub.Event) { l <- e }

// Of a long conversation that somebody begins to follow, another node's next message is read, and not all those before it.
func TestHintReadsWhatIsNew(t *testing.T) {
	a, b := nodes(t, nil)
	anna, _ := a.connect("anna")
	id := anna.ask("open", map[string]any{"message": text("m1")})["conversation"]
	const n = 20
	for i := 2; i <= n; i++ {
		anna.ask("post", in(id, text(fmt.Sprint("m", i))))
	}
	conversation, err := parley.ParseID[parley.Conversation](fmt.Sprint(id))
	if err != nil {
		t.Fatal(err)
	}
	hears := make(listener, 10*n)
	defer b.hub.Subscribe(parley.DefaultTenant, conversation, hears)()
	for i := n + 1; len(hears) == 0; i++ { // hints are heard once the node listens
		if i > 10*n {
			t.Fatal("nothing was heard")
		}
		anna.ask("post", in(id, text(fmt.Sprint("m", i))))
	}
	if e := <-hears; e.Message.Seq == 1 { // hints of the last ones may have been on their way
		t.Errorf("all of the %d messages that were there are heard again", n)
	}
}
