package ws

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"parley"
	"parley/hub"
	"parley/tokens"
)

// A pipe is a conn in memory, which does not stop a fake clock. What the server writes waits until the test reads it.
type pipe struct {
	in     chan []byte
	out    chan []byte
	closed chan struct{}

	once   sync.Once
	code   websocket.StatusCode // once closed
	reason string
}

func newPipe() *pipe {
	return &pipe{in: make(chan []byte, 16), out: make(chan []byte), closed: make(chan struct{})}
}

func (p *pipe) Read(ctx context.Context) (websocket.MessageType, []byte, error) {
	select {
	case frame := <-p.in:
		return websocket.MessageText, frame, nil
	case <-p.closed:
		return 0, nil, errors.New("closed")
	case <-ctx.Done():
		return 0, nil, ctx.Err()
	}
}

func (p *pipe) Write(frame []byte) error {
	late := time.NewTimer(writeTimeout)
	defer late.Stop()
	select {
	case p.out <- []byte(string(frame)): // the writer uses its buffer again
		return nil
	case <-p.closed:
		return errors.New("closed")
	case <-late.C:
		return os.ErrDeadlineExceeded
	}
}

func (p *pipe) Close(code websocket.StatusCode, reason string) error {
	p.once.Do(func() {
		p.code, p.reason = code, reason
		close(p.closed)
	})
	return nil
}

func (p *pipe) CloseNow() error { return p.Close(-1, "cut") }

// frame is the next frame, "" at the end.
func (p *pipe) frame() string {
	select {
	case frame := <-p.out:
		return string(frame)
	case <-p.closed:
		return ""
	}
}

// agents lets everyone in, as the agent of the console.
type agents struct{ expires time.Time }

func (a agents) VerifySession(context.Context, string) (tokens.Grant, error) {
	return tokens.Grant{Tenant: parley.DefaultTenant, Expires: a.expires, Speaker: parley.Speaker{Tenant: parley.DefaultTenant,
		Application: parley.ConsoleApplication, Roles: []parley.Role{parley.CustomAgent}}}, nil
}

// newPiped is a server without a record: enough for what belongs to no conversation.
func newPiped(change func(*Config)) *Server {
	c := Config{Hub: hub.New(hub.Config{}), Tokens: agents{time.Now().Add(24 * time.Hour)}, Logger: slog.New(slog.DiscardHandler),
		Code: func(err error) (string, string) { return parley.KindOf(err).String(), err.Error() }}
	if change != nil {
		change(&c)
	}
	return New(c)
}

// open begins a session on a pipe, which ends by itself or with the pipe.
func (s *Server) open(t *testing.T) (*session, *pipe) {
	t.Helper()
	p := newPipe()
	c := newSession(s, p, origin{}, "")
	if !s.join(c) {
		t.Fatal("the server drains")
	}
	go func() { // waited for by Drain
		defer s.leave(c)
		c.serve()
	}()
	return c, p
}

// connect begins a session that is let in.
func (s *Server) connect(t *testing.T) (*session, *pipe) {
	t.Helper()
	c, p := s.open(t)
	p.in <- []byte(`{"id":"1","connect":{"token":"any"}}`)
	if ok := p.frame(); !strings.HasPrefix(ok, `{"id":"1","ok":`) {
		t.Fatalf("connect = %s", ok)
	}
	return c, p
}

// objects takes a frame apart.
func objects(t *testing.T, frame string) (all []map[string]json.RawMessage) {
	t.Helper()
	for line := range strings.SplitSeq(frame, "\n") {
		var o map[string]json.RawMessage
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		all = append(all, o)
	}
	return all
}
