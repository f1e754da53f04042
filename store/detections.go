package store

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/uptrace/bun"

	"parley"
)

// Fed implements [parley.Detections].
func (t *tx) Fed(ctx context.Context, after int64, limit int) ([]parley.FedMessage, error) {
	return t.fed(ctx, "WHERE m.key > ? ORDER BY m.key LIMIT ?", after, limit)
}

// FedBetween implements [parley.Detections].
func (t *tx) FedBetween(ctx context.Context, after, before int64, limit int) ([]parley.FedMessage, error) {
	return t.fed(ctx, "WHERE m.key > ? AND m.key < ? ORDER BY m.key LIMIT ?", after, before, limit)
}

func (t *tx) fed(ctx context.Context, rest string, args ...any) ([]parley.FedMessage, error) {
	rows, err := t.db.QueryContext(ctx, "SELECT m.key, tn.id, "+messageColumns+`FROM messages AS m JOIN conversations AS c ON c.key = m.conversation
		JOIN tenants AS tn ON tn.key = m.tenant `+rest, args...)
	if err != nil {
		return nil, fmt.Errorf("follow messages: %w", err)
	}
	defer rows.Close()
	var found []parley.FedMessage
	for rows.Next() {
		var f parley.FedMessage
		var tenant []byte
		if f.Message, err = scanMessage(rows, &f.Key, &tenant); err != nil {
			return nil, err
		}
		f.Tenant = parley.TenantID(tenant)
		found = append(found, f)
	}
	return found, rows.Err()
}

// LastFed implements [parley.Detections].
func (t *tx) LastFed(ctx context.Context) (key int64, err error) {
	err = t.db.NewRaw("SELECT COALESCE(max(key), 0) FROM messages").Scan(ctx, &key)
	return key, err
}

// FeedCursor implements [parley.Detections].
func (t *tx) FeedCursor(ctx context.Context, follower string) (cursor int64, err error) {
	err = t.db.NewRaw("SELECT COALESCE((SELECT cursor FROM feeds WHERE follower = ?), 0)", follower).Scan(ctx, &cursor)
	return cursor, err
}

// SetFeedCursor implements [parley.Detections].
func (t *tx) SetFeedCursor(ctx context.Context, follower string, key int64) error {
	return t.run(ctx, `INSERT INTO feeds (follower, cursor) VALUES (?, ?)
		ON CONFLICT (follower) DO UPDATE SET cursor = excluded.cursor WHERE excluded.cursor > feeds.cursor`, follower, key)
}

var insertTrackerHits = newBulk(`INSERT INTO tracker_hits (conversation, tracker, phrase, seq, tenant, name, value, place, length, similarity, words)
	SELECT v.conversation, v.tracker, v.phrase, v.seq, v.tenant, v.name, v.value, v.place, v.length, v.similarity, v.words FROM %ROWS% WHERE true
	ON CONFLICT (conversation, tracker, phrase, seq) DO NOTHING`,
	column{"conversation", bigint}, column{"tracker", bigint}, column{"phrase", bigint}, column{"seq", bigint}, column{"tenant", bigint},
	column{"name", text}, column{"value", text}, column{"place", bigint}, column{"length", bigint}, column{"similarity", bigint}, column{"words", text})

var insertEntityHits = newBulk(`INSERT INTO entity_hits (conversation, entity, type, subtype, ordinal, seq, place, tenant, category, value, length)
	SELECT v.conversation, v.entity, v.type, v.subtype, v.ordinal, v.seq, v.place, v.tenant, v.category, v.value, v.length FROM %ROWS% WHERE true
	ON CONFLICT (conversation, entity, type, subtype, ordinal, seq, place) DO NOTHING`,
	column{"conversation", bigint}, column{"entity", bigint}, column{"type", text}, column{"subtype", text}, column{"ordinal", bigint}, column{"seq", bigint},
	column{"place", bigint}, column{"tenant", bigint}, column{"category", text}, column{"value", text}, column{"length", bigint})

// similarityUnit is in which a similarity from 0 to 1 is stored.
const similarityUnit = 10_000

// PutDetections implements [parley.Detections].
func (t *tx) PutDetections(ctx context.Context, tenant parley.TenantID, found []parley.Detection) error {
	key, err := t.s.tenantKey(ctx, t.db, tenant)
	if err != nil {
		return err
	}
	ids := make([]parley.ConversationID, len(found))
	for i := range found {
		ids[i] = found[i].Insight.Conversation
	}
	keys, err := t.conversationKeys(ctx, key, ids)
	if err != nil {
		return err
	}
	if err := t.advanceInsights(ctx, tenant, keys, found); err != nil {
		return err
	}
	var trackers, entities [][]any
	for i := range found {
		d := &found[i]
		conversation, ok := keys[d.Insight.Conversation]
		if !ok {
			continue // forgotten
		}
		for _, h := range d.Trackers {
			words, err := json.Marshal(h.Words)
			if err != nil {
				return fmt.Errorf("write words of a hit: %w", err)
			}
			trackers = append(trackers, []any{conversation, int64(h.Tracker), int64(h.Phrase), h.Seq, key, h.Name, h.Value, int64(h.Offset), int64(h.Length),
				int64(h.Similarity*similarityUnit + 0.5), string(words)})
		}
		for _, h := range d.Entities {
			entities = append(entities, []any{conversation, int64(h.Entity), h.Type, h.SubType, int64(h.Ordinal), h.Seq, int64(h.Offset), key, h.Category, h.Value, int64(h.Length)})
		}
	}
	if err := insertTrackerHits.run(ctx, t.conn(), trackers, discard); err != nil {
		return fmt.Errorf("insert tracker hits: %w", err)
	}
	if err := insertEntityHits.run(ctx, t.conn(), entities, discard); err != nil {
		return fmt.Errorf("insert entity hits: %w", err)
	}
	return nil
}

// DropHits implements [parley.Detections].
func (t *tx) DropHits(ctx context.Context, tenant parley.TenantID, conversation parley.ConversationID, upTo int64, trackers []parley.Number) error {
	const of = " WHERE conversation = (SELECT c.key FROM conversations AS c JOIN tenants AS tn ON tn.key = c.tenant WHERE tn.id = ? AND c.id = ?) AND seq <= ?"
	if len(trackers) > 0 {
		return t.run(ctx, "DELETE FROM tracker_hits"+of+" AND tracker IN (?)", tenant[:], conversation[:], upTo, bun.List(trackers))
	}
	if err := t.run(ctx, "DELETE FROM tracker_hits"+of, tenant[:], conversation[:], upTo); err != nil {
		return err
	}
	return t.run(ctx, "DELETE FROM entity_hits"+of, tenant[:], conversation[:], upTo)
}

// hitsFrom goes on a query for hits h of a conversation whose messages are not deleted.
const hitsFrom = ` AS h JOIN conversations AS c ON c.key = h.conversation JOIN tenants AS tn ON tn.key = c.tenant
	JOIN messages AS m ON m.conversation = h.conversation AND m.seq = h.seq AND m.deleted = 0 WHERE tn.id = ? AND c.id = ? `

// TrackerHits implements [parley.Detections].
func (t *tx) TrackerHits(ctx context.Context, tenant parley.TenantID, conversation parley.ConversationID) ([]parley.TrackerHit, error) {
	rows, err := t.db.QueryContext(ctx, `SELECT h.tracker, h.name, h.phrase, h.value, h.seq, h.place, h.length, h.similarity, h.words FROM tracker_hits`+
		hitsFrom+"ORDER BY h.tracker, h.phrase, h.seq", tenant[:], conversation[:])
	if err != nil {
		return nil, fmt.Errorf("read tracker hits: %w", err)
	}
	defer rows.Close()
	var found []parley.TrackerHit
	for rows.Next() {
		var h parley.TrackerHit
		var similarity int64
		var words []byte
		if err := rows.Scan(&h.Tracker, &h.Name, &h.Phrase, &h.Value, &h.Seq, &h.Offset, &h.Length, &similarity, &words); err != nil {
			return nil, err
		}
		h.Similarity = float64(similarity) / similarityUnit
		if err := json.Unmarshal(words, &h.Words); err != nil {
			return nil, fmt.Errorf("read words of a hit: %w", err)
		}
		found = append(found, h)
	}
	return found, rows.Err()
}

// EntityHits implements [parley.Detections].
func (t *tx) EntityHits(ctx context.Context, tenant parley.TenantID, conversation parley.ConversationID) ([]parley.EntityHit, error) {
	rows, err := t.db.QueryContext(ctx, `SELECT h.entity, h.type, h.subtype, h.category, h.value, h.ordinal, h.seq, h.place, h.length FROM entity_hits`+
		hitsFrom+"ORDER BY h.entity, h.type, h.subtype, h.ordinal, h.seq, h.place", tenant[:], conversation[:])
	if err != nil {
		return nil, fmt.Errorf("read entity hits: %w", err)
	}
	defer rows.Close()
	var found []parley.EntityHit
	for rows.Next() {
		var h parley.EntityHit
		if err := rows.Scan(&h.Entity, &h.Type, &h.SubType, &h.Category, &h.Value, &h.Ordinal, &h.Seq, &h.Offset, &h.Length); err != nil {
			return nil, err
		}
		found = append(found, h)
	}
	return found, rows.Err()
}

// InsightsAfter implements [parley.Detections].
func (t *tx) InsightsAfter(ctx context.Context, tenant parley.TenantID, after parley.Number, from, until time.Time, limit int) ([]parley.Insight, error) {
	key, err := t.s.tenantKey(ctx, t.db, tenant)
	if err != nil {
		return nil, err
	}
	first, last := startBounds(from, until)
	places, err := t.places(ctx, "SELECT place FROM insights WHERE tenant = ? AND number > ? AND place >= ? AND place < ? ORDER BY number LIMIT ?",
		key, int64(after), first, last, limit)
	if err != nil {
		return nil, err
	}
	return t.insightsAt(ctx, tenant, places)
}

// CountInsights implements [parley.Detections].
func (t *tx) CountInsights(ctx context.Context, tenant parley.TenantID, from, until time.Time) (n int, err error) {
	key, err := t.s.tenantKey(ctx, t.db, tenant)
	if err != nil {
		return 0, err
	}
	first, last := startBounds(from, until)
	err = t.db.NewRaw("SELECT count(*) FROM insights WHERE tenant = ? AND place >= ? AND place < ?", key, first, last).Scan(ctx, &n)
	return n, err
}

// startBounds are the places from and until which conversations started between two times, the later one included; zero = no bound.
func startBounds(from, until time.Time) (first, last int64) {
	first, last = 0, math.MaxInt64
	if !from.IsZero() {
		first = firstPlace(from.UnixMilli())
	}
	if !until.IsZero() {
		last = firstPlace(until.UnixMilli() + 1)
	}
	return first, last
}
