// Command receiver is the least that a callback address has to be: it checks who calls, drops what comes again, answers at
// once, and prints what was said. Use it to see what the hub sends, and as a model:
//
//	RECEIVER_SECRET=whsec_… go run ./examples/receiver -listen 127.0.0.1:9091
//	go run ./cmd/parley check-receiver http://127.0.0.1:9091 --secret whsec_…
//
// RECEIVER_SECRET is the signing secret of the client application's role. RECEIVER_PASSWORD, besides or instead, is the
// password of an authentication of type basic.
package main

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

func main() {
	fmt.Fprintln(os.Stderr, "receiver:", run(os.Stdout))
	os.Exit(1)
}

func run(out io.Writer) error {
	listen := flag.String("listen", "127.0.0.1:9091", "address for the hub's callbacks")
	username := flag.String("username", "parley", "user name of the callbacks")
	flag.Parse()
	r := &receiver{username: *username, password: os.Getenv("RECEIVER_PASSWORD"), out: out, seen: map[string]bool{}}
	if secret := os.Getenv("RECEIVER_SECRET"); secret != "" {
		hook, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			return errors.New("RECEIVER_SECRET is whsec_ and the base64 of the secret")
		}
		r.hook = hook
	}
	if r.hook == nil && r.password == "" {
		return errors.New("set RECEIVER_SECRET to the signing secret of the role, or RECEIVER_PASSWORD to the password of the callbacks")
	}
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", *listen)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "listening: http://%s\n", l.Addr())
	return (&http.Server{Handler: r, ReadTimeout: 10 * time.Second}).Serve(l)
}

// A receiver prints each delivery once. Safe for concurrent use.
type receiver struct {
	hook               *standardwebhooks.Webhook // nil = signatures are not asked for
	username, password string                    // password "" = not asked for

	mu    sync.Mutex // guards what follows, and keeps lines whole
	out   io.Writer
	seen  map[string]bool // by delivery id
	order []string        // of seen, oldest first
}

const (
	maxBody = 16 << 20 // bytes: a handed-over conversation comes as one body
	// remembered is how many delivery ids are kept. The hub repeats within days, so a program that acts for real keeps them
	// in its database, in the transaction that also holds what the delivery changed; then a crash forgets both or neither.
	remembered = 10_000
)

func (c *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	// The signature is of the bytes as they came, so it is checked before they are parsed. Verify wants the time to be
	// within five minutes: an old request may be somebody's recording.
	if !c.knows(r) || c.hook != nil && c.hook.Verify(body, r.Header) != nil {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	var callback struct { // members that are not here are ignored: the hub may add some
		Messages struct {
			Message []message
		}
	}
	if err := json.Unmarshal(body, &callback); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if !c.take(r.Header.Get("Webhook-Id"), callback.Messages.Message) {
		w.Header().Set("Parley-Repeat", "dropped") // for parley check-receiver; the hub does not need it
	}
	w.WriteHeader(http.StatusOK) // also for a repeat: the hub did not hear the first answer
}

// A message is what is printed of one.
type message struct {
	Type         struct{ Value string }
	Content      struct{ Text string }
	Conversation struct{ ID string }
	Sender       struct {
		Type        string
		Participant struct{ Name string }
	}
}

// knows checks the password, if there is one.
func (c *receiver) knows(r *http.Request) bool {
	if c.password == "" {
		return true
	}
	user, pass, _ := r.BasicAuth()
	return subtle.ConstantTimeCompare([]byte(user+"\x00"+pass), []byte(c.username+"\x00"+c.password)) == 1
}

// take acts on a delivery, once.
func (c *receiver) take(id string, messages []message) (first bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen[id] {
		return false
	}
	c.seen[id], c.order = true, append(c.order, id)
	if len(c.order) > remembered {
		delete(c.seen, c.order[0])
		c.order = c.order[1:]
	}
	for _, m := range messages {
		// %q: a text from outside must not be able to paint on a terminal.
		fmt.Fprintf(c.out, "%s %s %s %q: %q\n", m.Conversation.ID, m.Type.Value, m.Sender.Type, m.Sender.Participant.Name, m.Content.Text)
	}
	return true
}
