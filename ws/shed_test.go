package ws

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"parley"
	"parley/hub"
)

// What waits while a frame is on its way goes out together, at most 16 objects at a time, in order.
func TestWaitingObjectsAreJoined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newPiped(func(c *Config) { c.Heartbeat = time.Hour })
		c, p := s.connect(t)
		const n = 40
		push := func(i int) {
			c.mu.Lock()
			c.push(fmt.Appendf(nil, `{"n":%d}`, i))
			c.mu.Unlock()
		}
		push(0)
		synctest.Wait() // on its way, alone
		for i := 1; i < n; i++ {
			push(i)
		}
		seen := 0
		for _, want := range []int{1, 16, 16, 7} {
			all := objects(t, p.frame())
			if len(all) != want {
				t.Errorf("a frame holds %d objects, want %d", len(all), want)
			}
			for _, o := range all {
				if string(o["n"]) != fmt.Sprint(seen) {
					t.Errorf("object %d is %s", seen, o["n"])
				}
				seen++
			}
		}
		p.CloseNow()
		s.Drain(t.Context())
	})
}

// Large objects go out by themselves: a frame of several has a bound, and nothing is left behind.
func TestLargeObjectsAreNotJoined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newPiped(func(c *Config) { c.Heartbeat = time.Hour })
		c, p := s.connect(t)
		sizes := []int{1, 100_000, 100_000, 100_000, 300_000, 5, 5, 300_000, joinedBytes - 20, 5, 5}
		for i, size := range sizes {
			c.mu.Lock()
			c.push(fmt.Appendf(nil, `{"n":%d,"x":"%s"}`, i, strings.Repeat("x", size)))
			c.mu.Unlock()
			if i == 0 {
				synctest.Wait() // on its way, alone
			}
		}
		seen := 0
		for _, want := range []int{1, 2, 1, 1, 2, 1, 1, 2} {
			frame := p.frame()
			all := objects(t, frame)
			if len(all) != want || want > 1 && len(frame) > joinedBytes {
				t.Errorf("a frame of %d bytes holds %d objects, want %d", len(frame), len(all), want)
			}
			for _, o := range all {
				if string(o["n"]) != fmt.Sprint(seen) {
					t.Errorf("object %d is %s", seen, o["n"])
				}
				seen++
			}
		}
		if seen != len(sizes) {
			t.Errorf("%d of %d objects came", seen, len(sizes))
		}
		c.mu.Lock()
		c.push([]byte(`{"x":"` + strings.Repeat("x", joinedBytes) + `"}`))
		c.mu.Unlock()
		c.sayGoodbye(0)
		for range 2 {
			if frame := p.frame(); frame == "" {
				t.Error("the session ends before everything was out")
			}
		}
		if <-p.closed; p.code != closeRestart.Code {
			t.Errorf("the session ends with %d, want 1012", p.code)
		}
		s.Drain(t.Context())
	})
}

// Of a client that does not read typing goes first, when its queue is half full; marks of reading when it is full; messages never:
// the next one ends the session with a code that says "come back".
func TestPassingThingsAreShedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const room = 8
		s := newPiped(func(c *Config) { c.QueueLen, c.Heartbeat = room, time.Hour })
		c, p := s.connect(t)
		conversation := &parley.Conversation{ID: parley.ConversationID{1}, Tenant: parley.DefaultTenant}
		c.mu.Lock()
		c.follows[conversation.ID] = &follow{id: conversation.ID, reach: reach{slot: -1}}
		c.mu.Unlock()
		seq := int64(0)
		say := func() {
			seq++
			c.Deliver(&hub.Event{Conversation: conversation, Message: &parley.Message{Seq: seq, Type: parley.TypeText, Sender: parley.Customer,
				Body: parley.Body{Content: &parley.Content{Text: "x"}}, Created: time.Now()}})
		}
		typing := func() {
			c.Deliver(&hub.Event{Conversation: conversation, Typing: &parley.Typing{Role: parley.Customer, On: true, Type: parley.TypeTypingStart}})
		}
		read := func() {
			c.Deliver(&hub.Event{Conversation: conversation, Receipt: &parley.Receipt{Role: parley.Customer, Read: 1}})
		}
		shed := func(want float64, when string) {
			t.Helper()
			if got := testutil.ToFloat64(s.metrics.shed); got != want {
				t.Errorf("%s %v things were shed, want %v", when, got, want)
			}
		}
		say()
		synctest.Wait() // the writer holds it, and the client does not read
		for range room / 2 {
			typing()
		}
		shed(0, "with half of the queue")
		typing()
		shed(1, "beyond half of the queue")
		say()
		read()
		for range room/2 - 2 {
			say()
		}
		shed(1, "while messages fill the queue")
		read()
		typing()
		shed(3, "with a full queue")
		if c.done.Err() != nil {
			t.Fatal("a full queue ended the session before there was a message too many")
		}
		say()
		<-p.closed
		if p.code != closeSlow.Code || !closeSlow.ComeBack {
			t.Errorf("a message too many ends the session with %d, want 4408", p.code)
		}
		shed(3, "at the end")
		s.Drain(t.Context())
	})
}

// A client that takes nothing for ten seconds is too slow, however little waits for it.
func TestClientThatTakesNothingIsTooSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newPiped(func(c *Config) { c.Heartbeat = time.Hour })
		_, p := s.connect(t)
		begun := time.Now()
		p.in <- []byte(`{"id":"2","ping":{}}`) // the answer to which is not read
		<-p.closed
		if waited := time.Since(begun); p.code != closeSlow.Code || waited != writeTimeout {
			t.Errorf("the session ends with %d after %v, want 4408 after 10 s", p.code, waited)
		}
		s.Drain(t.Context())
		slow, counted := testutil.ToFloat64(s.metrics.slow), testutil.ToFloat64(s.metrics.closed.WithLabelValues(closeSlow.Name))
		if slow != 1 || counted != 1 {
			t.Errorf("%v sessions were slow, %v are counted as ended for it; want 1", slow, counted)
		}
	})
}

// A client that sends too much hears so, and is closed if it goes on; what it asked for within the limit was done.
func TestRateIsLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newPiped(func(c *Config) { c.Rate, c.Burst = 10, 20 })
		_, p := s.connect(t)
		var answered, refused int
		ask := func(n int) {
			p.in <- []byte(strings.Repeat(`{"id":"x","ping":{}}`+"\n", n))
			for n > 0 {
				for _, o := range objects(t, p.frame()) {
					switch {
					case o["heartbeat"] != nil:
						continue
					case o["ok"] != nil:
						answered++
					case o["error"] != nil:
						refused++
					}
					n--
				}
			}
		}
		if ask(25); answered != 20 || refused != 5 {
			t.Errorf("of 25 requests at once %d were answered and %d refused, want 20 and 5", answered, refused)
		}
		<-time.After(time.Second)
		if ask(11); answered != 30 || refused != 6 {
			t.Errorf("after a second %d were answered and %d refused, want 30 and 6", answered, refused)
		}
		p.in <- []byte(strings.Repeat(`{"id":"x","ping":{}}`+"\n", maxOver+1))
		for frame := p.frame(); frame != ""; frame = p.frame() {
			if !strings.Contains(frame, `"error"`) {
				t.Errorf("a client that is over the limit hears %s", frame)
			}
		}
		if p.code != closeRate.Code {
			t.Errorf("a client that goes on is closed with %d, want 4429", p.code)
		}
		s.Drain(t.Context())
	})
}

// Answers to heartbeats are no requests; who sends them without being asked, and does not stop, is closed as others are.
func TestHeartbeatsOfAClientAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const burst = 20
		s := newPiped(func(c *Config) { c.Rate, c.Burst = 10, burst })
		_, p := s.connect(t)
		p.in <- []byte(strings.Repeat(`{"heartbeat":{}}`+"\n", burst+maxOver-1) + `{"id":"x","ping":{}}`)
		if got := p.frame(); !strings.Contains(got, `"error"`) {
			t.Errorf("ping = %s, want that there is too much", got)
		}
		p.in <- []byte(`{"heartbeat":{}}`)
		if <-p.closed; p.code != closeRate.Code {
			t.Errorf("the session ends with %d, want 4429", p.code)
		}
		s.Drain(t.Context())
	})
}
