package resttest

import (
	"regexp"
	"strings"
	"testing"

	"github.com/gorilla/mux"
)

// pattern is what a path variable of a router may be.
var pattern = regexp.MustCompile(`:[^}]*}`)

// Routes are the routes of a router, as "METHOD path" with paths as OpenAPI documents write them, without a prefix.
func Routes(t testing.TB, router *mux.Router, prefix string) map[string]bool {
	t.Helper()
	routes := map[string]bool{}
	err := router.Walk(func(route *mux.Route, _ *mux.Router, _ []*mux.Route) error {
		path, err := route.GetPathTemplate()
		methods, _ := route.GetMethods()
		for _, m := range methods {
			routes[m+" "+pattern.ReplaceAllString(strings.TrimPrefix(path, prefix), "}")] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return routes
}
