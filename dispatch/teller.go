package dispatch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"parley/egress"
)

// A Teller posts JSON to addresses that requests name, such as the webhookUrl of a text. These are no receivers: they have no lane, no
// secret and no health, and whoever asks for one decides about further tries. Safe for concurrent use.
type Teller struct{ client *http.Client }

// NewTeller makes one that goes only where the guard permits.
func NewTeller(guard *egress.Guard) *Teller { return &Teller{NewClient(guard)} }

// Tell posts a body once. Any answer of class 2xx within the time of an attempt is success; the error names neither address nor answer.
func (t *Teller) Tell(ctx context.Context, url string, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return errors.New("tell: the address is no URL that can be posted to")
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := t.client.Do(r)
	if err != nil {
		return fmt.Errorf("tell: %w", egress.Plain(err))
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, maxAnswer) // so that the connection can be used again
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("tell: the answer has status %d", answer.StatusCode)
	}
	return nil
}
