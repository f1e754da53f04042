package store_test

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"parley"
	"parley/ident"
	"parley/store/storetest"
)

var anAgent = ident.New[parley.ClientApplication]()

func agentUser(name, email, phone, foreign string) parley.AgentUser {
	now := time.UnixMilli(1_780_000_000_000).UTC()
	return parley.AgentUser{ID: ident.New[parley.AgentUser](), Tenant: parley.DefaultTenant, Agent: anAgent, FirstName: name, LastName: "Okafor", Email: email, Phone: phone, ForeignID: foreign,
		Context: "likes blue", CustomData: []byte(`{"a":1}`), Created: now, Modified: now}
}

func agentConversation(c *parley.Conversation, u *parley.AgentUser) parley.AgentConversation {
	return parley.AgentConversation{Conversation: *c, Agent: anAgent, User: *u, Status: parley.AgentActive, Channel: "api", PublicID: "conv_1", Created: c.Created, Changed: c.Created}
}

// errRollback undoes what a test did.
var errRollback = errors.New("undo")

// Users are found by what they are known by, and by nobody else's agent or tenant.
func TestAgentUsers(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s, ctx := open(t), t.Context()
		first, second := agentUser("Ines", "Ines@Example.org", "+4912345678", "crm-1"), agentUser("Ines", "ines@example.org", "", "")
		update(t, s, func(tx parley.Tx) error {
			return cmp.Or(tx.PutAgentUser(ctx, first), tx.PutAgentUser(ctx, second), tx.PutAgentUser(ctx, agentUser("Bo", "", "", "")))
		})
		first.Phone, first.Created = "+4912345679", first.Created.Add(time.Hour) // created stays
		update(t, s, func(tx parley.Tx) error { return tx.PutAgentUser(ctx, first) })
		first.Created = second.Created
		view(t, s, func(tx parley.Tx) error {
			got, err := tx.AgentUser(ctx, parley.DefaultTenant, anAgent, first.ID)
			if diff := gocmp.Diff(first, got); diff != "" {
				t.Errorf("AgentUser (-want +got)\n%s", diff)
			}
			for _, test := range []struct {
				foreign, email, phone string
				want                  parley.AgentUserID
			}{
				{"crm-1", "", "", first.ID}, {"", "INES@example.ORG", "", first.ID}, {"", "", "+4912345679", first.ID}, {"crm-2", "ines@example.org", "", parley.AgentUserID{}},
				{"", "", "+4912345678", parley.AgentUserID{}}, {"", "", "", parley.AgentUserID{}}, {"", "x\x00", "", parley.AgentUserID{}},
			} {
				got, err := tx.FindAgentUser(ctx, parley.DefaultTenant, anAgent, test.foreign, test.email, test.phone)
				if got.ID != test.want || test.want.IsZero() != (parley.KindOf(err) == parley.NotFound) {
					t.Errorf("FindAgentUser(%q, %q, %q) = %s, %v, want %s", test.foreign, test.email, test.phone, got.ID, err, test.want)
				}
			}
			if _, err := tx.AgentUser(ctx, parley.DefaultTenant, ident.New[parley.ClientApplication](), first.ID); parley.KindOf(err) != parley.NotFound {
				t.Errorf("another agent's AgentUser = %v", err)
			}
			return err
		})
		update(t, s, func(tx parley.Tx) error { return tx.DeleteAgentUser(ctx, parley.DefaultTenant, anAgent, first.ID) })
		if err := s.Update(ctx, func(tx parley.Tx) error { return tx.DeleteAgentUser(ctx, parley.DefaultTenant, anAgent, first.ID) }); parley.KindOf(err) != parley.NotFound {
			t.Errorf("DeleteAgentUser again = %v", err)
		}
	})
}

// The states that every tenant begins with are made once.
func TestAgentStates(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s, ctx := open(t), t.Context()
		var before, after []parley.AgentState
		for _, states := range []*[]parley.AgentState{&before, &after} {
			update(t, s, func(tx parley.Tx) (err error) {
				*states, err = tx.AgentStates(ctx, parley.DefaultTenant)
				return err
			})
		}
		var names []string
		for _, one := range before {
			names = append(names, fmt.Sprint(one.Name, " ", one.Persistent))
		}
		if diff := gocmp.Diff([]string{"New false", "Open false", "In Process false", "Escalated false", "Complete true"}, names); diff != "" {
			t.Errorf("states (-want +got)\n%s", diff)
		}
		if diff := gocmp.Diff(before, after); diff != "" {
			t.Errorf("they changed:\n%s", diff)
		}
	})
}

// States are replaced as a whole, in the order given; a conversation keeps its state until that is gone, and nothing else that looks like it.
func TestAgentStatesAreReplaced(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s, ctx := open(t), t.Context()
		states := func() (all []parley.AgentState) {
			update(t, s, func(tx parley.Tx) (err error) {
				all, err = tx.AgentStates(ctx, parley.DefaultTenant)
				return err
			})
			return all
		}
		before := states()
		u := agentUser("Ines", "", "", "crm-1")
		var conversations []parley.AgentConversation
		for i, state := range []parley.AgentStateID{before[0].ID, before[1].ID} {
			step := storetest.Start("")
			storetest.MustCommit(t, s, step)
			a := agentConversation(step.Conversation, &u)
			a.State, a.CustomData = state, []byte(`{"state":"`+before[1-i].ID.String()+`"}`)
			conversations = append(conversations, a)
		}
		update(t, s, func(tx parley.Tx) error {
			return cmp.Or(tx.PutAgentUser(ctx, u), tx.PutAgentConversation(ctx, conversations[0]), tx.PutAgentConversation(ctx, conversations[1]))
		})
		at := before[0].Created.Add(time.Hour)
		renamed, added := before[1], parley.AgentState{ID: ident.New[parley.AgentState](), Name: "Waiting", Description: "for the customer", Color: "#000000", Created: at, Modified: at}
		renamed.Name, renamed.Created, renamed.Modified = "Begun", at, at
		want := []parley.AgentState{added, before[4], renamed}
		update(t, s, func(tx parley.Tx) error { return tx.PutAgentStates(ctx, parley.DefaultTenant, want) })
		want[2].Created = before[1].Created
		if diff := gocmp.Diff(want, states()); diff != "" {
			t.Errorf("states (-want +got)\n%s", diff)
		}
		for i, want := range []parley.AgentStateID{{}, before[1].ID} {
			view(t, s, func(tx parley.Tx) error {
				got, err := tx.AgentConversation(ctx, parley.DefaultTenant, anAgent, conversations[i].Conversation.ID)
				if got.State != want || string(got.CustomData) != string(conversations[i].CustomData) {
					t.Errorf("conversation %d has the state %s and %s, want %s", i, got.State, got.CustomData, want)
				}
				return err
			})
		}
	})
}

// What is known of a conversation is kept beside it, and goes with it.
func TestAgentConversations(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s, ctx := open(t), t.Context()
		u := agentUser("Ines", "", "", "crm-1")
		step := storetest.Start("")
		storetest.MustCommit(t, s, step)
		c := step.Conversation
		score := 7.0
		a := agentConversation(c, &u)
		a.Title, a.Titled, a.Summary, a.Score, a.Context, a.CustomData, a.State, a.Judged, a.JudgeAt = "Heat pump", true, "Asked.", &score, "Leeds", []byte(`{"b":2}`), ident.New[parley.AgentState](), 1, c.Created
		if err := s.Update(ctx, func(tx parley.Tx) error { return tx.PutAgentConversation(ctx, a) }); parley.KindOf(err) != parley.NotFound {
			t.Errorf("of no user = %v", err)
		}
		update(t, s, func(tx parley.Tx) error {
			return cmp.Or(tx.PutAgentUser(ctx, u), tx.PutAgentConversation(ctx, a))
		})
		read := func() (got parley.AgentConversation, err error) {
			err = s.View(ctx, func(tx parley.Tx) error {
				got, err = tx.AgentConversation(ctx, parley.DefaultTenant, anAgent, c.ID)
				return err
			})
			return got, err
		}
		got, err := read()
		if got.Conversation.Seq != 1 {
			t.Errorf("the conversation is %+v", got.Conversation)
		}
		got.Conversation = a.Conversation
		if diff := gocmp.Diff(a, got); diff != "" || err != nil {
			t.Errorf("AgentConversation = %v (-want +got)\n%s", err, diff)
		}
		one := parley.Feedback{ID: ident.New[parley.Feedback](), Conversation: c.ID, Seq: 1, User: u.ID, Up: true, Question: new("Leeds?"), Created: c.Created, Modified: c.Created}
		other := one
		other.ID, other.Up, other.Comment, other.Created, other.Modified = ident.New[parley.Feedback](), false, new("no"), c.Created.Add(time.Hour), c.Created.Add(time.Hour)
		file := ident.New[parley.Asset]()
		update(t, s, func(tx parley.Tx) error {
			_, err := tx.PutFeedback(ctx, parley.DefaultTenant, one)
			if err != nil {
				return err
			}
			kept, err := tx.PutFeedback(ctx, parley.DefaultTenant, other)
			if kept.ID != one.ID || kept.Created != one.Created || kept.Modified != other.Modified || kept.Up {
				t.Errorf("the second one is %+v", kept)
			}
			due, more := tx.JudgeableAgentConversations(ctx, c.Created, 10)
			if len(due) != 1 || more != nil {
				t.Errorf("JudgeableAgentConversations = %v, %v", due, more)
			}
			return cmp.Or(err, tx.PutAgentFile(ctx, parley.DefaultTenant, file, c.ID))
		})
		view(t, s, func(tx parley.Tx) error {
			all, err := tx.Feedbacks(ctx, parley.DefaultTenant, []parley.ConversationID{c.ID})
			if len(all[c.ID]) != 1 || all[c.ID][0].ID != one.ID || *all[c.ID][0].Comment != "no" {
				t.Errorf("Feedbacks = %+v", all)
			}
			if strange, err := tx.Feedbacks(ctx, parley.DefaultTenant, []parley.ConversationID{{1}}); len(strange) != 0 || err != nil {
				t.Errorf("of another = %v, %v", strange, err)
			}
			if at, err := tx.AgentFile(ctx, parley.DefaultTenant, file); at != c.ID || err != nil {
				t.Errorf("AgentFile = %s, %v", at, err)
			}
			return err
		})
		// A deleted agent takes everything along, and nobody else's.
		update(t, s, func(tx parley.Tx) error {
			return tx.DeleteAgent(ctx, parley.DefaultTenant, ident.New[parley.ClientApplication]())
		})
		if _, err := read(); err != nil {
			t.Errorf("after another agent was deleted = %v", err)
		}
		if err := s.Update(ctx, func(tx parley.Tx) error {
			if err := tx.DeleteAgent(ctx, parley.DefaultTenant, anAgent); err != nil {
				return err
			}
			if _, err := tx.AgentUser(ctx, parley.DefaultTenant, anAgent, u.ID); parley.KindOf(err) != parley.NotFound {
				t.Errorf("the user of a deleted agent = %v", err)
			}
			if _, err := tx.AgentFile(ctx, parley.DefaultTenant, file); parley.KindOf(err) != parley.NotFound {
				t.Errorf("the file of a deleted agent = %v", err)
			}
			return errRollback
		}); !errors.Is(err, errRollback) {
			t.Errorf("DeleteAgent = %v", err)
		}
		for want, err := range []error{
			s.Update(ctx, func(tx parley.Tx) error {
				return tx.DeleteAgentConversation(ctx, parley.DefaultTenant, ident.New[parley.ClientApplication](), c.ID)
			}),
			s.Update(ctx, func(tx parley.Tx) error {
				return tx.DeleteAgentConversation(ctx, parley.DefaultTenant, anAgent, c.ID)
			}),
		} {
			if (want == 0) != (parley.KindOf(err) == parley.NotFound) {
				t.Errorf("delete %d = %v", want, err)
			}
		}
		if _, err := read(); parley.KindOf(err) != parley.NotFound {
			t.Errorf("after the delete = %v", err)
		}
	})
}

// Lists are what a plain look at everything says, for random conversations and questions.
func TestAgentConversationsAreListed(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s, ctx := open(t), t.Context()
		rnd := rand.New(rand.NewPCG(1, 2))
		users := []parley.AgentUser{agentUser("Ines", "ines@example.org", "", "a"), agentUser("Łukasz", "", "+4912345678", "b"), agentUser("Bo_b", "50%@example.org", "", "c")}
		var all []parley.AgentConversation
		rated := map[parley.ConversationID]bool{}
		base := time.UnixMilli(1_780_000_000_000).UTC()
		update(t, s, func(tx parley.Tx) error {
			for _, u := range users {
				if err := tx.PutAgentUser(ctx, u); err != nil {
					return err
				}
			}
			return nil
		})
		for range 40 {
			step := storetest.Start("")
			step.Conversation.Touched = base.Add(time.Duration(rnd.IntN(20)) * time.Minute)
			storetest.MustCommit(t, s, step)
			a := agentConversation(step.Conversation, &users[rnd.IntN(3)])
			a.Title, a.Summary = []string{"", "Größe", "Heat pump", `a\b`}[rnd.IntN(4)], []string{"", "LEEDS", "100% of"}[rnd.IntN(3)]
			a.Created, a.Changed = base.Add(time.Duration(rnd.IntN(5))*time.Minute), base.Add(time.Duration(rnd.IntN(20))*time.Minute)
			rated[a.Conversation.ID] = rnd.IntN(4) == 0
			update(t, s, func(tx parley.Tx) error {
				err := tx.PutAgentConversation(ctx, a)
				if err == nil && rated[a.Conversation.ID] {
					_, err = tx.PutFeedback(ctx, parley.DefaultTenant, parley.Feedback{ID: ident.New[parley.Feedback](), Conversation: a.Conversation.ID, Seq: 1, User: a.User.ID, Created: base, Modified: base})
				}
				return err
			})
			all = append(all, a)
		}
		for range 200 {
			q := parley.AgentQuery{Tenant: parley.DefaultTenant, Agent: anAgent, ByModified: rnd.IntN(2) == 0, Ascending: rnd.IntN(2) == 0, WithFeedbacks: rnd.IntN(4) == 0,
				Keyword: []string{"", "grösse", "ŁUK", "o_b", "0%", "leeds", `\`, "+4912", "nothing"}[rnd.IntN(9)], Offset: rnd.IntN(6), Limit: 1 + rnd.IntN(10)}
			if rnd.IntN(3) == 0 {
				q.User = users[rnd.IntN(3)].ID
			}
			if rnd.IntN(3) == 0 {
				q.From = base.Add(time.Duration(rnd.IntN(20)) * time.Minute)
			}
			if rnd.IntN(3) == 0 {
				q.Until = base.Add(time.Duration(rnd.IntN(20)) * time.Minute)
			}
			want, count := plainly(q, all, rated)
			var got []string
			err := s.View(ctx, func(tx parley.Tx) error {
				page, n, err := tx.ListAgentConversations(ctx, q)
				got = nil
				for _, a := range page {
					got = append(got, a.Conversation.ID.String())
				}
				if n != count {
					t.Errorf("%+v counts %d, want %d", q, n, count)
				}
				return err
			})
			if diff := gocmp.Diff(want, got); diff != "" || err != nil {
				t.Fatalf("%+v = %v (-want +got)\n%s", q, err, diff)
			}
		}
	})
}

// plainly is a list as a look at everything says.
func plainly(q parley.AgentQuery, all []parley.AgentConversation, rated map[parley.ConversationID]bool) (ids []string, count int) {
	key := func(a *parley.AgentConversation) time.Time {
		if q.ByModified {
			return a.Modified()
		}
		return a.Created
	}
	fold := strings.NewReplacer("ß", "ss")
	kept := slices.DeleteFunc(slices.Clone(all), func(a parley.AgentConversation) bool {
		said := fold.Replace(strings.ToLower(strings.Join([]string{a.Title, a.Summary, a.User.FirstName, a.User.LastName, a.User.Email, a.User.Phone}, "\n")))
		return !q.User.IsZero() && a.User.ID != q.User || !q.From.IsZero() && a.Modified().Before(q.From) || !q.Until.IsZero() && a.Modified().After(q.Until) ||
			q.WithFeedbacks && !rated[a.Conversation.ID] || !strings.Contains(said, fold.Replace(strings.ToLower(q.Keyword)))
	})
	slices.SortFunc(kept, func(a, b parley.AgentConversation) int {
		order := cmp.Or(key(&a).Compare(key(&b)), slices.Compare(a.Conversation.ID[:], b.Conversation.ID[:]))
		if q.Ascending {
			return order
		}
		return -order
	})
	count = len(kept)
	kept = kept[min(q.Offset, count):min(q.Offset+q.Limit, count)]
	for _, a := range kept {
		ids = append(ids, a.Conversation.ID.String())
	}
	return ids, count
}
