package dispatch

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"parley"
	"parley/ident"
	"parley/store/storetest"
)

// A conversation whose deliveries failed while the receiver was away waits by a schedule that has grown; it goes on soon after the receiver took
// anything again, from whomever. What the receiver asked for is heeded, waits that are to be long stay long, and a delivery that is to blame
// itself, while others come, is not hurried through its schedule. In time that does not pass, at the longest waits that jitter gives.
func TestWaitingLanesGoOnWithTheirReceiver(t *testing.T) {
	const until = 20 * time.Minute
	ms := time.Millisecond
	for name, c := range map[string]struct {
		down        time.Duration // until then every delivery fails; zero = that of the first conversation always does, no other one
		after       string        // Retry-After of each failure
		schedule    []time.Duration
		from, every time.Duration // when others speak
		hangs       bool          // failures are answers that do not come
		want        []time.Duration
	}{
		"away": {down: 40 * time.Second, from: 45 * time.Second, every: until,
			want: []time.Duration{0, 500 * ms, 2500 * ms, 7500 * ms, 22500 * ms, 45 * time.Second}},
		"asked for more than is waited": {down: 40 * time.Second, after: "120", from: 45 * time.Second, every: until,
			want: []time.Duration{0, 120 * time.Second}},
		"asked for less than is waited": {down: 40 * time.Second, after: "50", schedule: []time.Duration{4 * time.Minute}, from: 45 * time.Second, every: until,
			want: []time.Duration{0, 50 * time.Second}},
		"an hour's wait": {down: 40 * time.Second, schedule: []time.Duration{time.Hour}, from: 45 * time.Second, every: until, want: []time.Duration{0}},
		"away for a moment": {down: 3 * time.Second, schedule: []time.Duration{time.Minute}, from: 4 * time.Second, every: until,
			want: []time.Duration{0, time.Minute}},
		"an attempt that hung until after it was back": {down: 9 * time.Second, hangs: true, schedule: []time.Duration{time.Second, time.Minute, time.Minute},
			from: 9500 * ms, every: until, want: []time.Duration{0, 6 * time.Second, 12 * time.Second}},
		"hangs alone": {hangs: true, schedule: []time.Duration{time.Second, 30 * time.Second, time.Minute, 10 * time.Minute, time.Hour}, from: 3 * time.Second, every: 3 * time.Second,
			want: []time.Duration{0, 6 * time.Second, 41 * time.Second, 106 * time.Second, 711 * time.Second}},
		"fails alone": {from: 3 * time.Second, every: 3 * time.Second,
			want: []time.Duration{0, 500 * ms, 2500 * ms, 7500 * ms, 22500 * ms, 82500 * ms, 382500 * ms}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, app := storetest.Open(t), ident.New[parley.ClientApplication]()
				application(t, s, app, "https://bot.example/", nil, func(role *parley.ApplicationRole) { role.Delivery.Schedule = c.schedule })
				var mu sync.Mutex
				var first string
				var at []time.Duration
				began := time.Now()
				d := start(t, s, func(config *Config) { config.Sweep, config.Random = time.Second, func() float64 { return 0.999999 } })
				d.sender.clients.common.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
					body, err := io.ReadAll(r.Body)
					if err != nil {
						return nil, err
					}
					mu.Lock()
					now, ours := time.Since(began), strings.Contains(string(body), first)
					if ours {
						at = append(at, now)
					}
					mu.Unlock()
					a := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(&bytes.Buffer{}), Request: r}
					if fails := now < c.down || c.down == 0 && ours; fails && c.hangs {
						<-r.Context().Done()
						return nil, r.Context().Err()
					} else if fails {
						a.StatusCode = http.StatusServiceUnavailable
						a.Header.Set("Retry-After", c.after)
					}
					return a, nil
				})
				talk := func() {
					steps, wake := says(t, s, 1, app)
					mu.Lock()
					if first == "" {
						first = steps[0].Conversation.ID.String()
					}
					mu.Unlock()
					d.Wake(parley.Committed{Wake: wake})
				}
				talk()
				<-time.After(c.from)
				for time.Since(began) < until {
					talk()
					<-time.After(c.every)
				}
				mu.Lock()
				defer mu.Unlock()
				if len(at) != len(c.want) {
					t.Fatalf("attempts at %v, want %v", at, c.want)
				}
				const slack = overdueBy + 2*time.Second // the sweeper's
				for i, want := range c.want {
					if at[i] < want-time.Millisecond || at[i] > want+slack {
						t.Errorf("attempts at %v, want %v", at, c.want)
						break
					}
				}
			})
		})
	}
}
