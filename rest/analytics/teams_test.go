package analytics_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/mux"

	"parley/rest/analytics"
	"parley/rest/resttest"
)

// Whatever a token of another team asks of a bot or a team, it hears that these are not its own: before anything of the request is looked
// at, and of every operation there is.
func TestNobodyReachesAnotherTeam(t *testing.T) {
	s := newStage(t, 0)
	router := mux.NewRouter()
	analytics.New(analytics.Deps{}).Register(router)
	asked := 0
	for route := range resttest.Routes(t, router, "") {
		method, path, _ := strings.Cut(route, " ")
		if !strings.Contains(path, "{") {
			continue // of no bot and no team
		}
		asked++
		path = strings.NewReplacer("{bot_id}", s.vars["$bot"], "{team_id}", s.vars["$team"], "{conversation_id}", "c1", "{step_id}", "size", "{attribute_key}", "a",
			"{subscription_id}", s.vars["$nobody"]).Replace(path)
		if strings.Contains(path, "{") {
			t.Fatalf("%s has a part that this test does not know", path)
		}
		for _, body := range []string{"", "{}", "{"} {
			if body != "" && method == http.MethodGet {
				continue
			}
			if res, answer := s.Do(method, path, body, "Authorization", "Bearer "+s.vars["$other"]); res.StatusCode != http.StatusForbidden {
				t.Errorf("%s %s with %q = %d %s, want 403", method, path, body, res.StatusCode, answer)
			}
		}
		if res, answer := s.Do(method, path, "", "Authorization", "Bearer "+s.vars["$all"]); res.StatusCode == http.StatusForbidden {
			t.Errorf("%s %s with the team's own token = 403 %s", method, path, answer)
		}
	}
	if asked < 20 {
		t.Errorf("%d operations were asked, which are not all", asked)
	}
}
