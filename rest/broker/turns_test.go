package broker_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley"
	"parley/rest"
	"parley/rest/broker"
)

// The shape of an answer, whole: every key, and no other (the document says so, and holds every answer to it).
func TestAnswerHasItsShape(t *testing.T) {
	s := newStage(t)
	res, text := s.Do("POST", s.turns(), `{"code":"%EVA_WELCOME_MSG","text":"","intent":null,"context":{"tier":"gold"}}`, s.headers("x-request-id", "r-1")...)
	if res.StatusCode != 200 || res.Header.Get("x-request-id") != "r-1" || res.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("answered %d %s %v", res.StatusCode, text, res.Header)
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	first := got["answers"].([]any)[0].(map[string]any)
	want := map[string]any{"text": "", "sessionCode": got["sessionCode"], "userInteractionUUID": got["userInteractionUUID"], "userInput": nil,
		"nlpResponse": map[string]any{"type": "NONE", "name": "", "score": 0.0, "entities": []any{}}, "context": map[string]any{"tier": "gold"}, "contextReadOnly": map[string]any{},
		"answers": []any{map[string]any{"content": "Welcome", "technicalText": nil, "description": "", "type": "TEXT_OPTIONS", "interactionId": first["interactionId"], "evaluable": false, "masked": false,
			"buttons":    []any{map[string]any{"name": "Last order", "value": "last", "type": "POSTBACK", "action": ""}, map[string]any{"name": "Site", "value": "", "type": "URL", "action": "https://shop.example"}},
			"quickReply": []any{map[string]any{"name": "Bye", "value": "bye"}}}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the answer (-want +got)\n%s", diff)
	}
	for _, id := range []any{got["sessionCode"], got["userInteractionUUID"], first["interactionId"]} {
		if _, err := parley.ParseID[parley.Message](id.(string)); err != nil {
			t.Errorf("%v is no UUID", id)
		}
	}
}

// A session goes on under its code: contexts are kept and merged, and what the bot waits for and understood is told.
func TestSessionGoesOn(t *testing.T) {
	s := newStage(t)
	start := s.turn("", `{"text":"hello","context":{"tier":"gold","city":"Kiel"}}`, 200, "Business-Key", "4711")
	if want := `you said|hello||||` + "|" + `{"city":"Kiel","tier":"gold"}|Windows|es-ES`; start.first() != want || *start.Text != "hello" {
		t.Errorf("the first answer is %q, want %q", start.first(), want)
	}
	next := s.turn(start.SessionCode, `{"text":"again","context":{"city":null,"n":1}}`, 200, "OS", "iOS", "Locale", "en-Us")
	if want := `you said|again||||` + "|" + `{"n":1,"tier":"gold"}|iOS|en-Us`; next.first() != want || next.SessionCode != start.SessionCode || next.UserInteractionUUID == start.UserInteractionUUID {
		t.Errorf("the second answer is %q, want %q", next.first(), want)
	}
	when := s.turn(start.SessionCode, `{"text":"when"}`, 200)
	if when.UserInput == nil || *when.UserInput != (struct{ Type, CallToAction, Pattern string }{"DATE", "Pick a day", "yyyy-MM-dd"}) ||
		when.NLPResponse != (struct {
			Type, Name string
			Score      float64
		}{"INTENT", "ask_date", 0.91}) {
		t.Errorf("waits for %+v, understood %+v", when.UserInput, when.NLPResponse)
	}
	set := s.turn(start.SessionCode, `{"text":"contexts"}`, 200)
	if diff := cmp.Diff([]map[string]any{{"open": 1.0}, {"visible": 2.0}}, []map[string]any{set.Context, set.ContextReadOnly}); diff != "" {
		t.Errorf("contexts (-want +got)\n%s", diff)
	}
	if nothing := s.turn(start.SessionCode, `{"text":"nothing"}`, 200); len(nothing.Answers) != 0 {
		t.Errorf("answers %+v", nothing.Answers)
	}
}

// code wins over intent, that over userInput, that over text; the losers are handed on. What there is no text for is null.
func TestPrecedence(t *testing.T) {
	s := newStage(t)
	for body, want := range map[string]string{
		`{"code":"c","intent":"i","userInput":"u","text":"t","confidence":0.4}`: "you said|t|c|i|u|||Windows|es-ES",
		`{"intent":"i","text":null}`:                         "you said|||i||||Windows|es-ES",
		`{"userInput":"2026-03-01","code":"","intent":null}`: "you said||||2026-03-01|||Windows|es-ES",
		`{"text":" ","context":{"at":{"lat":1}}}`:            `you said| |||||{"at":{"lat":1}}|Windows|es-ES`,
		`{"context":{"at":1}}`:                               `you said||||||{"at":1}|Windows|es-ES`,
		`{"text":"t","entities":{"city":["Kiel","Ulm"]},"unknown":[1],"inputText":true,"toApplyMultilanguage":false,"advancedOptions":{"multilanguage":{"translateInput":true}}}`: `you said|t||||{"city":["Kiel","Ulm"]}||Windows|es-ES`,
		`{"text":"t","confidence":0.9}`: "you said|t||||||Windows|es-ES",
	} {
		if got := s.turn("", body, 200); got.first() != want {
			t.Errorf("%s is answered %q, want %q", body, got.first(), want)
		}
	}
	for key, turn := range map[string]struct{ body, want string }{"1": {`{"code":"c","intent":"i","userInput":"u"}`, "c"}, "2": {`{"userInput":"u","intent":"i","text":""}`, "i"}, "3": {`{"userInput":"u"}`, "u"},
		"4": {`{"code":"c","text":"t"}`, "t"}} {
		if got := s.turn("", turn.body, 200, "Business-Key", key); turn.want != "t" && (got.Text == nil) != !strings.Contains(turn.body, "text") {
			t.Errorf("%s is answered with the text %v", turn.body, got.Text)
		}
		if _, text := s.Do("GET", s.environment()+"/history/"+key, "", "Api-Key", s.key); !strings.Contains(text, `"text":"`+turn.want+`"`) {
			t.Errorf("%s is kept as %s, want %q", turn.body, text, turn.want)
		}
	}
}

// Every type of answer arrives as the reference has it.
func TestEveryTypeOfAnswer(t *testing.T) {
	s := newStage(t)
	_, text := s.Do("POST", s.turns(), `{"text":"all"}`, s.headers()...)
	var got struct{ Answers []map[string]any }
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, a := range got.Answers {
		content, _ := json.Marshal(a["content"])
		technical, _ := json.Marshal(a["technicalText"])
		lines = append(lines, fmt.Sprintf("%s %s %s %q %v", a["type"], content, technical, a["description"], a["masked"]))
	}
	want := []string{`TEXT "\u003cb\u003ebold\u003c/b\u003e" null "alt" true`, `TEXT_OPTIONS "plain" null "" false`, `IMAGE "https://a.example/i.png" null "a picture" false`,
		`VIDEO "https://a.example/v.mp4" null "" false`, `AUDIO "https://a.example/a.mp3" null "" false`, `DOCUMENT "https://a.example/d.pdf" null "" false`,
		`CUSTOM "" {"type":"map"} "" false`,
		`CAROUSEL [{"buttons":[{"action":"+491","name":"Call","type":"PHONE","value":"call"}],"imageUrl":"https://a.example/1.png","subTitle":"first","title":"One"}] null "" false`}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("answers (-want +got)\n%s", diff)
	}
}

// A bot that fails is told by statuses of its own; a session that exists stays of use, and one that does not comes not to be.
func TestFailures(t *testing.T) {
	s := newStage(t, func(b *parley.BotSettings) { b.TurnDeadline = time.Second })
	session := s.turn("", `{"text":"hello"}`, 200).SessionCode
	for why, want := range map[string]struct {
		status int
		code   string
	}{"bot": {460, "WEBHOOK_ERROR"}, "deadline": {460, "WEBHOOK_ERROR"}, "settings": {461, "BOT_MISCONFIGURED"}, "model": {462, "NLP_UNAVAILABLE"}, "modelRefuses": {463, "NLP_UNAUTHORIZED"}, "internal": {500, "INTERNAL"}} {
		res, text := s.Do("POST", s.turns()+"/"+session, `{"text":"fail `+why+`"}`, s.headers()...)
		if res.StatusCode != want.status || !strings.Contains(text, `"code":"`+want.code+`"`) || !strings.Contains(text, `"sessionCode":"`+session+`"`) {
			t.Errorf("%s in a session answered %d %s", why, res.StatusCode, text)
		}
		if res, text = s.Do("POST", s.turns(), `{"text":"fail `+why+`"}`, s.headers("Business-Key", "failing")...); res.StatusCode != want.status || strings.Contains(text, "sessionCode") {
			t.Errorf("%s at the start answered %d %s", why, res.StatusCode, text)
		}
	}
	if res, text := s.Do("POST", s.turns()+"/"+session, `{"text":"slow"}`, s.headers()...); res.StatusCode != 460 {
		t.Errorf("a bot that hangs answered %d %s", res.StatusCode, text)
	}
	if got := s.turn(session, `{"text":"still there?"}`, 200); got.SessionCode != session {
		t.Errorf("the session is %s", got.SessionCode)
	}
	if _, text := s.Do("GET", s.environment()+"/history/failing", "", "Api-Key", s.key); text != "[]" {
		t.Errorf("sessions that failed left %s", text)
	}
}

// The same request of the same name within a minute gets the same answer, and asks nobody.
func TestRepeatsAreSafe(t *testing.T) {
	s := newStage(t)
	session := s.turn("", `{"text":"hello"}`, 200).SessionCode
	first := s.turn(session, `{"text":"once"}`, 200, "x-request-id", "same")
	asked := s.asked.Load()
	if again := s.turn(session, `{"text":"once"}`, 200, "x-request-id", "same"); cmp.Diff(first, again) != "" || s.asked.Load() != asked {
		t.Errorf("repeated: %s, asked %d times more", cmp.Diff(first, again), s.asked.Load()-asked)
	}
	s.late.Store(int64(2 * time.Minute))
	if later := s.turn(session, `{"text":"once"}`, 200, "x-request-id", "same"); later.UserInteractionUUID == first.UserInteractionUUID {
		t.Error("after a minute the request was still taken for a repeat")
	}
	if other := s.turn("", `{"text":"once"}`, 200, "x-request-id", "same"); other.SessionCode == session {
		t.Error("another session shares its requests")
	}
}

// A request that is repeated before it was answered, however often at once and on whatever node, asks the bot once: all who call get its one answer.
func TestRepeatsAtOnce(t *testing.T) {
	s := newStage(t)
	session := s.turn("", `{"text":"hello"}`, 200).SessionCode
	other := rest.NewRouter() // shares nothing with the stage's but the record
	broker.New(broker.Deps{Store: s.store, Hub: s.hub, Keys: s.admin, Authority: s.tokens, Clock: s.clock}).Register(other)
	for round := range 5 {
		asked, body := s.asked.Load(), fmt.Sprintf(`{"text":"round %d"}`, round)
		answers := make(chan string, 40)
		for i, key := range s.keysFor(cap(answers)) {
			go func() {
				headers := s.headers("Api-Key", key, "X-Request-Id", fmt.Sprint("round-", round))
				if i%2 == 0 {
					_, text := s.Do("POST", s.turns()+"/"+session, body, headers...)
					answers <- text
					return
				}
				r, w := httptest.NewRequest("POST", s.turns()+"/"+session, strings.NewReader(body)), httptest.NewRecorder()
				for ; len(headers) > 0; headers = headers[2:] {
					r.Header.Set(headers[0], headers[1])
				}
				other.ServeHTTP(w, r)
				answers <- w.Body.String()
			}()
		}
		first := strings.TrimSpace(<-answers)
		if !strings.Contains(first, fmt.Sprintf(`"content":"you said|round %d|`, round)) {
			t.Errorf("answered %s", first)
		}
		for range cap(answers) - 1 {
			if again := strings.TrimSpace(<-answers); again != first {
				t.Errorf("answers %s and %s", first, again)
			}
		}
		if s.asked.Load() != asked+1 {
			t.Errorf("the bot was asked %d times", s.asked.Load()-asked)
		}
	}
}

// Turns of one session go one after the other, however many callers come at once: each waits for its place and gets its own answer.
func TestTurnsOfASessionAreSerial(t *testing.T) {
	s := newStage(t)
	session := s.turn("", `{"text":"hello"}`, 200).SessionCode
	var all sync.WaitGroup
	for i, key := range s.keysFor(50) {
		all.Go(func() {
			res, text := s.Do("POST", s.turns()+"/"+session, fmt.Sprintf(`{"text":"number %d"}`, i), s.headers("Api-Key", key)...)
			if res.StatusCode != 200 || !strings.Contains(text, fmt.Sprintf("you said|number %d|", i)) {
				t.Errorf("turn %d answered %d %s", i, res.StatusCode, text)
			}
		})
	}
	all.Wait()
	conversation, err := parley.ParseID[parley.Conversation](session)
	if err != nil {
		t.Fatal(err)
	}
	var messages []parley.Message
	if err := s.store.View(t.Context(), func(tx parley.Tx) (err error) {
		messages, err = tx.Messages(t.Context(), parley.MessageQuery{Tenant: parley.DefaultTenant, Conversation: conversation, Limit: 200})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if len(messages) != 2*51 {
		t.Errorf("%d messages were said, want %d", len(messages), 2*51)
	}
	for i, m := range messages {
		if want := []parley.Role{parley.Customer, parley.CustomBot}[i%2]; m.Sender != want {
			t.Fatalf("message %d is of the %s, want %s: turns overlapped", i+1, m.Sender, want)
		}
	}
}

// A turn that is slower than others wait for their places leaves them without one: each of them is a conflict, asks the bot nothing, and may come again.
func TestPlaceIsWaitedFor(t *testing.T) {
	s := newStage(t, func(b *parley.BotSettings) { b.TurnDeadline = parley.MaxBotDeadline })
	session := s.turn("", `{"text":"hello"}`, 200).SessionCode
	done := make(chan said, 1)
	go func() {
		res, text := s.Do("POST", s.turns()+"/"+session, `{"text":"slow"}`, s.headers()...)
		var got said
		if err := json.Unmarshal([]byte(text), &got); err != nil || res.StatusCode != 200 {
			t.Errorf("the slow turn answered %d %s", res.StatusCode, text)
		}
		done <- got
	}()
	<-s.thinks
	asked := s.asked.Load()
	var others sync.WaitGroup
	for _, key := range s.keysFor(49) {
		others.Go(func() {
			res, text := s.Do("POST", s.turns()+"/"+session, `{"text":"me too"}`, s.headers("Api-Key", key)...)
			if res.StatusCode != 409 || !strings.Contains(text, "TURN_IN_PROGRESS") || strings.Contains(text, "sessionCode") {
				t.Errorf("beside a slow turn: %d %s", res.StatusCode, text)
			}
		})
	}
	others.Wait()
	if s.asked.Load() != asked {
		t.Errorf("the bot was asked %d times by those who had no place", s.asked.Load()-asked)
	}
	close(s.hold)
	if got := <-done; got.first() != "at last" {
		t.Errorf("the slow turn said %q", got.first())
	}
	if got := s.turn(session, `{"text":"now"}`, 200); !strings.HasPrefix(got.first(), "you said|now|") {
		t.Errorf("after it the answer is %q", got.first())
	}
}

// Sessions end: by themselves, by the bot; then they are conflicts, or begin anew where the bot wants that.
func TestSessionsExpire(t *testing.T) {
	s := newStage(t)
	gone := s.turn("", `{"text":"hello"}`, 200).SessionCode
	s.late.Store(int64(29 * time.Minute))
	s.turn(gone, `{"text":"fail bot"}`, 460) // extends nothing
	s.turn(gone, `{"text":"hello"}`, 200)
	s.late.Store(int64(61 * time.Minute))
	if res, text := s.Do("POST", s.turns()+"/"+gone, `{"text":"hello"}`, s.headers()...); res.StatusCode != 409 || !strings.Contains(text, "SESSION_EXPIRED") || strings.Contains(text, "sessionCode") {
		t.Errorf("after its time: %d %s", res.StatusCode, text)
	}
	s.late.Store(0)
	ended := s.turn("", `{"text":"bye"}`, 200).SessionCode
	if res, _ := s.Do("POST", s.turns()+"/"+ended, `{"text":"hello"}`, s.headers()...); res.StatusCode != 409 {
		t.Errorf("after the bot ended it: %d", res.StatusCode)
	}
	again := newStage(t, func(b *parley.BotSettings) { b.RenewExpired = true })
	old := again.turn("", `{"text":"bye"}`, 200).SessionCode
	if renewed := again.turn(old, `{"text":"hello"}`, 200); renewed.SessionCode == old || renewed.first() == "" {
		t.Errorf("renewed: %+v", renewed)
	}
}
