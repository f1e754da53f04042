package ws

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/coder/websocket"

	"parley"
)

// A request is one object from the client: an id and one operation.
type request struct {
	ID        string          `json:"id"`
	Connect   json.RawMessage `json:"connect"`
	Open      json.RawMessage `json:"open"`
	Post      json.RawMessage `json:"post"`
	Subscribe json.RawMessage `json:"subscribe"`
	History   json.RawMessage `json:"history"`
	Typing    json.RawMessage `json:"typing"`
	Ping      json.RawMessage `json:"ping"`
	Heartbeat json.RawMessage `json:"heartbeat"`
}

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
	if requests[0].Connect == nil {
		return &closing{code: closeProtocol, reason: "the first request is connect"}
	}
	if err := s.connect(requests[0]); err != nil {
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
func (s *session) readContext() context.Context { return context.WithoutCancel(s.done) }

// frame reads one frame: objects separated by line breaks.
func (s *session) frame(ctx context.Context) ([]request, error) {
	kind, data, err := s.conn.Read(ctx)
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	if kind != websocket.MessageText {
		return nil, &closing{code: closeProtocol, reason: "frames are text"}
	}
	return parseFrame(data)
}

// parseFrame takes a frame apart. Anything but JSON objects that each have one known operation ends the session.
func parseFrame(data []byte) ([]request, error) {
	var requests []request
	for line := range bytes.Lines(data) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		var r request
		if err := json.Unmarshal(line, &r); err != nil {
			return nil, &closing{code: closeProtocol, reason: "a frame holds JSON objects, one a line"}
		}
		operations := 0
		for _, op := range []json.RawMessage{r.Connect, r.Open, r.Post, r.Subscribe, r.History, r.Typing, r.Ping, r.Heartbeat} {
			if op != nil {
				operations++
			}
		}
		if operations != 1 {
			return nil, &closing{code: closeProtocol, reason: "a request has one operation"}
		}
		if len(r.ID) > maxRequestID {
			return nil, &closing{code: closeProtocol, reason: "an id has at most 64 bytes"}
		}
		requests = append(requests, r)
	}
	if len(requests) == 0 {
		return nil, &closing{code: closeProtocol, reason: "the frame is empty"}
	}
	return requests, nil
}

// errRate is told to a client that sends too much; one that goes on is closed.
var errRate = &parley.Error{Kind: parley.Busy, Msg: "too many requests"}

// maxOver is how many refused requests in a row end a session.
const maxOver = 200

// serveRequest does what a request asks for. An error ends the session.
func (s *session) serveRequest(r *request) error {
	if r.Heartbeat != nil {
		return nil // that it was heard is all it is for
	}
	s.mu.Lock()
	allowed := s.limit.Allow()
	refused := s.inFlight >= s.server.config.InFlight
	if !allowed || refused {
		s.fail(r.ID, errRate)
		s.mu.Unlock()
		s.server.metrics.refused.Inc()
		if s.over++; s.over > maxOver {
			return &closing{code: closeRate}
		}
		return nil
	}
	s.mu.Unlock()
	s.over = 0
	var err error
	switch {
	case r.Connect != nil:
		return &closing{code: closeProtocol, reason: "connect comes once"}
	case r.Ping != nil:
		s.mu.Lock()
		s.ok(r.ID, struct{}{})
		s.mu.Unlock()
	case r.Post != nil:
		err = s.post(r.ID, r.Post)
	case r.Open != nil:
		err = s.open(r)
	case r.Subscribe != nil:
		err = s.subscribe(r)
	case r.History != nil:
		err = s.history(r)
	case r.Typing != nil:
		err = s.typing(r)
	}
	if err != nil {
		s.mu.Lock()
		s.fail(r.ID, err)
		s.mu.Unlock()
	}
	return nil
}

// decode reads the members of an operation.
func decode(raw json.RawMessage, into any) error {
	if err := json.Unmarshal(raw, into); err != nil {
		return &parley.Error{Kind: parley.Invalid, Reason: parley.BadValue, Field: "body", Msg: "the request has a member of the wrong type"}
	}
	return nil
}

func appendInt(b []byte, n int64) []byte { return strconv.AppendInt(b, n, 10) }
