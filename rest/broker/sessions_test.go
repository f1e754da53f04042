package broker_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley"
)

// A session lasts as long as its bot says from the last turn that went well: neither a turn that failed nor a survey makes it longer.
func TestWhatExtendsASession(t *testing.T) {
	for name, test := range map[string]struct {
		path, body string
		want       int
		after      int // what the turn after the end of its time is
	}{
		"a turn": {"", `{"text":"hello"}`, 200, 200}, "a turn that failed": {"", `{"text":"fail bot"}`, 460, 409}, "a survey": {"/satisfactions", `{"evaluation":5}`, 200, 409},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, func(b *parley.BotSettings) { b.SessionTimeout = 10 * time.Minute })
			session := s.turn("", `{"text":"hello"}`, 200).SessionCode
			path := s.turns() + "/" + session
			if test.path != "" {
				path = s.environment() + "/bot/" + s.bot.ID.String() + "/conversations/" + session + test.path
			}
			s.late.Store(int64(9 * time.Minute))
			if res, text := s.Do("POST", path, test.body, s.headers()...); res.StatusCode != test.want {
				t.Fatalf("answered %d %s", res.StatusCode, text)
			}
			s.late.Store(int64(11 * time.Minute))
			s.turn(session, `{"text":"still there?"}`, test.after)
		})
	}
}

// History says of a session what its next turn would find: it is over when its time has come, though nobody asked since.
func TestHistoryKnowsTheTime(t *testing.T) {
	s := newStage(t, func(b *parley.BotSettings) { b.SessionTimeout = 10 * time.Minute })
	now := time.Now().UTC().Truncate(time.Millisecond)
	at := func(later time.Duration) { s.stands.Store(new(now.Add(later))) }
	at(0)
	session := s.turn("", `{"text":"hello"}`, 200, "Business-Key", "4711").SessionCode
	at(9 * time.Minute)
	s.turn(session, `{"text":"fail bot"}`, 460) // extends nothing
	for later, want := range map[time.Duration]string{10*time.Minute - time.Millisecond: "UPDATED", 10 * time.Minute: "EXPIRED"} {
		at(later)
		shown, _ := s.shown("4711")
		if shown["sessionType"] != want || shown["expireDate"] != now.Add(10*time.Minute).Format("2006-01-02T15:04:05.000Z") {
			t.Errorf("after %v it is %v until %v, want %s", later, shown["sessionType"], shown["expireDate"], want)
		}
	}
	at(10 * time.Minute)
	s.turn(session, `{"text":"hello"}`, 409)
}

// A session in place of one that is over is of the same customer, and a test only if that was one. A repeat under the old code finds it.
func TestRenewedSessions(t *testing.T) {
	s := newStage(t, func(b *parley.BotSettings) { b.RenewExpired = true })
	now := time.Now().UTC().Truncate(time.Minute).Add(59 * time.Second)
	at := func(later time.Duration) { s.stands.Store(new(now.Add(later))) }
	at(0)
	old := s.turn("", `{"text":"bye"}`, 200, "Business-Key", "4711", "Browser", "Safari").SessionCode
	first := s.turn(old+"?test=true", `{"text":"hello"}`, 200, "X-Request-Id", "r1")
	asked := s.asked.Load()
	for _, later := range []time.Duration{0, 2 * time.Second} { // another minute of the clock
		at(later)
		if again := s.turn(old, `{"text":"hello"}`, 200, "X-Request-Id", "r1"); cmp.Diff(first, again) != "" || s.asked.Load() != asked {
			t.Errorf("repeated after %v, asked %d times more:\n%s", later, s.asked.Load()-asked, cmp.Diff(first, again))
		}
	}
	if other := s.turn(old, `{"text":"hello"}`, 200, "X-Request-Id", "r2"); other.SessionCode == first.SessionCode {
		t.Error("another request got the same session")
	}
	at(2 * time.Minute)
	if later := s.turn(old, `{"text":"hello"}`, 200, "X-Request-Id", "r1"); later.SessionCode == first.SessionCode {
		t.Error("after two minutes the request was still taken for a repeat")
	}
	_, text := s.Do("GET", s.environment()+"/history/4711", "", "Api-Key", s.key)
	var all []struct{ Session map[string]any }
	if err := json.Unmarshal([]byte(text), &all); err != nil || len(all) != 4 {
		t.Fatalf("the customer has the sessions %s", text)
	}
	for _, one := range all {
		if one.Session["test"] != false || one.Session["browser"] != "Safari" {
			t.Errorf("a session is %v", one.Session)
		}
	}
	_, text = s.Do("POST", s.turns()+"?test=true", `{"text":"bye"}`, s.headers("Business-Key", "tester")...)
	var test said
	if err := json.Unmarshal([]byte(text), &test); err != nil {
		t.Fatal(err)
	}
	s.turn(test.SessionCode, `{"text":"hello"}`, 200)
	_, text = s.Do("GET", s.environment()+"/history/tester", "", "Api-Key", s.key)
	if strings.Count(text, `"test":true`) != 2 {
		t.Errorf("in place of a test: %s", text)
	}
}

// A session that is ended while its first turn waits never was: whoever asked hears of no session without an answer.
func TestSessionsEndWithTheirFirstTurn(t *testing.T) {
	s := newStage(t)
	defer close(s.hold)
	answer := make(chan string, 1)
	go func() {
		res, text := s.Do("POST", s.turns(), `{"text":"slow"}`, s.headers("Business-Key", "4711")...)
		answer <- fmt.Sprint(res.StatusCode, " ", text)
	}()
	<-s.thinks
	if err := s.hub.End(t.Context(), parley.DefaultTenant, s.told.Load().Conversation, "test"); err != nil {
		t.Fatal(err)
	}
	if got := <-answer; !strings.HasPrefix(got, "500 ") || !strings.Contains(got, `"code":"INTERNAL"`) || strings.Contains(got, "sessionCode") {
		t.Errorf("answered %s", got)
	}
	if _, text := s.Do("GET", s.environment()+"/history/4711", "", "Api-Key", s.key); text != "[]" {
		t.Errorf("the customer has %s", text)
	}
}
