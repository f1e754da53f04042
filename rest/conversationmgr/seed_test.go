package conversationmgr_test

import (
	"strings"
	"testing"

	"parley"
	"parley/directory"
	"parley/hub"
	"parley/rest/conversationmgr"
)

// Operators make programs known by fixed ids, which integrators put into orchestrations without creating them.
func TestSeed(t *testing.T) {
	s := newStage(t)
	vars := s.vars()
	surface := conversationmgr.New(conversationmgr.Deps{Directory: directory.New(directory.Config{}, s.store, hub.New(hub.Config{Store: s.store}))})
	const desk = `
- id: 0190f3c8-7e2a-7c31-8f00-000000000001
  name: agent desktop
  roles:
    - {name: egain_agent, version: v3, callback: "https://desk.example/cb", notificationEmail: ops@desk.example, headers: [{name: X-Team, value: a}]}
`
	for _, name := range []string{"agent desktop", "desk"} { // a second start keeps what is there, up to date
		if err := surface.Seed(t.Context(), parley.DefaultTenant, []byte(strings.Replace(desk, "agent desktop", name, 1))); err != nil {
			t.Fatal(err)
		}
		vars["$name"] = name
		s.Play(`
GET /clientapplications/0190f3c8-7e2a-7c31-8f00-000000000001
-> 200 {"name":"$name","roles":[{"name":"egain_agent","callback":"https://desk.example/cb"}]}
`, vars)
	}
	s.Play(`
POST /orchestrations
{"name":"agents","applications":{"agentConfiguration":{"agents":[{"id":"0190f3c8-7e2a-7c31-8f00-000000000001"}]}}}
-> 201
`, vars)
	for text, want := range map[string]string{
		"": "", "[]": "", "x": "no list",
		"- {name: x}": "client application 1: an id",
		desk + "- {id: 0190f3c8-7e2a-7c31-8f00-000000000002, name: x, roles: []}":                       "client application 2: roles",
		strings.Replace(desk, "https:", "http:", 1):                                                     "roles[0].callback",
		strings.Replace(desk, "0190f3c8-7e2a-7c31-8f00-000000000001", vars["$console"], 1):              "built-in",
		strings.Replace(desk, "000000000001\n  name: agent desktop", "000000000003\n  name: widget", 1): "already in use",
	} {
		err := surface.Seed(t.Context(), parley.DefaultTenant, []byte(text))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("Seed(%q) = %v, want %q", text, err, want)
		}
	}
}
