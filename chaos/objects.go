package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/coder/websocket"

	"parley"
)

// read takes one frame. Silence for too long is an error: the hub answers every ping.
func (s *session) read(ctx context.Context, conn *websocket.Conn) error {
	bounded, cancel := context.WithTimeout(ctx, silence)
	defer cancel()
	_, frame, err := conn.Read(bounded)
	if err != nil {
		if ctx.Err() == nil && bounded.Err() != nil {
			err = errors.New("nothing was heard for too long")
		}
		return err
	}
	return s.objects(ctx, conn, frame)
}

// An incoming is any object from the hub.
type incoming struct {
	ID string
	OK *struct {
		Conversation  string
		Seq           int64
		ID, MessageID string
		After         *int64
		Conversations []struct {
			Conversation string
			Seq          int64
		}
	}
	Error   *struct{ Code, DeveloperMessage string }
	Message *struct {
		Conversation string
		Seq, Prev    int64
		Message      struct {
			ID, MessageID string
			Type          struct{ Value string }
			Sender        struct{ Type string }
		}
	}
	Heartbeat *struct{ Last map[string]int64 }
	Gap       *struct{ Conversation string }
}

func (s *session) objects(ctx context.Context, conn *websocket.Conn, frame []byte) error {
	for line := range bytes.SplitSeq(frame, []byte("\n")) {
		if len(line) == 0 {
			continue
		}
		var o incoming
		if err := json.Unmarshal(line, &o); err != nil {
			return fmt.Errorf("%s: %w", line, err)
		}
		if err := s.object(ctx, conn, &o); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) object(ctx context.Context, conn *websocket.Conn, o *incoming) error {
	switch {
	case o.Heartbeat != nil:
		return writeJSON(ctx, conn, object{"heartbeat": object{}})
	case o.Gap != nil:
		s.w.fault("%s: a gap in %s, where nothing was deleted", s.name, o.Gap.Conversation)
	case o.Message != nil:
		s.shown(o)
	case o.ID == "all" && o.OK != nil:
		return s.follow(ctx, conn, o)
	case strings.HasPrefix(o.ID, "follow ") && o.OK != nil:
		s.mu.Lock()
		s.joining[o.OK.Conversation] = true
		delete(s.asking, o.OK.Conversation)
		s.mu.Unlock()
	case o.ID == "all" || strings.HasPrefix(o.ID, "follow "):
		return fmt.Errorf("%s was answered %v", o.ID, o.Error)
	case o.Error != nil:
		return s.failed(o)
	case o.OK != nil && o.OK.MessageID != "":
		s.acknowledged(o)
	}
	return nil
}

// follow asks an agent's session for the conversations that began while it was away.
func (s *session) follow(ctx context.Context, conn *websocket.Conn, o *incoming) error {
	for _, c := range o.OK.Conversations {
		s.mu.Lock()
		_, known := s.places[c.Conversation]
		if !known {
			s.asking[c.Conversation] = true
		}
		s.mu.Unlock()
		if known {
			continue
		}
		if err := writeJSON(ctx, conn, object{"id": "follow " + c.Conversation, "subscribe": object{"conversation": c.Conversation, "after": 0}}); err != nil {
			return err
		}
	}
	return nil
}

// view is what the session saw of a conversation. Called with mu held.
func (s *session) view(conversation string) *View {
	v := s.views[conversation]
	if v == nil {
		v = &View{Name: s.name, Conversation: conversation, Role: s.role}
		s.views[conversation] = v
	}
	return v
}

// shown notes a message that the hub showed, and lets an agent answer it.
func (s *session) shown(o *incoming) {
	m := o.Message
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asking[m.Conversation] || s.joining[m.Conversation] && m.Seq <= s.places[m.Conversation] {
		return // we asked for everything while some of it was on its way already
	}
	v := s.view(m.Conversation)
	v.Sights = append(v.Sights, Sight{Seq: m.Seq, ID: m.Message.ID, Prev: m.Prev})
	s.places[m.Conversation] = max(s.places[m.Conversation], m.Seq)
	if s.role == parley.Customer || m.Message.Sender.Type != "customer" || m.Message.Type.Value != string(parley.TypeText) {
		return
	}
	if join := s.name + "-join"; s.said[m.Conversation+"/"+join] == nil {
		s.sayLocked(m.Conversation, join, say(m.Conversation, join, string(s.role), "agent.join", object{"json": object{"agentName": "Dana"}}))
	}
	id := s.name + "-" + m.Message.MessageID
	s.sayLocked(m.Conversation, id, say(m.Conversation, id, string(s.role), "text", object{"text": id}))
}

// acknowledged notes that a message is stored. It stands in the place of the message among what the session sees.
func (s *session) acknowledged(o *incoming) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.said[o.ID]
	if one == nil {
		s.w.fault("%s: an ack of %s, which it did not send", s.name, o.ID)
		return
	}
	if last := s.places[o.OK.Conversation]; o.OK.Seq > last {
		v := s.view(o.OK.Conversation)
		v.Sights = append(v.Sights, Sight{Seq: o.OK.Seq, ID: o.OK.ID, Prev: -1})
		s.places[o.OK.Conversation] = o.OK.Seq
	}
	if s.role == parley.Customer {
		if s.own != "" && s.own != o.OK.Conversation {
			s.w.fault("%s: a second conversation %s beside %s", s.name, o.OK.Conversation, s.own)
		}
		s.own = o.OK.Conversation
	}
	if one.Acked != 0 {
		if one.ID != o.OK.ID || one.Seq != o.OK.Seq {
			s.w.fault("%s: %s was acknowledged as %s at %d, and as %s at %d", s.name, one.MessageID, one.ID, one.Seq, o.OK.ID, o.OK.Seq)
		}
		return
	}
	one.Conversation, one.ID, one.Seq, one.Acked = o.OK.Conversation, o.OK.ID, o.OK.Seq, s.w.moment()
	if one.Line != s.line {
		one.Line = 0
	}
	s.settled(one)
}

// settled takes a message out of those that wait for their answer. Called with mu held.
func (s *session) settled(one *saying) {
	if i := slices.Index(s.pending, one); i >= 0 {
		s.pending = slices.Delete(s.pending, i, i+1)
		s.nudge()
	}
}

// failed notes that a message was answered by an error. What a repeat may cure is sent again.
func (s *session) failed(o *incoming) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.said[o.ID]
	if one == nil {
		return fmt.Errorf("%s was answered %v", o.ID, *o.Error)
	}
	s.w.trouble(fmt.Errorf("session: %s", o.Error.Code))
	if one.Acked != 0 {
		return nil // the other copy was stored
	}
	one.Troubled = true
	if strings.HasPrefix(o.Error.Code, "5") || strings.HasPrefix(o.Error.Code, "429") {
		one.line, one.not = 0, time.Now().Add(rand.N(retryPause))
		time.AfterFunc(retryPause, s.nudge)
		return nil
	}
	one.Refused = o.Error.Code + " " + o.Error.DeveloperMessage
	s.settled(one)
	return nil
}
