package broker_test

import (
	"testing"
	"time"

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
