package chaos

import (
	"encoding/json"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"
)

// An Arrival is one callback as it came to a receiver.
type Arrival struct {
	Delivery     string // webhook-id
	Role         string // path of the callback
	Conversation string
	Message      string // the hub's id
	MessageID    string // the sender's
	Sender       string
	Type         string
	At           time.Time
}

// A receiver is the HTTP server of client applications. It writes down what comes before it answers.
type receiver struct {
	server *httptest.Server
	onText func(Arrival) // called for each arrival, from its request

	mu       sync.Mutex
	arrivals []Arrival
	times    map[string]int // of each delivery
	twice    bool           // the first answer of each delivery is lost
	slow     time.Duration  // answers take up to this
	fault    []string       // what no hub would send
}

func newReceiver() *receiver {
	r := &receiver{times: map[string]int{}}
	r.server = httptest.NewServer(r)
	return r
}

func (r *receiver) address() string { return r.server.Listener.Addr().String() }

// close cuts what is connected: a connection through a proxy may be half-open, and never end by itself.
func (r *receiver) close() {
	r.server.CloseClientConnections()
	r.server.Close()
}

// ServeHTTP takes one callback.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	raw, err := io.ReadAll(req.Body)
	if err != nil {
		return // it broke off: nothing arrived
	}
	var e struct {
		Messages struct {
			Message []struct {
				ID, MessageID string
				Type          struct{ Value string }
				Conversation  struct{ ID string }
				Sender        struct{ Type string }
			}
		}
	}
	if err := json.Unmarshal(raw, &e); err != nil || len(e.Messages.Message) != 1 {
		r.mu.Lock()
		r.fault = append(r.fault, "a callback that is no message: "+string(raw))
		r.mu.Unlock()
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	m := e.Messages.Message[0]
	a := Arrival{req.Header.Get("Webhook-Id"), strings.Trim(req.URL.Path, "/"), m.Conversation.ID, m.ID, m.MessageID, m.Sender.Type, m.Type.Value, time.Now()}
	r.mu.Lock()
	r.arrivals = append(r.arrivals, a)
	r.times[a.Delivery]++
	lose := r.twice && r.times[a.Delivery] == 1
	slow := r.slow
	r.mu.Unlock()
	if r.onText != nil {
		r.onText(a)
	}
	if slow > 0 {
		_ = pause(req.Context(), rand.N(slow)) // its end shows below
	}
	if lose {
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			if tcp, ok := conn.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0) // it is closed otherwise
			}
			conn.Close()
		}
	}
}

// log is a copy of what came, in order.
func (r *receiver) log() []Arrival {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Arrival(nil), r.arrivals...)
}
