package analytics

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"parley"
	"parley/rest/api"
)

// A problem is the body of every error, that of google.rpc.Status (reference 7).
type problem struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	Details []any  `json:"details"`
}

// A refusal is an error with its status.
type refusal struct {
	status int
	msg    string
	wait   time.Duration // of 429
}

func (e *refusal) Error() string { return e.msg }

// invalid says what is wrong with a parameter, which the text names.
func invalid(format string, args ...any) error {
	return &refusal{status: http.StatusBadRequest, msg: fmt.Sprintf(format, args...)}
}

var (
	errUnauthenticated = &refusal{status: http.StatusUnauthorized, msg: "a token id and its secret are needed, as Basic or Bearer credentials; these are none, have expired or were revoked"}
	errOtherTeam       = &refusal{status: http.StatusForbidden, msg: "the token is of another team"}
	errNoBot           = &refusal{status: http.StatusNotFound, msg: "bot not found"}
	errNoTeam          = &refusal{status: http.StatusNotFound, msg: "team not found"}
	errNoConversation  = &refusal{status: http.StatusNotFound, msg: "conversation not found in this range, or not of this bot and version"}
)

// codes are those of google.rpc.Code by HTTP status.
var codes = map[int]int{http.StatusBadRequest: 3, http.StatusUnauthorized: 16, http.StatusForbidden: 7, http.StatusNotFound: 5, http.StatusConflict: 10,
	http.StatusMethodNotAllowed: 12, http.StatusRequestEntityTooLarge: 3, http.StatusTooManyRequests: 8, http.StatusInternalServerError: 13, http.StatusServiceUnavailable: 14}

var statuses = map[parley.Kind]int{
	parley.Internal: http.StatusServiceUnavailable, // all that can fail here is the record
	parley.Invalid:  http.StatusBadRequest, parley.Unauthenticated: http.StatusUnauthorized, parley.Forbidden: http.StatusForbidden,
	parley.NotFound: http.StatusNotFound, parley.Conflict: http.StatusConflict, parley.Closed: http.StatusBadRequest, parley.Busy: http.StatusServiceUnavailable,
}

// problemOf is the one table from errors to what is answered. Of our own failures it tells nothing.
func problemOf(err error) (int, problem) {
	var status int
	var msg string
	if r, ok := errors.AsType[*refusal](err); ok {
		status, msg = r.status, r.msg
	} else {
		kind := parley.KindOf(err)
		status, msg = statuses[kind], kind.String()
		if e, ok := errors.AsType[*parley.Error](err); ok && kind != parley.Internal && e.Msg != "" {
			msg = e.Msg
		}
	}
	switch status {
	case http.StatusServiceUnavailable:
		msg = "the statistics cannot be read just now"
	case http.StatusInternalServerError:
		msg = "internal error"
	}
	return status, problem{Code: codes[status], Message: msg, Details: []any{}}
}

func writeError(w http.ResponseWriter, r *http.Request, err error) {
	status, p := problemOf(err)
	api.NoteError(r.Context(), err)
	switch status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Basic realm="analytics"`)
	case http.StatusTooManyRequests:
		var wait time.Duration
		if e, ok := errors.AsType[*refusal](err); ok {
			wait = e.wait
		}
		w.Header().Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(wait.Seconds())))))
	}
	w.Header().Set("Cache-Control", "no-store")
	api.WriteJSON(w, status, p)
}
