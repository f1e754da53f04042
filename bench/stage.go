package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"parley/internal/loopback"

	"github.com/coder/websocket"
)

// Options bound a run.
type Options struct {
	Targets []Target
	Pairs   int           // sender and receiver
	Repeats int           // of every comparison
	Warm    time.Duration // before each stretch that is measured
	Measure time.Duration // length of a stretch
	Settle  time.Duration // before memory is believed
	Idle    []int         // numbers of sessions whose memory is measured
	Growth  []int         // numbers of open conversations
	Stored  []int         // numbers of stored messages
	Stalled int           // lanes of a slow receiver beside which another one is measured
	Held    int           // lanes of a backlog
	Churn   time.Duration // how long sessions come and go; zero = not at all
	Rest    time.Duration // for how long the hub is left alone after that
	Missed  int           // messages of one conversation that a session missed
	Return  int           // sessions that come back at the same time
	Groups  int           // conversations among which groups are looked for
	Visits  int           // conversations that are counted
	Waiting int           // turns that wait for a slow bot
}

// A side is one server in a comparison, with the pairs that are connected to it.
type side struct {
	name   string
	server *server
	pairs  []*pair
}

// A stage is the servers of a comparison.
type stage struct{ sides []side }

func (st *stage) close() {
	for _, s := range st.sides {
		closePairs(s.pairs)
		_ = s.server.stop() // a server that does not end well has been measured all the same
	}
}

// addRelay starts a bare relay.
func (st *stage) addRelay(ctx context.Context, mode string, pairs int) error {
	s, err := startRelay(ctx, mode)
	if err != nil {
		return err
	}
	st.sides = append(st.sides, side{name: "relay, " + mode, server: s})
	mine := &st.sides[len(st.sides)-1]
	mine.pairs, err = relayPairs(ctx, s, pairs)
	return err
}

func startRelay(ctx context.Context, mode string) (*server, error) {
	return startBaseline(ctx, "--relay", mode)
}

// startBaseline starts a baseline that is a server, with profiles.
func startBaseline(ctx context.Context, args ...string) (*server, error) {
	profiles, err := loopback.FreeAddress(ctx)
	if err != nil {
		return nil, err
	}
	s, err := startServer(ctx, append([]string{"bench", "--relay-pprof", profiles}, args...)...)
	if err != nil {
		return nil, err
	}
	s.pprof = profiles
	return s, nil
}

// addHub starts a hub with an account whose conversations go to agents, and connects pairs to it.
func (st *stage) addHub(ctx context.Context, t Target, pairs int, frame func(conversation string) frames) error {
	return st.addHubAs(ctx, "hub", t, pairs, frame)
}

// addHubAs does so with further flags, under a name of its own.
func (st *stage) addHubAs(ctx context.Context, name string, t Target, pairs int, frame func(conversation string) frames, more ...string) error {
	s, a, err := startHub(ctx, t, "", more...)
	if err != nil {
		return err
	}
	st.sides = append(st.sides, side{name: name, server: s})
	mine := &st.sides[len(st.sides)-1]
	address := unique("bench")
	if err := a.makeAccount(ctx, address, ""); err != nil {
		return err
	}
	agent, err := a.agentToken(ctx)
	if err != nil {
		return err
	}
	mine.pairs, err = hubPairs(ctx, a, address, agent, pairs, frame)
	return err
}

// unique is a name that no earlier run on the same database has used.
func unique(name string) string { return fmt.Sprintf("%s-%d", name, time.Now().UnixNano()) }

// padding makes a message's text 200 bytes long, stamp included.
const padding = "The parcel with the blue ribbon was handed over at the back door on Tuesday, and nobody has seen it since; " +
	"please tell me whom I may ask, and until when you can say more."

// connecting bounds how many connections are opened side by side.
const connecting = 32

// each calls fn for 0..n-1, some at the same time, and returns the first error.
func each(n int, fn func(i int) error) error { return atOnce(n, connecting, fn) }

// atOnce is each with so many at the same time.
func atOnce(n, bound int, fn func(i int) error) error {
	if n <= 0 {
		return nil
	}
	errs := make(chan error, n)
	slots := make(chan struct{}, bound)
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

// frames are what a sender sends, and how a delivery of it begins.
type frames struct {
	message    func(n int, stamp string) []byte
	isDelivery func(object []byte) bool
}

// texts are messages of 200 bytes.
func texts(conversation string) frames {
	return frames{isDelivery: begins(messagePrefix), message: func(n int, stamp string) []byte {
		return fmt.Appendf(nil, `{"id":"%d","post":{"messageId":"m%d","type":{"value":"text"},"content":{"text":"%s%s"},"conversation":{"id":"%s"}}}`,
			n, n, stamp, padding, conversation)
	}}
}

// marks are marks of typing.
func marks(conversation string) frames {
	return frames{isDelivery: begins(typingPrefix), message: func(n int, _ string) []byte {
		return fmt.Appendf(nil, `{"id":"%d","typing":{"conversation":"%s","on":true}}`, n, conversation)
	}}
}

func begins(prefix string) func([]byte) bool {
	return func(object []byte) bool { return bytes.HasPrefix(object, []byte(prefix)) }
}

// relayPairs connects pairs to a relay.
func relayPairs(ctx context.Context, s *server, n int) ([]*pair, error) {
	pairs := make([]*pair, n)
	err := each(n, func(i int) error {
		var ends [2]*websocket.Conn
		for end := range ends {
			conn, err := dialRelay(ctx, s, i, end)
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

func dialRelay(ctx context.Context, s *server, pair, end int) (*websocket.Conn, error) {
	conn, _, err := websocket.Dial(ctx, fmt.Sprintf("%s/?pair=%d&end=%d", s.url, pair, end), nil)
	return conn, err
}

// hubPairs connects pairs to a hub: a customer in a conversation of theirs, and an agent who follows it.
func hubPairs(ctx context.Context, a *api, address, agent string, n int, frame func(string) frames) ([]*pair, error) {
	pairs := make([]*pair, n)
	err := each(n, func(i int) error {
		customer, conversation, err := a.joined(ctx, address)
		if err != nil {
			return err
		}
		receiver, err := a.connect(ctx, agent)
		if err != nil {
			return err
		}
		if _, err := receiver.ask(ctx, "subscribe", object{"conversation": conversation, "after": 1}); err != nil {
			return err
		}
		f := frame(conversation)
		pairs[i] = &pair{sender: customer.conn, receiver: receiver.conn, isDelivery: f.isDelivery, message: f.message}
		pairs[i].listen()
		return nil
	})
	return pairs, err
}

// joined connects a new customer, who starts a conversation.
func (a *api) joined(ctx context.Context, address string) (customer *session, conversation string, err error) {
	token, err := a.customerToken(ctx, address)
	if err != nil {
		return nil, "", err
	}
	if customer, err = a.connect(ctx, token); err != nil {
		return nil, "", err
	}
	customer.token = token
	opened, err := customer.ask(ctx, "open", object{"message": object{"messageId": "first", "type": object{"value": "text"}, "content": object{"text": "hello"}}})
	if err != nil {
		return nil, "", err
	}
	var at struct{ Conversation string }
	err = json.Unmarshal(opened, &at)
	return customer, at.Conversation, err
}

func closePairs(pairs []*pair) {
	for _, p := range pairs {
		if p != nil {
			_ = p.sender.CloseNow() // the measurement is over
			_ = p.receiver.CloseNow()
		}
	}
}
