package broker_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"parley"
	"parley/directory"
	"parley/rest/broker"
	"parley/rest/resttest"
)

// What is wrong with a turn, in the order in which it is looked at.
func TestTurnsAreRefused(t *testing.T) {
	s := newStage(t)
	session := s.turn("", `{"text":"hello"}`, 200).SessionCode
	long := strings.Repeat("é", 4097)
	for name, test := range map[string]struct {
		path, body string
		headers    []string
		status     int
		code       string
	}{
		"no key":            {s.turns(), `{"text":"x"}`, []string{"Api-Key", ""}, 401, "UNAUTHORIZED"},
		"bad key":           {s.turns(), `{"text":"x"}`, []string{"Api-Key", "x"}, 401, "UNAUTHORIZED"},
		"wrong secret":      {s.turns(), `{"text":"x"}`, []string{"Api-Key", s.key + "x"}, 401, "UNAUTHORIZED"},
		"bad key, bad body": {s.turns(), `{`, []string{"Api-Key", "x"}, 401, "UNAUTHORIZED"},
		"other environment": {strings.Replace(s.turns(), parley.DefaultTenant.String(), s.bot.ID.String(), 1), `{"text":"x"}`, nil, 403, "FORBIDDEN"},
		"malformed id":      {strings.Replace(s.turns(), s.bot.ID.String(), "x", 1), `{"text":"x"}`, nil, 404, "NOT_FOUND"},
		"unknown bot":       {strings.Replace(s.turns(), s.bot.ID.String(), s.channel.String(), 1), `{"text":"x"}`, nil, 404, "NOT_FOUND"},
		"unknown channel":   {strings.Replace(s.turns(), s.channel.String(), s.bot.ID.String(), 1), `{"text":"x"}`, nil, 404, "NOT_FOUND"},
		"unknown org":       {strings.Replace(s.turns(), parley.DefaultOrganisation.String(), s.bot.ID.String(), 1), `{"text":"x"}`, nil, 404, "NOT_FOUND"},
		"a program, no bot": {strings.Replace(s.turns(), s.bot.ID.String(), parley.ConsoleApplication.String(), 1), `{"text":"x"}`, nil, 404, "NOT_FOUND"},
		"no OS":             {s.turns(), `{"text":"x"}`, []string{"Os", ""}, 400, "MISSING_HEADER"},
		"blank USER-REF":    {s.turns(), `{"text":"x"}`, []string{"User-Ref", " "}, 400, "MISSING_HEADER"},
		"no LOCALE":         {s.turns(), `{"text":"x"}`, []string{"Locale", ""}, 400, "MISSING_HEADER"},
		"long BUSINESS-KEY": {s.turns(), `{"text":"x"}`, []string{"Business-Key", strings.Repeat("x", 101)}, 400, "INVALID_PARAMETER"},
		"long USER-REF":     {s.turns(), `{"text":"x"}`, []string{"User-Ref", strings.Repeat("x", 256)}, 400, "INVALID_PARAMETER"},
		"long LOCALE":       {s.turns(), `{"text":"x"}`, []string{"Locale", strings.Repeat("x", 36)}, 400, "INVALID_PARAMETER"},
		"test=maybe":        {s.turns() + "?test=maybe", `{"text":"x"}`, nil, 400, "INVALID_PARAMETER"},
		"no JSON":           {s.turns(), `{`, nil, 400, "MALFORMED_BODY"},
		"no object":         {s.turns(), `[]`, nil, 400, "MALFORMED_BODY"},
		"no body":           {s.turns(), ``, nil, 400, "MALFORMED_BODY"},
		"wrong type":        {s.turns(), `{"text":7}`, nil, 400, "MALFORMED_BODY"},
		"context no object": {s.turns(), `{"text":"x","context":[]}`, nil, 400, "MALFORMED_BODY"},
		"too large":         {s.turns(), `{"text":"` + strings.Repeat("x", 1<<20) + `"}`, nil, 400, "MALFORMED_BODY"},
		"nothing said":      {s.turns(), `{}`, nil, 400, "EMPTY_TURN"},
		"blank":             {s.turns(), `{"text":" ","code":"","intent":null,"context":{}}`, nil, 400, "EMPTY_TURN"},
		"long text":         {s.turns(), `{"text":"` + long + `"}`, nil, 422, "INVALID_VALUE"},
		"long code":         {s.turns(), `{"code":"` + long + `"}`, nil, 422, "INVALID_VALUE"},
		"long intent":       {s.turns(), `{"intent":"` + long + `","text":"x"}`, nil, 422, "INVALID_VALUE"},
		"long userInput":    {s.turns(), `{"userInput":"` + long + `"}`, nil, 422, "INVALID_VALUE"},
		"confidence -0.1":   {s.turns(), `{"intent":"i","confidence":-0.1}`, nil, 422, "INVALID_VALUE"},
		"confidence 2":      {s.turns(), `{"intent":"i","confidence":2}`, nil, 422, "INVALID_VALUE"},
		"large context":     {s.turns(), `{"text":"x","context":{"a":"` + strings.Repeat("x", 64<<10) + `"}}`, nil, 422, "INVALID_VALUE"},
		"unknown session":   {s.turns() + "/" + s.bot.ID.String(), `{"text":"x"}`, nil, 404, "SESSION_NOT_FOUND"},
		"malformed session": {s.turns() + "/x", `{"text":"x"}`, nil, 404, "SESSION_NOT_FOUND"},
		"bad body, session": {s.turns() + "/" + session, `{`, nil, 400, "MALFORMED_BODY"},
		"unknown address":   {s.environment() + "/house", `{"text":"x"}`, nil, 404, "NOT_FOUND"},
	} {
		headers := s.headers(test.headers...)
		res, text := s.Do("POST", test.path, test.body, headers...)
		if res.StatusCode != test.status || !strings.Contains(text, `"code":"`+test.code+`"`) || strings.Contains(text, "sessionCode") || res.Header.Get("x-request-id") == "" {
			t.Errorf("%s answered %d %s, want %d %s", name, res.StatusCode, text, test.status, test.code)
		}
		if test.status == 401 && res.Header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%s: WWW-Authenticate %q", name, res.Header.Get("WWW-Authenticate"))
		}
	}
	if s.asked.Load() != 1 {
		t.Errorf("the bot was asked %d times by what was refused", s.asked.Load()-1)
	}
	s.turn(session, `{"text":"`+long[len("é"):]+`","intent":"i","confidence":1}`, 200) // as long as may be
}

// A method that an address does not know is told apart from an address that there is not, and which it knows is said.
func TestUnknownMethods(t *testing.T) {
	s := newStage(t)
	for path, allow := range map[string]string{s.turns(): "POST", "/eva-broker" + s.turns() + "/" + s.bot.ID.String(): "POST", s.environment() + "/history/4711": "GET"} {
		res, text := s.Do("PUT", path, `{}`, s.headers()...)
		if res.StatusCode != 405 || !strings.Contains(text, `"code":"METHOD_NOT_ALLOWED"`) || !strings.Contains(res.Header.Get("Allow"), allow) {
			t.Errorf("PUT %s answered %d %s, Allow %q", path, res.StatusCode, text, res.Header.Get("Allow"))
		}
	}
}

// The header CHANNEL, the vendor's prefix and a trailing slash all lead to the same.
func TestWaysToASession(t *testing.T) {
	s := newStage(t)
	old := s.environment() + "/bot/" + s.bot.ID.String() + "/conversations"
	upper := strings.ReplaceAll(s.turns(), s.bot.ID.String(), strings.ToUpper(s.bot.ID.String()))
	var code string
	for _, way := range []struct {
		path    string
		headers []string
	}{
		{s.turns() + "/", nil}, {"/eva-broker" + s.turns(), nil}, {"/eva-broker" + s.turns() + "/", nil}, {upper, nil},
		{old, []string{"Channel", "default"}}, {old + "/", []string{"Channel", s.channel.String()}}, {"/eva-broker" + old, []string{"Channel", strings.ToUpper(s.channel.String())}},
	} {
		res, text := s.Do("POST", way.path, `{"text":"hello"}`, s.headers(way.headers...)...)
		var got said
		if err := json.Unmarshal([]byte(text), &got); err != nil || res.StatusCode != 200 || got.SessionCode == "" {
			t.Errorf("%s answered %d %s", way.path, res.StatusCode, text)
		}
		code = got.SessionCode
	}
	for _, way := range []string{s.turns() + "/" + code, "/eva-broker" + s.turns() + "/" + strings.ToUpper(code), old + "/" + code} {
		if res, text := s.Do("POST", way, `{"text":"hello"}`, s.headers("Channel", "default")...); res.StatusCode != 200 {
			t.Errorf("%s answered %d %s", way, res.StatusCode, text)
		}
	}
	for _, channel := range []string{"", "house", s.bot.ID.String()} {
		if res, _ := s.Do("POST", old, `{"text":"hello"}`, s.headers("Channel", channel)...); res.StatusCode != 404 {
			t.Errorf("CHANNEL %q answered %d", channel, res.StatusCode)
		}
	}
	// A channel belongs to its bot, and a session to its channel.
	other, theirs, err := s.bots.Create(t.Context(), parley.DefaultTenant, directory.Bot{Name: "Max", Active: true, Settings: s.bot.Settings})
	if err != nil {
		t.Fatal(err)
	}
	if res, text := s.Do("POST", strings.Replace(s.turns(), s.channel.String(), theirs.String(), 1), `{"text":"hello"}`, s.headers()...); res.StatusCode != 404 {
		t.Errorf("on a channel of another bot: %d %s", res.StatusCode, text)
	}
	res, text := s.Do("POST", strings.Replace(old, s.bot.ID.String(), other.ID.String(), 1), `{"text":"hello"}`, s.headers("Channel", "default")...) // names are the bots' own
	var its said
	if err := json.Unmarshal([]byte(text), &its); err != nil || res.StatusCode != 200 {
		t.Fatalf("another bot's channel by its name: %d %s", res.StatusCode, text)
	}
	if res, text := s.Do("POST", strings.NewReplacer(s.bot.ID.String(), other.ID.String(), s.channel.String(), theirs.String()).Replace(s.turns())+"/"+its.SessionCode, `{"text":"hello"}`, s.headers()...); res.StatusCode != 200 {
		t.Errorf("the session is not on that bot's own channel: %d %s", res.StatusCode, text)
	}
	second, err := s.bots.AddChannel(t.Context(), parley.DefaultTenant, s.bot.ID, directory.BotChannel{Name: "second", Type: "web", Active: true})
	if err != nil {
		t.Fatal(err)
	}
	if res, text := s.Do("POST", strings.Replace(s.turns(), s.channel.String(), second.String(), 1)+"/"+code, `{"text":"hello"}`, s.headers()...); res.StatusCode != 404 || !strings.Contains(text, "SESSION_NOT_FOUND") {
		t.Errorf("on another channel: %d %s", res.StatusCode, text)
	}
}

// Bots and channels that are off, and pages that may not, are forbidden; other methods are not allowed; browsers are told what is.
func TestChannelsAreGuarded(t *testing.T) {
	s := newStage(t)
	change := func(f func(*directory.BotChannel)) {
		t.Helper()
		if err := s.bots.ChangeChannel(t.Context(), parley.DefaultTenant, s.bot.ID, s.channel, f); err != nil {
			t.Fatal(err)
		}
	}
	change(func(c *directory.BotChannel) {
		c.AllowedOrigins = []string{"https://shop.example", "https://WWW.Shop.example"} // browsers say it in lower case
	})
	for origin, want := range map[string]int{"": 200, "https://shop.example": 200, "https://www.shop.example": 200, "https://evil.example": 403, "https://shop.example.evil.example": 403} {
		res, text := s.Do("POST", s.turns(), `{"text":"hello"}`, s.headers("Origin", origin)...)
		if res.StatusCode != want || origin != "" && (res.Header.Get("Access-Control-Allow-Origin") != origin || res.Header.Get("Access-Control-Expose-Headers") != "x-request-id, Retry-After") ||
			!slices.Contains(res.Header.Values("Vary"), "Origin") {
			t.Errorf("a page of %q got %d %s %v", origin, res.StatusCode, text, res.Header)
		}
	}
	change(func(c *directory.BotChannel) { c.Active = false })
	if res, _ := s.Do("POST", s.turns(), `{"text":"hello"}`, s.headers()...); res.StatusCode != 403 {
		t.Errorf("a channel that is off answered %d", res.StatusCode)
	}
	change(func(c *directory.BotChannel) { c.Active = true })
	if err := s.bots.Change(t.Context(), parley.DefaultTenant, s.bot.ID, func(b *directory.Bot) { b.Active = false }); err != nil {
		t.Fatal(err)
	}
	if res, _ := s.Do("POST", s.turns(), `{"text":"hello"}`, s.headers()...); res.StatusCode != 403 {
		t.Errorf("a bot that is off answered %d", res.StatusCode)
	}
	for _, prefix := range []string{"", "/eva-broker"} {
		res, _ := s.Do("GET", prefix+s.turns(), "")
		if res.StatusCode != http.StatusMethodNotAllowed || res.Header.Get("Allow") != "POST" {
			t.Errorf("GET answered %d, Allow %q", res.StatusCode, res.Header.Get("Allow"))
		}
		res, _ = s.Do("OPTIONS", prefix+s.turns(), "", "Origin", "https://shop.example", "Access-Control-Request-Method", "POST")
		h := res.Header
		if res.StatusCode != http.StatusNoContent || h.Get("Access-Control-Allow-Origin") != "https://shop.example" || !strings.Contains(h.Get("Access-Control-Allow-Headers"), "BUSINESS-KEY") ||
			!strings.Contains(h.Get("Access-Control-Allow-Methods"), "POST") {
			t.Errorf("preflight answered %d %v", res.StatusCode, h)
		}
	}
}

// An environment may want a token besides the key; a bad one has no side effect.
func TestBearerIsWantedWhereItIs(t *testing.T) {
	s := newStage(t)
	if res, _ := s.Do("POST", s.turns(), `{"text":"hello"}`, s.headers("Authorization", "Bearer nonsense")...); res.StatusCode != 200 {
		t.Errorf("a token that nobody wants made it %d", res.StatusCode)
	}
	if err := s.admin.ChangeEnvironment(t.Context(), administrator, parley.DefaultTenant, func(n *parley.Tenant) { n.RequireBearer = true }); err != nil {
		t.Fatal(err)
	}
	other := s.newEnvironment()
	asked := s.asked.Load()
	for authorization, want := range map[string]int{"": 401, "Bearer nonsense": 401, "Basic x": 401, "Bearer " + s.token(parley.DefaultTenant, parley.ScopeRead): 403,
		"Bearer " + s.token(other.ID, parley.ScopeBroker): 403, "Bearer " + s.token(other.ID, parley.ScopeAdmin): 403} {
		if res, text := s.Do("POST", s.turns(), `{"text":"hello"}`, s.headers("Authorization", authorization)...); res.StatusCode != want {
			t.Errorf("%.12q answered %d %s, want %d", authorization, res.StatusCode, text, want)
		}
	}
	if s.asked.Load() != asked {
		t.Error("a refused call asked the bot")
	}
	if res, text := s.Do("POST", strings.Replace(s.turns(), s.bot.ID.String(), s.channel.String(), 1), `{"text":"hello"}`, s.headers()...); res.StatusCode != 401 {
		t.Errorf("without a token, and for no bot: %d %s, want to hear of the token first", res.StatusCode, text)
	}
	if res, text := s.Do("POST", s.turns(), `{"text":"hello"}`, s.headers("Authorization", "bearer  "+s.token(parley.DefaultTenant, parley.ScopeBroker))...); res.StatusCode != 200 {
		t.Errorf("a good token answered %d %s", res.StatusCode, text)
	}
	// Administrators of the default environment administer all.
	if err := s.admin.ChangeEnvironment(t.Context(), administrator, other.ID, func(n *parley.Tenant) { n.RequireBearer = true }); err != nil {
		t.Fatal(err)
	}
	theirs, key := "/org/"+other.Organisation.String()+"/env/"+other.ID.String()+"/likable?requesterId=dana", s.newKey(other.ID)
	for scope, want := range map[string]int{parley.ScopeAdmin: 404, parley.ScopeBroker: 403} { // there is no such answer
		if res, text := s.Do("POST", theirs, `{"evaluation":true,"interactionId":"`+s.bot.ID.String()+`"}`, "Api-Key", key, "Authorization", "Bearer "+s.token(parley.DefaultTenant, scope)); res.StatusCode != want {
			t.Errorf("of the default environment, with %s: %d %s, want %d", scope, res.StatusCode, text, want)
		}
	}
}

// A key has ten turns a second, and twenty at once, those that begin a session in place of one that is over among them. The clock stands, or a slow machine would give it more meanwhile.
func TestRateIsLimited(t *testing.T) {
	s := newStage(t, func(b *parley.BotSettings) { b.RenewExpired = true })
	begun := time.Now()
	s.stands.Store(&begun)
	session, ended := s.turn("", `{"text":"hello"}`, 200).SessionCode, s.turn("", `{"text":"bye"}`, 200).SessionCode
	for range 18 {
		s.turn(session, `{"text":"nothing"}`, 200)
	}
	asked := s.asked.Load()
	res, text := s.Do("POST", s.turns()+"/"+session, `{"text":"nothing"}`, s.headers()...)
	if res.StatusCode != 429 || res.Header.Get("Retry-After") != "1" || !strings.Contains(text, "RATE_LIMITED") || !strings.Contains(text, `"sessionCode":"`+session+`"`) {
		t.Errorf("over the rate: %d %s", res.StatusCode, text)
	}
	for _, path := range []string{s.turns(), s.turns() + "/" + ended} {
		if res, text = s.Do("POST", path, `{"text":"nothing"}`, s.headers()...); res.StatusCode != 429 || strings.Contains(text, "sessionCode") {
			t.Errorf("over the rate, at the start of a session: %d %s", res.StatusCode, text)
		}
	}
	if s.asked.Load() != asked {
		t.Error("the bot was asked by turns over the rate")
	}
	s.turn(session, `{"text":"nothing"}`, 200, "Api-Key", s.newKey(parley.DefaultTenant)) // another key has its own
	later := begun.Add(time.Second)
	s.stands.Store(&later)
	for range 10 {
		s.turn(session, `{"text":"nothing"}`, 200)
	}
	s.turn(session, `{"text":"nothing"}`, 429)
}

// Nobody else's (guarantee G8): a key of another environment gets 403 or 404 on every route, and never a session; nothing is changed by it.
func TestOtherEnvironmentsAreForeign(t *testing.T) {
	s := newStage(t)
	session := s.turn("", `{"text":"hello"}`, 200, "Business-Key", "4711")
	_, before := s.Do("GET", s.environment()+"/history/4711", "", "Api-Key", s.key)
	other := s.newEnvironment()
	key, token := s.newKey(other.ID), s.token(other.ID, parley.ScopeAdmin)
	theirs := "/org/" + other.Organisation.String() + "/env/" + other.ID.String()
	tried := 0
	for _, environment := range []string{s.environment(), theirs} {
		for path, item := range resttest.Document(t, broker.Document).Paths.Map() {
			for method, op := range item.Operations() {
				if !strings.Contains(path, "{env}") {
					continue
				}
				tried++
				target := strings.NewReplacer("/org/{org}/env/{env}", environment, "{bot}", s.bot.ID.String(), "{channel}", s.channel.String(), "{session}", session.SessionCode, "{businessKey}", "4711").Replace(path)
				if op.OperationID == "rateAnswer" {
					target += "?requesterId=x"
				}
				res, text := s.Do(method, target, `{"text":"hello","evaluation":true,"interactionId":"`+session.Answers[0].InteractionID+`"}`, "Api-Key", key, "Authorization", "Bearer "+token, "Os", "x", "User-Ref", "x", "Locale", "en", "Channel", "default")
				if fine := op.OperationID == "readHistory" && text == "[]" || op.OperationID == "readAPIKey" && !strings.Contains(text, s.key); res.StatusCode != 403 && res.StatusCode != 404 && (!fine || environment != theirs) {
					t.Errorf("%s answered %d %s", op.OperationID, res.StatusCode, text)
				}
			}
		}
	}
	if tried != 20 {
		t.Errorf("%d calls tried", tried)
	}
	if _, after := s.Do("GET", s.environment()+"/history/4711", "", "Api-Key", s.key); after != before {
		t.Errorf("afterwards the history is %s, before it was %s", after, before)
	}
	id, err := parley.ParseID[parley.Conversation](session.SessionCode)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.store.View(t.Context(), func(tx parley.Tx) error {
		_, err := tx.Survey(t.Context(), parley.DefaultTenant, id)
		return err
	}); parley.KindOf(err) != parley.NotFound {
		t.Errorf("afterwards there is a survey, or %v", err)
	}
}
