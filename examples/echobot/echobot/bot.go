// Package echobot is a bot as anyone could write it, on the standard library alone: it receives the hub's callbacks
// and answers over REST.
//
// A callback is answered at once and worked on afterwards, since the hub waits 5 s at most. One worker takes the
// messages in the order they came, so that answers keep the order of the questions. A callback may come again: its
// message id is remembered and the repeat is dropped. The answer's messageId is made from it, so that an answer that
// is sent twice is one message to the hub. What was received and not worked on is lost with the process; a bot that
// must not lose it writes it down before it answers the callback.
package echobot

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"
)

// Config says who the bot is to the hub, and who the hub is to the bot.
type Config struct {
	Hub          string // base URL, for instance http://127.0.0.1:8080
	ClientID     string // of the OAuth2 client that speaks as custom_bot
	ClientSecret string
	Username     string // what the hub's callbacks show as Basic authentication
	Password     string
	Name         string       // display name; zero means "Echo bot"
	Log          *slog.Logger // nil means silence
}

// Bot answers callbacks. Serve runs one; it is also an http.Handler for a server of your own, with Work beside it.
type Bot struct {
	cfg   Config
	log   *slog.Logger
	hub   *hub
	queue chan message // filled by ServeHTTP, drained by Work
	seen  *recent
}

// message is what a bot needs of a callback. Everything else in it is ignored, and so are types it does not know.
type message struct {
	ID           string                      `json:"id"`
	Type         struct{ Value string }      `json:"type"`
	Content      struct{ Text, HTML string } `json:"content"`
	Conversation struct{ ID string }         `json:"conversation"`
	Sender       struct{ Type string }       `json:"sender"`
}

// New makes a bot that is not running yet.
func New(cfg Config) *Bot {
	if cfg.Name == "" {
		cfg.Name = "Echo bot"
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Bot{cfg: cfg, log: cfg.Log, hub: newHub(cfg), queue: make(chan message, 256), seen: newRecent(10_000)}
}

// Serve runs a bot on l until ctx is done; when it returns, nothing of it is left.
func Serve(ctx context.Context, l net.Listener, cfg Config) error {
	bot := New(cfg)
	server := &http.Server{Handler: bot, ReadTimeout: 10 * time.Second}
	ctx, cancel := context.WithCancel(ctx)
	worked, stopped := make(chan struct{}), make(chan struct{})
	go func() { defer close(worked); bot.Work(ctx) }()
	go func() {
		defer close(stopped)
		<-ctx.Done()
		grace, end := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer end()
		_ = server.Shutdown(grace)
	}()
	err := server.Serve(l)
	cancel()
	<-worked
	<-stopped
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// ServeHTTP takes a callback: 401 without the right credentials, 200 once the message is in the queue, and 503, which
// the hub repeats later, when the queue is full.
func (b *Bot) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	user, password, _ := r.BasicAuth()
	if !same(user, b.cfg.Username) || !same(password, b.cfg.Password) {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	var callback struct {
		Messages struct{ Message []message }
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&callback); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	for _, m := range callback.Messages.Message {
		if !b.seen.add(m.ID) {
			continue
		}
		select {
		case b.queue <- m:
		default:
			b.seen.remove(m.ID)
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
	}
	w.WriteHeader(http.StatusOK)
}

// Work answers what was received until ctx is done.
func (b *Bot) Work(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-b.queue:
			if m.Type.Value != "text" || m.Sender.Type != "customer" {
				continue
			}
			if err := b.hub.send(ctx, b.answer(m)); err != nil {
				b.log.ErrorContext(ctx, "answer", "conversation", m.Conversation.ID, "message", m.ID, "err", err)
			}
		}
	}
}

// answer decides what the bot says: it repeats a text, or hands the conversation to an agent who is asked for.
func (b *Bot) answer(m message) map[string]any {
	answer := map[string]any{
		"messageId":    "echo-" + m.ID,
		"type":         map[string]any{"value": "text"},
		"content":      map[string]any{"text": "You said: " + m.Content.Text},
		"conversation": map[string]any{"id": m.Conversation.ID},
		"sender":       map[string]any{"type": "custom_bot", "participant": map[string]any{"name": b.cfg.Name}},
	}
	if strings.Contains(strings.ToLower(m.Content.Text), "agent") {
		answer["type"] = map[string]any{"value": "escalation.transfer"}
		answer["content"] = map[string]any{"json": map[string]any{"reason": "the customer asked for an agent"}}
	}
	return answer
}

// same takes as long for a near miss as for a wild guess.
func same(got, want string) bool { return subtle.ConstantTimeCompare([]byte(got), []byte(want)) == 1 }
