package resttest

import (
	"net/http"
	"strconv"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// EachStatus calls fn for every status that an OpenAPI document declares for an operation, in any order: those of our own faults
// (500), or the others. without has, by operation and status, why one cannot happen; these are left out.
func EachStatus(t testing.TB, document []byte, without map[string]string, ours bool, fn func(method, path string, op *openapi3.Operation, status int)) {
	t.Helper()
	for path, item := range Document(t, document).Paths.Map() {
		for method, op := range item.Operations() {
			for name := range op.Responses.Map() {
				status, err := strconv.Atoi(name)
				if err != nil {
					t.Fatal(err)
				}
				if without[op.OperationID+" "+name] == "" && ours == (status == http.StatusInternalServerError) {
					fn(method, path, op, status)
				}
			}
		}
	}
}
