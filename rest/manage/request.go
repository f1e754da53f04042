package manage

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/gorilla/mux"

	"parley"
	"parley/rest/api"
	"parley/tokens"
)

// A request is one whose caller is known.
type request struct {
	*http.Request
	tenant parley.TenantID
	client parley.APIClientID
}

// An answer is what goes back when all went well.
type answer struct {
	status int
	body   any
}

func ok(body any) answer { return answer{http.StatusOK, body} }

// handler checks who calls, and writes what comes out.
func (s *Surface) handler(route route) http.Handler {
	limit := route.limit
	if limit == 0 {
		limit = maxBody
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, limit)
		grant, err := s.authorize(r)
		if err != nil {
			writeError(w, r, err)
			return
		}
		a, err := route.handle(&request{Request: r, tenant: grant.Tenant, client: grant.Client})
		if err != nil {
			writeError(w, r, err)
			return
		}
		api.WriteJSON(w, a.status, a.body)
	})
}

// authorize takes a bearer's token, or one in the header that came before that (reference 1).
func (s *Surface) authorize(r *http.Request) (tokens.Grant, error) {
	if key := strings.TrimSpace(r.Header.Get("X-Api-Key")); key != "" && r.Header.Get("Authorization") == "" {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer "+key)
	}
	return api.Authorize(r, s.authority, parley.ScopeUnderstanding)
}

// number is the id in a path. What is no number names nothing.
func (r *request) number(what string) (parley.Number, error) {
	n, err := parley.ParseNumber(mux.Vars(r.Request)["id"])
	if err != nil {
		return 0, &parley.Error{Kind: parley.NotFound, Msg: "there is no " + what + " of that id"}
	}
	return n, nil
}

// query are the parameters. A semicolon is part of a value, as criteria have it and clients do not escape it: net/url drops such
// parameters.
func (r *request) query() (url.Values, error) {
	values, err := url.ParseQuery(strings.ReplaceAll(r.URL.RawQuery, ";", "%3B"))
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "the query cannot be read")
	}
	return values, nil
}

// body reads a body.
func (r *request) body() ([]byte, error) {
	raw, err := io.ReadAll(r.Body)
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, refuse(http.StatusRequestEntityTooLarge, "the body is larger than %d bytes", tooLarge.Limit)
	}
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "the body ended before its time")
	}
	if len(raw) == 0 {
		return nil, refuse(http.StatusBadRequest, "the body is missing")
	}
	return raw, nil
}

// isArray says whether a body is an array.
func isArray(raw []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(raw, " \t\r\n"), []byte("["))
}

// object reads a body that is an object.
func object[T any](r *request) (v T, err error) {
	raw, err := r.body()
	if err != nil {
		return v, err
	}
	return v, decodeObject(raw, &v)
}

func decodeObject[T any](raw []byte, v *T) error {
	if isArray(raw) {
		return refuse(http.StatusBadRequest, "the body must be an object, not an array")
	}
	return decode(raw, v)
}

// array reads a body that is an array of at least one item.
func array[T any](r *request) (all []T, err error) {
	raw, err := r.body()
	if err != nil {
		return nil, err
	}
	return all, decodeArray(raw, &all)
}

func decodeArray[T any](raw []byte, all *[]T) error {
	if !isArray(raw) {
		return refuse(http.StatusBadRequest, "the body must be an array")
	}
	if err := decode(raw, all); err != nil {
		return err
	}
	if len(*all) == 0 {
		return refuse(http.StatusBadRequest, "the body must be an array of at least one item")
	}
	return nil
}

// items reads a body that is an object or, on the paths where its type decides, an array of them.
func items[T any](r *request) (all []T, bulk bool, err error) {
	raw, err := r.body()
	if err != nil {
		return nil, false, err
	}
	if isArray(raw) {
		return all, true, decodeArray(raw, &all)
	}
	all = make([]T, 1)
	return all, false, decode(raw, &all[0])
}

// A maker makes what a body has; bulk = it is an array, and so is the answer.
type maker[T any] func(r *request, all []T, bulk bool) (answer, error)

// one makes what a body describes that is an object.
func one[T any](m maker[T]) func(*request) (answer, error) {
	return func(r *request) (answer, error) {
		v, err := object[T](r)
		if err != nil {
			return answer{}, err
		}
		return m(r, []T{v}, false)
	}
}

// many makes what a body describes that is an array.
func many[T any](m maker[T]) func(*request) (answer, error) {
	return func(r *request) (answer, error) {
		all, err := array[T](r)
		if err != nil {
			return answer{}, err
		}
		return m(r, all, true)
	}
}

// either makes what a body describes that is an object or an array.
func either[T any](m maker[T]) func(*request) (answer, error) {
	return func(r *request) (answer, error) {
		all, bulk, err := items[T](r)
		if err != nil {
			return answer{}, err
		}
		return m(r, all, bulk)
	}
}
