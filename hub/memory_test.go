package hub_test

import (
	"testing"
	"time"

	"parley"
	"parley/store/storetest"
)

// A conversation stays in memory for a while after it was begun, as after any message: else each that was begun within a minute would be
// read from the record for its second message.
func TestConversationsStayInMemoryForAWhile(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	id := w.start()
	if n := w.hub.Forget(); n != 1 {
		t.Errorf("%d conversations in memory after one was begun", n)
	}
	w.later(9 * time.Minute)
	w.say(id, parley.Customer, parley.TypeText)
	w.later(9 * time.Minute)
	if n := w.hub.Forget(); n != 1 {
		t.Errorf("%d conversations in memory, the last message is 9 minutes old", n)
	}
	w.later(2 * time.Minute)
	if n := w.hub.Forget(); n != 0 {
		t.Errorf("%d conversations in memory, the last message is 11 minutes old", n)
	}
}
