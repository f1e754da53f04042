package dispatch

import (
	"slices"
	"sync"
	"testing"
	"time"

	"parley"
	"parley/ident"
	"parley/store"
	"parley/store/storetest"
)

// People hear what a process that is gone was about to tell them, and nothing twice.
func TestNoticesOutliveTheirProcess(t *testing.T) {
	var c clock
	s, app := storetest.Open(t, storetest.Clock(c.now)), ident.New[parley.ClientApplication]()
	r, _ := refuse(t, "message 1")
	application(t, s, app, r.URL, nil)
	gone := &notices{}
	d := start(t, s, func(config *Config) { config.Clock, config.Notifier = c.now, gone })
	_, wake := says(t, s, 1, app)
	d.Wake(parley.Committed{Wake: wake})
	waitFor(t, "the notice", func() bool { return gone.count(DeliveryGivenUp) == 1 }) // which that one does not tell in all ways
	gone.of[0].ToldBy("mail")

	c.set(noticeLease + time.Second)
	told := &notices{}
	start(t, s, func(config *Config) {
		config.Clock, config.Notifier, config.Sweep = c.now, told, time.Millisecond
	})
	waitFor(t, "the notice again", func() bool { return told.count(DeliveryGivenUp) == 1 })
	want, got := gone.of[0], told.of[0]
	if got.Receiver != want.Receiver || got.Reason != want.Reason || got.Delivery != want.Delivery || got.Email != want.Email || !slices.Equal(got.Told, []string{"mail"}) || !got.At.Equal(want.At.Truncate(time.Millisecond)) {
		t.Errorf("the other process tells %+v, want %+v", got, want)
	}
	got.Done()
	c.set(2*noticeLease + time.Minute)
	if owed, err := s.OwedNotices(t.Context(), noticeLease, 10); err != nil || len(owed) != 0 {
		t.Errorf("after people were told %+v are owed, %v", owed, err)
	}
}

// People hear, too, if the process died as soon as the record had it that a delivery was given up.
func TestNoticesOfWhatNobodyToldTheHub(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) {
		var c clock
		s, app := open(t, storetest.Clock(c.now)), ident.New[parley.ClientApplication]()
		application(t, s, app, "http://127.0.0.1:1", nil)
		_, wake := says(t, s, 1, app)
		lanes, err := s.Claim(t.Context(), wake, time.Minute)
		if err != nil || len(lanes) != 1 {
			t.Fatal(lanes, err)
		}
		dead := parley.DeadDelivery{Seq: 1, Delivery: ident.New[parley.Delivery](), Reason: "the receiver answered 422"}
		if _, err := s.Finish(t.Context(), parley.Progress{Lane: lanes[0], Acked: 1, Release: true, Dead: []parley.DeadDelivery{dead}}); err != nil {
			t.Fatal(err)
		}
		c.set(untoldFor + time.Second)
		told := &notices{}
		start(t, s, func(config *Config) {
			config.Clock, config.Notifier, config.Hub, config.Sweep = c.now, told, &deadLetters{}, time.Millisecond
		})
		waitFor(t, "the notice", func() bool { return told.count(DeliveryGivenUp) == 1 })
		if n := told.of[0]; n.Delivery != dead.Delivery || n.Reason != dead.Reason || n.Receiver.Application != app || n.Receiver.Role != parley.CustomBot ||
			n.Receiver.Tenant != parley.DefaultTenant || n.Email != "x@example.org" {
			t.Errorf("notice = %+v, want it of %+v", n, dead)
		}
	})
}

type notices struct {
	mu sync.Mutex
	of []Notice
}

func (n *notices) Notify(one Notice) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.of = append(n.of, one)
}

func (n *notices) count(e NoticeEvent) (count int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, one := range n.of {
		if one.Event == e {
			count++
		}
	}
	return count
}
