package ws

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"
)

// connBuffer is the size of each of the two buffers of a connection. Those of net/http have 4 KiB and are most of what an
// idle session costs (heap profile of 2026-11-26); frames larger than this pass them by.
const connBuffer = 1 << 10

// lean gives a connection that is taken over small buffers in place of the large ones of net/http. A refusal goes through it as every other
// problem is told.
type lean struct {
	http.ResponseWriter
	refused int // status
}

// WriteHeader implements [http.ResponseWriter].
func (l *lean) WriteHeader(status int) {
	if status >= http.StatusBadRequest {
		l.refused = status // the text follows, in one Write
		return
	}
	l.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (l *lean) Write(text []byte) (int, error) {
	if l.refused == 0 {
		return l.ResponseWriter.Write(text)
	}
	code := fmt.Sprintf("%d-001", l.refused)
	if l.refused == http.StatusBadRequest {
		code = "400-152"
	}
	writeProblem(l.ResponseWriter, l.refused, code, strings.TrimSpace(string(text)))
	return len(text), nil
}

// Hijack implements [http.Hijacker].
func (l *lean) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, large, err := http.NewResponseController(l.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	n := large.Reader.Buffered() // sent before it had our answer
	early, err := large.Reader.Peek(n)
	if err != nil {
		conn.Close()
		return nil, nil, err
	}
	conn = bounded{conn}
	reader := bufio.NewReaderSize(io.MultiReader(bytes.NewReader(early), conn), max(connBuffer, n))
	if n > 0 {
		_, _ = reader.Peek(n) // into its buffer, where whoever takes over looks for it; it is there
	}
	return conn, bufio.NewReadWriter(reader, bufio.NewWriterSize(conn, connBuffer)), nil
}

// A bounded connection gives up to write what the other end does not take within writeTimeout. A context with a timeout for each frame would
// do so, too, with allocations and a timer that took 7 % of the hub's processor (parley bench typing, 2026-11-27).
type bounded struct{ net.Conn }

// Write implements [net.Conn].
func (b bounded) Write(p []byte) (int, error) {
	if err := b.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return 0, err
	}
	return b.Conn.Write(p)
}

// A socket is a WebSocket as the conn of a session.
type socket struct{ *websocket.Conn }

// Write implements conn. The connection is bounded, and must not be cut when the session ends: the close code goes out after this.
func (s socket) Write(frame []byte) error {
	return s.Conn.Write(context.Background(), websocket.MessageText, frame)
}
