package broker

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"parley"
	"parley/rest/api"
)

// A problem is an error of this surface (reference 11). It is also the error body.
type problem struct {
	Timestamp   api.Time `json:"timestamp"`
	Status      int      `json:"status"`
	Title       string   `json:"error"`
	Message     string   `json:"message"`
	Path        string   `json:"path"`
	Code        string   `json:"code"`
	SessionCode string   `json:"sessionCode,omitempty"` // of a session that is still of use

	retryAfter time.Duration
	cause      error
}

func (p *problem) Error() string { return p.Code + ": " + p.Message }
func (p *problem) Unwrap() error { return p.cause }

// The statuses that HTTP has no name for.
const (
	statusWebhook       = 460
	statusMisconfigured = 461
	statusNLP           = 462
	statusNLPRefuses    = 463
)

var titles = map[int]string{statusWebhook: "Webhook Error", statusMisconfigured: "Bot Misconfigured", statusNLP: "NLP Error", statusNLPRefuses: "NLP Unauthorized"}

func fail(status int, code, message string) *problem {
	title, ok := titles[status]
	if !ok {
		title = http.StatusText(status)
	}
	return &problem{Status: status, Title: title, Code: code, Message: message}
}

// The errors that carry no further words.
var (
	errKey         = fail(http.StatusUnauthorized, "UNAUTHORIZED", "the API-KEY is missing, unknown, expired or revoked")
	errBearer      = fail(http.StatusUnauthorized, "UNAUTHORIZED", "a bearer token is required, and there is none or a bad one")
	errForeign     = fail(http.StatusForbidden, "FORBIDDEN", "the credential is good for another environment")
	errRole        = fail(http.StatusForbidden, "FORBIDDEN", "the token lacks the role that this needs")
	errOff         = fail(http.StatusForbidden, "FORBIDDEN", "the bot or the channel is switched off")
	errNotFound    = fail(http.StatusNotFound, "NOT_FOUND", "there is nothing at this address")
	errSession     = fail(http.StatusNotFound, "SESSION_NOT_FOUND", "there is no session of this code here")
	errExpired     = fail(http.StatusConflict, "SESSION_EXPIRED", "the session is over; start a new one")
	errInProgress  = fail(http.StatusConflict, "TURN_IN_PROGRESS", "another turn of this session is in progress")
	errEmpty       = fail(http.StatusBadRequest, "EMPTY_TURN", "a turn needs a code, an intent, a userInput, a text or a context")
	errNoEnd       = fail(http.StatusInternalServerError, "INTERNAL", "the turn came to no end")
	errInteraction = fail(http.StatusNotFound, "NOT_FOUND", "there is no interaction of this id")

	errNotEvaluable error = fail(http.StatusUnprocessableEntity, "NOT_EVALUABLE", "this interaction cannot be rated")
)

// kinds turns errors of the layers below into problems.
var kinds = map[parley.Kind]*problem{
	parley.Invalid:         fail(http.StatusUnprocessableEntity, "INVALID_VALUE", ""),
	parley.Unauthenticated: errBearer,
	parley.Forbidden:       errRole,
	parley.NotFound:        errNotFound,
	parley.Conflict:        errInProgress,
	parley.Closed:          errExpired,
	parley.Busy:            fail(http.StatusTooManyRequests, "RATE_LIMITED", "too much is going on; try again in a moment"),
}

// problemOf is the one table from errors to what is answered. Of our own failures it tells nothing.
func problemOf(err error) *problem {
	if p, ok := errors.AsType[*problem](err); ok {
		return p
	}
	p := fail(http.StatusInternalServerError, "INTERNAL", "internal error")
	p.cause = err
	if known := kinds[parley.KindOf(err)]; known != nil {
		same := *known
		p = &same
		if e, ok := errors.AsType[*parley.Error](err); ok && p.Message == "" {
			p.Message = e.Field + " " + e.Msg
		}
		if p.Status == http.StatusTooManyRequests {
			p.retryAfter = time.Second
		}
	}
	return p
}

// failures turns the reasons of failed turns into statuses.
var failures = map[parley.TurnFailure]struct {
	status int
	code   string
}{
	parley.FailureBot: {statusWebhook, "WEBHOOK_ERROR"}, parley.FailureDeadline: {statusWebhook, "WEBHOOK_ERROR"},
	parley.FailureBotSettings: {statusMisconfigured, "BOT_MISCONFIGURED"}, parley.FailureModel: {statusNLP, "NLP_UNAVAILABLE"},
	parley.FailureModelRefuses: {statusNLPRefuses, "NLP_UNAUTHORIZED"}, parley.FailureInternal: {http.StatusInternalServerError, "INTERNAL"},
}

// failed is the problem of a turn that failed.
func failed(t *parley.Turn) *problem {
	f, ok := failures[t.Failure]
	if !ok {
		return errNoEnd
	}
	return fail(f.status, f.code, t.Problem)
}

// at says to which session a problem belongs, if that is still of use and the status may tell.
func (p *problem) at(session string) *problem {
	if p.Status != http.StatusTooManyRequests && p.Status < statusWebhook {
		return p
	}
	same := *p
	same.SessionCode = session
	return &same
}

// inSession is an error of a turn in a session that goes on; nil if there is none. Clients that find no code begin anew.
func inSession(err error, id parley.ConversationID) error {
	if err == nil {
		return nil
	}
	return problemOf(err).at(id.String())
}

func writeError(w http.ResponseWriter, r *http.Request, err error) {
	p := *problemOf(err)
	if p.cause != nil {
		err = p.cause // the caller does not hear of it, so the log must
	}
	api.NoteError(r.Context(), err)
	p.Timestamp, p.Path = api.Time(time.Now()), r.URL.Path
	switch p.Status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", "Bearer") // RFC 9110 section 11.6.1
	case http.StatusTooManyRequests:
		w.Header().Set("Retry-After", strconv.Itoa(max(1, int(p.retryAfter.Round(time.Second).Seconds()))))
	}
	api.WriteJSON(w, p.Status, p)
}
