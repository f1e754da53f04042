package ws

import (
	"context"
	"crypto/rand"
	"log/slog"
	"maps"
	mathrand "math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/propagation"

	"parley"
	"parley/hub"
	"parley/tokens"
)

// Subprotocol is what client and server agree on.
const Subprotocol = "parley.v1.json"

// An Authenticator says what the bearer of a token may do. Its errors are Unauthenticated for any token that is not good.
type Authenticator interface {
	VerifySession(ctx context.Context, token string) (tokens.Grant, error)
}

// Config is what sessions work with. Hub, Tokens and Code are required.
type Config struct {
	Hub      *hub.Hub
	Tokens   Authenticator
	Code     func(error) (code, message string)               // as conversationmgr tells of an error
	AssetURL func(t parley.TenantID, a parley.AssetID) string // nil = attachments without url
	Live     parley.Live                                      // nil = nobody counts sessions

	Deliveries Deliveries            // nil = no session takes deliveries
	Logger     *slog.Logger          // nil = slog.Default
	Meter      prometheus.Registerer // nil = no metrics

	MaxFrame    int64         // bytes of one frame from a client; zero means 256 KiB
	QueueLen    int           // objects that may wait for a session; zero means 512
	InFlight    int           // requests of a session whose reply is due; zero means 64
	Rate        float64       // requests a second of one session; zero means 50
	Burst       int           // of these at once; zero means 200
	MaxSessions int           // on this node; zero means 100,000
	PerCustomer int           // sessions of one customer on all nodes, counted through Live; zero means 50
	Heartbeat   time.Duration // zero means 20 s
}

// Server accepts sessions: ServeHTTP over WebSocket, ServeEvents and ServePosted over server-sent events. Safe for
// concurrent use.
type Server struct {
	config  Config
	node    string // names this server in the keys of its streams
	metrics *metrics
	reads   chan struct{} // places; see enter

	mu       sync.Mutex
	sessions map[*session]struct{}
	streams  map[string]*events       // by key; see ServeEvents
	timers   map[*time.Timer]struct{} // see later
	draining bool
	wg       sync.WaitGroup // sessions, and what later started
}

// New makes a server of sessions.
func New(c Config) *Server {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	set(&c.MaxFrame, 256<<10)
	set(&c.QueueLen, 512)
	set(&c.InFlight, 64)
	set(&c.Rate, 50)
	set(&c.Burst, 200)
	set(&c.MaxSessions, 100_000)
	set(&c.PerCustomer, 50)
	set(&c.Heartbeat, 20*time.Second)
	s := &Server{config: c, node: rand.Text(), metrics: newMetrics(c.Meter), reads: make(chan struct{}, readsAtOnce), sessions: map[*session]struct{}{}, streams: map[string]*events{},
		timers: map[*time.Timer]struct{}{}}
	if c.Meter != nil {
		c.Meter.MustRegister(newDepth(s))
	}
	c.Hub.HandleFrames(func(key, frame string) { s.posted(key, []byte(frame)) })
	return s
}

// readsAtOnce is how many sessions may read the record at the same time to begin, or to catch up. When thousands come back
// together the others wait here, where no deadline runs, instead of in the queue of the database's connections, where
// those at the end were late before they began.
const readsAtOnce = 32

// enter waits for a place to read in; false when the session ended first.
func (s *session) enter() (leave func(), ok bool) {
	select {
	case s.server.reads <- struct{}{}:
		return func() { <-s.server.reads }, true
	case <-s.done.Done():
		return nil, false
	}
}

// set gives a setting its default.
func set[T comparable](value *T, byDefault T) {
	var zero T
	if *value == zero {
		*value = byDefault
	}
}

// ServeHTTP makes a session of a connection, and returns; the session goes on until it ends by itself or by Drain. The origin
// is checked when connect has said for which account.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.refuseFull(w) {
		return
	}
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		w.Header().Set("Upgrade", "websocket")
		writeProblem(w, http.StatusUpgradeRequired, "426-001", "connect as a WebSocket, with the subprotocol "+Subprotocol)
		return
	}
	conn, err := websocket.Accept(&lean{ResponseWriter: w}, r, &websocket.AcceptOptions{Subprotocols: []string{Subprotocol}, InsecureSkipVerify: true,
		CompressionMode: websocket.CompressionDisabled})
	if err != nil {
		return // Accept has answered
	}
	if conn.Subprotocol() != Subprotocol {
		conn.Close(closePolicy.Code, "the subprotocol is "+Subprotocol)
		return
	}
	conn.SetReadLimit(s.config.MaxFrame)
	session := newSession(s, socket{conn}, originOf(r), traceOf(r))
	if !s.join(session) {
		_ = conn.CloseNow() // nothing more can be done about it
		return
	}
	// Not on the handler's goroutine: that would keep the request, its buffers and a deep stack for as long as the session.
	go func() { // waited for by Drain
		defer s.leave(session)
		session.serve()
	}()
}

// refuseFull answers for a node that takes no more sessions.
func (s *Server) refuseFull(w http.ResponseWriter) bool {
	s.mu.Lock()
	full := s.draining || len(s.sessions) >= s.config.MaxSessions
	s.mu.Unlock()
	if full {
		refuse(w)
	}
	return full
}

func refuse(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "5")
	writeProblem(w, http.StatusServiceUnavailable, "503-001", "no more sessions on this node just now")
}

// traceOf is the request's trace as W3C traceparent.
func traceOf(r *http.Request) string {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(r.Context(), carrier)
	return carrier["traceparent"]
}

func (s *Server) join(session *session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining {
		return false
	}
	s.sessions[session] = struct{}{}
	s.wg.Add(1)
	return true
}

func (s *Server) leave(session *session) {
	s.mu.Lock()
	delete(s.sessions, session)
	s.mu.Unlock()
	s.wg.Done()
}

// later runs fn after a while, unless the server drains first.
func (s *Server) later(wait time.Duration, fn func(context.Context)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining {
		return
	}
	var t *time.Timer
	t = time.AfterFunc(wait, func() {
		s.mu.Lock()
		if delete(s.timers, t); s.draining {
			s.mu.Unlock()
			return
		}
		s.wg.Add(1)
		s.mu.Unlock()
		defer s.wg.Done()
		ctx, cancel := context.WithTimeout(context.Background(), opTimeout) // belongs to no request
		defer cancel()
		fn(ctx)
	})
	s.timers[t] = struct{}{}
}

// goodbyeSpread is over how long clients are asked to spread their return.
const goodbyeSpread = 3 * time.Second

// Drain refuses new sessions, asks those there are to come back elsewhere, and waits for their end, or ctx's.
func (s *Server) Drain(ctx context.Context) {
	s.mu.Lock()
	s.draining = true
	for t := range s.timers {
		t.Stop()
	}
	sessions := slices.Collect(maps.Keys(s.sessions))
	s.mu.Unlock()
	for _, session := range sessions {
		session.sayGoodbye(mathrand.N(goodbyeSpread))
	}
	gone := make(chan struct{})
	go func() {
		s.wg.Wait()
		close(gone)
	}()
	select {
	case <-gone:
	case <-ctx.Done():
		for _, session := range sessions {
			_ = session.conn.CloseNow() // nothing more can be done about it
		}
		<-gone
	}
}

// An origin is where the page that opens a session comes from.
type origin struct {
	value string // scheme://host[:port]; "" = not a browser
	same  bool   // the page is ours
}

func originOf(r *http.Request) origin {
	o := origin{value: r.Header.Get("Origin")}
	u, err := url.Parse(o.value)
	o.same = err == nil && strings.EqualFold(u.Host, r.Host)
	return o
}

// permits says whether the pages of an origin may hold a session of the grant. Programs that are no browsers send none.
func (o origin) permits(ctx context.Context, h *hub.Hub, g tokens.Grant) bool {
	if o.value == "" || o.same {
		return true
	}
	if g.Speaker.Contact == "" {
		return false
	}
	account, err := h.Account(ctx, g.Tenant, g.Speaker.Account)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(strings.Fields(account.Option(parley.OptionAllowedOrigins)), func(allowed string) bool {
		return strings.EqualFold(allowed, o.value)
	})
}

// all are the sessions there are on this node.
func (s *Server) all() []*session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.sessions))
}

// Sessions is how many sessions there are on this node.
func (s *Server) Sessions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sessions)
}
