package conversationmgr

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/gorilla/mux"

	"parley"
	"parley/rest/api"
)

// guard checks a request in the order of reference section 1.5 before anything of it is used: 401, 403, 406, 404 for the
// id in the path, then the body. What it lets pass is well-formed and says who asks.
func (s *Surface) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		op, ok := s.operations[r.Method+" "+template(r)]
		if !ok { // a route without operation: the tests know of none
			api.WriteError(w, r, &parley.Error{Kind: parley.NotFound})
			return
		}
		grant, err := api.Authorize(r, s.verifier, op.scopes...)
		if err == nil {
			r = r.WithContext(api.WithGrant(r.Context(), grant))
			err = op.check(r)
		}
		if err != nil {
			api.WriteError(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
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
	if !op.uuid { // of a file: any string is one, and an unknown one is 404 (reference 1.7 lists no 400)
		return nil
	}
	if _, err := idIn[struct{}](id); err != nil {
		return err
	}
	if op.exists != nil {
		return op.exists(r.Context(), id)
	}
	return nil
}

// Bounds of $pagenum and $pagesize (reference 1.6).
var pageBounds = map[string]int{"$pagenum": 999, "$pagesize": 75}

func (op *operation) checkQuery(raw string) error {
	query, err := url.ParseQuery(raw)
	if err != nil {
		return &api.Refusal{Code: api.ParameterValue, Key: "query", Msg: "the query cannot be read"}
	}
	for name, values := range query {
		if !op.query[name] {
			return &api.Refusal{Code: api.UnknownParameter, Key: name, Msg: "a query parameter is not supported"}
		}
		if len(values) > 1 {
			return &api.Refusal{Code: api.ParameterValue, Key: name, Msg: name + " is there more than once"}
		}
		bound, ok := pageBounds[name]
		if !ok {
			continue
		}
		if n, err := strconv.ParseUint(values[0], 10, 31); err != nil || n == 0 {
			return &api.Refusal{Code: api.ParameterNumber, Key: name, Msg: name + " must be a positive integer"}
		} else if int(n) > bound {
			return &api.Refusal{Code: api.ParameterValue, Key: name, Msg: name + " must be at most " + strconv.Itoa(bound)}
		}
	}
	return nil
}
