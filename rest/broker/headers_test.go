package broker_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley"
	"parley/rest/broker"
	"parley/rest/resttest"
)

// shown is the first session in the history of a business user.
func (s *stage) shown(key string) (session map[string]any, interactions []map[string]any) {
	s.t.Helper()
	res, text := s.Do("GET", s.environment()+"/history/"+url.PathEscape(key), "", "Api-Key", s.key)
	var all []struct {
		Session          map[string]any
		UserInteractions []map[string]any
	}
	if err := json.Unmarshal([]byte(text), &all); err != nil || res.StatusCode != 200 || len(all) == 0 {
		s.t.Fatalf("the history answered %d %s", res.StatusCode, text)
	}
	return all[0].Session, all[0].UserInteractions
}

// Where a customer is is cut to what is kept; a further turn replaces what it says, keeps what it does not say, and the first USER-REF stays.
func TestClientIsKept(t *testing.T) {
	s := newStage(t)
	long := strings.Repeat("é", 40)
	session := s.turn("", `{"text":"hello"}`, 200, "OS", long, "OS-Version", long, "Browser", long, "Browser-Version", long, "Business-Key", strings.Repeat("é", 100), "User-Ref", strings.Repeat("x", 255), "Locale", strings.Repeat("x", 35)).SessionCode
	at, key := s.told.Load().Client.ClientInfo, strings.Repeat("é", 100)
	want := parley.ClientInfo{System: strings.Repeat("é", 20), SystemVersion: strings.Repeat("é", 30), Browser: strings.Repeat("é", 20), BrowserVersion: strings.Repeat("é", 20), UserRef: strings.Repeat("x", 255), BusinessKey: key,
		Locale: strings.Repeat("x", 35)}
	if diff := cmp.Diff(want, at); diff != "" {
		t.Errorf("the bot is told (-want +got)\n%s", diff)
	}
	s.turn(session, `{"text":"again"}`, 200, "OS", "iOS", "Browser", "Safari", "User-Ref", "another", "Locale", "tlh_XX")
	want.System, want.Browser, want.Locale = "iOS", "Safari", "tlh_XX"
	if diff := cmp.Diff(want, s.told.Load().Client.ClientInfo); diff != "" {
		t.Errorf("with the next turn the bot is told (-want +got)\n%s", diff)
	}
	kept, _ := s.shown(key)
	got := parley.ClientInfo{System: kept["operatingSystem"].(string), SystemVersion: kept["operatingSystemVersion"].(string), Browser: kept["browser"].(string), BrowserVersion: kept["browserVersion"].(string),
		UserRef: kept["userRef"].(string), BusinessKey: kept["businessKey"].(string), Locale: kept["locale"].(string)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the history shows (-want +got)\n%s", diff)
	}
}

// Languages are read however they are written; one that nobody knows is the bot's own.
func TestLanguageOfATurn(t *testing.T) {
	s := newStage(t, func(b *parley.BotSettings) { b.Language = "de-DE" })
	for locale, want := range map[string]string{"en-Us": "en-US", "PT_br": "pt-BR", "es": "es", "no language!": "de-DE"} {
		id, err := parley.ParseID[parley.Conversation](s.turn("", `{"text":"hello"}`, 200, "Locale", locale).SessionCode)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.store.View(t.Context(), func(tx parley.Tx) error {
			c, err := tx.Conversation(t.Context(), parley.DefaultTenant, id)
			if c.State.Language != want {
				t.Errorf("%q is %q, want %q", locale, c.State.Language, want)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
}

// Every answer carries the name of its request, errors and answers to browsers too; what could break a log line is none.
func TestRequestsAreNamed(t *testing.T) {
	s := newStage(t)
	for _, test := range []struct {
		method, path string
		status       int
	}{{"POST", s.turns(), 200}, {"POST", s.environment() + "/likable", 400}, {"GET", s.environment() + "/history/4711", 200}, {"GET", s.environment() + "/api-key", 401}, {"POST", s.turns() + "/x", 404},
		{"PUT", s.turns(), 405}, {"POST", s.environment() + "/house", 404}, {"OPTIONS", s.turns(), 204}} {
		body := ""
		if test.method == "POST" {
			body = `{"text":"hello"}`
		}
		for name, want := range map[string]string{"request-7": "request-7", "two words": "", "": "", strings.Repeat("x", 256): ""} {
			res, text := s.Do(test.method, test.path, body, s.headers("x-request-id", name)...)
			if got := res.Header.Get("x-request-id"); res.StatusCode != test.status || got == "" || want != "" && got != want || want == "" && got == name {
				t.Errorf("%s %s of the name %.10q answered %d %s as %q", test.method, test.path, name, res.StatusCode, text, got)
			}
		}
	}
}

// Pages may send every header that there is (reference 3), to every address.
func TestPagesMaySendEveryHeader(t *testing.T) {
	s := newStage(t)
	want := []string{"api-key", "authorization", "browser", "browser-version", "business-key", "channel", "content-type", "locale", "os", "os-version", "user-ref", "x-b3-flags", "x-b3-parentspanid", "x-b3-sampled",
		"x-b3-spanid", "x-b3-traceid", "x-ot-span-context", "x-request-id"}
	for path, item := range resttest.Document(t, broker.Document).Paths.Map() {
		if !strings.Contains(path, "{env}") {
			continue // connectors ask for tokens, no pages
		}
		target := strings.NewReplacer("{org}", "o", "{env}", "e", "{bot}", "b", "{channel}", "c", "{session}", "s", "{businessKey}", "k").Replace(path)
		for method := range item.Operations() {
			for _, prefix := range []string{"", broker.Prefix} {
				res, _ := s.Do("OPTIONS", prefix+target, "", "Origin", "https://shop.example", "Access-Control-Request-Method", method)
				allowed := strings.Split(strings.ToLower(res.Header.Get("Access-Control-Allow-Headers")), ", ")
				slices.Sort(allowed)
				if diff := cmp.Diff(want, allowed); diff != "" || res.StatusCode != http.StatusNoContent || res.Header.Get("Access-Control-Allow-Origin") != "https://shop.example" ||
					res.Header.Get("Access-Control-Allow-Methods") != "GET, POST, OPTIONS" {
					t.Errorf("OPTIONS %s answered %d %v (-want +got)\n%s", prefix+path, res.StatusCode, res.Header, diff)
				}
			}
		}
	}
}

// What is wrong is looked for in one order (reference 2): each call has everything wrong from its place on, and is told the first of it.
func TestOrderOfChecks(t *testing.T) {
	s := newStage(t)
	ended := s.turn("", `{"text":"bye"}`, 200).SessionCode
	stood := s.clock()
	s.stands.Store(&stood)
	spent := s.newKey(parley.DefaultTenant)
	for range ofOneKey {
		s.turn("", `{"text":"nothing"}`, 200, "Api-Key", spent)
	}
	nobody := strings.Replace(s.turns(), s.bot.ID.String(), s.channel.String(), 1)
	const empty, long = `{}`, `{"intent":"x","confidence":2}`
	for _, test := range []struct {
		path, body string
		headers    []string
		status     int
		code       string
	}{
		{"/house", `{`, []string{"Api-Key", "x", "OS", ""}, 404, "NOT_FOUND"}, // no route
		{nobody + "/x?test=maybe", `{`, []string{"Api-Key", "x", "OS", ""}, 401, "UNAUTHORIZED"},
		{nobody + "/x?test=maybe", `{`, []string{"Api-Key", spent, "OS", ""}, 404, "NOT_FOUND"},
		{s.turns() + "/x?test=maybe", `{`, []string{"Api-Key", spent, "OS", ""}, 400, "MISSING_HEADER"},
		{s.turns() + "/x?test=maybe", `{`, []string{"Api-Key", spent}, 400, "INVALID_PARAMETER"},
		{s.turns() + "/x", `{`, []string{"Api-Key", spent}, 400, "MALFORMED_BODY"},
		{s.turns() + "/x", empty, []string{"Api-Key", spent}, 400, "EMPTY_TURN"},
		{s.turns() + "/x", long, []string{"Api-Key", spent}, 422, "INVALID_VALUE"},
		{s.turns() + "/x", `{"text":"fail bot"}`, []string{"Api-Key", spent}, 404, "SESSION_NOT_FOUND"},
		{s.turns() + "/" + ended, `{"text":"fail bot"}`, []string{"Api-Key", spent}, 409, "SESSION_EXPIRED"},
		{s.turns(), `{"text":"fail bot"}`, []string{"Api-Key", spent}, 429, "RATE_LIMITED"},
		{s.turns(), `{"text":"fail bot"}`, nil, 460, "WEBHOOK_ERROR"},
	} {
		path := test.path
		if path == "/house" {
			path = s.environment() + path
		}
		if res, text := s.Do("POST", path, test.body, s.headers(test.headers...)...); res.StatusCode != test.status || !strings.Contains(text, `"code":"`+test.code+`"`) {
			t.Errorf("%s %s with %v answered %d %s, want %d %s", test.path, test.body, test.headers, res.StatusCode, text, test.status, test.code)
		}
	}
}
