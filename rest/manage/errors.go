package manage

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"parley"
	"parley/rest/api"
)

// A refusal is an error that only HTTP knows.
type refusal struct {
	status int
	msg    string
}

func (e *refusal) Error() string { return e.msg }

func refuse(status int, format string, args ...any) error {
	return &refusal{status, fmt.Sprintf(format, args...)}
}

// A problem is the body of every error (reference 1.1).
type problem struct {
	Message    string `json:"message"`
	StatusCode int    `json:"statusCode,omitempty"` // of 429 to a text only
}

var statuses = map[parley.Kind]int{
	parley.Internal: http.StatusInternalServerError, parley.Invalid: http.StatusBadRequest, parley.Unauthenticated: http.StatusUnauthorized,
	parley.Forbidden: http.StatusForbidden, parley.NotFound: http.StatusNotFound, parley.Conflict: http.StatusConflict,
	parley.Closed: http.StatusBadRequest, parley.Busy: http.StatusTooManyRequests,
}

// problemOf is the one table from errors to what is answered. Of our own failures it tells nothing.
func problemOf(err error) (int, problem) {
	if r, ok := errors.AsType[*refusal](err); ok {
		return r.status, problem{Message: r.msg}
	}
	kind := parley.KindOf(err)
	status := statuses[kind]
	if parley.ReasonOf(err) == parley.NameTaken {
		status = http.StatusConflict
	}
	p := problem{Message: kind.String()}
	if e, ok := errors.AsType[*parley.Error](err); ok && kind != parley.Internal && e.Msg != "" {
		p.Message = e.Msg
	}
	return status, p
}

func writeError(w http.ResponseWriter, r *http.Request, err error) {
	status, p := problemOf(err)
	api.NoteError(r.Context(), err)
	switch status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", "Bearer") // RFC 9110 section 11.6.1
	case http.StatusTooManyRequests:
		w.Header().Set("Retry-After", "1")
		if strings.HasPrefix(r.URL.Path, texts+"/") {
			p.StatusCode = status
		}
	}
	api.WriteJSON(w, status, p)
}

// atItem says of which item of a bulk an error is.
func atItem(err error, i int, bulk bool) error {
	if r, ok := errors.AsType[*refusal](err); ok && bulk {
		return refuse(r.status, "item %d: %s", i, r.msg)
	}
	return err
}
