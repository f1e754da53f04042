package broker_test

import (
	"testing"

	"github.com/gorilla/mux"

	"parley/rest/broker"
	"parley/rest/resttest"
)

// Router and document know the same operations.
func TestDocumentHasEveryRoute(t *testing.T) {
	router := mux.NewRouter()
	broker.New(broker.Deps{}).Register(router)
	routes := resttest.Routes(t, router, "")
	doc := resttest.Document(t, broker.Document)
	if err := doc.Validate(t.Context()); err != nil {
		t.Error(err)
	}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			for _, prefix := range []string{"", broker.Prefix} {
				if !routes[method+" "+prefix+path] {
					t.Errorf("%s has no route below %q", op.OperationID, prefix)
				}
				delete(routes, method+" "+prefix+path)
			}
		}
	}
	for route := range routes {
		t.Errorf("%s is not in the document", route)
	}
}

func TestChangedContractHasNewVersion(t *testing.T) {
	resttest.Golden(t, broker.Document, "testdata/contract.sum")
}
