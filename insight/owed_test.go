package insight_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley"
	"parley/insight"
	"parley/store/storetest"
)

// A moody hub fails in conversations as long as it is told to.
type moody struct {
	fails map[parley.ConversationID]error
	did   []string
	tried int
}

func (m *moody) Detected(_ context.Context, _ parley.TenantID, d parley.Detected) error {
	m.tried++
	if err := m.fails[d.Message.Conversation]; err != nil {
		return err
	}
	m.did = append(m.did, d.Message.Body.Content.Text)
	return nil
}

// What a hit asks for is done although the record has a hiccup: later, in the order in which it was asked for, while other conversations go
// on. What can never be done is tried for a while, or not at all.
func TestHiccupsLoseNoCallback(t *testing.T) {
	s := newStage(t, storetest.Open(t))
	hub := &moody{fails: map[parley.ConversationID]error{}}
	s.detector = insight.NewDetector(insight.Config{Record: s.store, Hub: hub, Clock: func() time.Time { return s.clock }, Logger: slog.New(slog.DiscardHandler)})
	s.tracker(parley.Tracker{Name: "Leaving", Vocabulary: []string{"cancel"}, Action: parley.TrackerAction{Callback: true}})
	s.round()
	said := 0
	var numbers [2]parley.Number
	var ids [2]parley.ConversationID
	for i := range numbers {
		numbers[i], _ = s.say(insight.Text{}, "hello")
		in, err := s.conversations.Find(t.Context(), parley.DefaultTenant, numbers[i])
		if err != nil {
			t.Fatal(err)
		}
		ids[i] = in.Conversation
	}
	one, other := 0, 1
	say := func(where int) {
		t.Helper()
		said++
		if _, _, err := s.conversations.Process(t.Context(), parley.DefaultTenant, &numbers[where], insight.Text{Messages: []insight.TextMessage{{Content: fmt.Sprint("cancel ", said)}}}); err != nil {
			t.Fatal(err)
		}
	}
	want := func(when string, did ...string) {
		t.Helper()
		s.round()
		if diff := cmp.Diff(did, hub.did); diff != "" {
			t.Errorf("%s, it did (-want +got):\n%s", when, diff)
		}
	}
	hub.fails[ids[one]] = errors.New("planted")
	say(one)
	say(one)
	say(other)
	want("while it fails in one conversation", "cancel 3")
	if hub.tried != 2 {
		t.Errorf("tried %d times, want the later hit to wait behind the one that failed", hub.tried)
	}
	s.clock = s.clock.Add(time.Second)
	say(other)
	want("still", "cancel 3", "cancel 4")
	hub.fails[ids[one]] = nil
	want("before it is due", "cancel 3", "cancel 4")
	s.clock = s.clock.Add(2 * time.Second)
	want("once it is well again", "cancel 3", "cancel 4", "cancel 1", "cancel 2")
	say(one)
	want("after that", "cancel 3", "cancel 4", "cancel 1", "cancel 2", "cancel 5")

	hub.fails[ids[one]], hub.tried = errors.New("planted"), 0
	say(one)
	for range 20 {
		s.round()
		s.clock = s.clock.Add(time.Minute)
	}
	if hub.tried != 10 {
		t.Errorf("tried %d times, want 10", hub.tried)
	}
	hub.fails[ids[one]], hub.tried = &parley.Error{Kind: parley.Invalid, Msg: "planted"}, 0
	say(one)
	for range 3 {
		s.round()
		s.clock = s.clock.Add(time.Minute)
	}
	if hub.tried != 1 {
		t.Errorf("tried %d times what is wrong, want once", hub.tried)
	}
}
