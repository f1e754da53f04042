package dispatch

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"parley"
	"parley/ident"
	"parley/store"
	"parley/store/storetest"
)

// A countingStore counts the messages that lanes read, and those that were at hand.
type countingStore struct {
	parley.Store
	read, atHand atomic.Int64
}

func (c *countingStore) AtHand(lane *parley.Lane, limit int) (*parley.Conversation, []parley.Message) {
	conversation, owed := c.Store.AtHand(lane, limit)
	c.atHand.Add(int64(len(owed)))
	return conversation, owed
}

func (c *countingStore) Owed(ctx context.Context, lane *parley.Lane, limit int) (parley.Conversation, []parley.Message, error) {
	conversation, owed, err := c.Store.Owed(ctx, lane, limit)
	c.read.Add(int64(len(owed)))
	return conversation, owed, err
}

// A lane in which a thousand messages wait is emptied by reading each of them once, if it was not at hand.
func TestLongLaneReadsEachMessageOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) {
		const waiting = 1000
		s, app := open(t), ident.New[parley.ClientApplication]()
		r := newReceiver(t, nil)
		application(t, s, app, r.URL, nil)
		_, wake := says(t, s, waiting, app) // before anybody works
		counting := &countingStore{Store: s}
		d := start(t, s, func(c *Config) { c.Store = counting })
		d.Wake(parley.Committed{Wake: wake[:1]})
		waitFor(t, "all of them", func() bool { return len(r.got()) >= waiting && d.pool.idle() })
		if n := len(r.got()); n != waiting || counting.read.Load()+counting.atHand.Load() != waiting {
			t.Errorf("%d came of %d that were read and %d that were at hand, want %d", n, counting.read.Load(), counting.atHand.Load(), waiting)
		}
	})
}

// What was committed here just now goes out as it was committed, and is not read again.
func TestRecentMessagesAreNotRead(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) {
		now := time.Now()
		s, app := open(t, storetest.Clock(func() time.Time { return now })), ident.New[parley.ClientApplication]()
		r := newReceiver(t, nil)
		application(t, s, app, r.URL, nil)
		counting := &countingStore{Store: s}
		d := start(t, s, func(c *Config) { c.Store = counting })
		first := storetest.Start("")
		first.Conversation.State.Parties[1].Application = app
		second := storetest.Say(first.Conversation, parley.Customer, "", 2)
		first.Lease, second.Lease = lease, lease
		committed := storetest.MustCommit(t, s, first, second)
		third := storetest.Say(second.Conversation, parley.Customer, "", 2)
		storetest.MustCommit(t, s, third)
		for _, c := range committed {
			d.Wake(c)
		}
		waitFor(t, "all three", func() bool { return len(r.got()) == 3 && d.pool.idle() })
		for i, got := range r.got() {
			if want := ident.Delivery([]*parley.Step{first, second, third}[i].Messages[0].ID, app, parley.CustomBot).String(); got.id != want {
				t.Errorf("callback %d is %s, want %s", i, got.id, want)
			}
		}
		if n := counting.read.Load(); n != 0 {
			t.Errorf("%d messages were read, want none", n)
		}
	})
}

// A lane that waited for its turn is read: what it owed may have been deleted meanwhile.
func TestLanesThatWaitedAreRead(t *testing.T) {
	clock := &clock{}
	s, app := storetest.Open(t, storetest.Clock(clock.now)), ident.New[parley.ClientApplication]()
	r := newReceiver(t, nil)
	application(t, s, app, r.URL, nil)
	counting := &countingStore{Store: s}
	d := start(t, s, func(c *Config) { c.Store, c.Clock = counting, clock.now })
	step := storetest.Start("")
	step.Conversation.State.Parties[1].Application = app
	step.Lease = lease
	committed := storetest.MustCommit(t, s, step)
	clock.set(time.Second)
	d.Wake(committed[0])
	waitFor(t, "it", func() bool { return len(r.got()) == 1 })
	if n := counting.read.Load(); n != 1 {
		t.Errorf("%d messages were read, want one", n)
	}
}

// The first retry comes within a second after the failure, by the schedule and the clock that a hub has, at the longest wait that chance allows. The
// machine may be busy once, but not each time.
func TestFirstRetryIsSoon(t *testing.T) {
	s, app := storetest.Open(t), ident.New[parley.ClientApplication]()
	r := newReceiver(t, func(n int, _ *http.Request) (int, map[string]string, string) {
		return []int{http.StatusOK, http.StatusServiceUnavailable}[n%2], nil, ""
	})
	application(t, s, app, r.URL, nil)
	d := start(t, s, func(c *Config) { c.Random = func() float64 { return 0.999 } })
	var waits []time.Duration
	for range 3 {
		first := len(r.got())
		_, wake := says(t, s, 1, app)
		d.Wake(parley.Committed{Wake: wake})
		waitFor(t, "the retry", func() bool { return len(r.got()) == first+2 })
		got := r.got()[first:]
		if got[0].id != got[1].id {
			t.Fatalf("%s was not tried again, but %s", got[0].id, got[1].id)
		}
		if waits = append(waits, got[1].at.Sub(got[0].at)); waits[len(waits)-1] < time.Second {
			return
		}
	}
	t.Errorf("tried again after %v", waits)
}

// Of an answer 4 KiB are read, however much a receiver says, and 1 KiB is kept if it failed.
func TestEndlessAnswers(t *testing.T) {
	s, app := storetest.Open(t), ident.New[parley.ClientApplication]()
	var tries atomic.Int64
	over := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := tries.Add(1)
		if n == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		for line := strings.Repeat("x", 1<<10); ; {
			if _, err := io.WriteString(w, line); err != nil || r.Context().Err() != nil {
				break
			}
		}
		if n == 2 {
			close(over)
		}
	}))
	t.Cleanup(server.Close)
	application(t, s, app, server.URL, nil)
	d := start(t, s, nil)
	steps, wake := says(t, s, 1, app)
	begin := time.Now()
	d.Wake(parley.Committed{Wake: wake})
	id := steps[0].Conversation.ID
	waitFor(t, "the delivery", func() bool { return states(t, s, id).Acked[1] == 1 })
	<-over // the connection was closed on the rest
	if wait := time.Since(begin); wait > attemptTimeout {
		t.Errorf("it took %v", wait)
	}
	var all []parley.LaneAttempt
	if err := s.View(t.Context(), func(tx parley.Tx) (err error) {
		all, err = tx.Attempts(t.Context(), parley.DefaultTenant, id, 0, 1)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if len(all) != 2 || len(all[0].Answer) != 1<<10 || all[1].Answer != "" {
		t.Errorf("the attempts are %+v", all)
	}
}
