package ws

import (
	"context"
	"log/slog"
	"math/rand/v2"
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
	Logger   *slog.Logger                                     // nil = slog.Default
	Meter    prometheus.Registerer                            // nil = no metrics

	MaxFrame    int64         // bytes of one frame from a client; zero means 256 KiB
	QueueLen    int           // objects that may wait for a session; zero means 512
	InFlight    int           // requests of a session whose reply is due; zero means 64
	Rate        float64       // requests a second of one session; zero means 50
	Burst       int           // of these at once; zero means 200
	MaxSessions int           // on this node; zero means 100,000
	Heartbeat   time.Duration // zero means 20 s
}

// Server accepts sessions. Safe for concurrent use.
type Server struct {
	config  Config
	metrics *metrics

	mu       sync.Mutex
	sessions map[*session]struct{}
	draining bool
	wg       sync.WaitGroup
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
	set(&c.Heartbeat, 20*time.Second)
	return &Server{config: c, metrics: newMetrics(c.Meter), sessions: map[*session]struct{}{}}
}

// set gives a setting its default.
func set[T comparable](value *T, byDefault T) {
	var zero T
	if *value == zero {
		*value = byDefault
	}
}

// ServeHTTP takes a connection over until the session ends. The origin is checked when connect has said for which account.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	full := s.draining || len(s.sessions) >= s.config.MaxSessions
	s.mu.Unlock()
	if full {
		w.Header().Set("Retry-After", "5")
		http.Error(w, `{"code":"503-001","developerMessage":"no more sessions on this node just now"}`, http.StatusServiceUnavailable)
		return
	}
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{Subprotocol}, InsecureSkipVerify: true,
		CompressionMode: websocket.CompressionDisabled})
	if err != nil {
		return // Accept has answered
	}
	if conn.Subprotocol() != Subprotocol {
		conn.Close(closePolicy.Code, "the subprotocol is "+Subprotocol)
		return
	}
	conn.SetReadLimit(s.config.MaxFrame)
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(r.Context(), carrier)
	session := newSession(s, conn, originOf(r), carrier["traceparent"])
	if !s.join(session) {
		_ = conn.CloseNow() // nothing more can be done about it
		return
	}
	defer s.leave(session)
	session.serve()
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

// goodbyeSpread is over how long clients are asked to spread their return.
const goodbyeSpread = 3 * time.Second

// Drain refuses new sessions, asks those there are to come back elsewhere, and waits for their end, or ctx's.
func (s *Server) Drain(ctx context.Context) {
	s.mu.Lock()
	s.draining = true
	sessions := make([]*session, 0, len(s.sessions))
	for session := range s.sessions {
		sessions = append(sessions, session)
	}
	s.mu.Unlock()
	for _, session := range sessions {
		session.sayGoodbye(rand.N(goodbyeSpread))
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

// Sessions is how many sessions there are on this node.
func (s *Server) Sessions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sessions)
}
