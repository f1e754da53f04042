package conversationmgr

import (
	"context"
	_ "embed"
	"fmt"
	"net/http"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// Document is the contract of the surface, an OpenAPI 3.0 document in YAML.
//
//go:embed openapi.yaml
var Document []byte

// An operation is what the guard must know of one.
type operation struct {
	scopes []string         // any one of them will do
	query  map[string]bool  // parameters it knows
	body   *openapi3.Schema // nil = none, or one that is validated elsewhere
	uuid   bool             // the id in the path must have the form of one
	exists func(context.Context, ID) error
}

// wireOperations have bodies that package wire validates.
var wireOperations = map[string]bool{"sendMessage": true}

// operations reads the document. exists has, by path, how to look for the object that the path names; it is asked before
// a body is looked at, so only operations with a body need it.
func operations(exists map[string]func(context.Context, ID) error) map[string]*operation {
	doc, err := openapi3.NewLoader().LoadFromData(Document)
	if err != nil {
		panic(fmt.Errorf("conversationmgr: openapi.yaml: %w", err))
	}
	all := map[string]*operation{}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			one := &operation{query: map[string]bool{}}
			if op.Security != nil {
				for _, alternative := range *op.Security {
					for _, scopes := range alternative {
						one.scopes = append(one.scopes, scopes...)
					}
				}
			}
			for _, p := range append(op.Parameters, item.Parameters...) {
				switch p.Value.In {
				case openapi3.ParameterInQuery:
					one.query[p.Value.Name] = true
				case openapi3.ParameterInPath:
					one.uuid = p.Value.Schema.Value.MinLength == uuidLength
				}
			}
			if op.RequestBody != nil && !wireOperations[op.OperationID] {
				if media := op.RequestBody.Value.Content.Get("application/json"); media != nil {
					one.body = media.Schema.Value
				}
			}
			if method == http.MethodPut && strings.Contains(path, "{") {
				one.exists = exists[path]
			}
			all[method+" "+path] = one
		}
	}
	return all
}

const uuidLength = 36
