package admin_test

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"testing"
	"time"

	"parley"
	"parley/store/storetest"
)

// A receiver that takes its messages over a session has them delivered like one with a callback: the timeline says when, once the session said
// so, and not before.
func TestTimelineOfDeliveriesOverASession(t *testing.T) {
	s := newStage(t)
	token, _ := s.token(parley.DefaultTenant, parley.ScopeAdmin)
	app, err := s.directory.Applications.Create(t.Context(), parley.DefaultTenant, parley.ClientApplication{Base: parley.Base{Name: "bot", Active: true},
		Roles: []parley.ApplicationRole{{Name: parley.CustomBot, Version: "v3", Callback: parley.SessionCallback, NotificationEmail: "x@example.org"}}})
	if err != nil {
		t.Fatal(err)
	}
	step := storetest.Start("")
	step.Conversation.State.Parties[1].Application = app
	answers := make(chan parley.Answer)
	run, err := s.dispatch.Take(t.Context(), parley.Receiver{Tenant: parley.DefaultTenant, Application: app, Role: parley.CustomBot}, 1,
		func(ctx context.Context, _ parley.Handed) (parley.Answer, error) {
			select {
			case a := <-answers:
				return a, nil
			case <-ctx.Done():
				return parley.Answer{}, ctx.Err()
			}
		})
	if err != nil {
		t.Fatal(err)
	}
	session, end := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { run(session) })
	t.Cleanup(func() {
		end()
		wg.Wait()
	})
	s.dispatch.Wake(storetest.MustCommit(t, s.store, step)[0])
	timeline := func() (attempts int, delivered *time.Time) {
		t.Helper()
		res, body := s.Do(http.MethodGet, "/conversations/"+step.Conversation.ID.String()+"/timeline", "", "Authorization", "Bearer "+token)
		var out struct {
			Message []struct {
				Recipients []struct{ Delivered *time.Time }
				Attempts   []struct{ Problem string }
			}
		}
		if err := json.Unmarshal([]byte(body), &out); err != nil || res.StatusCode != http.StatusOK || len(out.Message) != 1 || len(out.Message[0].Recipients) != 1 {
			t.Fatalf("timeline = %d %s", res.StatusCode, body)
		}
		return len(out.Message[0].Attempts), out.Message[0].Recipients[0].Delivered
	}
	for i, answer := range []parley.Answer{{Outcome: parley.OutcomeRetry}, {Outcome: parley.OutcomeDelivered}} {
		answers <- answer
		deadline := time.After(20 * time.Second)
		for {
			n, delivered := timeline()
			if n == i+1 {
				if good := answer.Outcome == parley.OutcomeDelivered; (delivered != nil) != good {
					t.Errorf("after the answer %s the timeline says delivered %v", answer.Outcome, delivered)
				}
				break
			}
			select {
			case <-time.After(5 * time.Millisecond):
			case <-deadline:
				t.Fatalf("%d attempts in the timeline, want %d", n, i+1)
			}
		}
	}
}
