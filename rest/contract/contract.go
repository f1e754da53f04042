// Package contract holds requests to the OpenAPI document of their surface. A [Contract] is read from the document once;
// its Guard is the middleware that checks everything the document says, in the order of reference section 1.5: token,
// scope, Accept-Language, the id in the path, the query, the body. What it lets pass is well-formed and says who asks.
package contract

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"parley/rest/api"
)

// Config says what is held to what.
type Config struct {
	Document []byte // OpenAPI 3.0, YAML
	BasePath string // of the surface; the document's paths are below it
	Verifier api.Verifier
	// Exists has, by path of the document, how to find out whether the object it names is there. It is asked before a body
	// is looked at; operations without a body find out by themselves.
	Exists map[string]func(ctx context.Context, id string) error
	// Unread lists the ids of operations whose bodies somebody else reads and validates.
	Unread []string
}

// A Contract checks requests. Safe for concurrent use.
type Contract struct {
	basePath   string
	verifier   api.Verifier
	operations map[string]*operation // by method and path of the document
}

// An operation is what must be known of one.
type operation struct {
	open   bool                        // needs no token: the document says so with an empty list
	scopes []string                    // any one of them will do
	query  map[string]int64            // parameters it knows, with the largest value of those that are positive integers, else 0
	texts  map[string]*openapi3.Schema // parameters it knows that are text with a form: one of a list, a time, so long
	least  map[string]int64            // parameters it knows that are integers without a largest value, with their smallest
	body   *openapi3.Schema            // nil = none, or not ours to validate
	uuid   bool                        // the id in the path must have the form of one
	exists func(context.Context, string) error
}

// uuidLength is how a document says that an id is a UUID.
const uuidLength = 36

// New reads the document. It panics if that is broken, which the tests of its surface rule out.
func New(cfg Config) *Contract {
	doc, err := openapi3.NewLoader().LoadFromData(cfg.Document)
	if err != nil {
		panic(fmt.Errorf("contract of %s: %w", cfg.BasePath, err))
	}
	unread := map[string]bool{}
	for _, id := range cfg.Unread {
		unread[id] = true
	}
	c := &Contract{basePath: cfg.BasePath, verifier: cfg.Verifier, operations: map[string]*operation{}}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			one := newOperation(op, item.Parameters)
			if media := bodyOf(op); media != nil && !unread[op.OperationID] {
				one.body = media.Schema.Value
				if strings.Contains(path, "{") {
					one.exists = cfg.Exists[path]
				}
			}
			c.operations[method+" "+path] = one
		}
	}
	return c
}

func newOperation(op *openapi3.Operation, shared openapi3.Parameters) *operation {
	one := &operation{query: map[string]int64{}, texts: map[string]*openapi3.Schema{}, least: map[string]int64{}}
	if op.Security != nil {
		one.open = len(*op.Security) == 0
		for _, alternative := range *op.Security {
			for _, scopes := range alternative {
				one.scopes = append(one.scopes, scopes...)
			}
		}
	}
	for _, list := range []openapi3.Parameters{op.Parameters, shared} {
		for _, p := range list {
			schema := p.Value.Schema.Value
			switch p.Value.In {
			case openapi3.ParameterInQuery:
				one.query[p.Value.Name] = 0
				switch {
				case schema.Type.Is(openapi3.TypeInteger) && schema.Max != nil:
					one.query[p.Value.Name] = int64(*schema.Max)
				case schema.Type.Is(openapi3.TypeInteger):
					one.least[p.Value.Name] = int64(*schema.Min)
				case schema.Type.Is(openapi3.TypeString):
					one.texts[p.Value.Name] = schema
				}
			case openapi3.ParameterInPath:
				if p.Value.Name == "id" {
					one.uuid = schema.MinLength == uuidLength
				}
			}
		}
	}
	return one
}

func bodyOf(op *openapi3.Operation) *openapi3.MediaType {
	if op.RequestBody == nil {
		return nil
	}
	return op.RequestBody.Value.Content.Get("application/json")
}

// Validate checks a body that did not come in a request against what an operation of the document takes, and returns it as
// it is to be decoded.
func (c *Contract) Validate(method, path string, raw []byte) ([]byte, error) {
	op := c.operations[method+" "+path]
	if op == nil || op.body == nil {
		return nil, fmt.Errorf("%s %s takes no body", method, path)
	}
	return validate(op.body, raw)
}

// Malformed answers what generated code could not decode although the guard let it pass.
func Malformed(w http.ResponseWriter, r *http.Request, err error) {
	api.WriteError(w, r, malformed(err))
}
