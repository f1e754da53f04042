package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"parley"
	"parley/dispatch"
	"parley/ident"
	"parley/signing"
	"parley/wire"
)

const (
	// longestWait bounds how long a check waits because the receiver said so.
	longestWait = 30 * time.Second
	// patience is how often a delivery is put off before a check calls it refused.
	patience = 3
	// repeatHeader is how a receiver shows that it knew a delivery.
	repeatHeader = "Parley-Repeat"
)

// A hub is what a receiver believes to talk to. Safe for concurrent use.
type hub struct {
	Config
	client  *http.Client
	reached bool // a good delivery was taken

	mu      sync.Mutex
	putOff  int      // answers that said when to come back
	silent  int      // 429 and 503 that did not say when
	useless []string // what went wrong after waiting as told
}

func newHub(c Config) (*hub, error) {
	if _, err := http.NewRequest(http.MethodPost, c.URL, http.NoBody); err != nil { //nolint:noctx // it is not sent
		return nil, errors.New("the URL cannot be used")
	}
	if c.Secret != "" {
		if err := signing.Stamp(http.Header{}, []string{c.Secret}, "", time.Now(), nil); err != nil {
			return nil, errors.New("the secret cannot be read: give whsec_ and its base64")
		}
	}
	return &hub{Config: c, client: &http.Client{Timeout: c.Timeout, Transport: &http.Transport{MaxIdleConnsPerHost: 32, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}, nil
}

// A delivery is one message on its way.
type delivery struct {
	id   string
	body []byte
	at   time.Time // webhook-timestamp; zero = now
}

// A talk is a conversation that the checks pretend to have.
type talk struct {
	c   parley.Conversation
	seq int64
}

func newTalk() *talk {
	now := time.Now().UTC()
	return &talk{c: parley.Conversation{ID: ident.New[parley.Conversation](), Status: "open", Created: now,
		State: parley.ConversationState{ChannelType: "web_chat", Customer: parley.CustomerData{Name: "Conformance check"}}}}
}

// next is the conversation's next delivery, as the hub renders it.
func (t *talk) next() delivery {
	t.seq++
	m := parley.Message{ID: ident.New[parley.Message](), Conversation: t.c.ID, Seq: t.seq, Type: parley.TypeText, Sender: parley.Customer, Created: time.Now().UTC(), To: 1,
		Body: parley.Body{MessageID: "check-" + strconv.FormatInt(t.seq, 10), Name: "Conformance check",
			Content: &parley.Content{Text: "This message is a test of parley check-receiver."}}}
	return delivery{id: ident.Delivery(m.ID, parley.WidgetApplication, parley.CustomBot).String(),
		body: wire.AppendEnvelope(nil, nil, wire.View{Conversation: &t.c, Customer: true, HTML: true, Recipients: 1}, &m)}
}

// An answer is what came back.
type answer struct {
	status  int // 0 = none
	problem string
	header  http.Header
	took    time.Duration
}

func (a answer) good() bool { return a.status >= 200 && a.status <= 299 }

// String says what came in a few words.
func (a answer) String() string {
	if a.status == 0 {
		return a.problem
	}
	return fmt.Sprintf("it answered %d after %d ms", a.status, a.took.Milliseconds())
}

// send makes one request; change may spoil it before it goes.
func (h *hub) send(ctx context.Context, d delivery, change func(http.Header)) answer {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.URL, bytes.NewReader(d.body))
	if err != nil {
		return answer{problem: "the URL cannot be used"}
	}
	maps.Copy(req.Header, h.Header)
	at := d.at
	if at.IsZero() {
		at = time.Now()
	}
	var secrets []string
	if h.Secret != "" {
		secrets = []string{h.Secret}
	}
	if err := signing.Stamp(req.Header, secrets, d.id, at, d.body); err != nil {
		return answer{problem: err.Error()}
	}
	req.Header.Set("Traceparent", "00-"+hex(d.id)+"-0020000000000001-00")
	if change != nil {
		change(req.Header)
	}
	start := time.Now()
	res, err := h.client.Do(req)
	if err != nil {
		return answer{problem: h.why(err), took: time.Since(start)}
	}
	defer res.Body.Close()
	_, err = io.CopyN(io.Discard, res.Body, 4<<10) // the hub reads as much
	if err != nil && !errors.Is(err, io.EOF) {
		return answer{problem: "its answer broke off", took: time.Since(start)}
	}
	return answer{status: res.StatusCode, header: res.Header, took: time.Since(start)}
}

// deliver sends as long as the receiver puts it off, waiting as told; that is noted for the check about it.
func (h *hub) deliver(ctx context.Context, d delivery, change func(http.Header)) answer {
	for try := 1; ; try++ {
		a := h.send(ctx, d, change)
		if a.status != http.StatusTooManyRequests && a.status != http.StatusServiceUnavailable {
			return a
		}
		said := saysWhen(a.header.Get("Retry-After"))
		_, wait := dispatch.Judge(a.status, a.header, time.Now())
		h.mu.Lock()
		h.putOff++
		switch {
		case !said:
			h.silent++
			wait = time.Second
		case wait > longestWait:
			h.useless = append(h.useless, fmt.Sprintf("it asked for %s, for longer than a check waits (%s)", wait, longestWait))
		}
		if try > patience {
			h.useless = append(h.useless, fmt.Sprintf("a delivery was put off %d times in a row, although each time it came when told", try))
		}
		h.mu.Unlock()
		if wait > longestWait || try > patience {
			return a
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return a
		}
	}
}

// saysWhen says whether a Retry-After has one of its two forms (RFC 9110 section 10.2.3). It may mean now.
func saysWhen(value string) bool {
	if _, err := strconv.ParseUint(value, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		return true
	}
	_, err := http.ParseTime(value)
	return err == nil
}

// hex makes a trace id of a delivery's id.
func hex(id string) string {
	out := make([]byte, 0, 32)
	for _, c := range []byte(id) {
		if c != '-' {
			out = append(out, c)
		}
	}
	return string(out)
}

// why says why there was no answer, without the URL, which may hold a secret.
func (h *hub) why(err error) string {
	if e, ok := errors.AsType[*url.Error](err); ok {
		if e.Timeout() {
			return fmt.Sprintf("no answer within %s", h.Timeout)
		}
		err = e.Err
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return "no connection"
	}
	return "no answer: " + err.Error()
}
