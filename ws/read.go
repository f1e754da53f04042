package ws

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

	"parley/internal/stack"

	"github.com/coder/websocket"
	"github.com/go-json-experiment/json/jsontext"

	"parley"
)

// A request is one object from the client: an id and one operation with what it needs.
type request struct {
	id   string
	op   operation
	body json.RawMessage
}

// An operation is what a client may ask for.
type operation string

const (
	opConnect   operation = "connect"
	opOpen      operation = "open"
	opPost      operation = "post"
	opSubscribe operation = "subscribe"
	opHistory   operation = "history"
	opTyping    operation = "typing"
	opRead      operation = "read"
	opRefresh   operation = "refresh"
	opTake      operation = "take"
	opOutcome   operation = "outcome"
	opPing      operation = "ping"
	opHeartbeat operation = "heartbeat" // has no id and gets no reply
)

// maxRequestID is in bytes; longer ids are refused so that replies stay small.
const maxRequestID = 64

// read takes frames until the connection, or something in them, ends the session.
func (s *session) read() error {
	ctx, cancel := context.WithTimeout(s.readContext(), connectTimeout)
	requests, err := s.frame(ctx)
	cancel()
	if err != nil {
		if ctx.Err() != nil {
			return &closing{code: closeProtocol, reason: "connect was not sent in time"}
		}
		return err
	}
	if requests[0].op != opConnect {
		return &closing{code: closeProtocol, reason: "the first request is connect"}
	}
	// What goes deep and comes seldom is done aside: most sessions are idle most of the time, and keep the stack that they read with.
	if err := stack.Aside(func() error { return s.connect(requests[0]) }); err != nil {
		return err
	}
	s.started()
	requests = requests[1:]
	for {
		for i := range requests {
			if err := s.serveRequest(&requests[i]); err != nil {
				return err
			}
		}
		if requests, err = s.frame(s.readContext()); err != nil {
			return err
		}
		s.mu.Lock()
		s.heard = time.Now()
		s.mu.Unlock()
	}
}

// readContext is not done: cancelling the context of a Read cuts the connection; see close.
func (s *session) readContext() context.Context { return s.apart() }

// frame reads one frame: objects separated by line breaks.
func (s *session) frame(ctx context.Context) ([]request, error) {
	kind, data, err := s.conn.Read(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: read: %w", errLost, err)
	}
	if kind != websocket.MessageText {
		return nil, &closing{code: closeProtocol, reason: "frames are text"}
	}
	return parseFrame(data)
}

// parseFrame takes a frame apart. Anything but JSON objects that each have one known operation ends the session.
func parseFrame(data []byte) ([]request, error) {
	if !utf8.Valid(data) {
		return nil, &closing{code: closeProtocol, reason: "the frame is not UTF-8"}
	}
	var requests []request
	for line := range bytes.Lines(data) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		r, err := parseRequest(line)
		if err != nil {
			return nil, err
		}
		requests = append(requests, r)
	}
	if len(requests) == 0 {
		return nil, &closing{code: closeProtocol, reason: "the frame is empty"}
	}
	return requests, nil
}

var errNoRequest = &closing{code: closeProtocol, reason: "a frame holds JSON objects, one a line"}

// decoders are for one request each: a new one takes half a kilobyte.
var decoders = sync.Pool{New: func() any { return new(jsontext.Decoder) }}

// emptyReader has nothing to read.
var emptyReader = bytes.NewReader(nil)

// parseRequest reads one object. Members that are neither id nor an operation are ignored, for clients of later versions.
func parseRequest(line []byte) (r request, err error) {
	// Half a surrogate pair is a text's problem, not the frame's: whoever reads that member refuses it, and the session goes on.
	dec := decoders.Get().(*jsontext.Decoder)
	dec.Reset(bytes.NewBuffer(line), jsontext.AllowInvalidUTF8(true))
	defer func() {
		dec.Reset(emptyReader) // the frame is not kept
		decoders.Put(dec)
	}()
	if open, err := dec.ReadToken(); err != nil || open.Kind() != '{' {
		return r, errNoRequest
	}
	for {
		name, err := dec.ReadToken()
		if err != nil {
			return r, errNoRequest
		}
		if name.Kind() == '}' {
			break
		}
		member := name.String()
		value, err := dec.ReadValue()
		if err != nil {
			return r, errNoRequest
		}
		switch op := operation(member); op {
		case "id":
			id, err := jsontext.AppendUnquote(nil, value)
			if err != nil || len(id) > maxRequestID {
				return r, &closing{code: closeProtocol, reason: "an id is a string of at most 64 bytes"}
			}
			r.id = string(id)
		case opConnect, opOpen, opPost, opSubscribe, opHistory, opTyping, opRead, opRefresh, opTake, opOutcome, opPing, opHeartbeat:
			if r.op != "" {
				return r, errOneOperation
			}
			r.op, r.body = op, bytes.Clone(value)
		}
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return r, errNoRequest
	}
	if r.op == "" {
		return r, errOneOperation
	}
	return r, nil
}

var errOneOperation = &closing{code: closeProtocol, reason: "a request has one operation"}

// errRate is told to a client that sends too much; one that goes on is closed.
var errRate = &parley.Error{Kind: parley.Busy, Msg: "too many requests"}

// maxOver is how many refused requests in a row end a session.
const maxOver = 200

// serveRequest does what a request asks for. An error ends the session.
func (s *session) serveRequest(r *request) error {
	if r.op == opHeartbeat {
		if !s.answered() && !s.limit.Allow() { // unasked ones are not refused, since nothing replies to them; but they cost
			return s.refused()
		}
		return nil
	}
	s.mu.Lock()
	allowed := s.limit.Allow()
	refused := s.inFlight >= s.server.config.InFlight
	if !allowed || refused {
		s.fail(r.id, errRate)
		s.mu.Unlock()
		return s.refused()
	}
	s.mu.Unlock()
	s.over = 0
	var err error
	switch r.op {
	case opConnect:
		return &closing{code: closeProtocol, reason: "connect comes once"}
	case opPing:
		s.mu.Lock()
		s.reply(r.id, nil)
		s.mu.Unlock()
	case opPost:
		err = s.post(r)
	case opOpen:
		err = stack.Aside(func() error { return s.open(r) })
	case opSubscribe:
		err = stack.Aside(func() error { return s.subscribe(r) })
	case opHistory:
		err = stack.Aside(func() error { return s.history(r) })
	case opTyping:
		err = s.typing(r)
	case opRead:
		err = s.markRead(r)
	case opRefresh:
		err = stack.Aside(func() error { return s.refresh(r) })
	case opTake:
		err = stack.Aside(func() error { return s.take(r) })
	case opOutcome:
		err = s.outcome(r)
	}
	if err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.fail(r.id, err)
	}
	return nil
}

// refused counts a request that is over a limit. An error ends the session.
func (s *session) refused() error {
	s.server.metrics.refused.Inc()
	if s.over++; s.over > maxOver {
		return &closing{code: closeRate}
	}
	return nil
}

// decode reads the members of an operation.
func decode(raw json.RawMessage, into any) error {
	if err := json.Unmarshal(raw, into); err != nil {
		return &parley.Error{Kind: parley.Invalid, Reason: parley.BadValue, Field: "body", Msg: "has a member of the wrong type"}
	}
	return nil
}

func appendInt(b []byte, n int64) []byte { return strconv.AppendInt(b, n, 10) }
