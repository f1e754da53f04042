package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// callbackLanes is over how many conversations the load is spread.
	callbackLanes = 500
	// callbackWindow is how many messages of each may be on their way: accepted and not yet received.
	callbackWindow = 8
	// SenderConcurrency is how many requests each side may have on their way to the receiver.
	SenderConcurrency = 50
)

// paces are messages a second while the time to the callback is measured.
var paces = []int{20, 300}

// A sink is the receiver of callbacks: it counts them, and tells who sent a message of a pair that it has come.
type sink struct {
	server  *http.Server
	url     string
	count   atomic.Int64
	late    atomic.Int64    // messages that came after a later one of their lane
	last    []atomic.Int64  // by lane: the latest message that came
	arrived []chan struct{} // by lane; room for the window

	mu        sync.Mutex
	keep      bool
	latencies []time.Duration
}

const laneMark = "lane="

// mark says in a text which message of which lane it is; numbers of a lane grow.
func mark(lane, n int) string { return fmt.Sprintf("%s%d.%d;", laneMark, lane, n) }

// markIn finds the mark in what came.
func markIn(body []byte) (lane, n int, ok bool) {
	_, after, found := bytes.Cut(body, []byte(laneMark))
	digits, _, ended := bytes.Cut(after, []byte(";"))
	which, number, both := bytes.Cut(digits, []byte("."))
	if !found || !ended || !both {
		return 0, 0, false
	}
	lane, errLane := strconv.Atoi(string(which))
	n, errNumber := strconv.Atoi(string(number))
	return lane, n, errLane == nil && errNumber == nil && lane >= 0
}

func startSink(ctx context.Context) (*sink, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &sink{url: "http://" + l.Addr().String(), arrived: make([]chan struct{}, callbackLanes), last: make([]atomic.Int64, callbackLanes)}
	for i := range s.arrived {
		s.arrived[i] = make(chan struct{}, callbackWindow)
	}
	s.server = &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = s.server.Serve(l) }() // ends with Close
	return s, nil
}

// ServeHTTP takes a callback.
func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.count.Add(1)
	if sent, ok := stampOf(body); ok {
		s.mu.Lock()
		if s.keep {
			s.latencies = append(s.latencies, time.Since(sent))
		}
		s.mu.Unlock()
	}
	if lane, n, ok := markIn(body); ok && lane < len(s.arrived) {
		s.order(lane, int64(n))
		select {
		case s.arrived[lane] <- struct{}{}:
		default: // an attempt that came twice
		}
	}
	w.WriteHeader(http.StatusOK)
}

// order counts a message that is overtaken. One that comes twice is none.
func (s *sink) order(lane int, n int64) {
	for {
		last := s.last[lane].Load()
		switch {
		case n < last:
			s.late.Add(1)
			return
		case n == last || s.last[lane].CompareAndSwap(last, n):
			return
		}
	}
}

// forget begins the count of overtaken messages anew, for a side whose lanes count from where they like.
func (s *sink) forget() {
	for i := range s.last {
		s.last[i].Store(0)
	}
	s.late.Store(0)
}

// stretch counts what arrives in a while.
func (s *sink) stretch(ctx context.Context, o Options, from *server) (load, error) {
	if err := pause(ctx, o.Warm); err != nil {
		return load{}, err
	}
	before, start, started := from.usage(ctx), time.Now(), s.count.Load()
	if err := pause(ctx, o.Measure); err != nil {
		return load{}, err
	}
	took, n := time.Since(start), s.count.Load()-started
	used := from.usage(ctx).minus(before)
	return load{rate: float64(n) / took.Seconds(), cpu: used.cpu.per(n), counted: used.counted}, nil
}

// callbacks is case (c): messages from accept to the receiver's answer, attempts recorded, beside a plain net/http client and a
// bare asynq handler that post to the same receiver; then how long a message takes to its callback while there is little to do.
func callbacks(ctx context.Context, o Options, t Target, report *Report) error {
	receiver, err := startSink(ctx)
	if err != nil {
		return err
	}
	defer receiver.server.Close()
	s, a, err := startHub(ctx, t, "")
	if err != nil {
		return err
	}
	defer func() { _ = s.stop() }()
	lanes, conversations, closeLanes, err := callbackSessions(ctx, a, receiver.url, callbackLanes, object{"concurrency": SenderConcurrency})
	if err != nil {
		return err
	}
	defer closeLanes()
	const name = "callbacks"
	sides := []struct {
		name string
		run  func() (load, error)
	}{
		{"plain net/http sender", func() (load, error) { return baselineSender(ctx, o, receiver, "--send-to", receiver.url) }},
		{"bare asynq handler", func() (load, error) {
			return baselineSender(ctx, o, receiver, append([]string{"--queue-to", receiver.url}, t.redisFlag()...)...)
		}},
		{"hub", func() (load, error) { return hubSender(ctx, o, receiver, s, lanes, conversations) }},
	}
	for range o.Repeats {
		for _, side := range sides {
			receiver.forget()
			l, err := side.run()
			if err != nil {
				return err
			}
			report.add(t, name, side.name, l)
		}
		// The hub was the last one.
		report.note(t, name, "hub", "callbacks out of order", float64(receiver.late.Load()))
	}
	for range o.Repeats {
		for _, rate := range paces {
			if err := pacedCallbacks(ctx, o, t, receiver, lanes, conversations, rate, fmt.Sprintf("post to callback, %d/s", rate), "hub", report); err != nil {
				return err
			}
		}
	}
	return nil
}

// baselineSender lets another process post to the sink as fast as it can.
func baselineSender(ctx context.Context, o Options, receiver *sink, flags ...string) (load, error) {
	s, err := startServer(ctx, append([]string{"bench"}, flags...)...)
	if err != nil {
		return load{}, err
	}
	l, err := receiver.stretch(ctx, o, s)
	return l, errors.Join(err, s.stop(), receiver.settle(ctx))
}

// say posts a message on a lane. Lanes have one poster each.
func say(ctx context.Context, l *session, lane int, conversation string) error {
	l.n++
	text := fmt.Appendf(nil, `{"id":"%d","post":{"messageId":"m%d","type":{"value":"text"},"content":{"text":"%s%s%s"},"conversation":{"id":"%s"}}}`,
		l.n, l.n, mark(lane, l.n), stamp(), padding, conversation)
	return l.write(ctx, text)
}

// hubSender keeps so many messages of each lane between post and callback.
func hubSender(ctx context.Context, o Options, receiver *sink, s *server, lanes []*session, conversations []string) (load, error) {
	sending, stop := context.WithCancel(ctx)
	defer stop()
	errs := make(chan error, len(lanes))
	var wg sync.WaitGroup
	sent := make([]int, len(lanes))
	for i := range lanes {
		for len(receiver.arrived[i]) > 0 {
			<-receiver.arrived[i]
		}
		wg.Go(func() {
			for {
				if sent[i] >= callbackWindow {
					select {
					case <-receiver.arrived[i]:
					case <-sending.Done():
						return
					}
				}
				if sending.Err() != nil {
					return
				}
				if err := say(ctx, lanes[i], i, conversations[i]); err != nil {
					errs <- err
					return
				}
				sent[i]++
			}
		})
	}
	l, err := receiver.stretch(ctx, o, s)
	stop()
	wg.Wait()
	select {
	case failed := <-errs:
		return l, fmt.Errorf("a sender failed: %w", failed)
	default:
	}
	if err != nil {
		return l, err
	}
	return l, receiver.settle(ctx)
}

// settle waits until no more callbacks come.
func (s *sink) settle(ctx context.Context) error {
	for quiet, last := 0, int64(-1); quiet < 10; {
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
		if now := s.count.Load(); now == last {
			quiet++
		} else {
			quiet, last = 0, now
		}
	}
	return nil
}
