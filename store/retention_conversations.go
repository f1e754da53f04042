package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"parley"
)

const (
	// owesNothing is a condition on conversations c: no delivery is on its way, held, blocked, or given up without the hub having heard.
	owesNothing = `NOT EXISTS (SELECT 1 FROM lanes AS l WHERE l.conversation = c.key AND (l.due IS NOT NULL OR l.blocked IS NOT NULL OR l.lease IS NOT NULL
		OR EXISTS (SELECT 1 FROM exceptions AS x WHERE x.lane = l.key AND x.told = 0)))`
	// waitsForNothing is one too: it is over and owes nothing, and whoever follows the record has looked at it, which is up to the key that is
	// its argument. The last conversation stays, for the same reason as the last message: see lookedAt.
	waitsForNothing = `c.status = 'ended' AND c.key < (SELECT MAX(key) FROM conversations) AND ` + owesNothing + `
		AND NOT EXISTS (SELECT 1 FROM visits AS v WHERE v.conversation = c.key AND v.closes IS NOT NULL)
		AND NOT EXISTS (SELECT 1 FROM figure_changes AS f WHERE f.conversation = c.key)
		AND COALESCE((SELECT m.key FROM messages AS m WHERE m.conversation = c.key ORDER BY m.seq DESC LIMIT 1), 0) <= ?`
)

// OldConversations implements [parley.Retentions].
func (t *tx) OldConversations(ctx context.Context, tenant parley.TenantID, before time.Time, after parley.OldConversation, limit int) ([]parley.OldConversation, error) {
	looked, err := t.looked(ctx)
	if err != nil || looked == 0 {
		return nil, err
	}
	return t.oldConversations(ctx, tenant, "c.ended < ? AND (c.ended, c.key) > (?, ?) AND "+waitsForNothing+" ORDER BY c.ended, c.key LIMIT ?", before.UnixMilli(), after.Ended, after.Key, looked, limit)
}

// looked is lookedAt of the progress as it is.
func (t *tx) looked(ctx context.Context) (int64, error) {
	p, err := t.FigureProgress(ctx)
	if err != nil {
		return 0, err
	}
	return t.lookedAt(ctx, &p)
}

// LastingConversations implements [parley.Retentions].
func (t *tx) LastingConversations(ctx context.Context, tenant parley.TenantID, before time.Time, after parley.OldConversation, limit int) ([]parley.OldConversation, error) {
	looked, err := t.looked(ctx)
	if err != nil || looked == 0 {
		return nil, err
	}
	return t.oldConversations(ctx, tenant, "c.status = ? AND c.created < ? AND c.key > ? AND "+owesNothing+` AND EXISTS (SELECT 1 FROM messages AS m
		WHERE m.conversation = c.key AND m.created < ? AND m.deleted <> ?) ORDER BY c.key LIMIT ?`, string(parley.Open), before.UnixMilli(), after.Key, before.UnixMilli(), int64(parley.Erased), limit)
}

func (t *tx) oldConversations(ctx context.Context, tenant parley.TenantID, where string, args ...any) (found []parley.OldConversation, err error) {
	owner, err := t.s.tenantKey(ctx, t.db, tenant)
	if err != nil {
		return nil, err
	}
	err = query(ctx, t.db, "SELECT c.key, COALESCE(c.ended, 0) FROM conversations AS c WHERE c.tenant = ? AND "+where, append([]any{owner}, args...), func(rows *sql.Rows) error {
		var c parley.OldConversation
		err := rows.Scan(&c.Key, &c.Ended)
		found = append(found, c)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look for old conversations: %w", err)
	}
	return found, nil
}

// RemoveConversations implements [parley.Retentions].
func (t *tx) RemoveConversations(ctx context.Context, tenant parley.TenantID, old []parley.OldConversation, before time.Time) (messages int64, err error) {
	owner, err := t.s.tenantKey(ctx, t.db, tenant)
	if err != nil {
		return 0, err
	}
	looked, err := t.looked(ctx)
	if err != nil || looked == 0 {
		return 0, err
	}
	wanted := make([]int64, len(old))
	for i := range old {
		wanted[i] = old[i].Key
	}
	var keys []int64
	if err := t.db.NewRaw("SELECT c.key FROM conversations AS c WHERE c.tenant = ? AND c.key IN (?) AND c.ended < ? AND "+waitsForNothing, owner, bun.List(wanted), before.UnixMilli(), looked).Scan(ctx, &keys); err != nil {
		return 0, fmt.Errorf("look for old conversations once more: %w", err)
	}
	if len(keys) == 0 {
		return 0, nil
	}
	of := bun.List(keys)
	if err := t.releaseFiles(ctx, owner, of); err != nil {
		return 0, err
	}
	var places []int64
	if err := t.db.NewRaw("SELECT place FROM insights WHERE conversation IN (?)", of).Scan(ctx, &places); err != nil {
		return 0, err
	}
	for _, place := range places {
		if err := t.removeInsight(ctx, owner, place); err != nil {
			return 0, err
		}
	}
	const lanes = "(SELECT key FROM lanes WHERE conversation IN (?))"
	for _, text := range []string{ // what refers comes before what is referred to
		"DELETE FROM attempts WHERE lane IN " + lanes,
		"DELETE FROM exceptions WHERE lane IN " + lanes,
		"DELETE FROM lanes WHERE conversation IN (?)",
		"DELETE FROM interactions WHERE id IN (SELECT id FROM messages WHERE conversation IN (?))",
		"DELETE FROM receipts WHERE conversation IN (?)",
		"DELETE FROM shown WHERE conversation IN (?)",
		"DELETE FROM tracker_hits WHERE conversation IN (?)",
		"DELETE FROM entity_hits WHERE conversation IN (?)",
		"DELETE FROM turns WHERE conversation IN (?)",
		"DELETE FROM refused WHERE conversation IN (?)",
		"DELETE FROM bot_sessions WHERE conversation IN (?)",
		"DELETE FROM ratings WHERE conversation IN (?)",
		"DELETE FROM surveys WHERE conversation IN (?)",
		"DELETE FROM agent_feedbacks WHERE conversation IN (?)",
		"DELETE FROM agent_files WHERE conversation IN (?)",
		"DELETE FROM agent_conversations WHERE conversation IN (?)",
		"DELETE FROM forgotten WHERE conversation IN (?)",
	} {
		if err := t.run(ctx, text, of); err != nil {
			return 0, fmt.Errorf("remove conversations: %s: %w", text, err)
		}
	}
	if messages, err = t.affected(ctx, "DELETE FROM messages WHERE conversation IN (?)", of); err != nil {
		return 0, fmt.Errorf("remove messages: %w", err)
	}
	return messages, t.run(ctx, "DELETE FROM conversations WHERE key IN (?)", of)
}

// saidAtOnce bounds what one RemoveSaid empties.
const saidAtOnce = 500

// RemoveSaid implements [parley.Retentions].
func (t *tx) RemoveSaid(ctx context.Context, tenant parley.TenantID, conversation int64, before time.Time) (n int64, more bool, err error) {
	owner, err := t.s.tenantKey(ctx, t.db, tenant)
	if err != nil {
		return 0, false, err
	}
	looked, err := t.looked(ctx)
	if err != nil {
		return 0, false, err
	}
	var id []byte
	err = t.db.NewRaw("SELECT c.id FROM conversations AS c WHERE c.tenant = ? AND c.key = ? AND c.status = ? AND "+owesNothing, owner, conversation, string(parley.Open)).Scan(ctx, &id)
	if errors.Is(err, sql.ErrNoRows) { // it changed
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("look at a lasting conversation once more: %w", err)
	}
	const some = " AND created < ? AND deleted <> ? AND key <= ?"
	args := []any{before.UnixMilli(), int64(parley.Erased), looked}
	var last, count int64
	if err := t.db.NewRaw("SELECT COALESCE(MAX(seq), 0), COUNT(*) FROM (SELECT seq FROM messages WHERE conversation = ?"+some+" ORDER BY seq LIMIT ?) AS s", append(append([]any{conversation}, args...), saidAtOnce)...).Scan(ctx, &last, &count); err != nil || count == 0 {
		return 0, false, err
	}
	if n, _, err = t.emptyMessages(ctx, owner, conversation, counted, some+" AND seq <= ?", append(args, last)...); err != nil {
		return 0, false, fmt.Errorf("empty messages: %w", err)
	}
	if err := t.DropHits(ctx, tenant, parley.ConversationID(id), last, nil); err != nil {
		return 0, false, err
	}
	if _, err := t.eraseTurns(ctx, conversation, last); err != nil {
		return 0, false, err
	}
	if _, err := t.eraseFeedbacks(ctx, conversation, last); err != nil {
		return 0, false, err
	}
	for _, text := range []string{
		"DELETE FROM refused WHERE conversation = ? AND seq <= ?",
		"UPDATE attempts SET answer = '', error = '' WHERE lane IN (SELECT key FROM lanes WHERE conversation = ?) AND seq <= ? AND (answer <> '' OR error <> '')",
	} {
		if err := t.run(ctx, text, conversation, last); err != nil {
			return 0, false, err
		}
	}
	return n, count == saidAtOnce, nil
}
