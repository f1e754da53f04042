package chaos

import (
	"context"
	"encoding/json"
	"time"

	"github.com/coder/websocket"
)

// write sends what waits, again on each connection, and pings.
func (s *session) write(ctx context.Context, conn *websocket.Conn) error {
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	s.nudge()
	for {
		select {
		case <-s.wake:
		case <-ping.C:
			if err := writeJSON(ctx, conn, object{"id": "ping", "ping": object{}}); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
		for {
			frame := s.next()
			if frame == nil {
				break
			}
			for range s.copies() {
				if err := writeJSON(ctx, conn, frame); err != nil {
					return err
				}
			}
		}
	}
}

// copies is how often each frame is sent.
func (s *session) copies() int {
	if s.w.setup.Twice {
		return 2
	}
	return 1
}

// next is the request for the first pending message that this connection has not seen; nil if there is none.
func (s *session) next() object {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, unacked := time.Now(), 0
	for _, one := range s.pending {
		if one.line == s.line {
			if unacked++; unacked == maxUnacked/s.copies() {
				return nil // the next acknowledgement looks again
			}
			continue
		}
		if now.Before(one.not) {
			return nil // those behind it wait with it; the next ping looks again
		}
		if one.Sent == 0 {
			one.Sent, one.Line = s.w.moment(), s.line
		} else {
			one.Troubled = true
		}
		one.line = s.line
		if one.begins {
			return object{"id": one.request, "open": object{"message": one.object}}
		}
		return object{"id": one.request, "post": one.object}
	}
	return nil
}

func writeJSON(ctx context.Context, conn *websocket.Conn, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return conn.Write(ctx, websocket.MessageText, text)
}
