package notice

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"parley"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The first notice that fails raises an alert only if none was shown before it.
func TestOutcomesAreShownFromTheStart(t *testing.T) {
	s := newStation(t, func(c *Config) { c.Mail = &SMTP{} })
	if n, err := testutil.GatherAndCount(s.meter, "parley_notices_total"); n != 9 || err != nil {
		t.Errorf("%d outcomes are shown, %v; want four a way, and those that have none", n, err)
	}
}

// A notice that finds no place in one way goes out in the other and stays owed in that one, for a day; then it is dropped.
func TestNoticesWithoutAPlaceStayOwed(t *testing.T) {
	m := newMailServer(t, true, false)
	release, hangs := make(chan struct{}), make(chan struct{}, 1)
	operations := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		select {
		case hangs <- struct{}{}:
		default:
		}
		<-release
	}))
	t.Cleanup(operations.Close)
	s := newStation(t, func(c *Config) {
		c.Mail, c.Clock = smtpTo(t, "smtp", m, credentials, ""), func() time.Time { return given().At.Add(time.Minute) }
		c.About = func(context.Context, parley.Receiver) (About, error) {
			return About{Operations: Operations{URL: operations.URL, Secret: secret}}, nil
		}
	})
	defer s.end()
	defer close(release)
	fill := func(n int) {
		for range n {
			x := given()
			x.Email = ""
			s.Notify(x)
		}
	}
	fill(ofOne + 1)
	<-hangs
	fill(1) // should the last of them have come before the first hung
	for _, test := range []struct {
		old  time.Duration
		told []string
		want []string
	}{
		{0, nil, []string{"told by mail"}},
		{23 * time.Hour, nil, []string{"told by mail"}},
		{24 * time.Hour, nil, []string{"told by operations", "done"}},
		{0, []string{"operations"}, []string{"done"}},
		{24 * time.Hour, []string{"mail"}, []string{"told by operations", "done"}},
	} {
		x, got := given(), make(chan string, 9)
		x.At, x.Told = x.At.Add(-test.old), test.told
		x.ToldBy, x.Done = func(way string) { got <- "told by " + way }, func() { got <- "done" }
		s.Notify(x)
		if !slices.Contains(test.told, "mail") {
			m.receive(t)
		}
		for _, want := range test.want {
			if what := <-got; what != want {
				t.Errorf("%v old, told by %v: %s, want %s", test.old, test.told, what, want)
			}
		}
		if len(got) > 0 {
			t.Errorf("%v old, told by %v: then %s", test.old, test.told, <-got)
		}
	}
	if n := s.count("operations", "dropped"); n != 2 {
		t.Errorf("%d were dropped, want those that are a day old", n)
	}
}

// Nobody waits for notices: what does not fit is counted.
func TestNotifyNeverWaits(t *testing.T) {
	meter := prometheus.NewRegistry()
	n := New(Config{Logger: slog.New(slog.DiscardHandler), Meter: meter}) // nobody runs it
	for range waiting + 5 {
		n.Notify(given())
	}
	if got := count(meter, "any", "deferred"); got != 5 {
		t.Errorf("%d were deferred, want 5", got)
	}
}

// A notice is owed until all of its ways have come to an end: not by the first of two, nor if the hub stops before.
func TestNoticesAreOwedUntilAllWaysHaveEnded(t *testing.T) {
	m := newMailServer(t, true, false)
	answer := make(chan int)
	operations := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(<-answer) }))
	defer operations.Close()
	about := About{Operations: Operations{URL: operations.URL, Secret: secret}}
	s := newStation(t, func(c *Config) {
		c.Mail = smtpTo(t, "smtp", m, credentials, "")
		c.Waits = []time.Duration{time.Hour}
		c.About = func(context.Context, parley.Receiver) (About, error) { return about, nil }
	})
	done := make(chan string, 9)
	notify := func(name string) {
		x := given()
		x.Done = func() { done <- name }
		s.Notify(x)
		m.receive(t)
	}
	notify("good")
	if len(done) != 0 {
		t.Error("it is not owed any more before the operations URL has answered")
	}
	answer <- 204
	if got := <-done; got != "good" {
		t.Errorf("%s was done", got)
	}
	notify("refused")
	answer <- 400 // another try is of no use
	if got := <-done; got != "refused" {
		t.Errorf("%s was done", got)
	}
	notify("away")
	answer <- 503 // which is tried again in an hour
	s.end()
	if len(done) != 0 {
		t.Errorf("%s was done when the hub stopped, want it owed", <-done)
	}
}

// What waits when the hub stops is tried once more.
func TestStoppingSendsWhatWaits(t *testing.T) {
	m := newMailServer(t, true, false)
	n := New(Config{Mail: smtpTo(t, "smtp", m, credentials, ""), Logger: slog.New(slog.DiscardHandler),
		About: func(context.Context, parley.Receiver) (About, error) {
			return About{}, errors.New("the record is closed")
		}})
	n.Notify(given())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := n.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Run = %v", err)
	}
	if len(m.mail) != 1 {
		t.Errorf("%d mails came, want the one that waited", len(m.mail))
	}
}
