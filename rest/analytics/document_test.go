package analytics_test

import (
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/gorilla/mux"

	"parley/rest/analytics"
	"parley/rest/resttest"
)

// The document is valid, has every operation that there is and no other, and changes only on purpose.
func TestDocument(t *testing.T) {
	doc := resttest.Document(t, analytics.Document)
	if err := doc.Validate(t.Context(), openapi3.EnableExamplesValidation()); err != nil {
		t.Error(err)
	}
	router := mux.NewRouter()
	analytics.New(analytics.Deps{}).Register(router)
	routes := resttest.Routes(t, router, "")
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			if !routes[method+" "+path] {
				t.Errorf("%s %s has no route", method, path)
			}
			delete(routes, method+" "+path)
		}
	}
	for route := range routes {
		t.Errorf("%s is not in the document", route)
	}
	resttest.Golden(t, analytics.Document, "testdata/contract.sum")
}
