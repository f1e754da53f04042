package insight_test

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	"parley"
	"parley/ident"
	"parley/insight"
	"parley/store/storetest"
)

// A deleted conversation, one that was given as a text or one that goes on in the hub, is gone from every read, and does not come
// back: not when a detector meets its messages, not when more is said, not when a range is looked at again.
func TestDeletedConversationsStayAway(t *testing.T) {
	for name, url := range map[string]func(testing.TB) (driver, url string){
		"sqlite":   func(t testing.TB) (string, string) { return "sqlite", filepath.Join(t.TempDir(), "parley.db") },
		"postgres": func(t testing.TB) (string, string) { return "pgx", storetest.PostgresURL(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			driver, url := url(t)
			s := newStage(t, storetest.OpenURL(t, url))
			if _, err := s.entities.Create(t.Context(), parley.DefaultTenant, []parley.Entity{{Type: "Word", SubType: "x", Values: []string{"message"}}}, false); err != nil {
				t.Fatal(err)
			}
			s.tracker(parley.Tracker{Name: "Greeting", Vocabulary: []string{"message"}, Action: parley.TrackerAction{Label: "greeted", Callback: true}})
			s.round() // what comes now is followed

			unseen, _ := s.say(insight.Text{Name: "Secret name", Metadata: map[string]string{"k": "secret"}}, "secret message")
			s.delete(unseen) // before it was looked at
			text, job := s.say(insight.Text{Name: "Secret name", Metadata: map[string]string{"k": "secret"},
				Trackers: []parley.Tracker{{Name: "Own", Vocabulary: []string{"message"}}}}, "secret message", "secret message, again")
			kept, _ := s.say(insight.Text{}, "message that stays")
			live := storetest.Start("")
			storetest.MustCommit(t, s.store, live)
			other := s.another()
			s.round()
			if err := other.Round(t.Context()); err != nil {
				t.Fatal(err)
			}
			chat := parley.NumberOf(live.Conversation.ID)
			if got := s.found(chat); len(got) != 1 {
				t.Fatalf("found in the chat before it was deleted: %v", got)
			}
			acted := len(s.acts)
			s.delete(text)
			s.delete(chat)
			if len(s.ended) != 3 || s.ended[2] != live.Conversation.ID {
				t.Errorf("the hub ended %v, want each of three before it was deleted, and none for a stranger", s.ended)
			}
			view := func(tx parley.Tx) error {
				page, count, err := tx.AuditEntries(t.Context(), parley.DefaultTenant, 0, 1)
				if err == nil && (count != 3 || page[0].Action != "conversations.delete" || page[0].Subject != live.Conversation.ID.String() || page[0].Actor != parley.APIClientID{9}.String()) {
					t.Errorf("the audit log has %d entries, the last one %+v", count, page)
				}
				return err
			}
			if err := s.store.View(t.Context(), view); err != nil {
				t.Fatal(err)
			}

			next := storetest.Say(live.Conversation, parley.Customer, "", 0b10)
			storetest.MustCommit(t, s.store, next)
			s.run(insight.Run{})
			for _, d := range []*insight.Detector{s.detector, other, s.another()} { // two that remember the chat, and one that does not
				if err := d.Round(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			for _, n := range []parley.Number{unseen, text, chat} {
				s.isGone(n)
			}
			if list, err := s.conversations.List(t.Context(), parley.DefaultTenant, nil, insight.NewListQuery()); err != nil || len(list) != 1 || list[0].Number != kept {
				t.Errorf("List = %d conversations, %v; want the one that was not deleted", len(list), err)
			}
			if len(s.acts) != acted {
				t.Errorf("acted on what was said after the chat was deleted: %+v", s.acts[acted:])
			}
			if j, err := s.conversations.Job(t.Context(), parley.DefaultTenant, job); err != nil || j.Status != parley.JobCompleted || j.Request.Name+j.Request.Metadata["k"] != "" || len(j.Request.Trackers) > 0 {
				t.Errorf("job of the text = %+v, %v; want it completed, without what it was told", j, err)
			}
			if said := s.messages(live.Conversation.ID); said[0].Deleted != parley.Erased || said[0].Body.Content != nil || said[1].Body.Content == nil {
				t.Errorf("messages of the chat = %+v; want the first erased, and the later one, which the hub needs, as it was", said)
			}

			db, err := sql.Open(driver, url)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			for query, want := range map[string]int{
				"SELECT count(*) FROM messages WHERE body LIKE '%secret%' OR body LIKE '%roza%' OR body LIKE '%Roza%'": 1, // of the one that stays
				"SELECT count(*) FROM insights": 1, "SELECT count(*) FROM insight_terms": 1, "SELECT count(*) FROM conversation_metadata": 0, "SELECT count(*) FROM conversation_labels": 1,
				"SELECT count(*) FROM tracker_hits": 1, "SELECT count(*) FROM entity_hits": 1, "SELECT count(*) FROM jobs WHERE body LIKE '%ecret%'": 0,
			} {
				var got int
				if err := db.QueryRowContext(t.Context(), query).Scan(&got); err != nil || got != want {
					t.Errorf("%s: %d, %v; want %d", strings.TrimPrefix(query, "SELECT count(*) FROM "), got, err, want)
				}
			}
		})
	}
}

// A text that comes in after its conversation was deleted, since it was on its way, is erased, too, and its job ends.
func TestLateTextsAreErased(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := newStage(t, open(t))
		s.tracker(parley.Tracker{Name: "Greeting", Vocabulary: []string{"hello"}})
		s.round()
		n, _ := s.say(insight.Text{}, "hello")
		s.round()
		in, err := s.conversations.Find(t.Context(), parley.DefaultTenant, n)
		if err != nil {
			t.Fatal(err)
		}
		var c parley.Conversation
		late := parley.Job{ID: ident.New[parley.Job](), Tenant: parley.DefaultTenant, Kind: parley.JobText, Status: parley.JobScheduled, Conversation: in.Conversation,
			Created: s.clock, Total: 1, Request: parley.JobRequest{Webhook: "https://example.org/done"}}
		if err := s.store.Update(t.Context(), func(tx parley.Tx) (err error) {
			if c, err = tx.Conversation(t.Context(), parley.DefaultTenant, in.Conversation); err != nil {
				return err
			}
			return tx.InsertJob(t.Context(), late)
		}); err != nil {
			t.Fatal(err)
		}
		s.delete(n)
		step := storetest.Say(&c, parley.Customer, "", 0)
		step.Messages[0].Body.Job = late.ID
		storetest.MustCommit(t, s.store, step)
		s.round()
		s.isGone(n)
		for _, m := range s.messages(in.Conversation) {
			if m.Deleted != parley.Erased || m.Body.Content != nil {
				t.Errorf("message %d is still there: %+v", m.Seq, m.Body)
			}
		}
		if j, err := s.conversations.Job(t.Context(), parley.DefaultTenant, late.ID); err != nil || j.Status != parley.JobFailed || j.Reason == "" {
			t.Errorf("job of the late text = %s (%s), %v; want it failed, with the reason", j.Status, j.Reason, err)
		}
		s.round()
		if len(s.told) != 1 || !strings.Contains(s.told[0], `"failed"`) {
			t.Errorf("told %v, want that the job failed", s.told)
		}
	})
}

func (s *stage) delete(n parley.Number) {
	s.Helper()
	if err := s.conversations.Delete(s.Context(), s, parley.TenantID{1}, n, parley.APIClientID{}); parley.KindOf(err) != parley.NotFound {
		s.Errorf("Delete by a stranger = %v, want NotFound", err)
	}
	if err := s.conversations.Delete(s.Context(), s, parley.DefaultTenant, n, parley.APIClientID{9}); err != nil {
		s.Fatalf("Delete = %v", err)
	}
}

// isGone asks everything that can be asked about a conversation.
func (s *stage) isGone(n parley.Number) {
	s.Helper()
	ctx, tenant := s.Context(), parley.DefaultTenant
	_, find := s.conversations.Find(ctx, tenant, n)
	_, _, messages := s.conversations.Messages(ctx, tenant, n, false, nil)
	_, trackers := s.conversations.Trackers(ctx, tenant, n)
	_, entities := s.conversations.Entities(ctx, tenant, n)
	_, metadata := s.conversations.PutMetadata(ctx, tenant, n, map[string]string{})
	_, _, more := s.conversations.Process(ctx, tenant, &n, insight.Text{Messages: []insight.TextMessage{{Content: "x"}}})
	for call, err := range map[string]error{"Find": find, "Messages": messages, "Trackers": trackers, "Entities": entities, "PutMetadata": metadata, "Process": more,
		"Delete": s.conversations.Delete(ctx, s, tenant, n, parley.APIClientID{9})} {
		if parley.KindOf(err) != parley.NotFound {
			s.Errorf("%s of deleted conversation %s = %v, want NotFound", call, n, err)
		}
	}
}

// messages are those of a conversation as they are stored.
func (s *stage) messages(id parley.ConversationID) (all []parley.Message) {
	s.Helper()
	if err := s.store.View(s.Context(), func(tx parley.Tx) (err error) {
		all, err = tx.Messages(s.Context(), parley.MessageQuery{Tenant: parley.DefaultTenant, Conversation: id, Limit: 100})
		return err
	}); err != nil {
		s.Fatal(err)
	}
	return all
}

// run asks for a range to be looked at again.
func (s *stage) run(r insight.Run) parley.Job {
	s.Helper()
	j, err := s.runs.Start(s.Context(), parley.DefaultTenant, r)
	if err != nil {
		s.Fatalf("start run: %v", err)
	}
	return j
}
