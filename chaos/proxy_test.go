package chaos

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"
)

// echo is a server that sends back what it gets.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				io.Copy(c, c)
			}()
		}
	}()
	return l.Addr().String()
}

// dialProxy dials a proxy and returns a function that says something and says what came back, and in which time.
func dialProxy(t *testing.T, p *Proxy) (conn net.Conn, say func(text string, limit time.Duration) (string, time.Duration, error)) {
	t.Helper()
	conn, err := net.Dial("tcp", p.Address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn, func(text string, limit time.Duration) (string, time.Duration, error) {
		began := time.Now()
		if err := conn.SetDeadline(began.Add(limit)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, text); err != nil {
			return "", 0, err
		}
		back := make([]byte, len(text))
		n, err := io.ReadFull(conn, back)
		return string(back[:n]), time.Since(began), err
	}
}

func newTestProxy(t *testing.T) *Proxy {
	t.Helper()
	p, err := NewProxy(t.Context(), echo(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func TestProxyPassesAndHeals(t *testing.T) {
	for _, mode := range []Mode{Pass, Latency, Trickle} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			p := newTestProxy(t)
			_, say := dialProxy(t, p)
			p.Mode(mode)
			back, took, err := say("ab", 20*time.Second)
			if back != "ab" || err != nil {
				t.Fatalf("%s: %q, %v", mode, back, err)
			}
			if mode == Trickle && took < 2*trickle {
				t.Errorf("two bytes came back after %v, at one a second each way", took)
			}
			p.Mode(Pass)
			if back, _, err := say("healed", 10*time.Second); back != "healed" || err != nil {
				t.Errorf("healed: %q, %v", back, err)
			}
		})
	}
}

// A half-open connection takes everything and gives nothing, also when the others work again.
func TestProxyHalfOpen(t *testing.T) {
	p := newTestProxy(t)
	conn, say := dialProxy(t, p)
	if back, _, err := say("before", 10*time.Second); back != "before" || err != nil {
		t.Fatalf("before: %q, %v", back, err)
	}
	p.Mode(HalfOpen)
	_, during := dialProxy(t, p)
	if back, _, err := during("unheard", 100*time.Millisecond); back != "" || !isTimeout(err) {
		t.Errorf("while half-open: %q, %v; want silence", back, err)
	}
	p.Mode(Pass)
	for _, say := range []func(string, time.Duration) (string, time.Duration, error){say, during} {
		if back, _, err := say("lost", 300*time.Millisecond); back != "" || !isTimeout(err) {
			t.Errorf("half-open: %q, %v; want silence", back, err)
		}
	}
	conn.Close()
	_, after := dialProxy(t, p)
	if back, _, err := after("new", 10*time.Second); back != "new" || err != nil {
		t.Errorf("a new connection: %q, %v", back, err)
	}
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}

func TestProxyResetsAndCuts(t *testing.T) {
	for mode, want := range map[Mode]error{Reset: syscall.ECONNRESET, Cut: io.EOF} {
		t.Run(string(mode), func(t *testing.T) {
			p := newTestProxy(t)
			conn, say := dialProxy(t, p)
			if _, _, err := say("before", 10*time.Second); err != nil {
				t.Fatal(err)
			}
			p.Mode(mode)
			if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, want) {
				t.Errorf("read = %v, want %v", err, want)
			}
		})
	}
}
