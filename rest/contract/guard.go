package contract

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/gorilla/mux"

	"parley"
	"parley/rest/api"
)

// Guard is the middleware of a surface's routes. Handlers behind it find the grant with [api.GrantOf], unless the
// operation is open to everyone, and a body they can decode.
func (c *Contract) Guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		op, ok := c.operations[r.Method+" "+c.template(r)]
		if !ok { // a route without operation: the tests of the surfaces know of none
			api.WriteError(w, r, &parley.Error{Kind: parley.NotFound})
			return
		}
		if !op.open {
			grant, err := api.Authorize(r, c.verifier, op.scopes...)
			if err != nil {
				api.WriteError(w, r, err)
				return
			}
			r = r.WithContext(api.WithGrant(r.Context(), grant))
		}
		if err := op.check(r); err != nil {
			api.WriteError(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// template is a route's path as the document has it.
func (c *Contract) template(r *http.Request) string {
	path, err := mux.CurrentRoute(r).GetPathTemplate()
	if err != nil {
		return ""
	}
	return strings.TrimPrefix(path, c.basePath)
}

// check is everything but the authority. It replaces the body by one that can be read again.
func (op *operation) check(r *http.Request) error {
	if err := api.AcceptLanguage(r); err != nil {
		return err
	}
	if id, ok := mux.Vars(r)["id"]; ok {
		if err := op.checkID(r, id); err != nil {
			return err
		}
	}
	if err := op.checkQuery(r.URL.RawQuery); err != nil {
		return err
	}
	if op.body == nil {
		return nil
	}
	raw, err := api.ReadJSON(r)
	if err != nil {
		return err
	}
	if raw, err = validate(op.body, raw); err != nil {
		return err
	}
	r.Body = io.NopCloser(bytes.NewReader(raw))
	return nil
}

func (op *operation) checkID(r *http.Request, id string) error {
	if op.uuid {
		if _, err := IDIn[struct{}](id); err != nil {
			return err
		}
	}
	if op.exists != nil {
		return op.exists(r.Context(), id)
	}
	return nil
}

// IDIn is the ID in a path; its form has been checked where the document says UUID.
func IDIn[T any](id string) (parley.ID[T], error) {
	parsed, err := parley.ParseID[T](id)
	if err != nil {
		return parsed, &api.Refusal{Code: api.PathParameter, Key: "id", Msg: "id in the path must be a UUID of 36 characters"}
	}
	return parsed, nil
}

func (op *operation) checkQuery(raw string) error {
	query, err := url.ParseQuery(raw)
	if err != nil {
		return &api.Refusal{Code: api.ParameterValue, Key: "query", Msg: "the query cannot be read"}
	}
	for name, values := range query {
		bound, known := op.query[name]
		if !known {
			return &api.Refusal{Code: api.UnknownParameter, Key: name, Msg: "a query parameter is not supported"}
		}
		if len(values) > 1 {
			return &api.Refusal{Code: api.ParameterValue, Key: name, Msg: name + " is there more than once"}
		}
		// PostgreSQL refuses such texts as wrong statements; bodies that hold them are refused likewise.
		if strings.IndexByte(values[0], 0) >= 0 || !utf8.ValidString(values[0]) {
			return &api.Refusal{Code: api.ParameterValue, Key: name, Msg: name + " must be UTF-8 without the character U+0000"}
		}
		if text := op.texts[name]; text != nil && text.VisitJSON(values[0]) != nil {
			return &api.Refusal{Code: api.ParameterValue, Key: name, Msg: name + " must be " + allowedText(text)}
		}
		if least, whole := op.least[name]; whole {
			if n, err := strconv.ParseInt(values[0], 10, 64); err != nil || n < least {
				return &api.Refusal{Code: api.ParameterValue, Key: name, Msg: name + " must be a whole number from " + strconv.FormatInt(least, 10)}
			}
		}
		if bound == 0 {
			continue
		}
		if n, err := strconv.ParseInt(values[0], 10, 32); err != nil || n <= 0 {
			return &api.Refusal{Code: api.ParameterNumber, Key: name, Msg: name + " must be a positive integer"}
		} else if n > bound {
			return &api.Refusal{Code: api.ParameterValue, Key: name, Msg: name + " must be at most " + strconv.FormatInt(bound, 10)}
		}
	}
	return nil
}

// allowedText says what a parameter that is text may be.
func allowedText(s *openapi3.Schema) string {
	switch {
	case len(s.Enum) > 0:
		return "one of " + allowed(s)
	case s.Format == "date-time":
		return "a time such as 2026-03-01T12:00:00.000Z"
	case s.MinLength == uuidLength:
		return "a UUID of 36 characters"
	}
	return fmt.Sprintf("%d to %d characters", s.MinLength, *s.MaxLength)
}
