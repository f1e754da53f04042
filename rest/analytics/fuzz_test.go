package analytics_test

import (
	"net/http/httptest"
	"testing"

	"parley/rest"
	"parley/rest/analytics"
)

// Whatever a query says, it is answered or refused: nothing that a stranger sends is our failure.
func FuzzQuery(f *testing.F) {
	for _, query := range []string{"version=LIVE&start_time=2026-03-01&end_time=2026-03-09&bucket=1w&group_by=language", "version=live&start_time=2026-03-01T00:00:00+01:00&end_time=2026-03-02T00:00:00.000000001Z&bucket=1h",
		"version=DRAFT&start_time=0001-01-01&end_time=0002-01-01&stat=num_messages", "version=LIVE&start_time=2026-03-01&end_time=9999-12-31T23:59:59Z", "first=999999999999999999999&after=%00", "page_size=7&page_token=AAAA&user_id=%ff&event=a%00", "group_by=,,,&bucket=%zz"} {
		for path := range 7 {
			f.Add(path, query)
		}
	}
	s := newStage(f, 1<<30)
	s.happened(`{"id":"c1","channelType":"web","bot":"$bot","endedBy":"bot","messages":[{"sender":"customer","at":"2026-03-02T09:00:00Z","text":"hello"}]}`)
	router := rest.NewRouter()
	analytics.New(analytics.Deps{Record: s.store, Keys: s.administration, PerMinute: 1 << 30}).Register(router)
	bot, team := "/v1/bots/"+s.vars["$bot"], "/v1/teams/"+s.vars["$team"]
	paths := []string{bot + "/conversations", bot + "/conversations/insights", bot + "/intents", team + "/conversations", bot + "/events/stream", team + "/events", team + "/events/definitions"}
	f.Fuzz(func(t *testing.T, path int, query string) {
		r := httptest.NewRequest("GET", paths[((path%7)+7)%7], nil)
		r.URL.RawQuery = query
		r.Header.Set("Authorization", "Bearer "+s.vars["$all"])
		w := httptest.NewRecorder()
		router.ServeHTTP(w, r)
		if w.Code != 200 && w.Code != 400 {
			t.Errorf("%q answered %d: %s", query, w.Code, w.Body)
		}
	})
}
