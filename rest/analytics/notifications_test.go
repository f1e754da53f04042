package analytics_test

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley"
	"parley/ident"
	"parley/rest/analytics"
)

// owed are the bodies of what a subscription is owed, once something has happened and is counted.
func (s *stage) owed(change func(*parley.Subscription)) (bodies []map[string]any) {
	s.t.Helper()
	bot, err := parley.ParseID[parley.ClientApplication](s.vars["$bot"])
	if err != nil {
		s.t.Fatal(err)
	}
	sub := parley.Subscription{ID: ident.New[parley.Subscription](), Tenant: parley.DefaultTenant, Bot: bot, Version: parley.VersionLive, Target: "https://example.org",
		Status: parley.SubscriptionEnabled, Created: time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)} // in the middle of the past
	change(&sub)
	if err := s.store.Update(s.t.Context(), func(tx parley.Tx) error { return tx.InsertSubscription(s.t.Context(), &sub) }); err != nil {
		s.t.Fatal(err)
	}
	past, err := os.ReadFile("testdata/past.ndjson")
	if err != nil {
		s.t.Fatal(err)
	}
	s.happened(string(past))
	var all []parley.Notification
	if err := s.store.View(s.t.Context(), func(tx parley.Tx) (err error) {
		all, err = tx.Owed(s.t.Context(), sub.Key, 1000)
		return err
	}); err != nil {
		s.t.Fatal(err)
	}
	for i := range all {
		raw, there, err := analytics.Notifications{}.Notification(&sub, &all[i])
		if err != nil || !there {
			s.t.Fatalf("Notification = %s, %t, %v", raw, there, err)
		}
		var body struct{ Subscription, Event map[string]any }
		if err := json.Unmarshal(raw, &body); err != nil {
			s.t.Fatal(err)
		}
		want := map[string]any{"id": sub.ID.String(), "bot_id": s.vars["$bot"], "bot_version": "LIVE", "event_type": string(sub.Type), "event_names": []any{}, "version": "v1",
			"status": "enabled", "created_at": "2026-03-04T00:00:00.000Z"}
		if len(sub.Names) > 0 {
			want["event_names"] = []any{sub.Names[0]}
		}
		if diff := cmp.Diff(want, body.Subscription); diff != "" {
			s.t.Errorf("the subscription is shown so (-want +got)\n%s", diff)
		}
		bodies = append(bodies, body.Event)
	}
	return bodies
}

// Transitions are told as the flow of a conversation shows them: what happened since somebody subscribed, of the steps that they named.
func TestTransitionsAreTold(t *testing.T) {
	s := newStage(t, 0)
	got := s.owed(func(sub *parley.Subscription) { sub.Type, sub.Names = parley.EventFlow, []string{"HANDOVER"} })
	c5, c6 := ident.Imported(parley.DefaultTenant, "c5").String(), ident.Imported(parley.DefaultTenant, "c6").String()
	want := []map[string]any{
		{"bot_id": s.vars["$bot"], "conversation_id": c5, "user_id": "ben@example.org", "transition": map[string]any{"id": c5 + ".0.2", "depth": 2.0, "timestamp": "2026-03-04T12:01:30.000Z",
			"from_step": map[string]any{"id": "size", "type": "DIALOG"}, "to_step": map[string]any{"id": "HANDOVER", "type": "HANDOVER"}}},
		{"bot_id": s.vars["$bot"], "conversation_id": c6, "user_id": "", "transition": map[string]any{"id": c6 + ".0.1", "depth": 1.0, "timestamp": "2026-03-04T12:31:00.000Z",
			"from_step": map[string]any{"id": "refund", "type": "DIALOG"}, "to_step": map[string]any{"id": "HANDOVER", "type": "HANDOVER"}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("told (-want +got)\n%s", diff)
	}
}

// Messages are told by who said them and when; what they say is not.
func TestMessagesAreTold(t *testing.T) {
	s := newStage(t, 0)
	got := s.owed(func(sub *parley.Subscription) { sub.Type, sub.Names = parley.EventMessage, []string{"agent"} })
	if len(got) != 1 {
		t.Fatalf("told: %v, want the one message of an agent", got)
	}
	id, _ := got[0]["message_id"].(string)
	if _, err := parley.ParseID[parley.Message](id); err != nil {
		t.Errorf("message_id %q: %v", id, err)
	}
	delete(got[0], "message_id")
	want := map[string]any{"bot_id": s.vars["$bot"], "conversation_id": ident.Imported(parley.DefaultTenant, "c5").String(), "user_id": "ben@example.org", "sender": "agent", "type": "text",
		"timestamp": "2026-03-04T12:03:00.000Z"}
	if diff := cmp.Diff(want, got[0]); diff != "" {
		t.Errorf("told (-want +got)\n%s", diff)
	}
}
