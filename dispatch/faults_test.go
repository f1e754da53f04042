package dispatch

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"parley"
	"parley/ident"
	"parley/store"
	"parley/store/storetest"
)

// A scripted receiver does to each request what its script says, and keeps what it has answered with 2xx, as its sender
// knows it or not.
type scripted struct {
	*httptest.Server
	fault func(n int) string

	mu   sync.Mutex
	n    int
	took map[string][]arrival // by conversation, in order
}

type arrival struct{ id, text string }

// faults are what receivers do. All but the last two let the delivery be tried again.
var faults = []string{"slow", "hang before headers", "hang after headers", "reset", "reset within the answer", "drip", "500", "503 with Retry-After",
	"429 with Retry-After", "408", "425", "garbage", "404", "422"}

func newScripted(t testing.TB, fault func(n int) string) *scripted {
	s := scriptedServer(t, fault)
	s.Start()
	return s
}

// scriptedServer is one that was not started.
func scriptedServer(t testing.TB, fault func(n int) string) *scripted {
	s := &scripted{fault: fault, took: map[string][]arrival{}}
	ended := make(chan struct{})
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		var e struct {
			Messages struct {
				Message []struct {
					Content      struct{ Text string }
					Conversation struct{ ID string }
				}
			}
		}
		if err := json.Unmarshal(body, &e); err != nil {
			t.Errorf("callback body: %v", err)
			return
		}
		m := e.Messages.Message[0]
		s.mu.Lock()
		s.n++
		what := s.fault(s.n)
		take := func() {
			s.took[m.Conversation.ID] = append(s.took[m.Conversation.ID], arrival{r.Header.Get("Webhook-Id"), m.Content.Text})
		}
		if what == "" || what == "slow" || what == "drip" || what == "hang after headers" || what == "reset within the answer" {
			take()
		}
		s.mu.Unlock()
		hold := func(d time.Duration) {
			select {
			case <-time.After(d):
			case <-r.Context().Done():
			case <-ended:
			}
		}
		switch what {
		case "":
		case "slow":
			hold(200 * time.Millisecond)
		case "hang before headers":
			hold(time.Minute)
		case "hang after headers":
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
			hold(time.Minute)
		case "drip":
			for range 20 {
				_, _ = io.WriteString(w, ".")
				_ = http.NewResponseController(w).Flush()
				hold(20 * time.Millisecond)
			}
		case "reset", "reset within the answer", "garbage":
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			switch what {
			case "garbage":
				_, _ = io.WriteString(conn, "SSH-2.0-OpenSSH_9.2\r\n\r\n")
			case "reset within the answer":
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
			}
			_ = conn.(*net.TCPConn).SetLinger(0)
			conn.Close()
		case "503 with Retry-After", "429 with Retry-After":
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(map[string]int{"5": 503, "4": 429}[what[:1]])
		default:
			var status int
			_, _ = fmt.Sscan(what, &status)
			w.WriteHeader(status)
		}
	}))
	t.Cleanup(func() {
		close(ended)
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

// Guarantee G5 against receivers that do everything wrong: each message comes at least once or is a dead letter, the same
// delivery has the same id each time, deliveries of a lane come in order, and under block nothing passes a dead one.
func TestReceiversThatDoEverythingWrong(t *testing.T) {
	for _, block := range []bool{false, true} {
		t.Run(fmt.Sprintf("block=%v", block), func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) {
				s, app := open(t), ident.New[parley.ClientApplication]()
				seed := rand.Uint64()
				random := rand.New(rand.NewPCG(seed, 0))
				hangs := 0
				r := newScripted(t, func(int) string { // called under the receiver's lock
					if random.IntN(3) > 0 {
						return ""
					}
					what := faults[random.IntN(len(faults))]
					if what == "hang before headers" || what == "hang after headers" {
						if hangs++; hangs > 3 { // five seconds each
							return "reset"
						}
					}
					return what
				})
				d := meetFaults(t, s, app, r.URL, nil, block)
				const conversations, each = 20, 15
				ids := sayIn(t, s, d, conversations, each, app)
				checkLanes(t, s, d, r, ids, each, block)
				if t.Failed() {
					t.Logf("seed %d", seed)
				}
			})
		})
	}
}

// sayIn begins conversations in which so many things are said each.
func sayIn(t testing.TB, s *store.Store, d *Dispatcher, conversations, each int, app parley.ApplicationID) []parley.ConversationID {
	ids := make([]parley.ConversationID, conversations)
	for i := range ids {
		steps, wake := says(t, s, each, app)
		ids[i] = steps[0].Conversation.ID
		d.Wake(parley.Committed{Wake: wake})
	}
	return ids
}

// meetFaults has a receiver that fails at random tried so often, and so soon, that everything comes in the end.
func meetFaults(t testing.TB, s *store.Store, app parley.ApplicationID, url string, a *parley.Authentication, block bool) *Dispatcher {
	application(t, s, app, url, a, func(role *parley.ApplicationRole) {
		role.Delivery.Block = block
		role.Delivery.Schedule = slices.Repeat([]time.Duration{5 * time.Millisecond}, parley.MaxScheduled)
	})
	d := start(t, s, func(c *Config) { c.Sweep = 20 * time.Millisecond; c.Random = rand.Float64 })
	d.health.never = true // here faults are to be met, not avoided
	return d
}

// checkLanes waits until nothing is owed any more, and looks at each lane.
func checkLanes(t *testing.T, s *store.Store, d *Dispatcher, r *scripted, ids []parley.ConversationID, each int64, block bool) {
	t.Helper()
	waitFor(t, "everything to be delivered, dead or blocked", func() bool {
		h, err := s.Healths(t.Context(), parley.DefaultTenant)
		return err == nil && len(h) == 1 && h[0].Owing == 0 && d.pool.idle()
	})
	dead := map[parley.ConversationID]map[int64]bool{}
	for _, x := range allGivenUp(t, s) {
		if dead[x.Message.Conversation] == nil {
			dead[x.Message.Conversation] = map[int64]bool{}
		}
		dead[x.Message.Conversation][x.Message.Seq] = true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range ids {
		checkLane(t, r.took[id.String()], dead[id], each, block)
	}
}

// The same when it is not the receiver that fails but the way to it: its name is gone for a while, or has no address, somebody else answers
// with a certificate that is not trusted, or one that is another host's, nobody listens. Each is a reason to try again, and says what it was.
func TestConnectionsThatFail(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) {
		s, app := open(t), ident.New[parley.ClientApplication]()
		a, stranger := newAuthority(t), newAuthority(t)
		seed := rand.Uint64()
		var mu sync.Mutex
		random := rand.New(rand.NewPCG(seed, 0))
		one := func(n int) bool { // in n times
			mu.Lock()
			defer mu.Unlock()
			return random.IntN(n) == 0
		}
		certificate := func(of *authority, name string) tls.Certificate {
			_, _, cert, key := of.issue(&x509.Certificate{Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}})
			pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
			if err != nil {
				t.Fatal(err)
			}
			return pair
		}
		good, untrusted, other := certificate(a, "receiver.example"), certificate(stranger, "receiver.example"), certificate(a, "somebody.example")
		r := scriptedServer(t, func(int) string { return "" })
		r.TLS = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			switch {
			case one(5):
				return &untrusted, nil
			case one(5):
				return &other, nil
			}
			return &good, nil
		}}
		r.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
		r.Config.SetKeepAlivesEnabled(false) // so that each attempt finds its way anew
		r.StartTLS()
		_, port, err := net.SplitHostPort(r.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		application(t, s, app, "https://receiver.example:"+port, &parley.Authentication{TLS: &parley.TLSIdentity{Authorities: a.pem}}, func(role *parley.ApplicationRole) {
			role.Delivery.Schedule = slices.Repeat([]time.Duration{5 * time.Millisecond}, parley.MaxScheduled)
		})
		d := start(t, s, func(c *Config) { c.Sweep = 20 * time.Millisecond; c.Random = rand.Float64 })
		d.health.never = true
		d.sender.clients.guard.Resolver = dns(func(string) []string {
			switch {
			case one(3):
				return nil // there is no such name; it is asked for more than once
			case one(6):
				return []string{"127.0.0.9"} // nobody listens there
			}
			return []string{"127.0.0.1"}
		})
		const conversations, each = 10, 8
		ids := sayIn(t, s, d, conversations, each, app)
		checkLanes(t, s, d, r, ids, each, false)
		if dead := allGivenUp(t, s); len(dead) > 0 {
			t.Errorf("%d deliveries were given up, such as %q; seed %d", len(dead), dead[0].Reason, seed)
		}
		var problems string
		for _, id := range ids {
			if err := s.View(t.Context(), func(tx parley.Tx) error {
				attempts, err := tx.Attempts(t.Context(), parley.DefaultTenant, id, 0, each)
				for _, attempt := range attempts {
					problems += attempt.Error + "\n"
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
		for _, problem := range []string{"the name cannot be resolved", "the certificate it shows is not trusted", "no connection"} {
			if !strings.Contains(problems, problem) {
				t.Errorf("no attempt says %q; seed %d:\n%s", problem, seed, problems)
			}
		}
	})
}

// checkLane is what must hold of what a receiver took of one conversation.
func checkLane(t *testing.T, took []arrival, dead map[int64]bool, each int64, block bool) {
	t.Helper()
	idOf, last, highest := map[string]string{}, int64(0), int64(0)
	for _, a := range took {
		var seq int64
		if _, err := fmt.Sscanf(a.text, "message %d", &seq); err != nil {
			t.Fatalf("took %q", a.text)
		}
		if before, ok := idOf[a.text]; ok && before != a.id {
			t.Errorf("%s came as %s and as %s", a.text, before, a.id)
		}
		idOf[a.text] = a.id
		if seq < last {
			t.Errorf("message %d came after %d", seq, last)
		}
		last, highest = seq, max(highest, seq)
	}
	stopped := each + 1
	for seq := range dead {
		stopped = min(stopped, seq)
	}
	if block && highest > stopped {
		t.Errorf("message %d came although %d is dead and blocks", highest, stopped)
	}
	for seq := int64(1); seq <= each && (!block || seq < stopped); seq++ {
		if _, ok := idOf[fmt.Sprintf("message %d", seq)]; !ok && !dead[seq] {
			t.Errorf("message %d was neither delivered nor given up", seq)
		}
	}
}

func allGivenUp(t testing.TB, s *store.Store) (found []parley.DeadLetter) {
	t.Helper()
	err := s.View(t.Context(), func(tx parley.Tx) (err error) {
		found, _, err = tx.DeadLetters(t.Context(), parley.DeadLetterQuery{Tenant: parley.DefaultTenant}, 0, 10000)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
