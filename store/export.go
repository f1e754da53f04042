package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"parley"
)

// Exported implements [parley.History].
func (t *tx) Exported(ctx context.Context, q parley.ExportQuery) (found []parley.ExportedConversation, err error) {
	owner, err := t.s.tenantKey(ctx, t.db, q.Tenant)
	if err != nil {
		return nil, err
	}
	// Along the keys, hence tenant + 0: another index would have to be sorted for every page.
	text, args := "WHERE c.tenant + 0 = ? AND c.key > ? AND c.key <= ?", []any{owner, q.After, q.Upto}
	for _, bound := range []struct {
		condition string
		at        time.Time
	}{{" AND c.created >= ?", q.From}, {" AND c.created < ?", q.Until}} {
		if !bound.at.IsZero() {
			text, args = text+bound.condition, append(args, bound.at.UnixMilli())
		}
	}
	if q.Status != "" {
		text, args = text+" AND c.status = ?", append(args, string(q.Status))
	}
	rows, err := t.db.QueryContext(ctx, `SELECT c.key, sv.id, sv.evaluation, sv.answered, sv.comments, sv.at, ac.profile, `+
		conversationColumns+`LEFT JOIN surveys AS sv ON sv.conversation = c.key LEFT JOIN agent_conversations AS ac ON ac.conversation = c.key `+
		text+" ORDER BY c.key LIMIT ?", append(args, q.Limit)...)
	if err != nil {
		return nil, fmt.Errorf("read conversations to export: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var e parley.ExportedConversation
		var survey []byte
		var evaluation, answered, at sql.NullInt64
		var comments, profile sql.NullString
		if e.Conversation, err = scanConversation(rows, &e.Key, &survey, &evaluation, &answered, &comments, &at, &profile); err != nil {
			return nil, err
		}
		if survey != nil {
			e.Survey = &parley.Survey{ID: parley.MessageID(survey), Conversation: e.Conversation.ID, Evaluation: int(evaluation.Int64), Answered: answered.Int64 != 0,
				Comments: comments.String, At: moment(&at.Int64)}
		}
		if profile.Valid {
			var scored parley.AgentConversation
			if err := json.Unmarshal([]byte(profile.String), &scored); err != nil {
				return nil, fmt.Errorf("read what agents know of conversation %s: %w", e.Conversation.ID, err)
			}
			e.Score = scored.Score
		}
		found = append(found, e)
	}
	return found, rows.Err()
}
