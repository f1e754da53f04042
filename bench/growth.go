package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
)

const (
	// growthSenders post to conversations at random, so many messages each on their way.
	growthSenders, growthWindow = 16, 8
	// storedConversations share the load while the number of stored messages grows.
	storedConversations = 1000
)

// growth is case (f): what a message costs with ever more open conversations, and with ever more stored messages, beside the
// relay in the same minute.
func growth(ctx context.Context, o Options, t Target, report *Report) error {
	if err := growOpen(ctx, o, t, report); err != nil {
		return err
	}
	data, remove, err := t.folder()
	if err != nil {
		return err
	}
	defer remove()
	stored := 0
	for _, n := range o.Stored {
		if err := fill(ctx, t, data, n-stored); err != nil {
			return err
		}
		stored = n
		if err := growStored(ctx, o, t, data, stored, report); err != nil {
			return err
		}
	}
	return nil
}

// fill lets another process add messages to the record.
func fill(ctx context.Context, t Target, data string, messages int) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	args := []string{"bench", "--fill", strconv.Itoa(messages), "--data", data}
	if t.Database != "" {
		args = append(args, "--database", t.Database)
	}
	if out, err := exec.CommandContext(ctx, self, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("fill with %d messages: %w: %s", messages, err, out)
	}
	return nil
}

func growOpen(ctx context.Context, o Options, t Target, report *Report) error {
	s, a, err := startHub(ctx, t, "")
	if err != nil {
		return err
	}
	defer func() { _ = s.stop() }()
	g, err := newGrowth(ctx, a, s)
	if err != nil {
		return err
	}
	defer g.close()
	for _, n := range o.Growth {
		if err := g.open(ctx, n); err != nil {
			return err
		}
		if err := g.measure(ctx, o, t, report, fmt.Sprintf("%d open conversations", n)); err != nil {
			return err
		}
	}
	return nil
}

func growStored(ctx context.Context, o Options, t Target, data string, stored int, report *Report) error {
	s, a, err := startHub(ctx, t, data)
	if err != nil {
		return err
	}
	defer func() { _ = s.stop() }()
	g, err := newGrowth(ctx, a, s)
	if err != nil {
		return err
	}
	defer g.close()
	if err := g.open(ctx, storedConversations); err != nil {
		return err
	}
	return g.measure(ctx, o, t, report, fmt.Sprintf("%d stored messages", stored))
}

// A growing is a hub that grows, and the relay beside it.
type growing struct {
	a             *api
	s             *server
	address       string
	relay         stage
	senders       []*session
	mu            sync.Mutex
	conversations []string
}

func newGrowth(ctx context.Context, a *api, s *server) (*growing, error) {
	g := &growing{a: a, s: s, address: unique("growth")}
	if err := a.makeAccount(ctx, g.address, ""); err != nil {
		return nil, err
	}
	return g, g.relay.addRelay(ctx, "coalesced", growthSenders)
}

func (g *growing) close() { g.relay.close() }

// connect lets senders in for a measurement: while conversations are opened nobody would answer their heartbeats.
func (g *growing) connect(ctx context.Context) error {
	g.senders = nil
	token, err := g.a.agentToken(ctx)
	for range growthSenders {
		if err != nil {
			break
		}
		var l *session
		if l, err = g.a.connect(ctx, token); err == nil {
			g.senders = append(g.senders, l)
		}
	}
	return err
}

func (g *growing) disconnect() {
	for _, l := range g.senders {
		_ = l.conn.CloseNow() // the measurement is over
	}
}

// open starts conversations until there are so many.
func (g *growing) open(ctx context.Context, n int) error {
	return each(n-len(g.conversations), func(int) error {
		id, err := g.a.start(ctx, g.address)
		g.mu.Lock()
		defer g.mu.Unlock()
		g.conversations = append(g.conversations, id)
		return err
	})
}

func (g *growing) measure(ctx context.Context, o Options, t Target, report *Report, name string) error {
	relay := g.relay.sides[0]
	defer g.disconnect()
	if err := g.connect(ctx); err != nil {
		return err
	}
	for range o.Repeats {
		l, err := closedLoop(ctx, relay.pairs, growthWindow, o.Warm, o.Measure, relay.server)
		if err != nil {
			return err
		}
		report.add(t, name, relay.name, l)
		if l, err = g.load(ctx, o); err != nil {
			return err
		}
		report.add(t, name, "hub", l)
		for _, f := range followers {
			report.note(t, name, "hub", "s from accepted to "+f.does+", mean", l.counted.per(f.lag+"_sum", f.lag+"_count"))
		}
	}
	return nil
}

// followers are who looks at what was said, after it was accepted, with the metric that says how long after.
var followers = []struct{ does, lag string }{{"detected", "parley_detection_lag_seconds"}, {"counted", "parley_figures_lag_seconds"}}

// load posts to conversations at random for a while.
func (g *growing) load(ctx context.Context, o Options) (load, error) {
	sending, stop := context.WithCancel(ctx)
	defer stop()
	var acked atomic.Int64
	errs := make(chan error, 2*len(g.senders))
	var wg sync.WaitGroup
	for _, l := range g.senders {
		tokens := make(chan struct{}, growthWindow)
		wg.Go(func() {
			if err := g.post(ctx, sending, l, tokens); err != nil {
				errs <- err
			}
		})
		wg.Go(func() {
			if err := g.read(ctx, sending, l, tokens, &acked); err != nil {
				errs <- err
			}
		})
	}
	measured := func() (load, error) {
		if err := pause(ctx, o.Warm); err != nil {
			return load{}, err
		}
		before, start, started := g.s.usage(ctx), time.Now(), acked.Load()
		if err := pause(ctx, o.Measure); err != nil {
			return load{}, err
		}
		took, n := time.Since(start), acked.Load()-started
		used := g.s.usage(ctx).minus(before)
		return load{rate: float64(n) / took.Seconds(), cpu: used.cpu.per(n), counted: used.counted}, nil
	}
	l, err := measured()
	stop()
	wg.Wait()
	close(errs)
	for failed := range errs {
		return l, failed
	}
	return l, err
}

// post sends while there is room in the window.
func (g *growing) post(ctx, sending context.Context, l *session, tokens chan struct{}) error {
	for {
		select {
		case tokens <- struct{}{}:
		case <-sending.Done():
			// The last reply ends read; see there.
			return l.write(ctx, []byte(`{"id":"end","ping":{}}`))
		}
		l.n++
		err := l.write(ctx, fmt.Appendf(nil, `{"id":"%d","post":{"messageId":"%p-%d","type":{"value":"text"},"content":{"text":"%s%s"},"conversation":{"id":"%s"}}}`,
			l.n, l, l.n, stamp(), padding, g.conversations[rand.IntN(len(g.conversations))]))
		if err != nil {
			return err
		}
	}
}

// read counts acks until the reply to the ping that post sends last, and until every ack has come.
func (g *growing) read(ctx, _ context.Context, l *session, tokens chan struct{}, acked *atomic.Int64) error {
	ended := false
	for !ended || len(tokens) > 0 {
		bounded, cancel := context.WithTimeout(ctx, arrivalTimeout)
		_, frame, err := l.conn.Read(bounded)
		cancel()
		if err != nil {
			return err
		}
		for line := range bytes.SplitSeq(frame, []byte("\n")) {
			switch {
			case bytes.HasPrefix(line, []byte(`{"id":"end"`)):
				ended = true
			case bytes.HasPrefix(line, []byte(`{"id":`)):
				acked.Add(1)
				<-tokens
			case bytes.HasPrefix(line, []byte(heartbeatPrefix)):
				if err := l.write(ctx, []byte(`{"heartbeat":{}}`)); err != nil {
					return err
				}
			case bytes.HasPrefix(line, []byte(`{"error"`)):
				return fmt.Errorf("the hub refused a message: %s", line)
			}
		}
	}
	return nil
}

// start begins a conversation over REST and returns its id.
func (a *api) start(ctx context.Context, address string) (string, error) {
	body, err := json.Marshal(object{"messages": object{"message": []object{{"type": object{"value": "text"}, "content": object{"text": "hello"},
		"sender": object{"type": "customer"}, "conversation": object{"account": object{"channel": object{"type": "web_chat"}, "address": address},
			"customer": object{"contacts": object{"contact": []object{{"type": "email", "address": unique("customer") + "@example.org"}}}}}}}}})
	if err != nil {
		return "", err
	}
	var out struct {
		Messages struct {
			Message []struct{ Conversation struct{ ID string } }
		}
	}
	if err := a.do(ctx, conversationmgr+"/conversations/messages", "application/json", bytes.NewReader(body), &out); err != nil {
		return "", err
	}
	return out.Messages.Message[0].Conversation.ID, nil
}

// write sends a frame; several goroutines may.
func (s *session) write(ctx context.Context, frame []byte) error {
	return s.conn.Write(context.WithoutCancel(ctx), websocket.MessageText, frame) // a write that is cut breaks the connection
}
