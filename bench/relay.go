package bench

import (
	"bytes"
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// A Relay is the baseline for sessions: it hands each message of a sender to its partner and acknowledges it, and does
// nothing else. Plain, it writes one frame a message; coalesced, a writer joins up to 16 that wait.
type Relay struct {
	Coalesce bool

	mu    sync.Mutex
	pairs map[string]*relayPair
}

type relayPair struct{ ends [2]*relayEnd }

type relayEnd struct {
	conn    *websocket.Conn
	mu      sync.Mutex
	queue   [][]byte
	writing bool
}

// ServeHTTP takes one end of a pair: /?pair=N&end=0 sends, end=1 receives.
func (r *Relay) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	conn, err := websocket.Accept(w, req, &websocket.AcceptOptions{InsecureSkipVerify: true, CompressionMode: websocket.CompressionDisabled})
	if err != nil {
		return
	}
	defer conn.CloseNow()
	end, err := strconv.Atoi(req.URL.Query().Get("end"))
	if err != nil || end < 0 || end > 1 {
		return
	}
	mine := &relayEnd{conn: conn}
	r.mu.Lock()
	if r.pairs == nil {
		r.pairs = map[string]*relayPair{}
	}
	name := req.URL.Query().Get("pair")
	p := r.pairs[name]
	if p == nil {
		p = &relayPair{}
		r.pairs[name] = p
	}
	p.ends[end] = mine
	r.mu.Unlock()
	ctx := context.WithoutCancel(req.Context())
	for {
		_, frame, err := conn.Read(ctx)
		if err != nil {
			return
		}
		r.mu.Lock()
		other := p.ends[1-end]
		r.mu.Unlock()
		for line := range bytes.SplitSeq(frame, []byte("\n")) {
			r.write(ctx, mine, []byte(ackPrefix+`"0"}`))
			if other != nil {
				r.write(ctx, other, append([]byte(nil), line...))
			}
		}
	}
}

func (r *Relay) write(ctx context.Context, to *relayEnd, object []byte) {
	if !r.Coalesce {
		to.mu.Lock()
		defer to.mu.Unlock()
		send(ctx, to.conn, object)
		return
	}
	to.mu.Lock()
	defer to.mu.Unlock()
	to.queue = append(to.queue, object)
	if to.writing {
		return
	}
	to.writing = true
	go func() {
		for {
			to.mu.Lock()
			n := min(len(to.queue), 16)
			if n == 0 {
				to.writing = false
				to.mu.Unlock()
				return
			}
			frame := bytes.Join(to.queue[:n], []byte("\n"))
			to.queue = to.queue[n:]
			to.mu.Unlock()
			send(ctx, to.conn, frame)
		}
	}()
}

func send(ctx context.Context, conn *websocket.Conn, frame []byte) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	_ = conn.Write(ctx, websocket.MessageText, frame) // the reader sees the end of the connection
}
