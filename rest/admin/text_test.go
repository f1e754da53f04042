package admin_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"parley"
	"parley/ident"
	"parley/rest/admin"
	"parley/rest/resttest"
	"parley/store"
	"parley/store/storetest"
)

// No parameter may hold what a database cannot: NUL and broken UTF-8 are refused by name, on either database, and the hub is not at fault.
func TestParametersThatNoTextCanHold(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) {
		s := newStageOn(t, open(t))
		token, _ := s.token(parley.DefaultTenant, parley.ScopeAdmin)
		asked := 0
		for path, item := range resttest.Document(t, admin.Document).Paths.Map() {
			for method, op := range item.Operations() {
				call := func(target, key string) {
					t.Helper()
					asked++
					res, body := s.Do(method, target, "", "Authorization", "Bearer "+token)
					if res.StatusCode >= 500 || res.StatusCode < 400 || key != "" && (res.StatusCode != http.StatusBadRequest || !strings.Contains(body, `"key":"`+key+`"`)) {
						t.Errorf("%s %s = %d %s", method, target, res.StatusCode, body)
					}
				}
				nobody := ident.New[parley.Tenant]().String()
				for _, bad := range []string{"%00", "a%00b", "%ff", "%C0%80", "%ED%A0%80"} {
					target := fill(path, nobody, "custom_bot")
					if target != path {
						call(fill(path, bad, "custom_bot"), "")
						call(fill(path, nobody, bad), "")
					}
					for _, list := range []openapi3.Parameters{item.Parameters, op.Parameters} {
						for _, p := range list {
							if p.Value.In != openapi3.ParameterInQuery {
								continue
							}
							key := p.Value.Name
							if target != path { // what the path names is looked for before, and is not there
								key = ""
							}
							call(target+"?"+p.Value.Name+"="+bad, key)
						}
					}
				}
			}
		}
		if asked < 500 {
			t.Errorf("%d requests, want each parameter of each operation", asked)
		}
	})
}

// fill gives the parameters of a path values: {role}, and any other.
func fill(path, other, role string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if part == "{role}" {
			parts[i] = role
		} else if strings.HasPrefix(part, "{") {
			parts[i] = other
		}
	}
	return strings.Join(parts, "/")
}
