package bots

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"

	"golang.org/x/net/http/httpguts"

	"parley"
	"parley/egress"
)

// CheckOutside says whether something outside can be asked with a bot's settings: whether its URL is one, and its headers can be sent.
// The error is a *Failure.
func CheckOutside(s *parley.BotSettings) error {
	wrong := func(problem string) error { return &Failure{Why: parley.FailureBotSettings, Problem: problem} }
	if s.URL == "" {
		return wrong("the bot has no URL")
	}
	if u, err := url.Parse(s.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return wrong("the bot's URL is none that can be called: it must be an absolute one, with http or https")
	}
	for i, h := range s.Headers {
		if !httpguts.ValidHeaderFieldName(h.Name) || !httpguts.ValidHeaderFieldValue(h.Value) {
			return wrong(fmt.Sprintf("headers[%d] of the bot cannot be sent: its name or value has characters that headers must not have", i))
		}
	}
	return nil
}

// Encode writes texts, and what was read from JSON, as JSON, with < > & as they are.
func Encode(v any) json.RawMessage {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // such values cannot fail
	return bytes.TrimRight(b.Bytes(), "\n")
}

// Unreached is what becomes of a turn when a request to something outside came to nothing. It is a *Failure, for lack of time if that is
// over, else for the reason given, in words that hold no URL or secret. If ctx was cancelled it is no failure: the turn will be asked for
// again.
func Unreached(ctx context.Context, err error, why parley.TurnFailure, whom string) error {
	if Late(ctx) {
		return &Failure{Why: parley.FailureDeadline, Problem: whom + " did not answer in its time", Err: context.DeadlineExceeded}
	}
	if ctx.Err() != nil {
		return fmt.Errorf("ask %s: %w", whom, ctx.Err())
	}
	return &Failure{Why: why, Problem: fmt.Sprintf("%s cannot be asked: %v", whom, egress.Plain(err))}
}

// Late says whether the time of ctx is over. A connection may notice it a moment before ctx does.
func Late(ctx context.Context) bool {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return true
	}
	deadline, ok := ctx.Deadline()
	return ok && ctx.Err() == nil && !time.Now().Before(deadline)
}
