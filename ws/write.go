package ws

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"parley/hub"
	"parley/wire"
)

const (
	// joined is how many objects go into one frame at most.
	joined = 16
	// joinedBytes is how long a frame of several objects is at most: sixteen transcripts would be more than a client may read.
	joinedBytes = 256 << 10
)

// push queues an object to be written, without waiting; nil ends the session once everything before it is out. Called
// with mu held. A full queue ends the session: the client resumes from the record, and nobody waits for it.
func (s *session) push(object []byte) {
	if s.done.Err() != nil {
		return
	}
	if len(s.queue) >= s.server.config.QueueLen && object != nil {
		s.endSlow()
		return
	}
	s.queue = append(s.queue, object)
	if !s.writing {
		s.writing = true
		s.work.Go(s.write)
	}
}

func (s *session) endSlow() {
	if s.done.Err() != nil {
		return // it is over already, and counted
	}
	s.server.metrics.slow.Inc()
	s.end(&closing{code: closeSlow, reason: "the client does not read fast enough; come back and resume"})
}

// write sends what is queued and returns when there is nothing left, or the session is over. It waits for nothing to come:
// what gathered while the last frame was on its way goes into the next.
func (s *session) write() {
	var buffer []byte
	for {
		s.mu.Lock()
		n := min(len(s.queue), joined)
		if n == 0 || s.done.Err() != nil {
			s.writing = false
			s.queue = nil
			s.mu.Unlock()
			return
		}
		objects, last := portion(s.queue[:n])
		s.queue = s.queue[len(objects):]
		if s.room != nil {
			select {
			case s.room <- struct{}{}:
			default:
			}
		}
		s.mu.Unlock()
		if len(objects) > 0 {
			out := objects[0] // which others may be sent, too
			if len(objects) > 1 {
				buffer = joinLines(buffer[:0], objects)
				out = buffer
			}
			switch err := s.conn.Write(out); {
			case errors.Is(err, os.ErrDeadlineExceeded):
				s.endSlow()
			case err != nil:
				s.end(fmt.Errorf("%w: write: %w", errLost, err))
			}
		}
		if last {
			s.end(&closing{code: closeRestart})
		}
	}
}

// portion is which of the objects go into the next frame. last says that the session ends behind them.
func portion(queue [][]byte) (objects [][]byte, last bool) {
	size := 0
	for i, object := range queue {
		if object == nil {
			return queue[:i], true
		}
		if size > 0 && size+len(object) >= joinedBytes {
			return queue[:i], false
		}
		size += len(object) + 1
	}
	return queue, false
}

// joinLines appends objects to a frame, each on a line.
func joinLines(frame []byte, objects [][]byte) []byte {
	for i, object := range objects {
		if i > 0 {
			frame = append(frame, '\n')
		}
		frame = append(frame, object...)
	}
	return frame
}

// encode renders an object of ours; it cannot fail for what is passed here.
func encode(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // a programmer's mistake: maps, strings and numbers always marshal
	}
	return text
}

// appendAck renders the reply to a post: the most frequent object there is, so without reflection.
func appendAck(b []byte, id string, p hub.Posted) []byte {
	b = append(b, `{"id":`...)
	b = wire.Quote(b, id)
	b = append(b, `,"ok":{"conversation":"`...)
	b = append(b, p.Conversation.String()...)
	b = append(b, `","seq":`...)
	b = appendInt(b, p.Seq)
	b = append(b, `,"id":"`...)
	b = append(b, p.ID.String()...)
	b = append(b, `","messageId":`...)
	b = wire.Quote(b, p.MessageID)
	return append(b, `}}`...)
}

// ok answers a request. Called with mu held.
func (s *session) ok(id string, v any) {
	s.push(encode(struct {
		ID string `json:"id"`
		OK any    `json:"ok"`
	}{id, v}))
}

// fail answers a request that was refused. Called with mu held.
func (s *session) fail(id string, err error) {
	code, message := s.server.config.Code(err)
	s.push(encode(map[string]any{"id": id, "error": map[string]string{"code": code, "developerMessage": message}}))
}
