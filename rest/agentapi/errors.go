package agentapi

import (
	"errors"
	"net/http"
	"strings"

	"parley"
	"parley/rest/api"
)

// A refusal is an error of this surface (reference 2).
type refusal struct {
	status  int
	details []detail
	cause   error
}

// A detail says what is wrong with one member of a body, or one parameter.
type detail struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

func (e *refusal) Error() string {
	parts := []string{http.StatusText(e.status)}
	for _, d := range e.details {
		parts = append(parts, d.Field+" "+d.Message)
	}
	return strings.Join(parts, "; ")
}

func (e *refusal) Unwrap() error { return e.cause }

var (
	errKey      = &refusal{status: http.StatusForbidden}
	errNotFound = &refusal{status: http.StatusNotFound}
)

// bad says what is wrong with one thing.
func bad(field, message string) error {
	return &refusal{status: http.StatusBadRequest, details: []detail{{field, message}}}
}

// findings collects everything that is wrong with a request.
type findings struct {
	wrong  []detail
	prefix string // of the names in details
}

// refuse notes what is wrong with a member, or a parameter.
func (f *findings) refuse(name, message string) {
	f.wrong = append(f.wrong, detail{f.prefix + name, message})
}

// err is the refusal of everything that is wrong; nil if nothing is.
func (f *findings) err() error {
	if len(f.wrong) == 0 {
		return nil
	}
	return &refusal{status: http.StatusBadRequest, details: f.wrong}
}

// agentFailed is a turn that came to nothing. Callers learn no more than that; [Surface.responseOn] tells why.
func agentFailed(cause error) error {
	return &refusal{status: http.StatusInternalServerError, cause: cause}
}

// names are the words of the statuses (reference 2).
var names = map[int]struct{ name, message string }{
	http.StatusBadRequest: {"BAD_REQUEST", "INVALID_REQUEST"},
	http.StatusForbidden:  {"FORBIDDEN_ERROR", "INVALID_CREDENTIALS"},
	http.StatusNotFound:   {"ENTITY_NOT_FOUND_ERROR", "ENTITY_NOT_FOUND"},
}

type errorBody struct {
	Status  int      `json:"status"`
	Name    string   `json:"name"`
	Message string   `json:"message"`
	Details []detail `json:"details"`
}

type failureBody struct {
	Status  int    `json:"status"`
	Message string `json:"message"`
}

// refusalOf is the one table from errors to what is answered. Of our own failures it tells nothing. The surface has no word for being
// busy: callers are told not to repeat a send blindly, so a 500 is the honest one.
func refusalOf(err error) *refusal {
	if e, ok := errors.AsType[*refusal](err); ok {
		return e
	}
	switch parley.KindOf(err) {
	case parley.NotFound:
		return errNotFound
	case parley.Closed: // a conversation of another surface: those of this one last
		return &refusal{status: http.StatusBadRequest, details: []detail{{"conversation", "is over"}}}
	case parley.Invalid:
		e, ok := errors.AsType[*parley.Error](err)
		if !ok {
			break
		}
		return &refusal{status: http.StatusBadRequest, details: []detail{{e.Field, e.Msg}}}
	}
	return &refusal{status: http.StatusInternalServerError}
}

func writeError(w http.ResponseWriter, r *http.Request, err error) {
	api.NoteError(r.Context(), err)
	e := refusalOf(err)
	if e.status == http.StatusInternalServerError {
		api.WriteJSON(w, e.status, failureBody{e.status, "Internal Server Error"})
		return
	}
	body := errorBody{Status: e.status, Name: names[e.status].name, Message: names[e.status].message, Details: e.details}
	if body.Details == nil {
		body.Details = []detail{}
	}
	api.WriteJSON(w, e.status, body)
}
