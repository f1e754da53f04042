package store_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"parley"
	"parley/ident"
	"parley/store"
	"parley/store/storetest"
)

// An everywhere is a conversation that is over and has something in every table.
type everywhere struct {
	id  parley.ConversationID
	key int64
}

// ofConversation are tables with rows of conversations, which say so in a column; those that are kept when these are gone have no entry.
var ofConversation = map[string]string{
	"messages":            "",
	"lanes":               "",
	"turns":               "INSERT INTO turns (conversation, seq, question, request, status, failure, problem, first, last, result, opened, closed) VALUES (%[1]d, 1, %[2]s, '', 'answered', '', '', 0, 0, '{}', 1, 1)",
	"refused":             "INSERT INTO refused (conversation, seq, sender, type, said, reason, at) VALUES (%[1]d, 1, 'custom_bot', 'text', 'late', 'late', 1)",
	"bot_sessions":        "INSERT INTO bot_sessions (conversation, tenant, bot, business_key, told, created) VALUES (%[1]d, 1, %[2]s, 'b', 0, 1)",
	"interactions":        "INSERT INTO interactions (id, conversation, seq) SELECT id, conversation, seq FROM messages WHERE conversation = %[1]d",
	"ratings":             "INSERT INTO ratings (conversation, seq, requester, helpful, at) VALUES (%[1]d, 1, 'r', 1, 1)",
	"surveys":             "INSERT INTO surveys (conversation, id, evaluation, answered, comments, at) VALUES (%[1]d, %[2]s, 3, 1, 'c', 1)",
	"receipts":            "INSERT INTO receipts (conversation, slot, tenant, seq, at) VALUES (%[1]d, 0, 1, 1, 1)",
	"shown":               "INSERT INTO shown (conversation, slot, seq, at) VALUES (%[1]d, 0, 1, 1)",
	"tracker_hits":        "INSERT INTO tracker_hits (conversation, tracker, phrase, seq, tenant, name, value, place, length, similarity, words) VALUES (%[1]d, 1, 1, 1, 1, 'n', 'v', 0, 1, 1, '[]')",
	"entity_hits":         "INSERT INTO entity_hits (conversation, entity, type, subtype, ordinal, seq, place, tenant, category, value, length) VALUES (%[1]d, 0, 't', 's', 0, 1, 0, 1, 'c', 'v', 1)",
	"insights":            "", // see below
	"agent_conversations": "INSERT INTO agent_conversations (conversation, tenant, bot, agent_user, status, channel, search, profile, judged, created, changed) VALUES (%[1]d, 1, %[2]s, (SELECT MIN(key) FROM agent_users), 's', 'c', '', '{}', 0, 1, 1)",
	"agent_feedbacks":     "INSERT INTO agent_feedbacks (conversation, seq, agent_user, id, body, created, modified) VALUES (%[1]d, 1, (SELECT MIN(key) FROM agent_users), %[2]s, '{}', 1, 1)",
	"agent_files":         "INSERT INTO agent_files (asset, conversation) VALUES (%[2]s, %[1]d)",
	"forgotten":           "INSERT INTO forgotten (conversation, at, anonymous) VALUES (%[1]d, 1, 1)",
}

// keptOfConversation are those that stay: figures, what waits to be counted, and events that programs told of.
var keptOfConversation = []string{"visits", "figure_changes", "tracked_events"}

func isPostgres(t *testing.T) bool { return strings.Contains(t.Name(), "postgres") }

// tablesWith are the tables that have a column.
func tablesWith(t *testing.T, s *store.Store, column string) []string {
	t.Helper()
	query := "SELECT m.name FROM sqlite_master AS m, pragma_table_info(m.name) AS c WHERE m.type = 'table' AND c.name = '" + column + "'"
	if isPostgres(t) {
		query = "SELECT table_name FROM information_schema.columns WHERE table_schema = 'public' AND column_name = '" + column + "'"
	}
	return s.Texts(t, query)
}

// over makes a conversation that ended days ago and left something everywhere.
func over(t *testing.T, s *store.Store, days int) everywhere {
	t.Helper()
	step := storetest.Start("")
	storetest.MustCommit(t, s, step)
	e := everywhere{id: step.Conversation.ID}
	blob := func(id [16]byte) string {
		if isPostgres(t) {
			return fmt.Sprintf(`'\x%x'::bytea`, id)
		}
		return fmt.Sprintf("x'%x'", id)
	}
	e.key = s.Number(t, "SELECT key FROM conversations WHERE id = "+blob(e.id))
	ended := time.Now().AddDate(0, 0, -days).UnixMilli()
	s.Exec(t, fmt.Sprintf("UPDATE lanes SET acked = tail, due = NULL, lease = NULL, lease_until = NULL WHERE conversation = %d", e.key))
	s.Exec(t, fmt.Sprintf("UPDATE conversations SET status = 'ended', owner_kind = 'none', owner_app = NULL, ended = %d WHERE key = %d", ended, e.key))
	s.Exec(t, fmt.Sprintf("INSERT INTO attempts (tenant, lane, seq, at, duration, status, error, answer) SELECT 1, key, 1, %d, 1, 200, '', '' FROM lanes WHERE conversation = %d", ended, e.key))
	s.Exec(t, fmt.Sprintf("INSERT INTO exceptions (lane, seq, tenant, state, reason, at) SELECT key, 1, 1, 'dead', 'r', 1 FROM lanes WHERE conversation = %d", e.key))
	update(t, s, func(tx parley.Tx) error {
		return tx.PutInsight(t.Context(), &parley.Insight{Conversation: e.id, Tenant: parley.DefaultTenant, Type: "t", Started: step.Conversation.Created, Ended: step.Conversation.Created, Seq: 1,
			Metadata: map[string]string{"a": "b"}, Labels: []string{"l"}})
	})
	for _, text := range ofConversation {
		if text != "" {
			s.Exec(t, fmt.Sprintf(text, e.key, blob(ident.New[everywhere]())))
		}
	}
	return e
}

// counts is how many rows of a conversation there are, by table.
func (e everywhere) counts(t *testing.T, s *store.Store) map[string]int64 {
	t.Helper()
	rows := map[string]int64{}
	for table := range ofConversation {
		rows[table] = s.Number(t, fmt.Sprintf("SELECT COUNT(*) FROM %s WHERE conversation = %d", table, e.key))
	}
	for _, table := range []string{"attempts", "exceptions"} {
		rows[table] = s.Number(t, fmt.Sprintf("SELECT COUNT(*) FROM %s WHERE lane IN (SELECT key FROM lanes WHERE conversation = %d)", table, e.key))
	}
	rows["conversations"] = s.Number(t, fmt.Sprintf("SELECT COUNT(*) FROM conversations WHERE key = %d", e.key))
	return rows
}

// retained is a store on which everything was looked at, with somebody to whom conversations of agents may belong.
func retained(t *testing.T, open opener) *store.Store {
	t.Helper()
	s := open(t)
	s.Exec(t, "INSERT INTO agent_users (id, tenant, bot, email, phone, foreign_id, search, profile, created, modified) SELECT id, 1, id, '', '', '', '', '{}', 1, 1 FROM tenants WHERE key = 1")
	s.Exec(t, `UPDATE figure_progress SET progress = '{"generation":1,"cursor":1000000}'`)
	s.Exec(t, "INSERT INTO feeds (follower, cursor) VALUES ('detection', 1000000)")
	return s
}

func old(t *testing.T, s *store.Store, before time.Time) (found []parley.OldConversation) {
	t.Helper()
	view(t, s, func(tx parley.Tx) (err error) {
		found, err = tx.OldConversations(t.Context(), parley.DefaultTenant, before, parley.OldConversation{}, 10)
		return err
	})
	return found
}

// An old conversation goes with everything that belongs to it, in whatever table there is or will be; others keep all of theirs.
func TestOldConversationsGoWhole(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := retained(t, open)
		for _, table := range tablesWith(t, s, "conversation") {
			if _, ok := ofConversation[table]; !ok && !strings.Contains(strings.Join(keptOfConversation, " "), table) {
				t.Errorf("table %s has rows of conversations: does retention remove them?", table)
			}
		}
		first, young, last := over(t, s, 40), over(t, s, 20), over(t, s, 40)
		storetest.MustCommit(t, s, storetest.Start("")) // the last one stays in any case
		for table, n := range first.counts(t, s) {
			if n == 0 {
				t.Fatalf("the test has nothing in %s", table)
			}
		}
		kept := young.counts(t, s)
		places := s.Number(t, "SELECT COUNT(*) FROM conversation_metadata") + s.Number(t, "SELECT COUNT(*) FROM conversation_labels")
		before := time.Now().AddDate(0, 0, -30)
		found := old(t, s, before)
		if len(found) != 2 || found[0].Key != first.key || found[1].Key != last.key {
			t.Fatalf("OldConversations = %v, want %d and %d", found, first.key, last.key)
		}
		var due parley.RetentionDue
		view(t, s, func(tx parley.Tx) (err error) {
			due, err = tx.RetentionDue(t.Context(), parley.DefaultTenant, parley.Retention{Messages: 30, Attempts: 30}, time.Now())
			return err
		})
		if want := (parley.RetentionDue{Conversations: 2, Messages: 2, Attempts: 2}); due != want {
			t.Errorf("RetentionDue = %+v, want %+v", due, want)
		}
		remove := func(tenant parley.TenantID) (n int64) {
			update(t, s, func(tx parley.Tx) (err error) {
				n, err = tx.RemoveConversations(t.Context(), tenant, append(found, parley.OldConversation{Key: young.key}), before)
				return err
			})
			return n
		}
		if n := remove(newTenant(t, s)); n != 0 {
			t.Errorf("another tenant removed %d messages", n)
		}
		if n := remove(parley.DefaultTenant); n != 2 {
			t.Errorf("RemoveConversations = %d messages, want 2", n)
		}
		for _, e := range []everywhere{first, last} {
			for table, n := range e.counts(t, s) {
				if n != 0 {
					t.Errorf("%d rows of an old conversation are left in %s", n, table)
				}
			}
		}
		for table, n := range young.counts(t, s) {
			if n != kept[table] {
				t.Errorf("%d of %d rows of a young conversation are left in %s", n, kept[table], table)
			}
		}
		for table, n := range map[string]int64{"attempts": 1, "exceptions": 1, "insight_terms": 1} {
			if got := s.Number(t, "SELECT COUNT(*) FROM "+table); got != n {
				t.Errorf("%d rows are left in %s, want %d", got, table, n)
			}
		}
		if left := s.Number(t, "SELECT COUNT(*) FROM conversation_metadata") + s.Number(t, "SELECT COUNT(*) FROM conversation_labels"); left*3 != places {
			t.Errorf("%d of %d rows of metadata and labels are left", left, places)
		}
		if n := remove(parley.DefaultTenant); n != 0 {
			t.Errorf("removed once more: %d", n)
		}
	})
}

// What waits for something stays until it does not.
func TestOldConversationsWait(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := retained(t, open)
		newTenant(t, s)
		e := over(t, s, 40)
		before := time.Now().AddDate(0, 0, -30)
		wait := func(why string, want bool) {
			t.Helper()
			if got := len(old(t, s, before)) == 0; got != want {
				t.Errorf("%s: waits %t, want %t", why, got, want)
			}
		}
		wait("the last one of all", true)
		storetest.MustCommit(t, s, storetest.Start(""))
		wait("nothing", false)
		const progress = `{"generation":1,"cursor":1000000}`
		for why, change := range map[string][2]string{
			"a delivery is owed":     {"UPDATE lanes SET tail = tail + 1, due = 1", "UPDATE lanes SET acked = tail, due = NULL"},
			"one is to be repeated":  {"UPDATE lanes SET again = 1, due = 1 WHERE conversation = %d", "UPDATE lanes SET again = 0, due = NULL WHERE conversation = %d"},
			"a lane is blocked":      {"UPDATE lanes SET tail = tail + 1, blocked = tail + 1 WHERE conversation = %d", "UPDATE lanes SET acked = tail, blocked = NULL WHERE conversation = %d"},
			"the hub was not told":   {"UPDATE exceptions SET told = 0", "UPDATE exceptions SET told = 1"},
			"it is being counted":    {"INSERT INTO figure_changes (conversation, whole) VALUES (%d, 1)", "DELETE FROM figure_changes"},
			"counting is behind":     {`UPDATE figure_progress SET progress = '{"generation":1,"cursor":0}'`, "UPDATE figure_progress SET progress = '" + progress + "'"},
			"counting began anew":    {`UPDATE figure_progress SET progress = '{"generation":1,"building":2,"cursor":1000000}'`, "UPDATE figure_progress SET progress = '" + progress + "'"},
			"detection is behind":    {"UPDATE feeds SET cursor = 0", "UPDATE feeds SET cursor = 1000000"},
			"so is that of what was": {"INSERT INTO feeds (follower, cursor) VALUES ('detection.history.end', 1000000)", "INSERT INTO feeds (follower, cursor) VALUES ('detection.history', 1000000)"},
			"it goes on":             {"UPDATE conversations SET status = 'open' WHERE key = %d", "UPDATE conversations SET status = 'ended' WHERE key = %d"},
			"its visit is not over":  {"INSERT INTO visits (generation, conversation, part, dimension, hour, cell, first_seq, last_seq, started, last, closes, person, facts) VALUES (1, %d, 0, 1, 0, 0, 1, 1, 1, 1, 2, 0, '{}')", "UPDATE visits SET closes = NULL"},
			"it ended later":         {"UPDATE conversations SET ended = ended + 2592000000 WHERE key = %d", "UPDATE conversations SET ended = ended - 2592000000 WHERE key = %d"},
			"it is another tenant's": {"UPDATE conversations SET tenant = (SELECT MAX(key) FROM tenants) WHERE key = %d", "UPDATE conversations SET tenant = 1 WHERE key = %d"},
		} {
			for i, text := range change {
				if strings.Contains(text, "%d") {
					text = fmt.Sprintf(text, e.key)
				}
				s.Exec(t, text)
				wait(why, i == 0)
			}
		}
	})
}

// How attempts went and texts that were given for detection go by themselves.
func TestOldAttemptsAndTextsGo(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := retained(t, open)
		over(t, s, 40)
		over(t, s, 20)
		before := time.Now().AddDate(0, 0, -30)
		for _, j := range []parley.Job{
			{Kind: parley.JobText, Status: parley.JobCompleted, Created: before.Add(-time.Hour)},
			{Kind: parley.JobText, Status: parley.JobCompleted, Created: before.Add(time.Hour)},
			{Kind: parley.JobText, Status: parley.JobScheduled, Created: before.Add(-time.Hour)},
			{Kind: parley.JobRange, Status: parley.JobCompleted, Created: before.Add(-time.Hour)},
		} {
			j.ID, j.Tenant = ident.New[parley.Job](), parley.DefaultTenant
			update(t, s, func(tx parley.Tx) error { return tx.InsertJob(t.Context(), j) })
		}
		var attempts, texts int64
		update(t, s, func(tx parley.Tx) (err error) {
			if attempts, err = tx.RemoveAttempts(t.Context(), parley.DefaultTenant, before); err != nil {
				return err
			}
			texts, err = tx.RemoveJobs(t.Context(), parley.DefaultTenant, before)
			return err
		})
		if attempts != 1 || s.Number(t, "SELECT COUNT(*) FROM attempts") != 1 {
			t.Errorf("%d attempts removed, want the old one", attempts)
		}
		if texts != 1 || s.Number(t, "SELECT COUNT(*) FROM jobs") != 3 {
			t.Errorf("%d jobs removed, want the old text that is over", texts)
		}
	})
}
