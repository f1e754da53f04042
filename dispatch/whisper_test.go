package dispatch

import (
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"parley"
	"parley/ident"
	"parley/store"
	"parley/store/storetest"
)

// typingTo is a mark of typing in a new conversation with an application.
func typingTo(app parley.ApplicationID) parley.Whisper {
	c := storetest.Start("").Conversation
	c.State.Parties[1].Application = app
	return parley.Whisper{Conversation: c, Slot: 1, Message: parley.Message{ID: ident.New[parley.Message](), Conversation: c.ID,
		Type: parley.TypeTypingStart, Sender: parley.Customer}}
}

// Receivers that hang have a few marks of typing under way and drop the rest; others hear theirs at once.
func TestHangingReceiversDoNotHoldUpTyping(t *testing.T) {
	const hang, marks = 6, 100
	s, well := storetest.Open(t), ident.New[parley.ClientApplication]()
	release := make(chan struct{})
	hanging := newReceiver(t, func(int, *http.Request) (int, map[string]string, string) { <-release; return http.StatusOK, nil, "" })
	defer close(release)
	good := newReceiver(t, nil)
	application(t, s, well, good.URL, nil)
	d := start(t, s, nil)
	for range hang {
		app := ident.New[parley.ClientApplication]()
		application(t, s, app, hanging.URL, nil)
		for range marks {
			d.Whisper(typingTo(app))
		}
	}
	waitFor(t, "the marks that hang", func() bool { return len(hanging.got()) == hang*whisperers })
	d.Whisper(typingTo(well))
	waitFor(t, "the mark for who is well", func() bool { return len(good.got()) == 1 })
	if n := len(hanging.got()); n != hang*whisperers {
		t.Errorf("%d marks are under way to %d receivers that hang, want %d each", n, hang, whisperers)
	}
	if n := testutil.ToFloat64(d.metrics.whispers.WithLabelValues("dropped")); n < hang*(marks-whisperers-maxEar) || n > hang*(marks-maxEar) {
		t.Errorf("%v marks were dropped, want all but %d of each %d", n, whisperers+maxEar, marks)
	}
}

// A mark of typing that waited for long is not told any more.
func TestOldTypingIsDropped(t *testing.T) {
	var c clock
	s, app := storetest.Open(t, storetest.Clock(c.now)), ident.New[parley.ClientApplication]()
	release := make(chan struct{})
	r := newReceiver(t, func(n int, _ *http.Request) (int, map[string]string, string) {
		<-release
		return http.StatusOK, nil, ""
	})
	application(t, s, app, r.URL, nil)
	d := start(t, s, func(config *Config) { config.Clock = c.now })
	for range whisperers + 3 {
		d.Whisper(typingTo(app))
	}
	waitFor(t, "the first", func() bool { return len(r.got()) == whisperers })
	c.set(whisperLife)
	close(release)
	waitFor(t, "the others to be dropped", func() bool { return testutil.ToFloat64(d.metrics.whispers.WithLabelValues("dropped")) == 3 })
	if n := len(r.got()); n != whisperers {
		t.Errorf("%d marks were told, want %d", n, whisperers)
	}
}

// Nothing is sent to a receiver that is disabled, or whose breaker is open, marks of typing included; whoever disabled it.
func TestTypingIsNotToldToWhoIsHeld(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) {
		var c clock
		s, app := open(t, storetest.Clock(c.now)), ident.New[parley.ClientApplication]()
		r := newReceiver(t, nil)
		application(t, s, app, r.URL, nil)
		d := start(t, s, func(config *Config) { config.Clock = c.now })
		says(t, s, 1, app)
		all, err := s.Healths(t.Context(), parley.DefaultTenant)
		if err != nil || len(all) != 1 {
			t.Fatal(all, err)
		}
		receiver := all[0].Receiver
		sent := 0
		tell := func(when, want string) {
			t.Helper()
			if want == "delivered" {
				sent++
			}
			if outcome := d.whisperOnce(t.Context(), typingTo(app)); outcome != want || len(r.got()) != sent {
				t.Errorf("%s: typing = %q and %d requests, want %q and %d", when, outcome, len(r.got()), want, sent)
			}
		}
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		tell("well", "delivered")
		d.health.disable(t.Context(), receiver, "planted")
		tell("disabled here", "held")
		must(s.Disable(t.Context(), receiver.Key, ""))
		c.set(heldTTL)
		tell("enabled elsewhere", "delivered")
		must(s.Disable(t.Context(), receiver.Key, "planted"))
		c.set(2 * heldTTL)
		tell("disabled elsewhere", "held")
		must(s.Disable(t.Context(), receiver.Key, ""))
		d.Forget()
		tell("enabled here", "delivered")
		d.health.trip(t.Context(), receiver, false)
		tell("broken here", "held")
		c.set(24 * time.Hour)
		tell("broken, and not tried yet", "held")
		d.health.well(t.Context(), receiver, true)
		tell("well again", "delivered")
	})
}

// A bot that the hub runs is not called, so nothing is sent to it either.
func TestTypingIsNotToldToBotsOfTheHub(t *testing.T) {
	s, app := storetest.Open(t), ident.New[parley.ClientApplication]()
	application(t, s, app, parley.BotCallback, nil)
	d := start(t, s, nil)
	if outcome := d.whisperOnce(t.Context(), typingTo(app)); outcome != "bot" {
		t.Errorf("typing = %q", outcome)
	}
}
