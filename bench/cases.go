package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// padding makes a message's text 200 bytes long, stamp included.
const padding = "The parcel with the blue ribbon was handed over at the back door on Tuesday, and nobody has seen it since; " +
	"please tell me whom I may ask, and until when you can say more."

// atOnce bounds how many connections are opened side by side.
const atOnce = 32

// each calls fn for 0..n-1, some at the same time, and returns the first error.
func each(n int, fn func(i int) error) error {
	errs := make(chan error, n)
	slots := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	for i := range n {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			errs <- fn(i)
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// relayPairs connects pairs to a relay.
func relayPairs(ctx context.Context, s *server, n int) ([]*pair, error) {
	pairs := make([]*pair, n)
	err := each(n, func(i int) error {
		var ends [2]*websocket.Conn
		for end := range ends {
			conn, _, err := websocket.Dial(ctx, fmt.Sprintf("%s/?pair=%d&end=%d", s.url, i, end), nil)
			if err != nil {
				return err
			}
			ends[end] = conn
		}
		pairs[i] = &pair{sender: ends[0], receiver: ends[1], isDelivery: func([]byte) bool { return true },
			message: func(n int, stamp string) []byte {
				return fmt.Appendf(nil, `{"id":"%d","post":{"text":"%s%s"}}`, n, stamp, padding)
			}}
		pairs[i].listen()
		return nil
	})
	return pairs, err
}

// hubPairs connects pairs to a hub: a customer in a conversation of theirs, and an agent who follows it.
func hubPairs(ctx context.Context, a *api, address, agent string, n int) ([]*pair, error) {
	pairs := make([]*pair, n)
	err := each(n, func(i int) error {
		token, err := a.customerToken(ctx, address)
		if err != nil {
			return err
		}
		customer, err := a.connect(ctx, token)
		if err != nil {
			return err
		}
		opened, err := customer.ask(ctx, "open", object{"message": object{"messageId": "first", "type": object{"value": "text"}, "content": object{"text": "hello"}}})
		if err != nil {
			return err
		}
		var at struct{ Conversation string }
		if err := json.Unmarshal(opened, &at); err != nil {
			return err
		}
		receiver, err := a.connect(ctx, agent)
		if err != nil {
			return err
		}
		if _, err := receiver.ask(ctx, "subscribe", object{"conversation": at.Conversation, "after": 1}); err != nil {
			return err
		}
		pairs[i] = &pair{sender: customer.conn, receiver: receiver.conn,
			isDelivery: func(o []byte) bool { return bytes.HasPrefix(o, []byte(messagePrefix)) },
			message: func(n int, stamp string) []byte {
				return fmt.Appendf(nil, `{"id":"%d","post":{"messageId":"m%d","type":{"value":"text"},"content":{"text":"%s%s"},"conversation":{"id":"%s"}}}`,
					n, n, stamp, padding, at.Conversation)
			}}
		pairs[i].listen()
		return nil
	})
	return pairs, err
}

func closePairs(pairs []*pair) {
	for _, p := range pairs {
		if p != nil {
			_ = p.sender.CloseNow() // the measurement is over
			_ = p.receiver.CloseNow()
		}
	}
}

// Options bound a run.
type Options struct {
	Targets []Target
	Pairs   int           // sender and receiver
	Repeats int           // of every comparison
	Warm    time.Duration // before each stretch that is measured
	Measure time.Duration // length of a stretch
}

// A side is one server in a comparison.
type side struct {
	name  string
	pairs []*pair
	watch watch
}

// durable is case (a): 1:1 messages, at one and at eight on their way, beside the plain and the coalesced relay; and case
// (b): latency at fixed rates. Every repetition takes all sides in turn.
func durable(ctx context.Context, o Options, t Target, report *Report) error {
	var sides []side
	var servers []*server
	defer func() {
		for _, s := range sides {
			closePairs(s.pairs)
		}
		for _, s := range servers {
			_ = s.stop() // a server that does not end well has been measured all the same
		}
	}()
	for _, mode := range []string{"plain", "coalesced"} {
		s, err := startServer(ctx, "bench", "--relay", mode)
		if err != nil {
			return err
		}
		servers = append(servers, s)
		pairs, err := relayPairs(ctx, s, o.Pairs)
		if err != nil {
			return err
		}
		sides = append(sides, side{"relay, " + mode, pairs, watchProcess(s.cmd.Process.Pid)})
	}
	s, a, err := startHub(ctx, t)
	if err != nil {
		return err
	}
	servers = append(servers, s)
	if err := a.makeAccount(ctx, "bench", ""); err != nil {
		return err
	}
	agent, err := a.agentToken(ctx)
	if err != nil {
		return err
	}
	pairs, err := hubPairs(ctx, a, "bench", agent, o.Pairs)
	if err != nil {
		return err
	}
	sides = append(sides, side{"hub", pairs, watchProcess(s.cmd.Process.Pid)})
	for _, window := range []int{1, 8} {
		name := fmt.Sprintf("durable 1:1, %d in flight", window)
		for range o.Repeats {
			for _, side := range sides {
				l, err := closedLoop(ctx, side.pairs, window, o.Warm, o.Measure, side.watch)
				if err != nil {
					return fmt.Errorf("%s, %s: %w", name, side.name, err)
				}
				report.add(t, name, side.name, l)
			}
		}
	}
	for _, rate := range []float64{1000, 5000} {
		name := fmt.Sprintf("latency at %.0f messages/s", rate)
		for range o.Repeats {
			for _, side := range sides[1:] {
				l, err := openLoop(ctx, side.pairs, rate, o.Warm, o.Measure, side.watch)
				if err != nil {
					return fmt.Errorf("%s, %s: %w", name, side.name, err)
				}
				report.add(t, name, side.name, l)
			}
		}
	}
	return nil
}
