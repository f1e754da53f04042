package ws

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"parley"
	"parley/hub"
	"parley/ident"
	"parley/tokens"
)

// A session is one live connection. One goroutine reads; a writer goroutine exists only while there is something to send. The hub calls Deliver; everything below mu is shared between all of them.
type session struct {
	server *Server
	conn   conn
	origin origin
	trace  string // of the request that opened it
	id     string
	limit  *rate.Limiter
	over   int // requests refused in a row; owned by read

	// Set by connect, before anything else is read; not changed afterwards, but for when the token ends (see refresh).
	grant tokens.Grant
	role  parley.Role // what the session speaks as; "" = each post says
	token string      // the last one of a client, to ask again whether it may; read and changed by read and heartbeat under mu

	done   context.Context // cancelled by end
	cancel context.CancelCauseFunc
	ending sync.Once
	closed sync.WaitGroup // close has ended, once end was called

	mu       sync.Mutex
	queue    [][]byte // objects to be written
	writing  bool
	room     chan struct{} // capacity 1: the writer made room; nil = nobody waits for that
	inFlight int
	follows  map[parley.ConversationID]*follow
	all      func() // cancels following everything; nil = not following
	listing  bool   // everything is followed, and the list that the reply names is being made
	heard    time.Time
	beat     *time.Timer
	expiry   *time.Timer                   // says that the token ends, then ends the session
	warned   bool                          // that was said
	due      time.Time                     // of expiry
	asked    bool                          // a heartbeat was sent that is not answered; see ask
	takes    map[string]chan parley.Answer // deliveries that wait for their outcome; nil = none are taken
	work     sync.WaitGroup
}

const (
	connectTimeout = 5 * time.Second
	writeTimeout   = 10 * time.Second
	// deadAfter is how long a client may be silent: it answers every heartbeat.
	deadAfter = 45 * time.Second
)

func newSession(server *Server, c conn, o origin, trace string) *session {
	s := &session{server: server, conn: c, origin: o, trace: trace, id: ident.New[session]().String(),
		limit:   rate.NewLimiter(rate.Limit(server.config.Rate), server.config.Burst),
		follows: map[parley.ConversationID]*follow{}, heard: time.Now()}
	s.done, s.cancel = context.WithCancelCause(context.Background()) // a session outlives the request that opened it
	return s
}

// apart is for what every session does and what ends soon by itself: a context that ends with the session costs it a map and a channel for as
// long as it lives.
func (s *session) apart() context.Context { return context.WithoutCancel(s.done) }

// serve runs the session until read, write, the server or the hub's side ends it. When it returns, nothing of it is left.
func (s *session) serve() {
	s.server.metrics.sessions.Inc()
	defer s.server.metrics.sessions.Dec()
	s.end(s.guarded(s.read))
	s.closed.Wait()
	_ = s.conn.CloseNow() // after Close it does nothing
	s.release()
	s.work.Wait()
	cause := context.Cause(s.done)
	c := closingOf(cause)
	s.server.metrics.closed.WithLabelValues(c.code.Name).Inc()
	if c.code == closeInternal { // the client is told nothing more; whoever runs the hub must be
		s.server.config.Logger.WarnContext(s.done, "session ended by a fault", "session", s.id, "error", cause)
	}
}

// guarded passes on how fn ended. A panic in it, on what one client sent or is to be shown, is a fault of ours that costs this session, and not all
// others the process. What is done with mu held and without a deferred Unlock goes through here, or cannot panic.
func (s *session) guarded(fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			s.server.config.Logger.Error("session panicked", "session", s.id, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = errPanicked
		}
	}()
	return fn()
}

// errPanicked ends a session by a fault of ours.
var errPanicked = errors.New("panic")

// end ends the session for a cause; the first one wins. It does not wait.
func (s *session) end(cause error) {
	s.ending.Do(func() {
		s.cancel(cause)
		s.closed.Go(s.close)
	})
}

// close says goodbye with the code of the cause. Cancelling the context of a pending Read would cut the TCP connection and
// the client would never learn the code; Close (at most 10 s) unblocks Read.
func (s *session) close() {
	c := closingOf(context.Cause(s.done))
	s.conn.Close(c.code.Code, c.Error())
}

// release gives up everything the session holds elsewhere.
func (s *session) release() {
	s.mu.Lock()
	cancels := make([]func(), 0, len(s.follows)+1)
	followed := make([]parley.ConversationID, 0, len(s.follows))
	for _, f := range s.follows {
		followed = append(followed, f.id)
		if f.cancel != nil {
			cancels = append(cancels, f.cancel)
		}
	}
	if s.all != nil {
		cancels = append(cancels, s.all)
	}
	if s.beat != nil {
		s.beat.Stop()
	}
	if s.expiry != nil {
		s.expiry.Stop()
	}
	s.queue = nil
	s.noteShown()
	s.mu.Unlock()
	for _, cancel := range cancels { // without mu: the hub holds its own locks when it calls Deliver
		cancel()
	}
	s.leavePresence(followed)
}

// started begins what a connected session does by itself: heartbeats, and the end with its token.
func (s *session) started() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.beat = time.AfterFunc(s.server.config.Heartbeat, s.heartbeat)
	s.expireAt(s.grant.Expires)
}

// heartbeat tells the client the last Seq of each conversation it follows, so that silence is detectable.
func (s *session) heartbeat() {
	if s.done.Err() != nil {
		return
	}
	s.mu.Lock()
	if time.Since(s.heard) > deadAfter {
		s.mu.Unlock()
		s.end(&closing{code: closeSlow, reason: "nothing was heard for too long"})
		return
	}
	last := make(map[string]int64, len(s.follows))
	s.ask(last)
	s.push(encode(map[string]any{"heartbeat": map[string]any{"last": last}}))
	s.beat.Reset(s.server.config.Heartbeat)
	token := s.token
	s.mu.Unlock()
	if token != "" {
		s.askAgain(token)
	}
	s.joinPresence()
	s.lookForVisitors()
}

// keep keeps the token of a client. That of a customer says all there is to know until it ends, and is most of what a session would hold.
func (s *session) keep(token string) {
	if s.grant.Speaker.Contact == "" {
		s.token = token
	}
}

// askAgain ends the session of a client that was revoked, or lost its role: it must not go on until its token ends.
func (s *session) askAgain(token string) {
	ctx, cancel := context.WithTimeout(s.done, opTimeout)
	defer cancel()
	switch grant, err := s.server.config.Tokens.VerifySession(ctx, token); {
	case parley.KindOf(err) == parley.Unauthenticated:
		s.end(&closing{code: closeToken})
	case err == nil && !sameSpeaker(grant.Speaker, s.grant.Speaker):
		s.end(&closing{code: closeToken, reason: "what the token allows has changed"})
	}
}

// sayGoodbye asks the client to come back after a while, and ends the session once that was written.
func (s *session) sayGoodbye(after time.Duration) {
	s.mu.Lock()
	s.push(encode(map[string]any{"goodbye": map[string]any{"after": after.Milliseconds(), "reason": "the server restarts"}}))
	s.push(nil) // the writer ends the session here
	s.mu.Unlock()
}

// Doubt implements [hub.Doubter]: what the session follows is read from the record, to its end. Conversations that began
// meanwhile, for one that follows everything, are looked up too.
func (s *session) Doubt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done.Err() != nil {
		return
	}
	for _, f := range s.follows {
		f.unsure = true
		s.fill(f, f.seen)
	}
	if s.all != nil {
		s.work.Go(s.findNew)
	}
}

// Deliver implements [hub.Subscriber].
func (s *session) Deliver(e *hub.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done.Err() != nil {
		return
	}
	f := s.follows[e.Conversation.ID]
	if f == nil {
		if f = s.noticed(e); f == nil {
			return
		}
	}
	if e.Message == nil {
		s.deliverPassing(f, e)
		return
	}
	s.deliverMessage(f, e)
}
