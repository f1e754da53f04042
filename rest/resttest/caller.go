// Package resttest is for tests of REST surfaces: dialogues that people can read, and a caller that holds every answer to
// the surface's OpenAPI document.
//
// A dialogue is requests with the answers they must get:
//
//	# A comment.
//	POST /accounts
//	Accept-Language: de
//	{"name":"support"}
//	-> 201 {"id":"$account"}
//
// Members that the expected answer does not name are not looked at; lists must have the same length. A string "$name"
// stands for any value the first time and for that same value from then on, also in requests; "$_" for any value, and
// "$absent" for none. The token $all is sent unless Authorization is given; the value "-" leaves a header out.
package resttest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"parley/rest/api"
)

// A Caller makes requests to one surface and fails the test when an answer is not as the document says. Do is safe for concurrent use.
type Caller struct {
	Codes map[string]bool // of the errors that were answered; not to be read while calls are under way

	t         testing.TB
	url       string
	client    *http.Client
	transport *documented
}

// A Refusal reads the body of an error of that status; ok is false if it is none. code is what [Caller.Codes] notes.
type Refusal func(status int, body []byte) (code string, ok bool)

// Refuses says how errors of the surface look, unless as those of conversationmgr.
func (c *Caller) Refuses(r Refusal) { c.transport.refusal = r }

// NewCaller calls the surface at that server and base path.
func NewCaller(t testing.TB, server, basePath string, document []byte) *Caller {
	t.Helper()
	doc := Document(t, document)
	doc.Servers = openapi3.Servers{{URL: server + basePath}}
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	c := &Caller{Codes: map[string]bool{}, t: t, url: server + basePath}
	c.transport = &documented{t: t, router: router, codes: c.Codes, refusal: refused}
	c.client = &http.Client{Transport: c.transport}
	return c
}

// Document parses an OpenAPI document.
func Document(t testing.TB, document []byte) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(document)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// Do makes a request; target is a path below the caller's URL, or a URL. headers come in pairs.
func (c *Caller) Do(method, target, body string, headers ...string) (*http.Response, string) {
	c.t.Helper()
	if !strings.HasPrefix(target, "http") {
		target = c.url + target
	}
	r, err := http.NewRequestWithContext(c.t.Context(), method, target, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i+1] == "" {
			r.Header.Del(headers[i])
		} else {
			r.Header[http.CanonicalHeaderKey(headers[i])] = []string{headers[i+1]} // Set would trim nothing, but say so
		}
	}
	res, err := c.client.Do(r)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, target, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, target, err)
	}
	return res, string(text)
}

// A documented transport fails the test when an answer is not as the document says. Every test of the package uses it.
type documented struct {
	t       testing.TB
	router  routers.Router
	refusal Refusal

	mu    sync.Mutex
	codes map[string]bool
}

func (d *documented) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil {
		return nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	if res.StatusCode >= 400 {
		d.checkError(r, res, body)
	}
	route, params, unknown := d.router.FindRoute(r)
	if unknown != nil {
		return res, nil //nolint:nilerr // a path or method that the document does not know, which checkError has looked at
	}
	input := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, Route: route, PathParams: params},
		Status:                 res.StatusCode, Header: res.Header,
		Options: &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true, ExcludeResponseBody: route.Operation.OperationID == "downloadAsset" && res.StatusCode == 200},
	}
	input.SetBodyBytes(body)
	if err := openapi3filter.ValidateResponse(r.Context(), input); err != nil {
		d.t.Errorf("%s %s answered %d %s, which is not as documented: %v", r.Method, r.URL.Path, res.StatusCode, body, err)
	}
	return res, nil
}

// checkError says what holds for every refusal, also where the document has no operation.
func (d *documented) checkError(r *http.Request, res *http.Response, body []byte) {
	code, ok := d.refusal(res.StatusCode, body)
	if !ok || res.Header.Get("Content-Type") != "application/json" {
		d.t.Errorf("%s %s answered %d %s (%s), which is no error body", r.Method, r.URL.Path, res.StatusCode, body, res.Header.Get("Content-Type"))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.codes[code] = true
}

// refused is the [Refusal] of conversationmgr and those that share its body.
func refused(status int, body []byte) (string, bool) {
	var e api.Body
	err := json.Unmarshal(body, &e)
	return e.Code, err == nil && api.Code(e.Code).Status() == status && e.DeveloperMessage != ""
}
