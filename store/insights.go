package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/uptrace/bun"

	"parley"
)

// placeBits of a place tell conversations of one millisecond apart.
const placeBits = 20

// firstPlace is the smallest place of a millisecond; before the first and after the last that can be stored, the bound of
// all places.
func firstPlace(ms int64) int64 {
	const bound = 1 << (63 - placeBits)
	switch {
	case ms >= bound:
		return math.MaxInt64
	case ms < -bound:
		return math.MinInt64
	}
	return ms << placeBits
}

// started is the time that a place stands for.
func started(place int64) time.Time { return time.UnixMilli(place >> placeBits).UTC() }

// firstYear and lastYear bound what a place can stand for, with room to spare.
const firstYear, lastYear = 1970, 2200

// checkInsight refuses what cannot be stored.
func checkInsight(in *parley.Insight) error {
	invalid := func(what string) error {
		return &parley.Error{Kind: parley.Invalid, Reason: parley.BadValue, Msg: what}
	}
	if y := in.Started.UTC().Year(); y < firstYear || y > lastYear {
		return invalid(fmt.Sprintf("a conversation starts between the years %d and %d", firstYear, lastYear))
	}
	if in.Ended.Before(in.Started) {
		return invalid("a conversation ends before it starts")
	}
	texts := append([]string{in.Name, in.Type}, in.Labels...)
	for name, value := range in.Metadata {
		texts = append(texts, name, value)
	}
	for _, m := range in.Members {
		texts = append(texts, m.ID, m.Name, m.Email)
	}
	for _, text := range texts {
		if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			return invalid("a text is not UTF-8 without the character 0")
		}
	}
	return nil
}

// PutInsight implements [parley.Insights].
func (t *tx) PutInsight(ctx context.Context, in *parley.Insight) error {
	if err := checkInsight(in); err != nil {
		return err
	}
	tenant, err := t.s.tenantKey(ctx, t.db, in.Tenant)
	if err != nil {
		return err
	}
	var conversation int64
	if err := t.db.NewRaw("SELECT c.key FROM conversations AS c WHERE c.tenant = ? AND c.id = ? AND "+notForgotten, tenant, in.Conversation[:]).Scan(ctx, &conversation); err != nil {
		if errors.Is(err, sql.ErrNoRows) {
			return errConversationUnknown
		}
		return err
	}
	old, place, err := t.insight(ctx, in.Tenant, "conversation = ?", conversation)
	labelled := map[string]int64{}
	switch {
	case parley.KindOf(err) == parley.NotFound:
		if in.Number, err = t.freeNumber(ctx, tenant, parley.NumberOf(in.Conversation)); err != nil {
			return err
		}
		if place, err = t.freePlace(ctx, in); err != nil {
			return err
		}
	case err != nil:
		return err
	default:
		in.Number = old.Number
		if sameTerms(&old, in) {
			members, err := membersText(in.Members)
			if err != nil {
				return err
			}
			if blockOfEnd(in.Ended) != blockOfEnd(old.Ended) {
				if err := t.replaceTerms(ctx, [][]any{{tenant, place, t.s.words.of(tenant, in, t.s.dialect.unnest)}}); err != nil {
					return err
				}
			}
			return t.run(ctx, "UPDATE insights SET ended = ?, seq = ?, members = ? WHERE place = ?", in.Ended.UnixMilli(), in.Seq, members, place)
		}
		if labelled, err = t.labelled(ctx, place); err != nil {
			return err
		}
		if err := t.removeInsight(ctx, tenant, place); err != nil {
			return err
		}
		if in.Started.UnixMilli() != old.Started.UnixMilli() {
			if place, err = t.freePlace(ctx, in); err != nil {
				return err
			}
		}
	}
	rows, err := t.s.insightRows(tenant, conversation, place, in, labelled)
	if err != nil {
		return err
	}
	return rows.write(ctx, t)
}

// sameTerms says whether two insights of a conversation differ in nothing by which it is found, but for the end.
func sameTerms(a, b *parley.Insight) bool {
	return a.Name == b.Name && a.Type == b.Type && a.Started.UnixMilli() == b.Started.UnixMilli() && maps.Equal(a.Metadata, b.Metadata) &&
		slices.Equal(a.Labels, sortedLabels(b.Labels))
}

func sortedLabels(labels []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(labels)))
}

// freeNumber is the first number from one on that no conversation of the tenant has.
func (t *tx) freeNumber(ctx context.Context, tenant int64, number parley.Number) (parley.Number, error) {
	for ; ; number++ {
		if free, err := t.free(ctx, "SELECT 1 FROM insights WHERE tenant = ? AND number = ?", tenant, number); free || err != nil {
			return number, err
		}
	}
}

// wishedPlace is the nth place of the start's millisecond, from the one on that the conversation's id makes.
func wishedPlace(in *parley.Insight, n int64) int64 {
	id := in.Conversation
	bits := int64(id[6]&0xf)<<16 | int64(id[7])<<8 | int64(id[9])
	return firstPlace(in.Started.UnixMilli()) | (bits+n)&(1<<placeBits-1)
}

// freePlace is the first wished place that none has.
func (t *tx) freePlace(ctx context.Context, in *parley.Insight) (int64, error) {
	for n := int64(0); ; n++ {
		place := wishedPlace(in, n)
		if free, err := t.free(ctx, "SELECT 1 FROM insights WHERE place = ?", place); free || err != nil {
			return place, err
		}
	}
}

// free says whether a query finds nothing.
func (t *tx) free(ctx context.Context, text string, args ...any) (bool, error) {
	var taken int64
	err := t.db.NewRaw(text, args...).Scan(ctx, &taken)
	if errors.Is(err, sql.ErrNoRows) {
		return true, nil
	}
	return false, err
}

// labelled says since when each label is on a conversation.
func (t *tx) labelled(ctx context.Context, place int64) (map[string]int64, error) {
	since := map[string]int64{}
	err := query(ctx, t.db, "SELECT label, at FROM conversation_labels WHERE place = ?", []any{place}, func(rows *sql.Rows) error {
		var label string
		var at int64
		if err := rows.Scan(&label, &at); err != nil {
			return err
		}
		since[label] = at
		return nil
	})
	return since, err
}

// removeInsight removes every row of an insight.
func (t *tx) removeInsight(ctx context.Context, tenant, place int64) error {
	terms, args := "DELETE FROM insight_terms WHERE rowid = ?", []any{place}
	if t.s.dialect.unnest {
		terms, args = "DELETE FROM insight_terms WHERE tenant = ? AND place = ?", []any{tenant, place}
	}
	if err := t.run(ctx, terms, args...); err != nil {
		return fmt.Errorf("remove insight: %w", err)
	}
	for _, table := range []string{"conversation_metadata", "conversation_labels", "insights"} {
		if err := t.run(ctx, "DELETE FROM "+table+" WHERE place = ?", place); err != nil {
			return fmt.Errorf("remove insight: %w", err)
		}
	}
	return nil
}

// FindInsight implements [parley.Insights].
func (t *tx) FindInsight(ctx context.Context, tenant parley.TenantID, number parley.Number) (parley.Insight, error) {
	in, _, err := t.insight(ctx, tenant, "number = ?", number)
	return in, err
}

// InsightOf implements [parley.Insights].
func (t *tx) InsightOf(ctx context.Context, tenant parley.TenantID, conversation parley.ConversationID) (parley.Insight, error) {
	in, _, err := t.insight(ctx, tenant, "conversation = (SELECT key FROM conversations WHERE id = ?)", conversation[:])
	return in, err
}

// DeleteInsight implements [parley.Insights].
func (t *tx) DeleteInsight(ctx context.Context, tenant parley.TenantID, number parley.Number) error {
	key, err := t.s.tenantKey(ctx, t.db, tenant)
	if err != nil {
		return err
	}
	_, place, err := t.insight(ctx, tenant, "number = ?", number)
	if err != nil {
		return err
	}
	return t.removeInsight(ctx, key, place)
}

// insight is the one that a condition picks; NotFound if there is none.
func (t *tx) insight(ctx context.Context, tenant parley.TenantID, where string, arg any) (in parley.Insight, place int64, err error) {
	key, err := t.s.tenantKey(ctx, t.db, tenant)
	if err != nil {
		return in, 0, err
	}
	if err := t.db.NewRaw("SELECT place FROM insights WHERE tenant = ? AND "+where, key, arg).Scan(ctx, &place); err != nil {
		return in, 0, notFound(err, "conversation")
	}
	all, err := t.insightsAt(ctx, tenant, []int64{place})
	if err != nil {
		return in, 0, err
	}
	return all[0], place, nil
}

// insightsAt are the insights of places, in their order.
func (t *tx) insightsAt(ctx context.Context, tenant parley.TenantID, places []int64) ([]parley.Insight, error) {
	if len(places) == 0 {
		return nil, nil
	}
	found := make(map[int64]*parley.Insight, len(places))
	err := query(ctx, t.db, `SELECT i.place, c.id, i.number, i.name, i.type, i.ended, i.seq, i.metadata, i.members
		FROM insights AS i JOIN conversations AS c ON c.key = i.conversation WHERE i.place IN (?)`, []any{bun.List(places)}, func(rows *sql.Rows) error {
		in := &parley.Insight{Tenant: tenant}
		var place, ended int64
		var id, metadata, members []byte
		if err := rows.Scan(&place, &id, &in.Number, &in.Name, &in.Type, &ended, &in.Seq, &metadata, &members); err != nil {
			return err
		}
		in.Conversation, in.Started, in.Ended = parley.ConversationID(id), started(place), moment(&ended)
		found[place] = in
		if string(members) != noMembers {
			if err := json.Unmarshal(members, &in.Members); err != nil {
				return err
			}
		}
		if string(metadata) == noMetadata {
			return nil
		}
		return json.Unmarshal(metadata, &in.Metadata)
	})
	if err != nil {
		return nil, fmt.Errorf("read insights: %w", err)
	}
	err = query(ctx, t.db, "SELECT place, label FROM conversation_labels WHERE place IN (?)", []any{bun.List(places)}, func(rows *sql.Rows) error {
		var place int64
		var label string
		if err := rows.Scan(&place, &label); err != nil {
			return err
		}
		found[place].Labels = append(found[place].Labels, label)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read labels: %w", err)
	}
	all := make([]parley.Insight, len(places))
	for i, place := range places {
		all[i] = *found[place]
		slices.Sort(all[i].Labels)
	}
	return all, nil
}
