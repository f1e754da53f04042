package broker_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley"
	"parley/bots"
	"parley/directory"
	"parley/hub"
)

// The welcome may be asked for again: the session and its context stay.
func TestWelcomeAgain(t *testing.T) {
	s := newStage(t)
	session := s.turn("", `{"text":"hello","context":{"tier":"gold"}}`, 200).SessionCode
	if again := s.turn(session, `{"code":"%EVA_WELCOME_MSG","text":"ignored"}`, 200); again.first() != "Welcome" || again.SessionCode != session || again.Context["tier"] != "gold" || *again.Text != "ignored" {
		t.Errorf("the welcome again is %+v", again)
	}
}

// Whether a session is a test is decided with its first turn; any other code goes to the bot as it is.
func TestOnlyTheStartDecidesOnTests(t *testing.T) {
	s := newStage(t)
	session := s.turn("", `{"code":"ORDER_77"}`, 200, "Business-Key", "4711").SessionCode
	if in := s.told.Load().Input; in.Code != "ORDER_77" {
		t.Errorf("the bot is told %+v", in)
	}
	if res, text := s.Do("POST", s.turns()+"/"+session+"?test=true", `{"text":"hello"}`, s.headers()...); res.StatusCode != 200 || s.told.Load().Test {
		t.Errorf("answered %d %s, a test: %t", res.StatusCode, text, s.told.Load().Test)
	}
	if shown, _ := s.shown("4711"); shown["test"] != false {
		t.Errorf("the session is %v", shown)
	}
	if res, text := s.Do("POST", s.turns()+"?test=true", `{"text":"hello"}`, s.headers()...); res.StatusCode != 200 || !s.told.Load().Test {
		t.Errorf("a test answered %d %s, a test: %t", res.StatusCode, text, s.told.Load().Test)
	}
}

// An intent of the channel is sure unless the channel says how sure; how sure it is of nothing does not count.
func TestConfidence(t *testing.T) {
	s := newStage(t)
	for body, want := range map[string]float64{`{"intent":"i"}`: 1, `{"intent":"i","confidence":0}`: 0, `{"intent":"i","confidence":0.25}`: 0.25, `{"text":"t","confidence":0.25}`: 0} {
		s.turn("", body, 200)
		if got := s.told.Load().Input.Confidence; got != want {
			t.Errorf("of %s the bot is told %v, want %v", body, got, want)
		}
	}
}

// What the bot found in the text is answered with its place; what it keeps hidden is not, whatever is asked next.
func TestWhatIsShownOfATurn(t *testing.T) {
	s := newStage(t)
	_, text := s.Do("POST", s.turns(), `{"text":"when"}`, s.headers()...)
	if want := `"nlpResponse":{"type":"INTENT","name":"ask_date","score":0.91,"entities":[{"name":"object","value":"when","originalValue":"when","position":{"start":0,"end":4}}]}`; !strings.Contains(text, want) {
		t.Errorf("answered %s", text)
	}
	_, first := s.Do("POST", s.turns(), `{"text":"contexts"}`, s.headers("Business-Key", "4711")...)
	var got said
	if err := json.Unmarshal([]byte(first), &got); err != nil {
		t.Fatal(err)
	}
	_, second := s.Do("POST", s.turns()+"/"+got.SessionCode, `{"text":"hello"}`, s.headers()...)
	_, history := s.Do("GET", s.environment()+"/history/4711", "", "Api-Key", s.key)
	if all := first + second + history; strings.Contains(all, "hidden") {
		t.Errorf("shown: %s", all)
	}
	if kept := string(s.told.Load().Contexts.Hidden); kept != `{"hidden":3}` {
		t.Errorf("the bot is told %s of what it hides", kept)
	}
}

// A context grows with the turns of its session, up to 64 KiB.
func TestContextsAreBounded(t *testing.T) {
	s := newStage(t)
	half := strings.Repeat("x", 40<<10)
	session := s.turn("", `{"context":{"a":"`+half+`"}}`, 200).SessionCode
	s.turn(session, `{"context":{"b":"`+half+`"}}`, 422)
	if got := s.turn(session, `{"context":{"a":null,"b":"`+half+`"}}`, 200); len(got.Context) != 1 || got.Context["b"] != half {
		t.Errorf("after it the context has %d members", len(got.Context))
	}
}

// What is nested so deep that nobody could read it again is refused, and the session goes on. What is kept of it is read by everybody who counts,
// judges and detects: one such turn would stop them all.
func TestContextsAreNestedALittle(t *testing.T) {
	s := newStage(t)
	session := s.turn("", `{"text":"hello"}`, 200).SessionCode
	for _, member := range []string{"context", "entities"} {
		nested := func(n int) string {
			return `{"text":"hello","` + member + `":{"a":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}}`
		}
		s.turn(session, nested(parley.MaxDepth-1), 200)
		for _, n := range []int{parley.MaxDepth, 9997, 9998} { // the most that a body can have around it
			if _, text := s.Do("POST", s.turns()+"/"+session, nested(n), s.headers()...); !strings.Contains(text, `"message":"`+member+` must not be nested more than 50 deep"`) {
				t.Errorf("%s nested %d deep answered %s", member, n, text)
			}
			s.turn("", nested(n), 422)
		}
	}
	s.turn(session, `{"text":"hello"}`, 200)
}

// The bot is told where the customer is: the channel by its name and type, and the session.
func TestBotsAreToldTheChannel(t *testing.T) {
	s := newStage(t)
	shop, err := s.bots.AddChannel(t.Context(), parley.DefaultTenant, s.bot.ID, directory.BotChannel{Name: "shop", Type: "web", Active: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []bots.Client{{ChannelID: s.channel.String(), ChannelName: "default", ChannelType: "default"}, {ChannelID: shop.String(), ChannelName: "shop", ChannelType: "web"}} {
		s.channel, err = parley.ParseID[parley.Account](want.ChannelID)
		if err != nil {
			t.Fatal(err)
		}
		want.Session = s.turn("", `{"text":"hello"}`, 200).SessionCode
		got := s.told.Load().Client
		got.ClientInfo = parley.ClientInfo{}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
}

// An error says where and when it came to be, and no more than that it is ours.
func TestErrorBody(t *testing.T) {
	s := newStage(t)
	_, text := s.Do("POST", "/eva-broker"+s.turns()+"/x?test=true", `{"text":"hello"}`, s.headers()...)
	var got map[string]any
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	at, err := time.Parse("2006-01-02T15:04:05.000Z", got["timestamp"].(string))
	if err != nil || time.Since(at).Abs() > time.Minute {
		t.Errorf("timestamp %v: %v", got["timestamp"], err)
	}
	delete(got, "timestamp")
	want := map[string]any{"status": 404.0, "error": "Not Found", "message": "there is no session of this code here", "path": "/eva-broker" + s.turns() + "/x", "code": "SESSION_NOT_FOUND"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// The history has the newest hundred sessions, and what people say in them as what bots say, of no author.
func TestHistoryOfMany(t *testing.T) {
	s := newStage(t)
	var codes []string
	for i, key := range s.keysFor(101) {
		codes = append(codes, s.turn("", fmt.Sprintf(`{"text":"hello %d"}`, i), 200, "Api-Key", key, "Business-Key", "4711").SessionCode)
	}
	_, text := s.Do("GET", s.environment()+"/history/4711", "", "Api-Key", s.key)
	var all []struct{ Session struct{ SessionCode string } }
	if err := json.Unmarshal([]byte(text), &all); err != nil || len(all) != 100 {
		t.Fatalf("%d sessions, %v", len(all), err)
	}
	for i, one := range all {
		if one.Session.SessionCode != codes[i+1] {
			t.Fatalf("session %d is %s, want %s", i, one.Session.SessionCode, codes[i+1])
		}
	}
	session := s.turn("", `{"text":"human"}`, 200, "Business-Key", "4712", "Api-Key", s.newKey(parley.DefaultTenant)).SessionCode
	id, err := parley.ParseID[parley.Conversation](session)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []parley.Draft{{Conversation: id, Type: parley.TypeAgentJoin, Sender: parley.CustomAgent}, {Conversation: id, Type: parley.TypeText, Sender: parley.CustomAgent, Body: parley.Body{Content: &parley.Content{Text: "Dana here."}}}} {
		if _, err := s.hub.Post(t.Context(), hub.PostRequest{Speaker: parley.Speaker{Tenant: parley.DefaultTenant, Application: parley.ConsoleApplication}, Surface: "test", Drafts: []parley.Draft{d}}); err != nil {
			t.Fatal(err)
		}
	}
	_, said := s.shown("4712")
	if last := said[len(said)-1]; last["text"] != "Dana here." || last["userSent"] != false || last["answerUuid"] != nil || last["userSentId"] != said[0]["uuid"] {
		t.Errorf("a person is shown as %v", last)
	}
}

// Whoever asks for the key of an environment that has none learns so.
func TestNoKeyToRead(t *testing.T) {
	s := newStage(t)
	id, _, _ := strings.Cut(s.key, ".")
	second := s.newKey(parley.DefaultTenant)
	token := "Bearer " + s.token(parley.DefaultTenant, parley.ScopeAdmin)
	for _, want := range []struct {
		revoke string
		status int
		text   string
	}{{"", 200, second}, {strings.Split(second, ".")[0], 200, s.key}, {id, 404, "NOT_FOUND"}} {
		if want.revoke != "" {
			if err := s.admin.RevokeKey(t.Context(), administrator, want.revoke); err != nil {
				t.Fatal(err)
			}
		}
		if res, text := s.Do("GET", s.environment()+"/api-key", "", "Authorization", token); res.StatusCode != want.status || !strings.Contains(text, want.text) {
			t.Errorf("after revoking %q: %d %s, want %d", want.revoke, res.StatusCode, text, want.status)
		}
	}
}
