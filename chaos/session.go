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
	"sync"
	"time"

	"github.com/coder/websocket"

	"parley"
)

// A session is a program that holds a WebSocket session: a customer who talks, or an agent who answers. When its
// connection breaks, or nothing was heard for a while, it comes back and resumes by position; what was not acknowledged it
// sends again under the same messageId.
type session struct {
	w     *World
	name  string
	role  parley.Role
	at    int // index of the hub it uses
	token string

	mu      sync.Mutex
	own     string           // a customer's conversation
	places  map[string]int64 // Seq of the last one seen, of each conversation
	views   map[string]*View
	pending []*saying // sent or to be sent, not acknowledged, in order
	said    map[string]*saying
	posts   []*Post
	n       int
	line    int           // number of the connection
	wake    chan struct{} // capacity 1: pending has something that was not sent on this connection
	joining map[string]bool
}

// A saying is a message on its way.
type saying struct {
	*Post
	request string // id of its request
	begins  bool   // a conversation
	object  object
	line    int       // connection on which it was last sent
	not     time.Time // it was answered by an error and waits until then
}

const (
	window      = 3  // messages of a customer on their way
	maxUnacked  = 30 // of anybody: the hub refuses more than 64 on one session
	silence     = 3 * time.Second
	pingEvery   = time.Second
	connectTime = 4 * time.Second
	maxBackoff  = time.Second
)

func newSession(w *World, name string, role parley.Role, token string, at int) *session {
	return &session{w: w, name: name, role: role, token: token, at: at, places: map[string]int64{}, views: map[string]*View{},
		said: map[string]*saying{}, wake: make(chan struct{}, 1), joining: map[string]bool{}}
}

// run holds the session until ctx ends. A customer talks until talking ends.
func (s *session) run(ctx, talking context.Context) {
	var wg sync.WaitGroup
	if s.role == parley.Customer {
		wg.Go(func() { s.talk(talking) })
	}
	dropped, failures := time.Now(), 0
	for ctx.Err() == nil {
		resumed, err := s.connection(ctx, dropped)
		if resumed {
			dropped, failures = time.Now(), 0
		}
		if ctx.Err() == nil {
			s.w.trouble(err)
		}
		s.at++
		failures++
		_ = pause(ctx, rand.N(min(maxBackoff, 50*time.Millisecond<<min(failures, 10)))) // its end is the loop's
	}
	wg.Wait()
}

// talk makes a customer's messages: the first one begins the conversation, further ones once that is acknowledged.
func (s *session) talk(talking context.Context) {
	for pause(talking, rand.N(2*s.w.setup.Pace)) == nil {
		s.mu.Lock()
		if len(s.pending) < window && (s.n == 0 || s.own != "") {
			id := fmt.Sprintf("%s-%d", s.name, s.n)
			s.n++
			s.sayLocked(s.own, id, say(s.own, id, "customer", "text", object{"text": id}))
		}
		s.mu.Unlock()
	}
}

// sayLocked queues a message to be sent. Called with mu held.
func (s *session) sayLocked(conversation, id string, message object) {
	request := id // of the one that begins a conversation; later ones name it, since messageIds are its own
	if conversation != "" {
		request = conversation + "/" + id
	}
	if s.said[request] != nil {
		return
	}
	one := &saying{Post: &Post{Program: s.name, MessageID: id, Sender: s.role}, request: request, begins: conversation == "", object: message}
	s.said[request] = one
	s.pending, s.posts = append(s.pending, one), append(s.posts, one.Post)
	s.nudge()
}

func (s *session) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// connection is one connection, from dial to its end. resumed says whether it got so far.
func (s *session) connection(ctx context.Context, dropped time.Time) (resumed bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	h := s.w.hubs[s.at%len(s.w.hubs)]
	dialing, done := context.WithTimeout(ctx, connectTime)
	defer done()
	conn, _, err := websocket.Dial(dialing, "http://"+h.front.Address()+"/ws/v1", &websocket.DialOptions{Subprotocols: []string{"parley.v1.json"}})
	if err != nil {
		return false, err
	}
	defer conn.CloseNow()
	conn.SetReadLimit(8 << 20)
	if err := s.connect(dialing, conn); err != nil {
		return false, err
	}
	if ready := s.w.reachable(); ready.After(dropped) {
		dropped = ready // nobody can resume while there is nothing to resume at
	}
	s.w.resumed(time.Since(dropped))
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() {
		defer cancel()
		if err := s.write(ctx, conn); err != nil && ctx.Err() == nil {
			s.w.trouble(err)
		}
	})
	for {
		if err := s.read(ctx, conn); err != nil {
			return true, err
		}
	}
}

// connect says who the session is and where it was.
func (s *session) connect(ctx context.Context, conn *websocket.Conn) error {
	s.mu.Lock()
	s.line++
	clear(s.joining)
	type position struct {
		Conversation string `json:"conversation"`
		After        int64  `json:"after"`
	}
	positions := []position{}
	for c, after := range s.places {
		positions = append(positions, position{c, after})
	}
	s.mu.Unlock()
	if err := writeJSON(ctx, conn, object{"id": "connect", "connect": object{"token": s.token, "resume": positions}}); err != nil {
		return err
	}
	_, frame, err := conn.Read(ctx)
	if err != nil {
		return err
	}
	first, rest, _ := bytes.Cut(frame, []byte("\n"))
	var reply struct {
		OK *struct {
			Conversations []struct{ Conversation string }
			Resumed       []struct {
				Conversation string
				After        int64
			}
			Refused []struct{ Conversation, Code string }
		}
		Error json.RawMessage
	}
	if err := json.Unmarshal(first, &reply); err != nil || reply.OK == nil {
		return fmt.Errorf("connect was answered with %s", first)
	}
	s.mu.Lock()
	for _, r := range reply.OK.Resumed {
		s.view(r.Conversation).Sights = append(s.view(r.Conversation).Sights, Sight{Resumed: true, Prev: s.places[r.Conversation], Seq: r.After})
	}
	s.mu.Unlock()
	for _, r := range reply.OK.Refused {
		// A fault between the hub and its database refuses for now; anything else is no answer to a position we were given.
		if !strings.HasPrefix(r.Code, "5") {
			s.w.fault("%s: resuming %s was refused: %s", s.name, r.Conversation, r.Code)
		}
		return fmt.Errorf("resuming %s: %s", r.Conversation, r.Code)
	}
	if s.role != parley.Customer {
		if err := writeJSON(ctx, conn, object{"id": "all", "subscribe": object{"all": true}}); err != nil {
			return err
		}
	}
	return s.objects(ctx, conn, rest)
}

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
	if s.joining[m.Conversation] && m.Seq <= s.places[m.Conversation] {
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

// idle says whether everything that was said is acknowledged.
func (s *session) idle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.pending) == 0
}

// log is a copy of what the program knows.
func (s *session) log() (posts []Post, views []View) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.posts {
		posts = append(posts, *p)
	}
	for _, v := range s.views {
		c := *v
		c.Sights = append([]Sight(nil), v.Sights...)
		views = append(views, c)
	}
	return posts, views
}
