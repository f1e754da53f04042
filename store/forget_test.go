package store_test

import (
	"testing"
	"time"

	"parley"
	"parley/ident"
	"parley/store/storetest"
)

// What is forgotten takes no insight and no detection again, not even from somebody who looked before and writes after, and no words of who
// rates it.
func TestForgottenConversationsTakeNothing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := open(t)
		step := storetest.Start("")
		storetest.MustCommit(t, s, step)
		id := step.Conversation.ID
		in := parley.Insight{Conversation: id, Tenant: parley.DefaultTenant, Type: "meeting", Started: step.Conversation.Created, Ended: step.Conversation.Created, Seq: 1}
		found := parley.Detection{Insight: in, Labels: []string{"x"}, Trackers: []parley.TrackerHit{{Tracker: 1, Value: "message", Seq: 1}}, Entities: []parley.EntityHit{{Type: "x", Seq: 1}}}
		put := func(tx parley.Tx) error {
			return tx.PutDetections(t.Context(), parley.DefaultTenant, []parley.Detection{found})
		}
		update(t, s, put)
		if err := s.Update(t.Context(), func(tx parley.Tx) error {
			_, err := tx.Forget(t.Context(), parley.TenantID{1}, id)
			return err
		}); parley.KindOf(err) != parley.NotFound {
			t.Errorf("Forget by a stranger = %v, want NotFound", err)
		}
		for range 2 {
			update(t, s, func(tx parley.Tx) error {
				_, err := tx.Forget(t.Context(), parley.DefaultTenant, id)
				return err
			})
			update(t, s, put)
			if err := s.Update(t.Context(), func(tx parley.Tx) error { return tx.PutInsight(t.Context(), &in) }); parley.KindOf(err) != parley.NotFound {
				t.Errorf("PutInsight = %v, want NotFound", err)
			}
			view(t, s, func(tx parley.Tx) error {
				if _, err := tx.InsightOf(t.Context(), parley.DefaultTenant, id); parley.KindOf(err) != parley.NotFound {
					t.Errorf("InsightOf = %v, want NotFound", err)
				}
				trackers, _ := tx.TrackerHits(t.Context(), parley.DefaultTenant, id)
				entities, err := tx.EntityHits(t.Context(), parley.DefaultTenant, id)
				if len(trackers)+len(entities) > 0 {
					t.Errorf("%d and %d hits are stored", len(trackers), len(entities))
				}
				return err
			})
			// Once more with a message that is not erased, since hits of erased ones are not shown anyway.
			found.Insight.Seq, found.Trackers[0].Seq, found.Entities[0].Seq = 2, 2, 2
			if step.Conversation.Seq == 1 {
				step = storetest.Say(step.Conversation, parley.Customer, "", 0b10)
				storetest.MustCommit(t, s, step)
			}
		}
		update(t, s, func(tx parley.Tx) error {
			if err := tx.PutRating(t.Context(), parley.DefaultTenant, parley.Rating{Conversation: id, Seq: 1, Requester: "planted", Helpful: true, At: time.Now()}); err != nil {
				return err
			}
			return tx.PutSurvey(t.Context(), parley.DefaultTenant, parley.Survey{Conversation: id, ID: ident.New[parley.Message](), Evaluation: 4, Answered: true, Comments: "planted", At: time.Now()})
		})
		view(t, s, func(tx parley.Tx) error {
			ratings, err := tx.Ratings(t.Context(), parley.DefaultTenant, id)
			if err != nil || len(ratings) != 1 || ratings[1].Requester != "" || !ratings[1].Helpful {
				t.Errorf("the rating is %+v, %v; want it without who it is from", ratings, err)
			}
			survey, err := tx.Survey(t.Context(), parley.DefaultTenant, id)
			if err != nil || survey.Comments != "" || survey.Evaluation != 4 {
				t.Errorf("the survey is %+v, %v; want its score alone", survey, err)
			}
			return nil
		})
		view(t, s, func(tx parley.Tx) error {
			forgotten, err := tx.Forgotten(t.Context(), parley.DefaultTenant, []parley.ConversationID{id, {1}})
			if len(forgotten) != 1 || !forgotten[id] {
				t.Errorf("Forgotten = %v", forgotten)
			}
			return err
		})
	})
}
