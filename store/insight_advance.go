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

	takenNumbers = newBulk("SELECT i.number FROM %ROWS% CROSS JOIN insights AS i WHERE i.tenant = v.owner_tenant AND i.number = v.wished",
		column{"owner_tenant", bigint}, column{"wished", bigint})
	takenPlaces = newBulk("SELECT i.place FROM %ROWS% CROSS JOIN insights AS i WHERE i.place = v.wished", column{"wished", bigint})
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
	err := findPlaces.run(ctx, t.conn(), rows, func(r *sql.Rows) error {
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
	owner, err := t.s.tenantKey(ctx, t.db, tenant)
	if err != nil {
		return err
	}
	var touched, moved [][]any
	var made []*parley.Insight
	for i := range found {
		d := &found[i]
		key, ok := keys[d.Insight.Conversation]
		if !ok {
			continue // forgotten
		}
		old := have[key]
		if old == nil {
			made = append(made, advanced(&d.Insight, d))
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
		if blockOfEnd(in.Ended) != blockOfEnd(old.Ended) {
			moved = append(moved, []any{owner, old.place, t.s.words.of(owner, in, t.s.dialect.unnest)})
		}
	}
	if err := t.replaceTerms(ctx, moved); err != nil {
		return err
	}
	if err := touchInsights.run(ctx, t.conn(), touched, discard); err != nil {
		return fmt.Errorf("advance insights: %w", err)
	}
	return t.makeInsights(ctx, tenant, keys, made)
}

// makeInsights puts the first insights of conversations: together, but for those whose number or place somebody has.
func (t *tx) makeInsights(ctx context.Context, tenant parley.TenantID, keys map[parley.ConversationID]int64, made []*parley.Insight) error {
	owner, err := t.s.tenantKey(ctx, t.db, tenant)
	if err != nil {
		return err
	}
	numbers, places := make([][]any, len(made)), make([][]any, len(made))
	for i, in := range made {
		if err := checkInsight(in); err != nil {
			return err
		}
		numbers[i], places[i] = []any{owner, int64(parley.NumberOf(in.Conversation))}, []any{wishedPlace(in, 0)}
	}
	numbersTaken, err := t.taken(ctx, takenNumbers, numbers)
	if err != nil {
		return err
	}
	placesTaken, err := t.taken(ctx, takenPlaces, places)
	if err != nil {
		return err
	}
	var together insightRows
	var others []*parley.Insight
	for _, in := range made {
		number, place := parley.NumberOf(in.Conversation), wishedPlace(in, 0)
		if numbersTaken[int64(number)] || placesTaken[place] {
			others = append(others, in)
			continue
		}
		numbersTaken[int64(number)], placesTaken[place] = true, true
		in.Number = number
		rows, err := t.s.insightRows(owner, keys[in.Conversation], place, in, nil)
		if err != nil {
			return err
		}
		together.add(rows)
	}
	if err := together.write(ctx, t); err != nil {
		return err
	}
	for _, in := range others {
		if err := t.PutInsight(ctx, in); err != nil {
			return err
		}
	}
	return nil
}

// taken are those of the wished numbers or places that somebody has.
func (t *tx) taken(ctx context.Context, b *bulk, wished [][]any) (map[int64]bool, error) {
	taken := map[int64]bool{}
	err := b.run(ctx, t.conn(), wished, func(rows *sql.Rows) error {
		var n int64
		err := rows.Scan(&n)
		taken[n] = true
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look for what is taken: %w", err)
	}
	return taken, nil
}

// advanced is an insight with what was found in messages after it.
func advanced(old *parley.Insight, d *parley.Detection) *parley.Insight {
	in := *old
	in.Seq = max(in.Seq, d.Insight.Seq)
	if d.Insight.Ended.After(in.Ended) {
		in.Ended = d.Insight.Ended
	}
	if d.Insight.Started.Before(in.Started) { // of a text, to which earlier messages were added later
		in.Started = d.Insight.Started
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
