package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/coder/websocket"
)

// A session is a connected client of the hub.
type session struct {
	conn  *websocket.Conn
	token string
	n     int
	early int // messages that came in the frame of a reply
}

func (a *api) connect(ctx context.Context, token string) (*session, error) {
	s, err := a.dial(ctx)
	if err != nil {
		return nil, err
	}
	_, err = s.ask(ctx, "connect", object{"token": token})
	return s, err
}

func (a *api) dial(ctx context.Context) (*session, error) {
	conn, _, err := websocket.Dial(ctx, a.base+"/ws/v1", &websocket.DialOptions{Subprotocols: []string{"parley.v1.json"}})
	if err != nil {
		return nil, err
	}
	conn.SetReadLimit(1 << 20)
	return &session{conn: conn}, nil
}

// ask sends a request and waits for its reply; nothing else may be on its way.
func (s *session) ask(ctx context.Context, op string, in any) (json.RawMessage, error) {
	s.n++
	id := fmt.Sprint("q", s.n)
	body, err := json.Marshal(object{"id": id, op: in})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, clientTimeout)
	defer cancel()
	if err := s.conn.Write(ctx, websocket.MessageText, body); err != nil {
		return nil, err
	}
	for {
		_, frame, err := s.conn.Read(ctx)
		if err != nil {
			return nil, err
		}
		s.early += countMessages(frame)
		for line := range bytes.SplitSeq(frame, []byte("\n")) {
			var o struct {
				ID        string
				OK, Error json.RawMessage
			}
			if err := json.Unmarshal(line, &o); err != nil {
				return nil, err
			}
			if o.ID == id && o.Error != nil {
				return nil, fmt.Errorf("%s: %s", op, o.Error)
			}
			if o.ID == id {
				return o.OK, nil
			}
		}
	}
}

// answer answers heartbeats until the connection ends.
func (s *session) answer() {
	for {
		_, frame, err := s.conn.Read(context.Background())
		if err != nil {
			return
		}
		if bytes.Contains(frame, []byte(`{"heartbeat":`)) {
			if s.conn.Write(context.Background(), websocket.MessageText, []byte(`{"heartbeat":{}}`)) != nil {
				return
			}
		}
	}
}
