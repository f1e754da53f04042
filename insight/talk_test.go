package insight_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"parley"
	"parley/insight"
	"parley/store"
	"parley/store/storetest"
)

// asked counts what is read of conversations.
type asked struct {
	*store.Store
	alone, together int
	most            int // detections that were stored in one transaction
}

type askedTx struct {
	parley.Tx
	by *asked
}

func (a *asked) View(ctx context.Context, fn func(parley.Tx) error) error {
	return a.Store.View(ctx, func(tx parley.Tx) error { return fn(askedTx{tx, a}) })
}

func (a *asked) Update(ctx context.Context, fn func(parley.Tx) error) error {
	return a.Store.Update(ctx, func(tx parley.Tx) error { return fn(askedTx{tx, a}) })
}

func (t askedTx) PutDetections(ctx context.Context, tenant parley.TenantID, found []parley.Detection) error {
	t.by.most = max(t.by.most, len(found))
	return t.Tx.PutDetections(ctx, tenant, found)
}

func (t askedTx) Conversation(ctx context.Context, tenant parley.TenantID, id parley.ConversationID) (parley.Conversation, error) {
	t.by.alone++
	return t.Tx.Conversation(ctx, tenant, id)
}

func (t askedTx) InsightOf(ctx context.Context, tenant parley.TenantID, id parley.ConversationID) (parley.Insight, error) {
	t.by.alone++
	return t.Tx.InsightOf(ctx, tenant, id)
}

func (t askedTx) Standings(ctx context.Context, tenant parley.TenantID, ids []parley.ConversationID) ([]parley.Standing, error) {
	t.by.together++
	return t.Tx.Standings(ctx, tenant, ids)
}

// Messages of many conversations that nothing is known of are looked at with a few questions to the record, not with some for each: with
// 100,000 open conversations nearly every message is of another one. What is found is stored in several transactions, so that who posts
// does not wait for all of it.
func TestManyConversationsAreReadTogether(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := newStage(t, open(t))
		s.round()
		const many = 300
		var steps []*parley.Step
		for i := range many {
			steps = append(steps, storetest.Start(strconv.Itoa(i)))
		}
		storetest.MustCommit(t, s.store, steps...)
		record := &asked{Store: s.store}
		d := insight.NewDetector(insight.Config{Record: record})
		if err := d.Follow(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := s.store.View(t.Context(), func(tx parley.Tx) error {
			n, err := tx.CountInsights(t.Context(), parley.DefaultTenant, time.Time{}, time.Time{})
			if n != many {
				t.Errorf("%d of %d conversations were looked at", n, many)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if record.alone > 0 || record.together != 1 {
			t.Errorf("%d conversations: asked %d times about one, %d times about several", many, record.alone, record.together)
		}
		if record.most == 0 || record.most > 200 {
			t.Errorf("stored detections of %d conversations at once", record.most)
		}
	})
}
