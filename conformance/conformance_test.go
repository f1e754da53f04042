package conformance_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"parley/conformance"
)

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// A receiver is good unless it is told otherwise. It answers what the functions say: 0 = go on.
type receiver struct {
	verify func(hook *standardwebhooks.Webhook, body []byte, h http.Header) int
	repeat func(w http.ResponseWriter, tries int) int // for what comes again
	fresh  func(w http.ResponseWriter, n int) int     // for what comes first; n counts from 1
	decode func(body []byte) int

	mu   sync.Mutex
	seen map[string]int
	n    int
}

func (c *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the caller is gone
	}
	hook, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		panic(err)
	}
	if status := c.verify(hook, body, r.Header); status != 0 {
		w.WriteHeader(status)
		return
	}
	if status := c.decode(body); status != 0 {
		w.WriteHeader(status)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	id := r.Header.Get("Webhook-Id")
	var status int
	if c.seen[id] > 0 {
		status = c.repeat(w, c.seen[id])
	} else {
		c.n++
		status = c.fresh(w, c.n)
	}
	if status == 0 {
		status = http.StatusNoContent
	}
	if status < 300 {
		c.seen[id]++
	}
	w.WriteHeader(status)
}

func good() *receiver {
	return &receiver{seen: map[string]int{},
		verify: func(hook *standardwebhooks.Webhook, body []byte, h http.Header) int {
			if hook.Verify(body, h) != nil {
				return http.StatusUnauthorized
			}
			return 0
		},
		repeat: func(w http.ResponseWriter, _ int) int {
			w.Header().Set("Parley-Repeat", "dropped")
			return 0
		},
		fresh:  func(http.ResponseWriter, int) int { return 0 },
		decode: func([]byte) int { return 0 },
	}
}

// verdicts runs the checks and lists those that failed and were skipped.
func verdicts(t *testing.T, h http.Handler, c conformance.Config) (failed, skipped []string) {
	t.Helper()
	server := httptest.NewServer(h)
	defer server.Close()
	c.URL = server.URL
	if err := conformance.Run(t.Context(), c, func(r conformance.Result) {
		t.Logf("%s %s: %s", r.Verdict, r.Check, r.Why)
		if strings.Contains(r.Why, secret) || strings.Contains(r.Why, server.URL) {
			t.Errorf("%s tells secret or URL: %s", r.Check, r.Why)
		}
		switch r.Verdict {
		case conformance.Fail:
			failed = append(failed, r.Check)
		case conformance.Skipped:
			skipped = append(skipped, r.Check)
		}
	}); err != nil {
		t.Fatal(err)
	}
	return failed, skipped
}

// Each mistake that a receiver can make is found by the check about it, and by no other.
func TestMistakesAreFound(t *testing.T) {
	for name, test := range map[string]struct {
		spoil   func(*receiver)
		failed  []string
		skipped []string
	}{
		"none": {func(*receiver) {}, nil, []string{"says-when-to-come-back"}},
		"ignores signatures": {func(r *receiver) { r.verify = func(*standardwebhooks.Webhook, []byte, http.Header) int { return 0 } },
			[]string{"refuses-missing-signature", "refuses-bad-signature", "refuses-altered-body", "refuses-old-timestamp", "refuses-future-timestamp"}, []string{"says-when-to-come-back"}},
		"ignores timestamps": {func(r *receiver) {
			r.verify = func(hook *standardwebhooks.Webhook, body []byte, h http.Header) int {
				if hook.VerifyIgnoringTimestamp(body, h) != nil {
					return http.StatusForbidden
				}
				return 0
			}
		}, []string{"refuses-old-timestamp", "refuses-future-timestamp"}, []string{"says-when-to-come-back"}},
		"looks at the first signature only": {func(r *receiver) {
			r.verify = func(hook *standardwebhooks.Webhook, body []byte, h http.Header) int {
				first, _, _ := strings.Cut(h.Get("Webhook-Signature"), " ")
				h.Set("Webhook-Signature", first)
				if hook.Verify(body, h) != nil {
					return http.StatusUnauthorized
				}
				return 0
			}
		}, []string{"accepts-rotation"}, []string{"says-when-to-come-back"}},
		"breaks on bad signatures": {func(r *receiver) {
			r.verify = func(hook *standardwebhooks.Webhook, body []byte, h http.Header) int {
				if hook.Verify(body, h) != nil {
					return http.StatusInternalServerError
				}
				return 0
			}
		}, []string{"refuses-missing-signature", "refuses-bad-signature", "refuses-altered-body", "refuses-old-timestamp", "refuses-future-timestamp"}, []string{"says-when-to-come-back"}},
		"fails on repeats": {func(r *receiver) { r.repeat = func(http.ResponseWriter, int) int { return http.StatusConflict } },
			[]string{"answers-repeats", "drops-repeats"}, []string{"says-when-to-come-back"}},
		"does not say that it drops repeats": {func(r *receiver) { r.repeat = func(http.ResponseWriter, int) int { return 0 } },
			nil, []string{"drops-repeats", "says-when-to-come-back"}},
		"takes no member that it does not know": {func(r *receiver) {
			r.decode = func(body []byte) int {
				d := json.NewDecoder(strings.NewReader(string(body)))
				d.DisallowUnknownFields()
				if err := d.Decode(&struct{ Messages json.RawMessage }{}); err != nil {
					return http.StatusBadRequest
				}
				return 0
			}
		}, []string{"ignores-unknown-members"}, []string{"says-when-to-come-back"}},
		"takes no conversation beside another": {func(r *receiver) {
			last := ""
			r.decode = func(body []byte) int {
				var callback struct {
					Messages struct {
						Message []struct{ Conversation struct{ ID string } }
					}
				}
				_ = json.Unmarshal(body, &callback)
				r.mu.Lock()
				defer r.mu.Unlock()
				id := callback.Messages.Message[0].Conversation.ID
				over := slices.Contains([]string{last, ""}, id) || r.seen["over "+id] == 0
				r.seen["over "+last], last = 1, id
				if !over {
					return http.StatusUnprocessableEntity
				}
				return 0
			}
		}, []string{"survives-reordering"}, []string{"says-when-to-come-back"}},
		"puts off, and says when": {func(r *receiver) {
			r.fresh = func(w http.ResponseWriter, n int) int {
				if n%7 == 2 {
					w.Header().Set("Retry-After", "0")
					return http.StatusTooManyRequests
				}
				return 0
			}
		}, nil, nil},
		"puts off by a date, which has no fractions": {func(r *receiver) {
			r.fresh = func(w http.ResponseWriter, n int) int {
				if n == 2 {
					w.Header().Set("Retry-After", time.Now().UTC().Format(http.TimeFormat)) // some of this second is over
					return http.StatusServiceUnavailable
				}
				return 0
			}
		}, nil, nil},
		"puts off, and says when in words": {func(r *receiver) {
			r.fresh = func(w http.ResponseWriter, n int) int {
				if n == 2 {
					w.Header().Set("Retry-After", "soon")
					return http.StatusServiceUnavailable
				}
				return 0
			}
		}, []string{"says-when-to-come-back"}, nil},
		"puts off, and does not say when": {func(r *receiver) {
			r.fresh = func(_ http.ResponseWriter, n int) int {
				if n == 2 {
					return http.StatusTooManyRequests
				}
				return 0
			}
		}, []string{"says-when-to-come-back"}, nil},
		"always puts repeats off": {func(r *receiver) {
			r.repeat = func(w http.ResponseWriter, _ int) int {
				w.Header().Set("Retry-After", "0")
				return http.StatusServiceUnavailable
			}
		}, []string{"answers-repeats", "drops-repeats", "says-when-to-come-back"}, nil},
		"is never there": {func(r *receiver) { r.fresh = func(http.ResponseWriter, int) int { return http.StatusNotFound } },
			[]string{"answers-in-time"}, []string{"ignores-unknown-members", "answers-repeats", "drops-repeats", "survives-reordering", "takes-many-at-once", "accepts-rotation",
				"refuses-missing-signature", "refuses-bad-signature", "refuses-altered-body", "refuses-old-timestamp", "refuses-future-timestamp", "says-when-to-come-back"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := good()
			test.spoil(r)
			failed, skipped := verdicts(t, r, conformance.Config{Secret: secret})
			if !slices.Equal(failed, test.failed) || !slices.Equal(skipped, test.skipped) {
				t.Errorf("failed %q, skipped %q; want %q and %q", failed, skipped, test.failed, test.skipped)
			}
		})
	}
}

// A receiver that does not answer in time is one that does not answer.
func TestSlownessIsFound(t *testing.T) {
	failed, _ := verdicts(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body)
		<-r.Context().Done() // the checks went away
	}), conformance.Config{Secret: secret, Timeout: 50 * time.Millisecond})
	if !slices.Equal(failed, []string{"answers-in-time"}) {
		t.Errorf("failed: %q", failed)
	}
}

// Without the secret, what is about signatures is skipped and said to be.
func TestWithoutSecret(t *testing.T) {
	r := good()
	r.verify = func(_ *standardwebhooks.Webhook, _ []byte, h http.Header) int {
		if h.Get("Webhook-Signature") != "" || h.Get("X-Key") != "planted" {
			return http.StatusUnauthorized
		}
		return 0
	}
	failed, skipped := verdicts(t, r, conformance.Config{Header: http.Header{"X-Key": {"planted"}}})
	if len(failed) > 0 || len(skipped) != 7 {
		t.Errorf("failed %q, skipped %q", failed, skipped)
	}
}
