package bench

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// A turnBot is a bot that is asked by webhook. It answers at once; what is asked below /slow waits for a word. What is asked below /callback waits,
// too, but nobody waits for it: it says its answer.
type turnBot struct {
	server  *http.Server
	url     string
	waiting atomic.Int64
	release atomic.Pointer[chan struct{}]
	closed  chan struct{}
	says    func(conversation, text string) error // for what is asked by callback; safe for concurrent use
	failed  atomic.Pointer[error]                 // of what it said
}

func startTurnBot(ctx context.Context) (*turnBot, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	b := &turnBot{url: "http://" + l.Addr().String(), closed: make(chan struct{})}
	b.hold()
	b.server = &http.Server{Handler: b, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = b.server.Serve(l) }() // ends with close
	return b, nil
}

func (b *turnBot) close() {
	close(b.closed)
	_ = b.server.Close()
}

func (b *turnBot) hold() { b.release.Store(new(make(chan struct{}))) }

// ServeHTTP answers with what was asked.
func (b *turnBot) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/callback" {
		b.called(w, r)
		return
	}
	var in struct{ Text string }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if r.URL.Path == "/slow" {
		b.waiting.Add(1)
		select {
		case <-*b.release.Load():
		case <-r.Context().Done():
		}
		b.waiting.Add(-1)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(object{"answers": []object{{"content": answerTo(in.Text)}}}) // the caller tells if it is not there
}

// called takes a callback, and says the answer later.
func (b *turnBot) called(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Messages struct {
			Message []struct {
				Conversation struct{ ID string }
				Content      struct{ Text string }
			}
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || len(in.Messages.Message) != 1 {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	asked, release := in.Messages.Message[0], *b.release.Load()
	b.waiting.Add(1)
	go func() { // ends with close
		select {
		case <-release:
		case <-b.closed:
			return
		}
		b.waiting.Add(-1)
		if err := b.says(asked.Conversation.ID, answerTo(asked.Content.Text)); err != nil {
			b.failed.Store(&err)
		}
	}()
	w.WriteHeader(http.StatusOK)
}

func answerTo(text string) string { return "answer to " + text }
