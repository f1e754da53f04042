package notice

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"parley"
	"parley/dispatch"
	"parley/ident"
)

const (
	user     = "planted-user"
	password = "planted/pass word"
	secret   = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
)

// A station is a notifier that runs until the test ends.
type station struct {
	*Notifier
	log   *lockedBuffer
	meter *prometheus.Registry
	end   func()
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newStation(t *testing.T, change func(*Config)) *station {
	t.Helper()
	s := &station{log: &lockedBuffer{}, meter: prometheus.NewRegistry()}
	c := Config{About: func(context.Context, parley.Receiver) (About, error) {
		return About{Application: "Desk\r\nBcc: everybody@example.org", Environment: "live"}, nil
	}, Hub: "https://hub.example", Logger: slog.New(slog.NewTextHandler(s.log, nil)), Meter: s.meter,
		Waits: []time.Duration{time.Millisecond, time.Millisecond}}
	change(&c)
	s.Notifier = New(c)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	s.end = sync.OnceFunc(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run = %v", err)
		}
		for _, planted := range []string{user, password, url.QueryEscape(password), secret, "ops@example.org"} {
			if strings.Contains(s.log.String(), planted) {
				t.Errorf("the log tells %q: %s", planted, s.log)
			}
		}
	})
	t.Cleanup(s.end)
	return s
}

// smtpTo is the setting for a server of a test.
func smtpTo(t *testing.T, scheme string, m *mailServer, credentials, more string) *SMTP {
	t.Helper()
	s, err := ParseSMTP(scheme + "://" + credentials + m.address + "?from=" + url.QueryEscape("Parley <parley@example.org>") + more)
	if err != nil {
		t.Fatal(err)
	}
	s.roots = m.roots
	return s
}

var credentials = url.UserPassword(user, password).String() + "@"

var receiver = parley.Receiver{Key: 1, Tenant: parley.DefaultTenant, Application: parley.ConsoleApplication, Role: parley.CustomBot}

func given() dispatch.Notice {
	return dispatch.Notice{Receiver: receiver, Event: dispatch.DeliveryGivenUp, Reason: "the receiver answered 422", Delivery: ident.New[parley.Delivery](),
		Email: "ops@example.org", At: time.Date(2026, 11, 26, 2, 0, 0, 0, time.UTC)}
}

// count is how many notices ended so.
func (s *station) count(way, outcome string) int {
	return count(s.meter, way, outcome)
}

func count(r *prometheus.Registry, way, outcome string) int {
	families, err := r.Gather()
	if err != nil {
		return -1
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if labels := m.GetLabel(); f.GetName() == "parley_notices_total" && labels[0].GetValue() == outcome && labels[1].GetValue() == way {
				return int(m.GetCounter().GetValue())
			}
		}
	}
	return 0
}

func await(t *testing.T, done func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(20 * time.Second); !done(); {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("it does not come to that")
		}
	}
}
