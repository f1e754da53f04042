package ws

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"parley"
)

// Deliveries gives a session what its client application is owed; see dispatch.Dispatcher.Take.
type Deliveries interface {
	Take(ctx context.Context, r parley.Receiver, atOnce int, hand parley.Hand) (run func(context.Context), err error)
}

const (
	// maxAtOnce bounds the deliveries of a session that wait for their outcome: one a lane.
	maxAtOnce = 256
	// atOnceDefault is for clients that do not say.
	atOnceDefault = 16
	// maxAfter bounds how long a receiver may put a delivery off.
	maxAfter = 24 * time.Hour
)

// take lets the session have what the client application is owed, in place of callbacks: in order per conversation, each
// until its outcome is told.
func (s *session) take(r *request) error {
	var in struct {
		Application string      `json:"application"`
		Role        parley.Role `json:"role"`
		AtOnce      int         `json:"atOnce"`
	}
	if err := decode(r.body, &in); err != nil {
		return err
	}
	if in.AtOnce == 0 {
		in.AtOnce = atOnceDefault
	}
	if in.AtOnce < 1 || in.AtOnce > maxAtOnce {
		return &parley.Error{Kind: parley.Invalid, Reason: parley.BadValue, Field: "atOnce", Msg: "must be 1 to " + strconv.Itoa(maxAtOnce)}
	}
	if in.Role == "" {
		in.Role = s.role
	}
	speaker := s.grant.Speaker
	if speaker.Contact != "" || s.server.config.Deliveries == nil || in.Role == "" || !s.speaksAs(in.Role) {
		return &parley.Error{Kind: parley.Forbidden, Reason: parley.ActorNotAllowed, Msg: "only a session of a client application takes deliveries, in a role of its own"}
	}
	if in.Application != "" && in.Application != speaker.Application.String() { // taking another's would look as if nothing were owed
		return &parley.Error{Kind: parley.Forbidden, Reason: parley.ActorNotAllowed, Msg: "the credential belongs to another client application"}
	}
	s.mu.Lock()
	again := s.takes != nil
	s.mu.Unlock()
	if again {
		return &parley.Error{Kind: parley.Invalid, Reason: parley.BadValue, Msg: "the session takes deliveries already"}
	}
	ctx, cancel := context.WithTimeout(s.done, opTimeout)
	defer cancel()
	run, err := s.server.config.Deliveries.Take(ctx, parley.Receiver{Tenant: speaker.Tenant, Application: speaker.Application, Role: in.Role}, in.AtOnce, s.hand)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.takes = map[string]chan parley.Answer{}
	s.ok(r.id, struct {
		Role   parley.Role `json:"role"`
		AtOnce int         `json:"atOnce"`
	}{in.Role, in.AtOnce})
	s.work.Go(func() { run(s.done) })
	return nil
}

// speaksAs says whether the session's credential has a role.
func (s *session) speaksAs(r parley.Role) bool {
	roles := s.grant.Speaker.Roles
	return !s.grant.Speaker.Application.IsZero() && (len(roles) == 0 || slices.Contains(roles, r))
}

// delivery is what a client that takes deliveries gets: the body is the one that a callback would have had.
type delivery struct {
	ID           string                `json:"id"`
	Conversation parley.ConversationID `json:"conversation"`
	Seq          int64                 `json:"seq"`
	Attempt      int                   `json:"attempt"`
	Trace        string                `json:"traceparent,omitempty"`
	Body         json.RawMessage       `json:"body"`
}

var errNoOutcome = errors.New("no outcome was told")

// hand implements [parley.Hand].
func (s *session) hand(ctx context.Context, h parley.Handed) (parley.Answer, error) {
	object, err := json.Marshal(map[string]delivery{"delivery": {h.Delivery, h.Conversation, h.Seq, h.Attempt, h.Trace, h.Body}})
	if err != nil { // a body that is in the record and no JSON that this can render: this delivery's trouble, and nobody else's
		return parley.Answer{}, fmt.Errorf("render delivery %s: %w", h.Delivery, err)
	}
	answer := make(chan parley.Answer, 1)
	s.mu.Lock()
	s.takes[h.Delivery] = answer
	s.push(object)
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.takes, h.Delivery)
		s.mu.Unlock()
	}()
	select {
	case a := <-answer:
		return a, nil
	case <-ctx.Done():
		return parley.Answer{}, errNoOutcome
	}
}

// outcome tells what became of a delivery.
func (s *session) outcome(r *request) error {
	var in struct {
		Delivery string `json:"delivery"`
		Outcome  string `json:"outcome"`
		After    int64  `json:"after"` // ms
		Reason   string `json:"reason"`
	}
	if err := decode(r.body, &in); err != nil {
		return err
	}
	a := parley.Answer{After: time.Duration(in.After) * time.Millisecond, Reason: in.Reason}
	switch in.Outcome {
	case parley.OutcomeDelivered.String():
		a.Outcome = parley.OutcomeDelivered
	case parley.OutcomeRetry.String():
		a.Outcome = parley.OutcomeRetry
	case parley.OutcomeRejected.String():
		a.Outcome = parley.OutcomeRejected
	case parley.OutcomeGone.String():
		a.Outcome = parley.OutcomeGone
	default:
		return &parley.Error{Kind: parley.Invalid, Reason: parley.BadValue, Field: "outcome", Msg: "must be delivered, retry, rejected or gone"}
	}
	if in.After < 0 || in.After > maxAfter.Milliseconds() { // before it is made a Duration, which is too small for some
		return &parley.Error{Kind: parley.Invalid, Reason: parley.BadValue, Field: "after", Msg: "must be in milliseconds, at most a day"}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := s.takes[in.Delivery]
	if asked == nil {
		s.fail(r.id, &parley.Error{Kind: parley.NotFound, Msg: "no such delivery waits for its outcome: it came too late, or twice"})
		return nil
	}
	delete(s.takes, in.Delivery)
	asked <- a // it has room for one, and gets one
	s.reply(r.id, nil)
	return nil
}
