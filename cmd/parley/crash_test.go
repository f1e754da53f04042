package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"parley"
	"parley/store"
	"parley/store/keyset"
	"parley/store/storetest"
)

// A sender is a client program that keeps posting to one conversation: it repeats a message under the same messageId
// until that is accepted, as the API asks of clients.
type crashSender struct {
	hub    *atomic.Pointer[process]
	caller *caller
	shop   shop
	name   string
	id     string
	acked  []ackedMessage
}

// An ackedMessage is what a client was told is stored.
type ackedMessage struct{ messageID, id string }

// run posts until ctx ends and returns what was accepted.
func (s *crashSender) run(ctx context.Context) error {
	for n := 0; ctx.Err() == nil; n++ {
		messageID := fmt.Sprintf("%s-%d", s.name, n)
		message := s.shop.begin(messageID, messageID, s.name+"@example.org")
		if s.id != "" {
			message = say(s.id, messageID, "customer", "text", object{"text": messageID})
		}
		for {
			if s.caller == nil || s.caller.base != s.hub.Load().url {
				s.caller, _ = login(ctx, s.hub.Load().url) // nil while the hub is down
			}
			if s.caller != nil {
				bounded, cancel := context.WithTimeout(ctx, 10*time.Second)
				conversation, id, err := s.caller.post(bounded, message)
				cancel()
				if err == nil {
					s.id = conversation
					s.acked = append(s.acked, ackedMessage{messageID, id})
					break
				}
				if refused, ok := errors.AsType[*wrongStatus](err); ok && refused.status < 500 && refused.status != 429 {
					return fmt.Errorf("%s: %w", messageID, err)
				}
			}
			select {
			case <-time.After(5 * time.Millisecond):
			case <-ctx.Done():
				return nil // this one was never accepted
			}
		}
	}
	return nil
}

// Guarantees G1, G2, G3 and G5 under crashes: hubs that are killed while clients send, and a Redis that forgets
// everything. Afterwards the record, what clients were told, and what the receiver got are held against each other. The
// long campaign follows in its own issue; this is its short form.
func TestCrashesLoseNothing(t *testing.T) {
	for name, parts := range stages(t) {
		t.Run(name, func(t *testing.T) {
			cycles, senders := 5, 8
			data := t.TempDir()
			more := []string{"--redis", "auto"} // a private redis-server, with what is left of its file
			flush := func() {}
			database := filepath.Join(data, "parley.db")
			if name == "servers" {
				more = parts(t)
				database = more[3]
				options, err := redis.ParseURL(more[1])
				if err != nil {
					t.Fatal(err)
				}
				client := redis.NewClient(options)
				t.Cleanup(func() { client.Close() })
				flush = func() {
					if err := client.FlushAll(context.Background()).Err(); err != nil {
						t.Error(err)
					}
				}
			}
			// The address stays the same over restarts, as it does behind a balancer.
			free, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			address := free.Addr().String()
			free.Close()
			args := append([]string{"--listen", address, "--data", data, "--bootstrap-client", bootstrap, "--callback-allow", "127.0.0.0/8"}, more...)
			var hub atomic.Pointer[process]
			hub.Store(startProcess(t, nil, args...))
			log := newCallbackLog(t)
			c, err := login(t.Context(), hub.Load().url)
			if err != nil {
				t.Fatal(err)
			}
			s := c.setUp(t, log.URL, "crash")

			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var wg sync.WaitGroup
			all := make([]*crashSender, senders)
			for i := range all {
				all[i] = &crashSender{hub: &hub, shop: s, name: fmt.Sprint("s", i)}
				wg.Go(func() {
					if err := all[i].run(ctx); err != nil {
						t.Error(err)
					}
				})
			}
			slowest := time.Duration(0)
			for range cycles {
				<-time.After(200*time.Millisecond + rand.N(400*time.Millisecond)) // the crash comes at a random point of the work
				hub.Load().kill()
				flush()
				began := time.Now()
				hub.Store(startProcess(t, nil, args...))
				slowest = max(slowest, time.Since(began))
			}
			<-time.After(300 * time.Millisecond) // work after the last restart
			cancel()
			wg.Wait()
			acked := 0
			for _, sender := range all {
				acked += len(sender.acked)
			}
			t.Logf("%d messages acknowledged over %d crashes; slowest restart %v", acked, cycles, slowest.Round(time.Millisecond))
			if acked < cycles*senders {
				t.Errorf("only %d messages were acknowledged: the test shows nothing", acked)
			}

			record := readRecord(t, database, data, all)
			// Everything owed comes, in order, once the hub is left alone.
			for _, sender := range all {
				want := record[sender.id]
				log.wait(t, "the last callback of "+sender.name, func(x callback) bool { return x.conversation == sender.id && x.id == want[len(want)-1] })
				var got []string
				for _, x := range log.all() {
					if x.conversation == sender.id && x.role == "custom_bot" && !slices.Contains(got, x.id) {
						got = append(got, x.id)
					}
				}
				if !slices.Equal(got, want) {
					t.Errorf("%s: callbacks came as %v, stored as %v", sender.name, got, want)
				}
			}
			if err := hub.Load().terminate(); err != nil {
				t.Error(err)
			}
		})
	}
}

// readRecord checks each sender's conversation in the store, against what the sender was told, and returns the ids of the
// customer's messages in order.
func readRecord(t *testing.T, database, data string, senders []*crashSender) map[string][]string {
	t.Helper()
	seal, err := keyset.Open(data)
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), store.Config{URL: database, Seal: seal, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	stored := map[string][]string{}
	for _, sender := range senders {
		id, err := parley.ParseID[parley.Conversation](sender.id)
		if err != nil {
			t.Fatal(err)
		}
		storetest.Check(t, s, parley.DefaultTenant, id)
		byID := map[string]string{}
		for _, m := range storetest.Messages(t, s, id) {
			if m.Sender != parley.Customer {
				continue
			}
			byID[m.Body.MessageID] = m.ID.String()
			stored[sender.id] = append(stored[sender.id], m.ID.String())
		}
		last := -1
		for _, a := range sender.acked {
			if byID[a.messageID] != a.id {
				t.Errorf("%s was acknowledged as %s, but the record has %q", a.messageID, a.id, byID[a.messageID])
			}
			if at := slices.Index(stored[sender.id], a.id); at <= last {
				t.Errorf("%s is out of order in the record", a.messageID)
			} else {
				last = at
			}
		}
		if n := len(stored[sender.id]); n > len(sender.acked)+1 {
			t.Errorf("%s: %d messages stored, %d acknowledged; at most one more may be", sender.name, n, len(sender.acked))
		}
	}
	return stored
}
