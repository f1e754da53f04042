package dispatch

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"parley"
	"parley/ident"
	"parley/store"
	"parley/store/storetest"
)

// A doorman stands before a scripted receiver and sends some of those away who come, each in a way that asks something of the hub.
type doorman struct {
	behind http.Handler
	t      testing.TB

	mu      sync.Mutex
	random  *rand.Rand
	revoked map[string]bool      // tokens
	later   map[string]time.Time // deliveries that were told when to come
	did     map[string]int       // how often, by what
	came    int
}

func (d *doorman) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	what, token, id := "", r.Header.Get("Authorization"), r.Header.Get("Webhook-Id")
	d.mu.Lock()
	d.came++
	if until, ok := d.later[id]; ok && time.Now().Before(until) {
		d.t.Errorf("%s came again %v before it was told to", id, time.Until(until))
	}
	delete(d.later, id)
	switch n := d.random.IntN(100); {
	case token == "" || d.revoked[token]:
		what = "old token"
	case n < 6 || d.came > 5 && d.did["401"] == 0: // each at least once
		d.revoked[token] = true
		what = "401"
	case n < 12 && d.did["410"] < 2 || d.came > 10 && d.did["410"] == 0:
		what = "410"
	case n < 18 && d.did["429"] < 4 || d.came > 15 && d.did["429"] == 0:
		what = "429"
		d.later[id] = time.Now().Add(time.Second)
	case n < 20 && d.did["drip"] < 1: // five seconds
		what = "drip"
	}
	d.did[what]++
	d.mu.Unlock()
	switch what {
	case "":
		d.behind.ServeHTTP(w, r)
	case "401", "old token":
		w.WriteHeader(http.StatusUnauthorized)
	case "410":
		w.WriteHeader(http.StatusGone)
	case "429":
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
	case "drip":
		_, _ = io.Copy(io.Discard, r.Body) // else the server would not see the other end go
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			d.t.Error(err)
			return
		}
		defer conn.Close()
		for _, c := range []byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") { // a byte a second: it is never there in time
			if _, err := conn.Write([]byte{c}); err != nil {
				return
			}
			select {
			case <-time.After(time.Second):
			case <-d.t.Context().Done():
				return
			}
		}
	}
}

// Guarantee G5 where the receiver asks something of the hub: a new token, since it takes the old one no longer; to come when it says; or not
// to come any more, until somebody has enabled it again. Whatever it is, everything comes in the end, in order and under its id, and nothing
// is given up.
func TestReceiversThatSendAway(t *testing.T) {
	for _, block := range []bool{false, true} {
		t.Run(fmt.Sprintf("block=%v", block), func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) {
				s, app := open(t), ident.New[parley.ClientApplication]()
				seed := rand.Uint64()
				r := scriptedServer(t, func(int) string { return "" })
				door := &doorman{behind: r.Config.Handler, t: t, random: rand.New(rand.NewPCG(seed, 0)), revoked: map[string]bool{}, later: map[string]time.Time{}, did: map[string]int{}}
				r.Config.Handler = door
				r.Start()
				var tokens atomic.Int64
				i := newIssuer(t, func(w http.ResponseWriter, _ *http.Request, _ string) {
					fmt.Fprintf(w, `{"t":"token-%d"}`, tokens.Add(1))
				})
				d := meetFaults(t, s, app, r.URL, &parley.Authentication{OAuth2: &parley.TokenRecipe{URL: i.URL, Method: http.MethodPost, TokenPath: "$.t"}}, block)
				const conversations, each = 12, 10
				ids := sayIn(t, s, d, conversations, each, app)
				enabled := 0
				waitFor(t, "everything to be delivered", func() bool {
					h, err := s.Healths(t.Context(), parley.DefaultTenant)
					if err != nil || len(h) != 1 {
						return false
					}
					if strings.Contains(h[0].Disabled, "410") {
						if err := s.Disable(t.Context(), h[0].Key, ""); err != nil {
							t.Fatal(err)
						}
						d.Forget()
						enabled++
					}
					return h[0].Owing == 0 && d.pool.idle()
				})
				checkLanes(t, s, d, r, ids, each, block)
				if dead := allGivenUp(t, s); len(dead) > 0 {
					t.Errorf("%d deliveries were given up, such as %q", len(dead), dead[0].Reason)
				}
				door.mu.Lock()
				defer door.mu.Unlock()
				if door.did["401"] == 0 || door.did["429"] == 0 || door.did["410"] == 0 || enabled == 0 || tokens.Load() < 2 {
					t.Errorf("the doorman did %v, %d tokens, enabled %d times: that is no test", door.did, tokens.Load(), enabled)
				}
				if n := int(tokens.Load()); n > 1+door.did["401"] {
					t.Errorf("%d tokens were fetched for %d that were revoked", n, door.did["401"])
				}
				if t.Failed() {
					t.Logf("seed %d", seed)
				}
			})
		})
	}
}
