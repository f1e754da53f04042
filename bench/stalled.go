package bench

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"time"
)

const (
	// stalledRate is messages a second to the receiver that is well.
	stalledRate = 300
	// stallFor is how long the slow receiver takes to answer: it never fails, so its circuit breaker stays closed.
	stallFor = 4500 * time.Millisecond
)

// stalled measures what a receiver that is slow costs another one: the time from post to callback at a rate, alone and while
// so many lanes of the slow one are waiting.
func stalled(ctx context.Context, o Options, t Target, report *Report) error {
	well, err := startSink(ctx)
	if err != nil {
		return err
	}
	defer well.server.Close()
	slow, closeSlow, err := startSlow(ctx)
	if err != nil {
		return err
	}
	defer closeSlow()
	s, a, err := startHub(ctx, t, "")
	if err != nil {
		return err
	}
	defer func() { _ = s.stop() }()
	lanes, conversations, closeLanes, err := callbackSessions(ctx, a, well.url, callbackLanes)
	if err != nil {
		return err
	}
	defer closeLanes()
	name := fmt.Sprintf("post to callback, %d/s, beside %d lanes of a slow receiver", stalledRate, o.Stalled)
	for range o.Repeats {
		if err := pacedCallbacks(ctx, o, t, well, lanes, conversations, stalledRate, name, "alone", report); err != nil {
			return err
		}
	}
	waiting, behind, closeWaiting, err := callbackSessions(ctx, a, slow, o.Stalled)
	if err != nil {
		return err
	}
	defer closeWaiting()
	for range o.Repeats {
		for i := range waiting { // what the slow one got since is made up for
			if err := say(ctx, waiting[i], i, behind[i]); err != nil {
				return err
			}
		}
		if err := pause(ctx, 2*o.Warm); err != nil { // accepting them is over
			return err
		}
		if err := pacedCallbacks(ctx, o, t, well, lanes, conversations, stalledRate, name, "hub", report); err != nil {
			return err
		}
	}
	return nil
}

func startSlow(ctx context.Context) (url string, stop func(), err error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // so that an end of the connection is seen
		select {
		case <-time.After(stallFor):
		case <-r.Context().Done():
		}
	})}
	go func() { _ = server.Serve(l) }() // ends with Close
	return "http://" + l.Addr().String(), func() { server.Close() }, nil
}

// callbackSessions joins so many customers to conversations with a bot whose callback is url.
func callbackSessions(ctx context.Context, a *api, url string, n int, served ...object) (lanes []*session, conversations []string, stop func(), err error) {
	address := unique("callbacks")
	if err := a.makeAccount(ctx, address, url, served...); err != nil {
		return nil, nil, nil, err
	}
	lanes, conversations = make([]*session, n), make([]string, n)
	stop = func() {
		for _, l := range lanes {
			if l != nil {
				_ = l.conn.CloseNow() // the measurement is over
			}
		}
	}
	if err := each(n, func(i int) (err error) {
		lanes[i], conversations[i], err = a.joined(ctx, address)
		return err
	}); err != nil {
		stop()
		return nil, nil, nil, err
	}
	for _, l := range lanes {
		go l.answer() // reads the acks, too; ends with its connection
	}
	return lanes, conversations, stop, nil
}

// pacedCallbacks measures the time from the post to the callback at a rate.
func pacedCallbacks(ctx context.Context, o Options, t Target, receiver *sink, lanes []*session, conversations []string, rate int, name, side string, report *Report) error {
	receiver.mu.Lock()
	receiver.keep, receiver.latencies = true, nil
	receiver.mu.Unlock()
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	for i, until := 0, time.Now().Add(2*o.Measure); time.Now().Before(until); i++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errStopped
		}
		lane := i % len(lanes)
		if err := say(ctx, lanes[lane], lane, conversations[lane]); err != nil {
			return err
		}
	}
	if err := receiver.settle(ctx); err != nil {
		return err
	}
	receiver.mu.Lock()
	defer receiver.mu.Unlock()
	receiver.keep = false
	slices.Sort(receiver.latencies)
	report.note(t, name, side, "p50 ms", milliseconds(percentile(receiver.latencies, 0.5)))
	report.note(t, name, side, "p99 ms", milliseconds(percentile(receiver.latencies, 0.99)))
	return nil
}

// HeldEach is how many deliveries each lane of the backlog holds.
const HeldEach = 4

// held measures what a backlog for a receiver that is dead costs: the time until a hub with it is ready, and its memory beside
// that of a hub without.
func held(ctx context.Context, o Options, t Target, report *Report) error {
	data, remove, err := t.folder()
	if err != nil {
		return err
	}
	defer remove()
	name := fmt.Sprintf("start, %d deliveries held in %d lanes", HeldEach*o.Held, o.Held)
	measure := func(side string) error {
		for range o.Repeats {
			begin := time.Now()
			s, _, err := startHub(ctx, t, data)
			if err != nil {
				return err
			}
			report.note(t, name, side, "s until ready", time.Since(begin).Seconds())
			kib, err := s.residentKiB(ctx, o.Settle)
			report.note(t, name, side, "MiB after a while", kib/1024)
			if err := s.stop(); err != nil {
				return err
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	if err := measure("without"); err != nil {
		return err
	}
	s, a, err := startHub(ctx, t, data)
	if err != nil {
		return err
	}
	closed, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	dead := "http://" + closed.Addr().String()
	closed.Close() // from now on connections to it are refused
	address := unique("held")
	if err := a.makeAccount(ctx, address, dead); err != nil {
		return err
	}
	if _, err := a.start(ctx, address); err != nil { // makes the receiver
		return err
	}
	if err := s.stop(); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	args := []string{"bench", "--fill-held", strconv.Itoa(o.Held), "--data", data}
	if t.Database != "" {
		args = append(args, "--database", t.Database)
	}
	if out, err := exec.CommandContext(ctx, self, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("fill with %d lanes: %w: %s", o.Held, err, out)
	}
	return measure("hub")
}
