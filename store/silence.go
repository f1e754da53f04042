package store

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// defaultSilence is how long a database may say nothing while an answer is due. No statement of a hub takes that long.
const defaultSilence = 10 * time.Second

// A dialer makes the connections of a database and watches that it answers. One that accepts everything and says nothing (a
// pooler that hangs, a peer that forgot the connection) would hold writers and sweepers for ever: some of what they ask has
// no caller whose patience could end. When one connection is silent for too long, those that are idle are taken to be dead
// as well, so that the next ones are new.
type dialer struct {
	limit atomic.Int64 // nanoseconds; 0 = any time, as migrations need

	mu    sync.Mutex
	conns map[*watched]struct{}
}

func newDialer() *dialer { return &dialer{conns: map[*watched]struct{}{}} }

// dial is pgx's DialFunc. Keep-alive finds a machine that is gone within some 20 s.
func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	const idle, interval, count = 10 * time.Second, 3 * time.Second, 3
	conn, err := (&net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: idle, Interval: interval, Count: count}}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	w := &watched{Conn: conn, d: d}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.conns[w] = struct{}{}
	return w, nil
}

// suspect closes the connections that are idle; whoever takes one finds it closed and takes another.
func (d *dialer) suspect() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for w := range d.conns {
		if w.proven.Load() && !w.busy.Load() {
			w.Conn.Close()
		}
	}
}

// A watched connection gives up when an answer does not come. Deadlines that pgx sets, to cancel, count too.
type watched struct {
	net.Conn
	d      *dialer
	busy   atomic.Bool // somebody waits for an answer
	proven atomic.Bool // there was one; a connection without is being made, not idle

	mu    sync.Mutex
	asked time.Time // deadline that was asked for; zero = none
}

// Read implements [net.Conn].
func (w *watched) Read(p []byte) (int, error) {
	w.busy.Store(true)
	defer w.busy.Store(false)
	ours, err := w.bound(w.Conn.SetReadDeadline)
	if err != nil {
		return 0, err
	}
	n, err := w.Conn.Read(p)
	if n > 0 {
		w.proven.Store(true)
	}
	w.failed(ours, err)
	return n, err
}

// Write implements [net.Conn].
func (w *watched) Write(p []byte) (int, error) {
	ours, err := w.bound(w.Conn.SetWriteDeadline)
	if err != nil {
		return 0, err
	}
	n, err := w.Conn.Write(p)
	w.failed(ours, err)
	return n, err
}

// bound sets the deadline of one call, and says whether it is ours rather than one that was asked for.
func (w *watched) bound(set func(time.Time) error) (ours bool, err error) {
	limit := time.Duration(w.d.limit.Load())
	if limit == 0 {
		return false, nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	until := time.Now().Add(limit)
	if !w.asked.IsZero() && w.asked.Before(until) {
		return false, set(w.asked)
	}
	return true, set(until)
}

func (w *watched) failed(ours bool, err error) {
	if ours && errors.Is(err, os.ErrDeadlineExceeded) {
		w.mu.Lock()
		ours = w.asked.IsZero() || time.Until(w.asked) > 0 // else it was cancelled meanwhile
		w.mu.Unlock()
		if ours {
			w.d.suspect()
		}
	}
}

// SetDeadline implements [net.Conn].
func (w *watched) SetDeadline(t time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = t
	return w.Conn.SetDeadline(t)
}

// SetReadDeadline implements [net.Conn].
func (w *watched) SetReadDeadline(t time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = t
	return w.Conn.SetReadDeadline(t)
}

// Close implements [net.Conn].
func (w *watched) Close() error {
	w.d.mu.Lock()
	delete(w.d.conns, w)
	w.d.mu.Unlock()
	if err := w.Conn.Close(); !errors.Is(err, net.ErrClosed) { // suspect may have been here
		return err
	}
	return nil
}
