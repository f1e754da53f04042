package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
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
	asking  map[string]bool // conversations that the list named and that are asked for from their beginning; what comes before the answer comes again
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
		said: map[string]*saying{}, wake: make(chan struct{}, 1), joining: map[string]bool{}, asking: map[string]bool{}}
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
	clear(s.asking)
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
	if len(reply.OK.Refused) > 0 {
		r := reply.OK.Refused[0]
		s.w.fault("%s: resuming %s was refused: %s", s.name, r.Conversation, r.Code)
		return fmt.Errorf("resuming %s: %s", r.Conversation, r.Code)
	}
	if s.role != parley.Customer {
		if err := writeJSON(ctx, conn, object{"id": "all", "subscribe": object{"all": true}}); err != nil {
			return err
		}
	}
	return s.objects(ctx, conn, rest)
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
