package ws

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"parley"
)

// The second transport: server-sent events one way, POST the other, with the same objects in the same frames. It is for
// clients behind something that lets no WebSocket through.
//
// A POST to …/sse with a frame whose first object is connect is answered by a stream of events. Its first one, "session",
// names the path to which the client posts further frames; "message" events hold frames; the last one, "close", holds code
// and reason as a WebSocket would have them.

// A conn carries the frames of a session: a WebSocket, or a stream of events with what is posted beside it.
type conn interface {
	Read(ctx context.Context) (websocket.MessageType, []byte, error)
	// Write sends a frame of text. What the other end does not take within writeTimeout is [os.ErrDeadlineExceeded].
	Write(frame []byte) error
	Close(code websocket.StatusCode, reason string) error
	CloseNow() error
}

// postedFrames is how many posted frames may wait for a session; a client that posts more hears 429.
const postedFrames = 16

// events is the conn of a stream of events.
type events struct {
	gone   <-chan struct{} // the client hung up
	posted chan []byte     // never closed
	closed chan struct{}

	mu    sync.Mutex
	w     http.ResponseWriter
	flush *http.ResponseController
	over  bool
}

// Read is the next frame that was posted.
func (e *events) Read(ctx context.Context) (websocket.MessageType, []byte, error) {
	select {
	case frame := <-e.posted:
		return websocket.MessageText, frame, nil
	case <-e.closed:
		return 0, nil, errors.New("the stream was closed")
	case <-e.gone:
		return 0, nil, &closing{code: closeAway}
	case <-ctx.Done():
		return 0, nil, ctx.Err()
	}
}

// Write sends a frame as one event. Lines of data are joined by line breaks, as those of a frame are.
func (e *events) Write(frame []byte) error { return e.event("message", frame) }

func (e *events) event(name string, data []byte) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.over {
		return errors.New("the stream is over")
	}
	_ = e.flush.SetWriteDeadline(time.Now().Add(writeTimeout)) // a server that cannot is one of a test
	text := make([]byte, 0, len(data)+64)
	text = append(text, "event: "+name+"\n"...)
	for line := range bytes.SplitSeq(data, []byte("\n")) {
		text = append(append(append(text, "data: "...), line...), '\n')
	}
	if _, err := e.w.Write(append(text, '\n')); err != nil {
		return err
	}
	return e.flush.Flush()
}

// Close tells the client why, and ends Read. Only the first call does anything.
func (e *events) Close(code websocket.StatusCode, reason string) error {
	err := e.event("close", encode(struct {
		Code   websocket.StatusCode `json:"code"`
		Reason string               `json:"reason"`
	}{code, reason}))
	return errors.Join(err, e.CloseNow())
}

// CloseNow ends Read and all writing.
func (e *events) CloseNow() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.over {
		e.over = true
		close(e.closed)
	}
	return nil
}

// ServeEvents takes a request over as a session: what is posted begins with connect, the answer is a stream of events.
func (s *Server) ServeEvents(w http.ResponseWriter, r *http.Request) {
	if s.refuseFull(w) {
		return
	}
	frame, ok := s.readPosted(w, r)
	if !ok {
		return
	}
	e := &events{gone: r.Context().Done(), posted: make(chan []byte, postedFrames), closed: make(chan struct{}), w: w, flush: http.NewResponseController(w)}
	e.posted <- frame
	session := newSession(s, e, originOf(r), traceOf(r))
	key := s.node + "." + rand.Text()
	if !s.join(session) {
		refuse(w)
		return
	}
	defer s.leave(session)
	header := w.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Accel-Buffering", "no") // nginx would hold events back
	s.mu.Lock()
	s.streams[key] = e
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.streams, key)
		s.mu.Unlock()
	}()
	if e.event("session", encode(map[string]string{"post": strings.TrimSuffix(r.URL.Path, "/") + "/" + key})) != nil {
		return
	}
	session.serve()
}

// ServePosted takes a frame for the session of that key, which may live on another node: then it is forwarded, as surely as a
// hint is, and the client repeats what gets no reply.
func (s *Server) ServePosted(w http.ResponseWriter, r *http.Request, key string) {
	frame, ok := s.readPosted(w, r)
	if !ok {
		return
	}
	var found, taken bool
	if node, _, _ := strings.Cut(key, "."); node == s.node {
		found, taken = s.posted(key, frame)
	} else {
		kind := parley.KindOf(s.config.Hub.ForwardFrame(key, string(frame)))
		found, taken = kind != parley.NotFound, kind != parley.Busy
	}
	switch {
	case !found:
		writeProblem(w, http.StatusNotFound, "404-101", "there is no such session, or not any more: connect again")
		return
	case !taken:
		writeProblem(w, http.StatusTooManyRequests, "429-001", "too many frames are waiting; post again later")
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

// posted gives a frame to a stream of this node.
func (s *Server) posted(key string, frame []byte) (found, taken bool) {
	s.mu.Lock()
	e := s.streams[key]
	s.mu.Unlock()
	if e == nil {
		return false, false
	}
	select {
	case e.posted <- frame:
		return true, true
	default:
		return true, false
	}
}

// readPosted reads one frame. Any page may post and read the answers: what it may do is in the token, not in a cookie, and
// the origin is checked when that is known. Posts of text/plain need no leave in advance (CORS), so the type is not looked at.
func (s *Server) readPosted(w http.ResponseWriter, r *http.Request) (frame []byte, ok bool) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(connectTimeout)) // see event
	frame, err := io.ReadAll(http.MaxBytesReader(w, r.Body, s.config.MaxFrame))
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	if _, tooBig := errors.AsType[*http.MaxBytesError](err); tooBig {
		writeProblem(w, http.StatusRequestEntityTooLarge, "413-001", fmt.Sprintf("a frame has at most %d bytes", s.config.MaxFrame))
		return nil, false
	}
	if err != nil {
		writeProblem(w, http.StatusBadRequest, "400-152", "the frame could not be read")
		return nil, false
	}
	return frame, true
}

// writeProblem answers a request that becomes no session.
func writeProblem(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"code": code, "developerMessage": message}) // the caller is gone if it fails
}
