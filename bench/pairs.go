package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
)

// Objects are told apart by how they begin; both servers write them so.
const (
	ackPrefix     = `{"id":`
	messagePrefix = `{"message":`
	typingPrefix  = `{"typing":`
	errorMark     = `"error":{`

	heartbeatPrefix = `{"heartbeat":`
)

// A pair is a sender and a receiver of one conversation, connected to a server under test.
type pair struct {
	sender, receiver *websocket.Conn
	message          func(n int, stamp string) []byte // the frame of message n
	isDelivery       func(object []byte) bool

	next      int
	acked     atomic.Int64
	delivered atomic.Int64
	tokens    chan struct{} // one for each message that may be on its way
	keep      atomic.Bool   // remember latencies
	latencies []time.Duration
	mu        sync.Mutex
	ended     error // why a connection ended, or how a message was refused
}

// listen reads both ends until their connections end: once for all stretches, since cancelling a read would end them.
func (p *pair) listen() {
	p.tokens = make(chan struct{}, 1024)
	go func() { // ends with the connection, which closePairs closes
		p.read(p.sender, func(object []byte) {
			if bytes.Contains(object, []byte(errorMark)) {
				p.mu.Lock()
				p.ended = fmt.Errorf("refused: %s", object)
				p.mu.Unlock()
			}
			if bytes.HasPrefix(object, []byte(ackPrefix)) {
				p.acked.Add(1)
				select {
				case p.tokens <- struct{}{}:
				default:
				}
			}
		})
	}()
	go func() {
		p.read(p.receiver, func(object []byte) {
			if !p.isDelivery(object) {
				return
			}
			p.delivered.Add(1)
			if p.keep.Load() {
				if sent, ok := stampOf(object); ok {
					p.mu.Lock()
					p.latencies = append(p.latencies, time.Since(sent))
					p.mu.Unlock()
				}
			}
		})
	}()
}

func (p *pair) read(conn *websocket.Conn, object func([]byte)) {
	for {
		_, frame, err := conn.Read(context.Background())
		if err != nil {
			p.mu.Lock()
			p.ended = err
			p.mu.Unlock()
			return
		}
		for line := range bytes.SplitSeq(frame, []byte("\n")) {
			if bytes.HasPrefix(line, []byte(heartbeatPrefix)) { // a hub closes clients that are silent
				_ = conn.Write(context.Background(), websocket.MessageText, []byte(`{"heartbeat":{}}`)) // the next read tells
				continue
			}
			object(line)
		}
	}
}

// epoch makes stamps short.
var epoch = time.Now()

const stampMark = "stamp="

// stamp is the time in a message's text, in nanoseconds, its digits written as letters: people do not write numbers of twelve
// digits, and every one of them would have to be looked at as what may be a telephone number.
func stamp() string {
	return stampMark + string(shift(strconv.AppendInt(nil, int64(time.Since(epoch)), 10), 'a'-'0')) + ";"
}

func stampOf(object []byte) (time.Time, bool) {
	_, after, ok := bytes.Cut(object, []byte(stampMark))
	letters, _, ended := bytes.Cut(after, []byte(";"))
	n, err := strconv.ParseInt(string(shift(bytes.Clone(letters[:min(len(letters), 20)]), '0'-'a')), 10, 64)
	return epoch.Add(time.Duration(n)), ok && ended && err == nil
}

func shift(digits []byte, by int) []byte {
	for i := range digits {
		digits[i] = byte(int(digits[i]) + by)
	}
	return digits
}

// send is not cut short by the end of a stretch: a write that is cancelled breaks the connection.
func (p *pair) send(ctx context.Context) error {
	p.next++
	return p.sender.Write(context.WithoutCancel(ctx), websocket.MessageText, p.message(p.next, stamp()))
}

// A load is what was measured in one stretch of time.
type load struct {
	rate      float64 // messages delivered a second
	latencies []time.Duration
	cpu       cpuSeconds
	counted   counters // of the hub, while it was measured
}

// closedLoop keeps window messages of every pair on their way for a while.
func closedLoop(ctx context.Context, pairs []*pair, window int, warm, measure time.Duration, s *server) (load, error) {
	return drive(ctx, pairs, warm, measure, s, func(ctx context.Context, p *pair) error {
		for range window {
			p.tokens <- struct{}{}
		}
		for {
			select {
			case <-p.tokens:
				if err := p.send(ctx); err != nil {
					return err
				}
			case <-ctx.Done():
				return nil
			}
		}
	})
}

// openLoop sends at a fixed rate over all pairs, whether they are acknowledged or not.
func openLoop(ctx context.Context, pairs []*pair, rate float64, warm, measure time.Duration, s *server) (load, error) {
	interval := time.Duration(float64(len(pairs)) / rate * float64(time.Second))
	var place atomic.Int64 // spreads the pairs over the interval: a rate, not bursts
	return drive(ctx, pairs, warm, measure, s, func(ctx context.Context, p *pair) error {
		if pause(ctx, interval*time.Duration(place.Add(1)-1)/time.Duration(len(pairs))) != nil {
			return nil
		}
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				if err := p.send(ctx); err != nil {
					return err
				}
			case <-ctx.Done():
				return nil
			}
		}
	})
}

// drive runs one sender a pair, measures after a warm-up, and waits until what was sent has arrived.
func drive(ctx context.Context, pairs []*pair, warm, measure time.Duration, s *server, sender func(context.Context, *pair) error) (load, error) {
	var senders sync.WaitGroup
	sending, stopSending := context.WithCancel(ctx)
	defer stopSending()
	errs := make(chan error, len(pairs))
	for _, p := range pairs {
		for len(p.tokens) > 0 {
			<-p.tokens
		}
		p.latencies = nil
		senders.Go(func() {
			// A write that is cut short breaks the connection, so the end of sending is seen between writes.
			if err := sender(sending, p); err != nil && sending.Err() == nil {
				errs <- err
			}
		})
	}
	count := func() (n int64) {
		for _, p := range pairs {
			n += p.delivered.Load()
		}
		return n
	}
	if err := pause(ctx, warm); err != nil {
		return load{}, err
	}
	remember := func(on bool) {
		for _, p := range pairs {
			p.keep.Store(on)
		}
	}
	remember(true)
	before, start, started := s.usage(ctx), time.Now(), count()
	if err := pause(ctx, measure); err != nil {
		return load{}, err
	}
	took, arrived := time.Since(start), count()-started
	used := s.usage(ctx).minus(before)
	remember(false)
	stopSending()
	senders.Wait()
	select {
	case err := <-errs:
		return load{}, fmt.Errorf("a sender failed: %w", err)
	default:
	}
	// The queues must be empty before the next stretch; what does not arrive at all is an error.
	missing := func() error {
		for i, p := range pairs {
			if got := p.delivered.Load(); got < int64(p.next) {
				p.mu.Lock()
				defer p.mu.Unlock()
				return errors.Join(fmt.Errorf("pair %d: %d of %d messages arrived", i, got, p.next), p.ended)
			}
		}
		return nil
	}
	for deadline := time.Now().Add(arrivalTimeout); missing() != nil; {
		if time.Now().After(deadline) {
			return load{}, missing()
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return load{}, err
		}
	}
	var l load
	for _, p := range pairs {
		p.mu.Lock()
		l.latencies = append(l.latencies, p.latencies...)
		p.mu.Unlock()
	}
	slices.Sort(l.latencies)
	l.rate, l.cpu, l.counted = float64(arrived)/took.Seconds(), used.cpu.per(arrived), used.counted
	return l, nil
}

// arrivalTimeout bounds the wait for messages that are on their way.
const arrivalTimeout = 20 * time.Second

var errStopped = errors.New("stopped")

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return errStopped
	}
}

// percentile is of sorted durations.
func percentile(sorted []time.Duration, p float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(p*float64(len(sorted))), len(sorted)-1)]
}
