package store_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley"
	"parley/ident"
	"parley/store/storetest"
)

// A mark of reading only moves forward, whoever writes it last, and is nobody else's.
func TestReceiptsOnlyMoveForward(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s, ctx := open(t), t.Context()
		start := storetest.Start("m1")
		storetest.MustCommit(t, s, start)
		id, now := start.Conversation.ID, time.Now().UTC().Truncate(time.Millisecond)
		mark := func(slot int, seq int64) parley.ReadMark {
			return parley.ReadMark{Tenant: parley.DefaultTenant, Conversation: id, Slot: slot, Seq: seq, At: now}
		}
		for _, test := range []struct{ marks, news []parley.ReadMark }{
			{[]parley.ReadMark{mark(0, 3), mark(1, 1), mark(0, 5), mark(0, 4)}, []parley.ReadMark{mark(0, 5), mark(1, 1)}},
			{[]parley.ReadMark{mark(0, 2), mark(1, 6)}, []parley.ReadMark{mark(1, 6)}},
			{[]parley.ReadMark{mark(0, 5), mark(1, 6)}, nil},
			{nil, nil},
		} {
			var news []parley.ReadMark
			err := s.Update(ctx, func(tx parley.Tx) (err error) {
				news, err = tx.MarkRead(ctx, test.marks)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			slices.SortFunc(news, func(a, b parley.ReadMark) int { return a.Slot - b.Slot })
			if diff := cmp.Diff(test.news, news); diff != "" {
				t.Errorf("news of %v (-want +got):\n%s", test.marks, diff)
			}
		}
		var got, strange map[int]parley.ReadMark
		err := s.View(ctx, func(tx parley.Tx) (err error) {
			if got, err = tx.Receipts(ctx, parley.DefaultTenant, id); err != nil {
				return err
			}
			strange, err = tx.Receipts(ctx, ident.New[parley.Tenant](), id)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[int]parley.ReadMark{0: mark(0, 5), 1: mark(1, 6)}, got); diff != "" {
			t.Errorf("receipts (-want +got):\n%s", diff)
		}
		if len(strange) != 0 {
			t.Errorf("another tenant reads receipts %v", strange)
		}
	})
}

// Conversations wait in the order in which they began, each queue by itself.
func TestQueuesAreInOrder(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s, ctx := open(t), t.Context()
		desk := ident.New[parley.ClientApplication]()
		var want, nobodys []parley.ConversationID
		for i := range 4 {
			step := storetest.Start("")
			step.Conversation.Owner = parley.Owner{Kind: parley.OwnerQueue}
			if i%2 == 0 {
				step.Conversation.Owner.Application = desk
				want = append(want, step.Conversation.ID)
			} else {
				nobodys = append(nobodys, step.Conversation.ID)
			}
			storetest.MustCommit(t, s, step)
		}
		storetest.MustCommit(t, s, storetest.Start("")) // owned by a bot: waits for nobody
		var got, unnamed, strange []parley.ConversationID
		err := s.View(ctx, func(tx parley.Tx) (err error) {
			if got, err = tx.Queued(ctx, parley.DefaultTenant, desk, 10); err != nil {
				return err
			}
			if unnamed, err = tx.Queued(ctx, parley.DefaultTenant, parley.ApplicationID{}, 10); err != nil {
				return err
			}
			strange, err = tx.Queued(ctx, ident.New[parley.Tenant](), desk, 10)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) || !slices.Equal(unnamed, nobodys) || len(strange) != 0 {
			t.Errorf("queues hold %v, %v and, of another tenant, %v; want %v, %v and nothing", got, unnamed, strange, want, nobodys)
		}
	})
}

// The lanes of a receiver that pulls are given to whoever claims them for it, and to no callback's worker.
func TestPulledLanesAreClaimedForTheirReceiver(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s, ctx := open(t), t.Context()
		first, second := storetest.Start("m1"), storetest.Start("")
		wake := storetest.MustCommit(t, s, first, second)
		lanes := slices.Concat(wake[0].Wake, wake[1].Wake)
		mine := parley.Receiver{Tenant: parley.DefaultTenant, Application: storetest.BotApplication, Role: parley.CustomBot}
		if won, err := s.ClaimFor(ctx, mine, 10, time.Minute); err != nil || len(won) != 0 {
			t.Errorf("ClaimFor a receiver with a callback = %d lanes, %v; want none", len(won), err)
		}
		won, err := s.Claim(ctx, lanes[:1], time.Minute)
		if err != nil || len(won) != 1 {
			t.Fatalf("Claim = %d lanes, %v", len(won), err)
		}
		if err := s.SetPulled(ctx, won[0].Receiver.Key, true); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Finish(ctx, parley.Progress{Lane: won[0], Acked: won[0].Acked, Release: true, Retry: time.Now()}); err != nil {
			t.Fatal(err)
		}
		pulled, err := s.Pulled(ctx)
		if err != nil || len(pulled) != 1 || pulled[0].Application != mine.Application || pulled[0].Role != mine.Role {
			t.Errorf("Pulled = %+v, %v; want the one receiver", pulled, err)
		}
		if won, err := s.Claim(ctx, lanes, time.Minute); err != nil || len(won) != 0 {
			t.Errorf("a callback's worker claims %d lanes of it, %v; want none", len(won), err)
		}
		if overdue, err := s.Overdue(ctx, 0, 10); err != nil || len(overdue) != 0 {
			t.Errorf("the sweeper finds %v, %v; want none", overdue, err)
		}
		if held, err := s.Held(ctx); err != nil || len(held) != 0 {
			t.Errorf("Held = %+v, %v; who pulls is not held", held, err)
		}
		strange := mine
		strange.Tenant = ident.New[parley.Tenant]()
		if won, err := s.ClaimFor(ctx, strange, 10, time.Minute); err != nil || len(won) != 0 {
			t.Errorf("another tenant claims %d lanes, %v; want none", len(won), err)
		}
		one, err := s.ClaimFor(ctx, mine, 1, time.Minute)
		if err != nil || len(one) != 1 {
			t.Fatalf("ClaimFor at most one = %d lanes, %v", len(one), err)
		}
		rest, err := s.ClaimFor(ctx, mine, 10, time.Minute)
		if err != nil || len(rest) != 1 || rest[0].Key == one[0].Key {
			t.Errorf("ClaimFor = %d lanes, %v; want the other one", len(rest), err)
		}
	})
}

// What the broker surface knows beside conversations is kept once for each, and is nobody else's.
func TestBotSessions(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s, ctx := open(t), t.Context()
		now := time.Now().UTC().Truncate(time.Millisecond)
		bot, other := ident.New[parley.ClientApplication](), ident.New[parley.Tenant]()
		var sessions []parley.BotSession
		for i := range 3 {
			step := storetest.Start("")
			step.Conversation.State.Bot.Asked = true
			storetest.MustCommit(t, s, step)
			sessions = append(sessions, parley.BotSession{Tenant: parley.DefaultTenant, Conversation: step.Conversation.ID, Bot: bot, BusinessKey: "4711", Created: now.Add(time.Duration(i) * time.Second)})
			if i == 0 {
				update(t, s, func(tx parley.Tx) error {
					at, seq, err := tx.Interaction(ctx, parley.DefaultTenant, step.Messages[0].ID)
					if at != step.Conversation.ID || seq != 1 {
						t.Errorf("Interaction = %s %d", at, seq)
					}
					return err
				})
				if err := s.View(ctx, func(tx parley.Tx) error {
					_, _, err := tx.Interaction(ctx, other, step.Messages[0].ID)
					return err
				}); parley.KindOf(err) != parley.NotFound {
					t.Errorf("a stranger's Interaction = %v", err)
				}
			}
		}
		put := func(session parley.BotSession) {
			t.Helper()
			update(t, s, func(tx parley.Tx) error { return tx.PutBotSession(ctx, session) })
		}
		for _, session := range sessions {
			put(session)
		}
		changed := sessions[1]
		changed.Told, changed.ToldTo = now.Truncate(time.Second), 1<<31-1
		changed.BusinessKey, changed.Created = "0815", now.Add(time.Hour) // created stays
		put(changed)
		changed.Created = sessions[1].Created
		rating := parley.Rating{Conversation: sessions[0].Conversation, Seq: 1, Requester: "dana", Helpful: true, At: now}
		survey := parley.Survey{ID: ident.New[parley.Message](), Conversation: sessions[0].Conversation, Evaluation: 5, Answered: true, Comments: "ü", At: now}
		for range 2 { // the second is in place of the first
			rating.Helpful, survey.Evaluation = !rating.Helpful, survey.Evaluation-1
			update(t, s, func(tx parley.Tx) error {
				if err := tx.PutRating(ctx, parley.DefaultTenant, rating); err != nil {
					return err
				}
				return tx.PutSurvey(ctx, parley.DefaultTenant, survey)
			})
		}
		view(t, s, func(tx parley.Tx) error {
			got, err := tx.BotSession(ctx, parley.DefaultTenant, changed.Conversation)
			if diff := cmp.Diff(changed, got); diff != "" || err != nil {
				t.Errorf("BotSession = %v (-want +got)\n%s", err, diff)
			}
			if _, err := tx.BotSession(ctx, other, changed.Conversation); parley.KindOf(err) != parley.NotFound {
				t.Errorf("a stranger's BotSession = %v", err)
			}
			all, err := tx.BotSessionsOf(ctx, parley.DefaultTenant, "4711", 10)
			if diff := cmp.Diff([]parley.BotSession{sessions[2], sessions[0]}, all); diff != "" || err != nil {
				t.Errorf("BotSessionsOf = %v (-want +got)\n%s", err, diff)
			}
			if all, err := tx.BotSessionsOf(ctx, parley.DefaultTenant, "4711", 1); len(all) != 1 || err != nil {
				t.Errorf("the newest one = %v, %v", all, err)
			}
			ratings, err := tx.Ratings(ctx, parley.DefaultTenant, rating.Conversation)
			if diff := cmp.Diff(map[int64]parley.Rating{1: rating}, ratings); diff != "" || err != nil {
				t.Errorf("Ratings = %v (-want +got)\n%s", err, diff)
			}
			kept, err := tx.Survey(ctx, parley.DefaultTenant, survey.Conversation)
			if diff := cmp.Diff(survey, kept); diff != "" {
				t.Errorf("Survey (-want +got)\n%s", diff)
			}
			return err
		})
	})
}
