package chaos

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// A Mode is what a proxy does to what passes through it.
type Mode string

// The modes.
const (
	Pass     Mode = "pass"      // nothing
	Latency  Mode = "latency"   // everything comes late, up to maxLatency a chunk
	Reset    Mode = "reset"     // all connections are reset, and later ones now and then, after they carried something
	HalfOpen Mode = "half-open" // connections stay open and carry nothing any more; new ones too
	Trickle  Mode = "1 byte/s"  // one byte a second in each direction
	Cut      Mode = "cut"       // connections are closed, new ones at once
)

// Faults are the modes that hurt. Half-open is the last: no other one that follows cleans up what it leaves behind.
var Faults = []Mode{Latency, Reset, Trickle, Cut, HalfOpen}

const (
	maxLatency = 200 * time.Millisecond
	// resets says that in mode Reset one chunk in so many is the last of its connection.
	resets = 6
	// trickle is the time between two bytes.
	trickle = time.Second
	chunk   = 32 << 10
)

// A Proxy passes TCP connections on to a target, and harms them as its mode says. A connection that was half-open stays
// dead after the mode has changed, as one does whose other end forgot it; both ends hear of each other's close only then.
// Safe for concurrent use.
type Proxy struct {
	listener net.Listener
	wg       sync.WaitGroup

	mu      sync.Mutex
	target  string
	mode    Mode
	changed chan struct{} // closed when the mode changes, and then another one
	links   map[*link]struct{}
	closed  bool
}

// A link is one connection through a proxy.
type link struct {
	p        *Proxy
	near     *net.TCPConn
	far      *net.TCPConn // nil if it never came to be
	dead     bool         // guarded by the proxy's mu
	ends     sync.Once
	finished chan struct{}
}

// NewProxy listens on a loopback port of its own.
func NewProxy(ctx context.Context, target string) (*Proxy, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{listener: l, target: target, mode: Pass, changed: make(chan struct{}), links: map[*link]struct{}{}}
	p.wg.Go(p.accept)
	return p, nil
}

// Address is where to connect to.
func (p *Proxy) Address() string { return p.listener.Addr().String() }

// Target sends connections from now on elsewhere.
func (p *Proxy) Target(address string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = address
}

// Mode switches the proxy.
func (p *Proxy) Mode(m Mode) {
	p.mu.Lock()
	p.mode = m
	close(p.changed)
	p.changed = make(chan struct{})
	var end []*link
	for l := range p.links {
		switch m {
		case HalfOpen:
			l.dead = true
		case Reset, Cut:
			end = append(end, l)
		}
	}
	p.mu.Unlock()
	for _, l := range end {
		l.end(m == Reset)
	}
}

// Close ends all connections and returns when nothing of the proxy is left.
func (p *Proxy) Close() error {
	err := p.listener.Close()
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.Mode(Cut)
	p.wg.Wait()
	return err
}

func (p *Proxy) state() (mode Mode, changed <-chan struct{}, target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mode, p.changed, p.target
}

func (p *Proxy) accept() {
	for {
		conn, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // this one is gone before it was ours
		}
		p.wg.Go(func() { p.serve(conn.(*net.TCPConn)) })
	}
}

// dialTimeout is enough for loopback.
const dialTimeout = 5 * time.Second

// serve carries one connection until it ends.
func (p *Proxy) serve(near *net.TCPConn) {
	l := &link{p: p, near: near, finished: make(chan struct{})}
	mode, _, target := p.state()
	if mode == Cut {
		near.Close()
		return
	}
	if mode != HalfOpen {
		far, err := (&net.Dialer{Timeout: dialTimeout}).Dial("tcp", target)
		if err != nil {
			_ = near.SetLinger(0) // as a machine answers on whose port nobody listens
			near.Close()
			return
		}
		l.far = far.(*net.TCPConn)
	}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		l.end(false)
		return
	}
	l.dead = p.mode == HalfOpen || l.far == nil
	p.links[l] = struct{}{}
	p.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { l.pump(l.near, l.far) })
	if l.far != nil {
		both.Go(func() { l.pump(l.far, l.near) })
	}
	both.Wait()
	l.end(false)
	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
}

// end closes both sides, with a reset if that is wanted.
func (l *link) end(reset bool) {
	l.ends.Do(func() {
		close(l.finished)
		for _, c := range []*net.TCPConn{l.near, l.far} {
			if c == nil {
				continue
			}
			if reset {
				_ = c.SetLinger(0) // an error means that it is closed already
			}
			c.Close()
		}
	})
}

// pump carries one direction until it ends. When the sender is done, so is the receiver's half.
func (l *link) pump(from, to *net.TCPConn) {
	buffer := make([]byte, chunk)
	for {
		n, err := from.Read(buffer)
		if n > 0 && !l.carry(to, buffer[:n]) {
			return
		}
		if err == nil {
			continue
		}
		if l.isDead() { // nobody hears of the end until the fault is over
			l.p.wait(HalfOpen, l.finished)
			l.end(false)
			return
		}
		if errors.Is(err, io.EOF) && to != nil {
			_ = to.CloseWrite() // it is gone if that fails
			return
		}
		l.end(true)
		return
	}
}

func (l *link) isDead() bool {
	l.p.mu.Lock()
	defer l.p.mu.Unlock()
	return l.dead
}

// wait returns when the proxy is not in that mode any more, or done is closed.
func (p *Proxy) wait(m Mode, done <-chan struct{}) {
	for {
		mode, changed, _ := p.state()
		if mode != m {
			return
		}
		select {
		case <-changed:
		case <-done:
			return
		}
	}
}

// carry passes bytes on as the mode says; false ends the direction.
func (l *link) carry(to *net.TCPConn, data []byte) bool {
	for len(data) > 0 {
		mode, changed, _ := l.p.state()
		n := len(data)
		switch {
		case l.isDead():
			return true // swallowed
		case mode == Latency:
			if !l.pause(rand.N(maxLatency), nil) {
				return false
			}
		case mode == Trickle:
			if !l.pause(trickle, changed) {
				return false
			}
			n = 1
		}
		if l.isDead() {
			return true
		}
		if _, err := to.Write(data[:n]); err != nil {
			l.end(true)
			return false
		}
		data = data[n:]
		if mode == Reset && rand.N(resets) == 0 {
			l.end(true)
			return false
		}
	}
	return true
}

// pause waits, shorter if the mode changes; false means that the connection has ended.
func (l *link) pause(d time.Duration, changed <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-changed:
	case <-l.finished:
		return false
	}
	return true
}
