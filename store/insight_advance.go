package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"parley"
)

var (
	findPlaces = newBulk("SELECT v.of, i.place FROM %ROWS% CROSS JOIN insights AS i WHERE i.conversation = v.of", column{"of", bigint})

	touchInsights = newBulk("UPDATE insights AS i SET ended = v.end_now, seq = v.seq_now, members = v.members_now FROM %ROWS% WHERE i.place = v.at",
		column{"at", bigint}, column{"end_now", bigint}, column{"seq_now", bigint}, column{"members_now", text})
)

// placedInsight is an insight and where it is.
type placedInsight struct {
	parley.Insight
	place int64
}

// insightsOf are the insights of conversations, by the key of the conversation; those that have none are left out.
func (t *tx) insightsOf(ctx context.Context, tenant parley.TenantID, keys map[parley.ConversationID]int64) (map[int64]*placedInsight, error) {
	rows := make([][]any, 0, len(keys))
	for _, key := range keys {
		rows = append(rows, []any{key})
	}
	var of, places []int64
	err := findPlaces.run(ctx, t.s.dialect, t.db.Tx, rows, func(r *sql.Rows) error {
		var key, place int64
		err := r.Scan(&key, &place)
		of, places = append(of, key), append(places, place)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("find insights: %w", err)
	}
	found := make(map[int64]*placedInsight, len(places))
	for chunk := range slices.Chunk(places, 500) {
		insights, err := t.insightsAt(ctx, tenant, chunk)
		if err != nil {
			return nil, err
		}
		for i := range insights {
			n := len(found)
			found[of[n]] = &placedInsight{insights[i], places[n]}
		}
	}
	return found, nil
}

// advanceInsights makes the insights of conversations, whose keys are given, or brings them up to date with the messages
// looked at, and puts labels on. Most change in nothing by which they are found, and are written together.
func (t *tx) advanceInsights(ctx context.Context, tenant parley.TenantID, keys map[parley.ConversationID]int64, found []parley.Detection) error {
	have, err := t.insightsOf(ctx, tenant, keys)
	if err != nil {
		return err
	}
	var touched [][]any
	for i := range found {
		d := &found[i]
		key, ok := keys[d.Insight.Conversation]
		if !ok {
			continue // forgotten
		}
		old := have[key]
		if old == nil {
			if err := t.PutInsight(ctx, advanced(&d.Insight, d)); err != nil {
				return err
			}
			continue
		}
		in := advanced(&old.Insight, d)
		if !sameTerms(&old.Insight, in) {
			if err := t.PutInsight(ctx, in); err != nil {
				return err
			}
			continue
		}
		if err := checkInsight(in); err != nil {
			return err
		}
		members, err := membersText(in.Members)
		if err != nil {
			return err
		}
		touched = append(touched, []any{old.place, in.Ended.UnixMilli(), in.Seq, members})
	}
	if err := touchInsights.run(ctx, t.s.dialect, t.db.Tx, touched, discard); err != nil {
		return fmt.Errorf("advance insights: %w", err)
	}
	return nil
}

// advanced is an insight with what was found in messages after it.
func advanced(old *parley.Insight, d *parley.Detection) *parley.Insight {
	in := *old
	in.Seq = max(in.Seq, d.Insight.Seq)
	if d.Insight.Ended.After(in.Ended) {
		in.Ended = d.Insight.Ended
	}
	in.Labels = sortedLabels(slices.Concat(in.Labels, d.Labels))
	in.Members = slices.Clone(in.Members)
	for _, m := range d.Insight.Members {
		if len(in.Members) < parley.MaxMembers && !slices.ContainsFunc(in.Members, func(have parley.Member) bool { return have.ID == m.ID }) {
			in.Members = append(in.Members, m)
		}
	}
	return &in
}
