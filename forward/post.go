package forward

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"parley"
	"parley/dispatch"
	"parley/signing"
)

// A delivery is one callback's body and what belongs to it.
type delivery struct {
	ID           string
	Conversation string
	Seq          int64
	Attempt      int
	Trace        string `json:"traceparent"`
	Body         json.RawMessage
}

// kind is the type of the message, the last one if there are several.
func (d *delivery) kind() string {
	var body struct {
		Messages struct {
			Message []struct{ Type struct{ Value string } }
		}
	}
	if err := json.Unmarshal(d.Body, &body); err != nil || len(body.Messages.Message) == 0 {
		return "?"
	}
	return body.Messages.Message[len(body.Messages.Message)-1].Type.Value
}

// forward POSTs a delivery and prints what came of it. It finishes although ctx ends: a program should not see half a
// request because the hub went away.
func (f *forwarder) forward(ctx context.Context, d *delivery) outcome {
	start := time.Now()
	status, told, err := f.post(context.WithoutCancel(ctx), d)
	shown := strconv.Itoa(status)
	if err != nil {
		shown = "no answer (" + err.Error() + ")"
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	fmt.Fprintf(f.Out, "%s %s %s %s %s %s %d ms\n", start.Format("15:04:05.000"), printable(d.ID), printable(d.kind()), printable(d.Conversation),
		shown, told.Outcome, time.Since(start).Milliseconds())
	return told
}

func (f *forwarder) post(ctx context.Context, d *delivery) (status int, told outcome, err error) {
	told = outcome{Delivery: d.ID, Outcome: parley.OutcomeRetry.String(), Reason: "no answer from the program behind parley listen"}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, f.To, bytes.NewReader(d.Body))
	if err != nil {
		return 0, told, err
	}
	maps.Copy(req.Header, f.Header)
	var secrets []string
	if f.SigningSecret != "" {
		secrets = []string{f.SigningSecret}
	}
	now := time.Now()
	if err := signing.Stamp(req.Header, secrets, d.ID, now, d.Body); err != nil {
		return 0, told, err
	}
	if d.Trace != "" {
		req.Header.Set("Traceparent", d.Trace)
	}
	res, err := f.local.Do(req)
	if err != nil {
		return 0, told, cause(err)
	}
	defer res.Body.Close()
	_, _ = io.CopyN(io.Discard, res.Body, 4<<10) // so that the connection can be used again; the status is what counts
	verdict, after := dispatch.Judge(res.StatusCode, res.Header, now)
	told.Outcome, told.After, told.Reason = verdict.String(), after.Milliseconds(), ""
	if verdict != parley.OutcomeDelivered {
		told.Reason = "the program behind parley listen answered " + strconv.Itoa(res.StatusCode)
	}
	return res.StatusCode, told, nil
}

// cause says in a few words why there was no answer.
func cause(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		if e.Timeout() {
			return fmt.Errorf("not within %s", answerTimeout)
		}
		err = e.Err
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return errors.New("nobody listens there")
	}
	return err
}

// printable keeps what comes from outside from painting on a terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == ' ' {
			return '?'
		}
		return r
	}, text)
}
