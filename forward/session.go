package forward

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/time/rate"

	"parley"
	"parley/ws"
)

const (
	atOnce = 16 // deliveries that wait for their outcome: one a conversation
	// silence is after how much of it the connection is taken for dead: the hub's heartbeat comes every 20 s.
	silence      = 45 * time.Second
	maxFrame     = 32 << 20 // bytes: transcripts of 1000 messages are one delivery
	requestPause = time.Second
)

// A session is one connection. Its goroutines, those that forward and write, end with run.
type session struct {
	*forwarder
	conn      *websocket.Conn
	taking    bool          // deliveries may come: the connection was good
	comeAfter time.Duration // the hub's goodbye
	role      parley.Role
	pace      *rate.Limiter // of our requests; the hub's own limit is 50 a second
	work      sync.WaitGroup

	mu   sync.Mutex // guards what follows
	n    int        // last request id
	told map[string]outcome
}

// outcome is what the hub is told of a delivery.
type outcome struct {
	Delivery string `json:"delivery"`
	Outcome  string `json:"outcome"`
	After    int64  `json:"after,omitempty"` // ms
	Reason   string `json:"reason,omitempty"`
}

// An incoming is whatever the hub says.
type incoming struct {
	ID    string
	OK    json.RawMessage
	Error *struct {
		Code             string
		DeveloperMessage string
	}
	Delivery  *delivery
	Heartbeat json.RawMessage
	Expiring  json.RawMessage
	Goodbye   *struct{ After int64 } // ms
}

// The ids of requests other than outcomes, which are numbered.
const (
	connectID = "connect"
	takeID    = "take"
	refreshID = "refresh"
)

// run connects and forwards until the connection or ctx ends, and says why.
func (s *session) run(ctx context.Context) error {
	token, err := s.token(ctx)
	if err != nil {
		return err
	}
	if s.role, err = s.forwarder.role(ctx, token); err != nil {
		return err
	}
	// Over s.hub as well: its time limit is of the handshake only, since the connection is hijacked.
	conn, res, err := websocket.Dial(ctx, s.Hub+"/ws/v1", &websocket.DialOptions{Subprotocols: []string{ws.Subprotocol}, HTTPClient: s.hub})
	if res != nil && res.Body != nil {
		res.Body.Close()
	}
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	conn.SetReadLimit(maxFrame)
	s.conn, s.told, s.pace = conn, map[string]outcome{}, rate.NewLimiter(40, 100)
	ctx, cancel := context.WithCancel(ctx)
	defer s.work.Wait()
	defer cancel()
	defer conn.Close(websocket.StatusNormalClosure, "")
	if err := s.send(ctx, connectID, "connect", map[string]any{"token": token}); err != nil {
		return err
	}
	take := map[string]any{"application": s.Application, "atOnce": atOnce}
	if s.role != "" {
		take["role"] = s.role
	}
	if err := s.send(ctx, takeID, "take", take); err != nil {
		return err
	}
	for {
		reading, end := context.WithTimeout(ctx, silence)
		_, frame, err := conn.Read(reading)
		end()
		if err != nil {
			return closed(err)
		}
		for line := range bytes.Lines(frame) {
			var in incoming
			if err := json.Unmarshal(line, &in); err != nil {
				return fmt.Errorf("the hub sent what is no object: %w", err)
			}
			if err := s.heard(ctx, &in); err != nil {
				return err
			}
		}
	}
}

// closed says what the end of a connection means: the hub's close codes tell whether to come back.
func closed(err error) error {
	code := websocket.CloseStatus(err)
	for _, c := range ws.CloseCodes() {
		if c.Code != code || code == websocket.StatusNormalClosure {
			continue
		}
		reason := c.Meaning
		if closing, ok := errors.AsType[websocket.CloseError](err); ok && closing.Reason != "" {
			reason = closing.Reason
		}
		if !c.ComeBack && !c.NewToken {
			return final("the hub ended the session with %d: %s. Make a client that is bound to the application: parley client create NAME --application ID --roles ROLE", code, reason)
		}
		return fmt.Errorf("the hub ended the session with %d: %s", code, reason)
	}
	return err
}

// heard deals with one object.
func (s *session) heard(ctx context.Context, in *incoming) error {
	switch {
	case in.Delivery != nil:
		d := *in.Delivery
		s.work.Go(func() { s.tell(ctx, s.forward(ctx, &d)) })
	case in.Heartbeat != nil:
		return s.conn.Write(ctx, websocket.MessageText, []byte(`{"heartbeat":{}}`))
	case in.Expiring != nil:
		s.work.Go(func() { s.refresh(ctx) })
	case in.Goodbye != nil:
		s.comeAfter = time.Duration(in.Goodbye.After) * time.Millisecond
	case in.ID == takeID && in.Error != nil:
		return s.refused(in.Error.Code, in.Error.DeveloperMessage)
	case in.ID == takeID:
		var took struct{ Role parley.Role }
		_ = json.Unmarshal(in.OK, &took) // it is only for the log
		s.taking = true
		s.Logger.InfoContext(ctx, "listening", "application", s.Application, "role", took.Role, "to", s.To)
	case in.ID == refreshID && in.Error != nil: // the session ends with its token; the next one has a new one
		s.Logger.WarnContext(ctx, "the hub refused a new token", "code", in.Error.Code)
	case in.ID != "" && in.ID != connectID:
		s.answered(ctx, in)
	}
	return nil
}

// refused is the end of a take that the hub does not allow.
func (s *session) refused(code, message string) error {
	switch {
	case strings.HasPrefix(code, "429-"), strings.HasPrefix(code, "5"):
		return fmt.Errorf("the hub cannot give deliveries now: %s (%s)", message, code)
	case strings.Contains(message, parley.SessionCallback):
		return final("%s (%s)", wrongCallback(s.Application, s.role), code)
	case s.role == "": // the client may not read the application, so nobody here knows which role is the only one
		return final("the hub gives no deliveries of client application %s: %s (%s). If the API client is bound to it, give the role as --role;"+
			" else make one: parley client create NAME --application %s --roles ROLE", s.Application, message, code, s.Application)
	}
	return final("the hub gives no deliveries of client application %s: %s (%s). The API client must be bound to it:"+
		" parley client create NAME --application %s --roles ROLE", s.Application, message, code, s.Application)
}

// refresh goes on with a new token, on the same connection.
func (s *session) refresh(ctx context.Context) {
	token, err := s.token(ctx)
	if err == nil {
		err = s.send(ctx, refreshID, "refresh", map[string]any{"token": token})
	}
	if err != nil && ctx.Err() == nil {
		s.Logger.WarnContext(ctx, "renewing the token", "error", err)
	}
}

// tell says what became of a delivery. Should that not arrive, the delivery comes again.
func (s *session) tell(ctx context.Context, told outcome) {
	s.mu.Lock()
	s.n++
	id := strconv.Itoa(s.n)
	s.told[id] = told
	s.mu.Unlock()
	if err := s.send(ctx, id, "outcome", told); err != nil && ctx.Err() == nil {
		s.Logger.WarnContext(ctx, "telling an outcome; the delivery comes again", "delivery", told.Delivery, "error", err)
	}
}

// answered notes the reply to an outcome. One that was over the hub's limit of requests is told again.
func (s *session) answered(ctx context.Context, in *incoming) {
	s.mu.Lock()
	told, ok := s.told[in.ID]
	delete(s.told, in.ID)
	s.mu.Unlock()
	if !ok || in.Error == nil {
		return
	}
	if !strings.HasPrefix(in.Error.Code, "429-") {
		s.Logger.WarnContext(ctx, "the hub did not take an outcome; the delivery may come again", "delivery", told.Delivery, "code", in.Error.Code)
		return
	}
	s.work.Go(func() {
		timer := time.NewTimer(time.Duration(rand.Float64() * float64(requestPause)))
		defer timer.Stop()
		select {
		case <-timer.C:
			s.tell(ctx, told)
		case <-ctx.Done():
		}
	})
}

// send writes one request. Safe for concurrent use.
func (s *session) send(ctx context.Context, id, op string, body any) error {
	if err := s.pace.Wait(ctx); err != nil {
		return err
	}
	text, err := json.Marshal(map[string]any{"id": id, op: body})
	if err != nil {
		return err
	}
	return s.conn.Write(ctx, websocket.MessageText, text)
}
