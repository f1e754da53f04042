package broker_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"parley/directory"

	"github.com/google/go-cmp/cmp"

	"parley"
)

// Surveys: kept once a session, in its bounds, up to a day after its end.
func TestSurveys(t *testing.T) {
	s := newStage(t)
	session := s.turn("", `{"text":"contexts"}`, 200)
	path := s.environment() + "/bot/" + s.bot.ID.String() + "/conversations/" + session.SessionCode + "/satisfactions"
	headers := []string{"Api-Key", s.key, "Locale", "es-ES"}
	res, text := s.Do("POST", path, `{"evaluation":4,"userComments":"good"}`, headers...)
	var got said
	if err := json.Unmarshal([]byte(text), &got); err != nil || res.StatusCode != 200 {
		t.Fatalf("answered %d %s", res.StatusCode, text)
	}
	if got.Text != nil || got.SessionCode != session.SessionCode || len(got.Answers) != 0 || got.NLPResponse.Type != "NONE" || got.Context["open"] != 1.0 || got.ContextReadOnly["visible"] != 2.0 ||
		got.UserInteractionUUID == session.UserInteractionUUID {
		t.Errorf("answered %s", text)
	}
	kept := func() parley.Survey {
		t.Helper()
		id, err := parley.ParseID[parley.Conversation](session.SessionCode)
		if err != nil {
			t.Fatal(err)
		}
		var survey parley.Survey
		if err := s.store.View(t.Context(), func(tx parley.Tx) (err error) {
			survey, err = tx.Survey(t.Context(), parley.DefaultTenant, id)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return survey
	}
	if survey := kept(); survey.Evaluation != 4 || !survey.Answered || survey.Comments != "good" || survey.ID.String() != got.UserInteractionUUID {
		t.Errorf("kept %+v", survey)
	}
	for body, want := range map[string]int{`{}`: 422, `{"userComments":"x"}`: 422, `{"evaluation":0}`: 422, `{"evaluation":6}`: 422, `{"evaluation":"5"}`: 400, `{"evaluation":4.5}`: 400,
		`{"evaluation":5,"userComments":"` + strings.Repeat("x", 2001) + `"}`: 422, `[`: 400, `null`: 400} {
		if res, text := s.Do("POST", path, body, headers...); res.StatusCode != want {
			t.Errorf("%.40s answered %d %s, want %d", body, res.StatusCode, text, want)
		}
	}
	for _, locale := range []string{"", strings.Repeat("x", 36)} {
		if res, text := s.Do("POST", path, `{"evaluation":5}`, "Api-Key", s.key, "Locale", locale); res.StatusCode != 400 {
			t.Errorf("with the LOCALE %q answered %d %s", locale, res.StatusCode, text)
		}
	}
	if res, _ := s.Do("POST", strings.Replace(path, session.SessionCode, s.bot.ID.String(), 1), `{"evaluation":5}`, headers...); res.StatusCode != 404 {
		t.Errorf("of an unknown session answered %d", res.StatusCode)
	}
	bot, _, err := s.bots.Create(t.Context(), parley.DefaultTenant, directory.Bot{Name: "Other", Active: true, Settings: parley.BotSettings{Connector: parley.ConnectorRules, Language: "en-US"}})
	if err != nil {
		t.Fatal(err)
	}
	if res, text := s.Do("POST", strings.Replace(path, s.bot.ID.String(), bot.ID.String(), 1), `{"evaluation":5}`, headers...); res.StatusCode != 404 || !strings.Contains(text, "SESSION_NOT_FOUND") {
		t.Errorf("of another bot's session answered %d %s", res.StatusCode, text)
	}
	if survey := kept(); survey.Evaluation != 4 {
		t.Errorf("what was refused is kept: %+v", survey)
	}
	if res, _ := s.Do("POST", path, `{"answered":true,"evaluation":null,"userComments":"`+strings.Repeat("é", 2000)+`"}`, headers...); res.StatusCode != 200 || !kept().Answered || kept().Evaluation != 0 {
		t.Errorf("answered without a score: %d, kept %+v", res.StatusCode, kept())
	}
	// Dismissed, and the end.
	if res, text := s.Do("POST", path, `{"answered":false,"evaluation":2,"expireSession":true}`, headers...); res.StatusCode != 200 {
		t.Errorf("answered %d %s", res.StatusCode, text)
	}
	if survey := kept(); survey.Answered || survey.Evaluation != 0 {
		t.Errorf("kept %+v, want it dismissed", survey)
	}
	if res, _ := s.Do("POST", s.turns()+"/"+session.SessionCode, `{"text":"hello"}`, s.headers()...); res.StatusCode != 409 {
		t.Errorf("after the survey ended the session: %d", res.StatusCode)
	}
	for late, want := range map[time.Duration]int{0: 200, 24*time.Hour - time.Minute: 200, 24*time.Hour + time.Second: 409} {
		s.late.Store(int64(late))
		if res, text := s.Do("POST", path, `{"evaluation":5}`, headers...); res.StatusCode != want || want == 409 && !strings.Contains(text, "SESSION_EXPIRED") {
			t.Errorf("%v after the end answered %d %s, want %d", late, res.StatusCode, text, want)
		}
	}
}

// Answers are rated by their ids, as long as they may be.
func TestAnswersAreRated(t *testing.T) {
	s := newStage(t)
	session := s.turn("", `{"text":"hello"}`, 200, "Business-Key", "4711")
	plain := s.turn("", `{"code":"%EVA_WELCOME_MSG"}`, 200)
	path := s.environment() + "/likable"
	rate := func(query, body string) (int, string) {
		res, text := s.Do("POST", path+query, body, "Api-Key", s.key)
		if res.StatusCode == 200 && res.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("Content-Type %q", res.Header.Get("Content-Type"))
		}
		return res.StatusCode, text
	}
	good := `{"evaluation":true,"interactionId":"` + session.Answers[0].InteractionID + `"}`
	for _, test := range []struct {
		query, body string
		want        int
	}{
		{"?requesterId=dana", good, 200}, {"?requesterId=dana", strings.Replace(good, "true", "false", 1), 200},
		{"", good, 400}, {"?requesterId=%20", good, 400}, {"?requesterId=" + strings.Repeat("x", 101), good, 400},
		{"?requesterId=x", `{"evaluation":true}`, 400}, {"?requesterId=x", `{"interactionId":"x"}`, 400}, {"?requesterId=x", `{"evaluation":null,"interactionId":"x"}`, 400},
		{"?requesterId=x", `{"evaluation":true,"interactionId":"x"}`, 404}, {"?requesterId=x", `{"evaluation":true,"interactionId":"` + s.bot.ID.String() + `"}`, 404},
		{"?requesterId=x", `{"evaluation":true,"interactionId":"` + session.UserInteractionUUID + `"}`, 422},
		{"?requesterId=x", `{"evaluation":true,"interactionId":"` + plain.Answers[0].InteractionID + `"}`, 422},
	} {
		if status, text := rate(test.query, test.body); status != test.want || status == 200 && text != "OK" || status == 422 && !strings.Contains(text, `"code":"NOT_EVALUABLE"`) {
			t.Errorf("%s %s answered %d %s, want %d", test.query, test.body, status, text, test.want)
		}
	}
	if _, text := s.Do("GET", s.environment()+"/history/4711", "", "Api-Key", s.key); !strings.Contains(text, `"evaluation":false`) {
		t.Errorf("the rating is not in the history: %s", text)
	}
	s.turn(session.SessionCode, `{"text":"bye"}`, 200)
	if status, _ := rate("?requesterId=dana", good); status != 200 {
		t.Errorf("after the end of the session answered %d", status)
	}
}

// The history of a business user has every session, oldest first, with everything that was said.
func TestHistory(t *testing.T) {
	s := newStage(t)
	key := "4711/Ä b"
	escaped := url.PathEscape(key)
	first := s.turn("", `{"text":"when"}`, 200, "Business-Key", key, "OS-Version", "11", "Browser", strings.Repeat("f", 30))
	s.turn(first.SessionCode, `{"text":"all"}`, 200)
	second := s.turn("", `{"code":"go"}`, 200)
	s.turn(second.SessionCode, `{"text":"bye"}`, 200, "Business-Key", key, "User-Ref", "another") // tells who it is later on
	if res, text := s.Do("POST", s.turns()+"?test=true", `{"text":"hello"}`, s.headers("Business-Key", key)...); res.StatusCode != 200 {
		t.Fatalf("a test answered %d %s", res.StatusCode, text)
	}
	res, text := s.Do("GET", s.environment()+"/history/"+escaped, "", "Api-Key", s.key)
	var all []struct {
		Session          map[string]any
		UserInteractions []map[string]any
	}
	if err := json.Unmarshal([]byte(text), &all); err != nil || res.StatusCode != 200 || len(all) != 3 {
		t.Fatalf("answered %d %s", res.StatusCode, text)
	}
	one := all[0].Session
	want := map[string]any{"sessionCode": first.SessionCode, "createDate": one["createDate"], "expireDate": one["expireDate"], "businessKey": key, "sessionType": "UPDATED", "botId": s.bot.ID.String(),
		"channelId": s.channel.String(), "operatingSystem": "Windows", "operatingSystemVersion": "11", "browser": strings.Repeat("f", 20), "browserVersion": nil, "userRef": "203.0.113.7", "locale": "es-ES", "test": false}
	if diff := cmp.Diff(want, one); diff != "" {
		t.Errorf("the first session (-want +got)\n%s", diff)
	}
	if ended := all[1].Session; ended["sessionCode"] != second.SessionCode || ended["sessionType"] != "EXPIRED" || ended["expireDate"] == nil || ended["userRef"] != "203.0.113.7" {
		t.Errorf("the second session is %v", ended)
	}
	if all[2].Session["test"] != true || all[2].Session["sessionType"] != "CREATED" {
		t.Errorf("the third session is %v", all[2].Session)
	}
	said := all[0].UserInteractions
	question, answer := said[0], said[1]
	if question["userSent"] != true || question["text"] != "when" || question["intent"] != "ask_date" || question["confidence"] != 0.91 || question["uuid"] != first.UserInteractionUUID ||
		question["entities"] != `[{"name":"object","value":"when","originalValue":"when","position":{"start":0,"end":4}}]` || question["userSentId"] != nil {
		t.Errorf("the question is %v", question)
	}
	if answer["userSent"] != false || answer["text"] != "When?" || answer["userSentId"] != question["uuid"] || answer["uuid"] != first.Answers[0].InteractionID || answer["answerUuid"] != "author-1" ||
		answer["entities"] != "[]" || answer["intent"] != nil || answer["evaluation"] != nil {
		t.Errorf("the answer is %v", answer)
	}
	if last := said[len(said)-1]["text"].(string); !strings.HasPrefix(last, `[{"imageUrl":`) {
		t.Errorf("a carousel reads %s", last)
	}
	if picture := said[5]["text"]; picture != `"https://a.example/i.png"` {
		t.Errorf("a picture reads %s", picture)
	}
	asked, err := time.Parse("2006-01-02T15:04:05.000Z", said[2]["createDate"].(string)) // also the form of every date
	if expires, wrong := time.Parse("2006-01-02T15:04:05.000Z", one["expireDate"].(string)); err != nil || wrong != nil || expires.Sub(asked).Round(time.Second) != 30*time.Minute {
		t.Errorf("asked at %v, the session expires at %v", said[2]["createDate"], one["expireDate"])
	}
	for i, m := range said[1:] {
		if m["id"].(float64) <= said[i]["id"].(float64) {
			t.Errorf("ids do not grow: %v after %v", m["id"], said[i]["id"])
		}
	}
	if all[1].UserInteractions[0]["text"] != "go" {
		t.Errorf("a turn of a code alone reads %v", all[1].UserInteractions[0]["text"])
	}
	// By token, or not at all.
	for _, test := range []struct {
		headers []string
		path    string
		want    int
	}{
		{[]string{"Authorization", "Bearer " + s.token(parley.DefaultTenant, parley.ScopeAdmin)}, "/history/" + escaped, 200},
		{[]string{"Authorization", "Bearer " + s.token(parley.DefaultTenant, parley.ScopeRead)}, "/history/" + escaped, 403},
		{nil, "/history/" + escaped, 401}, {[]string{"Api-Key", "x"}, "/history/" + escaped, 401},
		{[]string{"Api-Key", s.key}, "/history/" + strings.Repeat("x", 101), 404}, {[]string{"Api-Key", s.key}, "/history/nobody", 200},
	} {
		if res, text := s.Do("GET", s.environment()+test.path, "", test.headers...); res.StatusCode != test.want || strings.HasSuffix(test.path, "nobody") && text != "[]" {
			t.Errorf("%s with %.20v answered %d %s", test.path, test.headers, res.StatusCode, text)
		}
	}
}

// Administrators read the newest key again; others do not.
func TestKeyIsReadAgain(t *testing.T) {
	s := newStage(t)
	newest := s.newKey(parley.DefaultTenant)
	path := s.environment() + "/api-key"
	res, text := s.Do("GET", path, "", "Authorization", "Bearer "+s.token(parley.DefaultTenant, parley.ScopeAdmin))
	if res.StatusCode != 200 || text != `{"apiKey":"`+newest+`"}` || res.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("answered %d %s", res.StatusCode, text)
	}
	for authorization, want := range map[string]int{"": 401, "Bearer x": 401, "Bearer " + s.token(parley.DefaultTenant, parley.ScopeBroker): 403} {
		if res, _ := s.Do("GET", path, "", "Authorization", authorization, "Api-Key", s.key); res.StatusCode != want {
			t.Errorf("%.9q answered %d, want %d", authorization, res.StatusCode, want)
		}
	}
	if res, _ := s.Do("GET", strings.Replace(path, parley.DefaultTenant.String(), s.bot.ID.String(), 1), "", "Authorization", "Bearer "+s.token(parley.DefaultTenant, parley.ScopeAdmin)); res.StatusCode != 404 {
		t.Errorf("of an unknown environment answered %d", res.StatusCode)
	}
}
