package admin

import (
	"testing"
	"time"

	"parley"
	"parley/directory"
)

// A message that hands a conversation over is delivered when all its requests were answered well: the pages before it are not it.
func TestDeliveredWithItsLastRequest(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	c := &parley.Conversation{State: parley.ConversationState{Parties: []parley.Party{{Role: parley.Customer}, {Role: parley.CustomAgent}}}}
	page, failed, good := parley.LaneAttempt{Slot: 1}, parley.LaneAttempt{Slot: 1}, parley.LaneAttempt{Slot: 1}
	page.Attempt = parley.Attempt{At: at, Status: 200}
	failed.Attempt = parley.Attempt{At: at.Add(time.Second), Status: 503, Error: "the receiver answered 503"}
	good.Attempt = parley.Attempt{At: at.Add(time.Minute), Status: 200, Duration: time.Second}
	for name, test := range map[string]struct {
		attempts []parley.LaneAttempt
		want     time.Time
	}{
		"not yet": {[]parley.LaneAttempt{page, failed}, time.Time{}},
		"in full": {[]parley.LaneAttempt{page, failed, page, good}, at.Add(time.Minute + time.Second)},
	} {
		to := toTimeline(c, &directory.Moment{Message: parley.Message{To: 2, Seq: 1}, Attempts: test.attempts}).Recipients[0]
		if (to.Delivered == nil) != test.want.IsZero() || to.Delivered != nil && !time.Time(*to.Delivered).Equal(test.want) {
			t.Errorf("%s: delivered %v, want %v", name, to.Delivered, test.want)
		}
	}
}
