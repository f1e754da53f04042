package ws

import (
	"maps"
	"testing"

	"parley"
)

// An answer belongs to the oldest heartbeat that has none: what came after that one may be on its way still. One that nobody asked for says nothing.
func TestAnswersBelongToHeartbeats(t *testing.T) {
	f := &follow{reach: reach{slot: -1}} // nobody's, so that no hub hears of it
	s := &session{follows: map[parley.ConversationID]*follow{{1}: f}}
	beat := func(sent int64) {
		f.sent = sent
		s.ask(map[string]int64{})
	}
	answers := func(want int64, when string) {
		t.Helper()
		if s.answered(); f.has != want {
			t.Errorf("%s the client has %d, want %d", when, f.has, want)
		}
	}
	answers(0, "unasked")
	beat(2)
	f.sent = 3
	beat(3)
	answers(2, "with the first answer")
	answers(2, "unasked, later")
	f.filling = true
	beat(9)
	answers(2, "while it is being filled")
	f.filling = false
	beat(9)
	answers(9, "with the answer to the last")
}

// A heartbeat names conversations that go on each time, and those that have ended until the client has them.
func TestHeartbeatsDoNotGrow(t *testing.T) {
	open, ended := &follow{id: parley.ConversationID{1}, sent: 3, reach: reach{slot: -1}}, &follow{id: parley.ConversationID{2}, sent: 5, ended: true, reach: reach{slot: -1}}
	s := &session{follows: map[parley.ConversationID]*follow{open.id: open, ended.id: ended}}
	names := func(want map[string]int64, when string) {
		t.Helper()
		got := map[string]int64{}
		if s.ask(got); !maps.Equal(got, want) {
			t.Errorf("%s a heartbeat names %v, want %v", when, got, want)
		}
	}
	one, both := map[string]int64{open.id.String(): 3}, map[string]int64{open.id.String(): 3, ended.id.String(): 5}
	names(both, "at first")
	names(both, "without an answer")
	s.answered()
	names(one, "once it was answered")
	ended.sent = 6
	names(map[string]int64{open.id.String(): 3, ended.id.String(): 6}, "when more came")
}
