// Command receiver is the least that a callback address has to be: it checks who calls, answers at once, and prints
// what was said. Use it to see what the hub sends:
//
//	RECEIVER_PASSWORD=… go run ./examples/receiver -listen 127.0.0.1:9091
package main

import (
	"crypto/subtle"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:9091", "address for the hub's callbacks")
	username := flag.String("username", "parley", "user name of the callbacks")
	flag.Parse()
	password := os.Getenv("RECEIVER_PASSWORD")
	if password == "" {
		fmt.Fprintln(os.Stderr, "receiver: set RECEIVER_PASSWORD to the password of the callbacks")
		os.Exit(1)
	}
	server := &http.Server{Addr: *listen, Handler: receiver(*username, password, os.Stdout), ReadTimeout: 10 * time.Second}
	fmt.Fprintln(os.Stderr, "receiver:", server.ListenAndServe())
	os.Exit(1)
}

// receiver prints each message once to out. The hub delivers at least once: what comes again has the same id.
func receiver(username, password string, out io.Writer) http.Handler {
	var mu sync.Mutex // guards seen, and keeps lines whole
	seen := map[string]bool{}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, pass, _ := r.BasicAuth()
		if subtle.ConstantTimeCompare([]byte(user+"\x00"+pass), []byte(username+"\x00"+password)) != 1 {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		var callback struct {
			Messages struct {
				Message []struct {
					ID           string
					Type         struct{ Value string }
					Content      struct{ Text string }
					Conversation struct{ ID string }
					Sender       struct {
						Type        string
						Participant struct{ Name string }
					}
				}
			}
		}
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&callback); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusOK)
		mu.Lock()
		defer mu.Unlock()
		for _, m := range callback.Messages.Message {
			if seen[m.ID] {
				continue
			}
			seen[m.ID] = true
			// %q: a text from outside must not be able to paint on a terminal.
			fmt.Fprintf(out, "%s %s %s %q: %q\n", m.Conversation.ID, m.Type.Value, m.Sender.Type, m.Sender.Participant.Name, m.Content.Text)
		}
	})
}
