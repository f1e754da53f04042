package forward

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"parley"
)

// Config says what is forwarded from where to where. Hub, ClientID, ClientSecret, Application and To are required.
type Config struct {
	Hub           string // base URL
	ClientID      string // of an API client that is bound to the application
	ClientSecret  string
	Application   string
	Role          parley.Role  // "" = the only one
	To            string       // URL that gets the POSTs
	SigningSecret string       // whsec_…; "" = no signature
	Header        http.Header  // sent besides, such as Authorization
	Out           io.Writer    // gets a line a delivery
	Logger        *slog.Logger // nil = slog.Default
}

const (
	// answerTimeout is the receiver's time: the hub hears the outcome within 5 s (ws/asyncapi.yaml), and half a second of
	// that is for the way.
	answerTimeout = 4500 * time.Millisecond
	// baseDelay and longestDelay are of the waits between connections, with full jitter.
	baseDelay    = 500 * time.Millisecond
	longestDelay = 30 * time.Second
)

// errFinal marks what another try does not cure.
var errFinal = errors.New("")

// final makes an error that ends Run.
func final(format string, args ...any) error {
	return fmt.Errorf("%w"+format, append([]any{errFinal}, args...)...)
}

// A forwarder is one Run.
type forwarder struct {
	Config
	hub   *http.Client
	local *http.Client
	mu    sync.Mutex // keeps lines whole
}

// Run forwards until ctx ends, which is no error, or the hub says that it is of no use to come again.
func Run(ctx context.Context, c Config) error {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	c.Hub = strings.TrimSuffix(c.Hub, "/")
	// A redirect is an answer like any other, as it is for callbacks.
	refuse := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	f := &forwarder{Config: c, hub: &http.Client{Timeout: 10 * time.Second},
		local: &http.Client{Timeout: answerTimeout, CheckRedirect: refuse, Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: atOnce}}}
	defer f.local.CloseIdleConnections()
	defer f.hub.CloseIdleConnections()
	for failed := 0; ; failed++ {
		s := &session{forwarder: f}
		err := s.run(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, errFinal):
			return err
		case s.taking:
			failed = 0
		}
		wait := max(delay(failed, rand.Float64()), s.comeAfter)
		f.Logger.WarnContext(ctx, "not connected; what is owed waits at the hub", "reason", err, "again_in", wait.Round(time.Millisecond))
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
	}
}

// delay is the wait before another connection after some that failed. random is in [0, 1).
func delay(failed int, random float64) time.Duration {
	return time.Duration(random * float64(min(longestDelay, baseDelay<<min(failed, 10))))
}
