package dispatch

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"parley"
	"parley/egress"
	"parley/signing"
)

const (
	// attemptTimeout is the receiver's time (reference section 10: it should answer first and work later).
	attemptTimeout = 5 * time.Second
	maxAnswer      = 4 << 10 // bytes of an answer that are read
	keptAnswer     = 1 << 10 // bytes of a failed answer that are kept
)

// A target is where and how a receiver is reached.
type target struct {
	role           parley.ApplicationRole
	authentication *parley.Authentication // nil = none
	version        uint64                 // what was read later has a larger one
}

// session says whether the receiver takes its messages over a session instead of a callback.
func (t *target) session() bool { return t.role.Callback == parley.SessionCallback }

// renewable says whether a 401 may be cured by a new token.
func (t *target) renewable() bool { return t.authentication != nil && t.authentication.OAuth2 != nil }

// A request is one body on its way to a target.
type request struct {
	id    string // of the delivery, the same on every attempt
	body  []byte
	trace string // W3C traceparent of what caused it
	again bool   // an attempt failed before: it connects anew
}

// A result is what an attempt came to.
type result struct {
	outcome    Outcome
	retryAfter time.Duration
	status     int
	problem    string // why it does not count; secrets cut out
	answer     string
	took       time.Duration
	ours       error // a fault of ours: it does not count
}

// A sender makes single attempts. Safe for concurrent use.
type sender struct {
	clients *clients
	tokens  *tokens
	tracer  trace.Tracer
	clock   func() time.Time
	hard    time.Duration // zero = hardDeadline
}

// hardDeadline is when an attempt is over although something in it, such as a transport of a test or a proxy's dialer,
// ignores its context: two requests, a token, and a second to spare.
const hardDeadline = 2*attemptTimeout + tokenTimeout + time.Second

// attempt makes one POST, bounded in time and in bytes read; after a 401 it renews the token and repeats at once, once.
// Before the repeat it asks keep, which says whether the lane is still ours. A panic in it is a fault of ours.
func (s *sender) attempt(ctx context.Context, to target, r request, keep func() bool) result {
	done := make(chan result, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				done <- result{ours: fmt.Errorf("attempt: panic: %v\n%s", p, debug.Stack())}
			}
		}()
		done <- s.bounded(ctx, to, r, keep)
	}()
	hard := cmp.Or(s.hard, hardDeadline)
	late := time.NewTimer(hard)
	defer late.Stop()
	select {
	case res := <-done:
		return res
	case <-late.C: // what still runs is left to itself
		return result{problem: "no answer in time", took: hard}
	}
}

func (s *sender) bounded(ctx context.Context, to target, r request, keep func() bool) result {
	ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": r.trace})
	ctx, span := s.tracer.Start(ctx, "callback", trace.WithSpanKind(trace.SpanKindClient))
	defer span.End()
	start := s.clock()
	res, sent := s.once(ctx, to, r, "")
	if res.status == http.StatusUnauthorized && to.renewable() && keep() {
		res, _ = s.once(ctx, to, r, sent)
	}
	res.took = s.clock().Sub(start)
	span.SetAttributes(attribute.Int("http.response.status_code", res.status), attribute.String("parley.outcome", res.outcome.String()))
	return res
}

// once posts. refuse is the Authorization that was answered 401 and must not be used again, "" on the first try; sent is
// the one that was used.
func (s *sender) once(ctx context.Context, to target, r request, refuse string) (res result, sent string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.role.Callback, bytes.NewReader(r.body))
	if err != nil {
		return result{outcome: Rejected, problem: "the callback is no URL that can be posted to"}, ""
	}
	for _, h := range to.role.Headers {
		req.Header.Add(h.Name, h.Value)
	}
	now := s.clock()
	if err := signing.Stamp(req.Header, to.role.Signing.Active(now), r.id, now, r.body); err != nil {
		return result{ours: err}, ""
	}
	propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(req.Header))
	if to.authentication != nil {
		if sent, err = s.tokens.authorization(ctx, to.authentication, refuse); err != nil {
			e, ok := errors.AsType[*tokenError](err)
			if !ok {
				return result{ours: err}, ""
			}
			return result{problem: e.Error(), answer: e.answer}, ""
		}
		if sent != "" {
			req.Header.Set("Authorization", sent)
		}
	}
	client, err := s.clients.of(to.authentication)
	if err != nil {
		return result{problem: err.Error()}, sent
	}
	if r.again {
		ctx = anew(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	answer, err := client.Do(req.WithContext(ctx))
	if ours := exhausted(err); ours != nil {
		return result{ours: ours}, sent
	}
	if err != nil {
		return result{problem: egress.Plain(err).Error()}, sent
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(answer.Body, maxAnswer)) // what cannot be read changes nothing about the status
	res.status = answer.StatusCode
	res.outcome, res.retryAfter = classify(res.status, answer.Header, s.clock(), to.renewable())
	if res.outcome != Delivered {
		res.problem = "the receiver answered " + strconv.Itoa(res.status)
		res.answer = ofTarget(to, sent).excerpt(body)
	}
	return res, sent
}

// exhausted is why a request failed if that is since this machine has no more files or memory, which is not the other end's fault; else nil.
// That it has no address to connect from may mean ports, but also a receiver with IPv6 only: that counts.
func exhausted(err error) error {
	for _, e := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM} {
		if errors.Is(err, e) {
			return fmt.Errorf("make a connection: %w", e)
		}
	}
	return nil
}
