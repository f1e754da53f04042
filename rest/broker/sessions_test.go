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
