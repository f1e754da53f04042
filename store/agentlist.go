package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"golang.org/x/text/cases"

	"parley"
)

// PutAgentConversation implements [parley.AgentConversations].
func (t *tx) PutAgentConversation(ctx context.Context, a parley.AgentConversation) error {
	tenant := a.Conversation.Tenant
	owner, err := t.s.tenantKey(ctx, t.db, tenant)
	if err != nil {
		return err
	}
	key, err := t.conversationKey(ctx, tenant, a.Conversation.ID)
	if err != nil {
		return err
	}
	profile, err := json.Marshal(&a)
	if err != nil {
		return err
	}
	return t.one(ctx, "user", `INSERT INTO agent_conversations (conversation, tenant, bot, agent_user, status, channel, search, profile, judged, judge_at, created, changed)
		SELECT ?, ?, ?, key, ?, ?, ?, ?, ?, ?, ?, ? FROM agent_users WHERE id = ? AND tenant = ? AND bot = ?
		ON CONFLICT (conversation) DO UPDATE SET status = excluded.status, search = excluded.search, profile = excluded.profile, judged = excluded.judged,
			judge_at = excluded.judge_at, changed = excluded.changed`,
		key, owner, a.Agent[:], string(a.Status), a.Channel, folded(a.Title, a.Summary), string(profile), a.Judged, millis(a.JudgeAt), a.Created.UnixMilli(), a.Changed.UnixMilli(),
		a.User.ID[:], owner, a.Agent[:])
}

const (
	agentColumns = "a.bot, a.status, a.channel, a.profile, a.judged, a.judge_at, a.created, a.changed, " + agentUserColumns + ", "
	agentJoins   = "JOIN agent_conversations AS a ON a.conversation = c.key JOIN agent_users AS u ON u.key = a.agent_user "
	// agentModified is when one changed last; SQLite and PostgreSQL call the greater of two differently.
	agentModified = "CASE WHEN a.changed > c.touched THEN a.changed ELSE c.touched END"
)

func (t *tx) agentConversations(ctx context.Context, rest string, args ...any) (all []parley.AgentConversation, err error) {
	err = query(ctx, t.db, "SELECT "+agentColumns+conversationColumns+agentJoins+rest, args, func(rows *sql.Rows) error {
		var a parley.AgentConversation
		var bot []byte
		var profile string
		var judgeAt *int64
		var created, changed int64
		var u agentUserRow
		c, err := scanConversation(rows, append([]any{&bot, &a.Status, &a.Channel, &profile, &a.Judged, &judgeAt, &created, &changed}, u.into()...)...)
		if err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(profile), &a); err != nil {
			return err
		}
		a.Conversation, a.Agent, a.JudgeAt, a.Created, a.Changed = c, parley.ApplicationID(bot), moment(judgeAt), moment(&created), moment(&changed)
		if a.User, err = u.user(c.Tenant); err == nil {
			all = append(all, a)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read conversations of agents: %w", err)
	}
	return all, nil
}

// AgentConversation implements [parley.AgentConversations].
func (t *tx) AgentConversation(ctx context.Context, tenant parley.TenantID, agent parley.ApplicationID, id parley.ConversationID) (parley.AgentConversation, error) {
	all, err := t.agentConversations(ctx, "WHERE tn.id = ? AND c.id = ? AND a.bot = ?", tenant[:], id[:], agent[:])
	if err == nil && len(all) == 0 {
		err = errConversationUnknown
	}
	if err != nil {
		return parley.AgentConversation{}, err
	}
	return all[0], nil
}

// ListAgentConversations implements [parley.AgentConversations].
func (t *tx) ListAgentConversations(ctx context.Context, q parley.AgentQuery) ([]parley.AgentConversation, int, error) {
	where, args := []string{"tn.id = ?", "a.bot = ?"}, []any{q.Tenant[:], q.Agent[:]}
	also := func(condition string, more ...any) {
		where, args = append(where, condition), append(args, more...)
	}
	if !q.User.IsZero() {
		also("u.id = ?", q.User[:])
	}
	if q.Keyword != "" {
		if !findable(q.Keyword) {
			return nil, 0, nil
		}
		like := "%" + strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(cases.Fold().String(q.Keyword)) + "%"
		also(`(a.search LIKE ? ESCAPE '\' OR u.search LIKE ? ESCAPE '\')`, like, like)
	}
	if !q.From.IsZero() {
		also(agentModified+" >= ?", q.From.UnixMilli())
	}
	if !q.Until.IsZero() {
		also(agentModified+" <= ?", q.Until.UnixMilli())
	}
	if q.WithFeedbacks {
		also("EXISTS (SELECT 1 FROM agent_feedbacks AS f WHERE f.conversation = a.conversation)")
	}
	condition := "WHERE " + strings.Join(where, " AND ")
	var count int
	if err := t.db.NewRaw("SELECT count(*) FROM conversations AS c JOIN tenants AS tn ON tn.key = c.tenant "+agentJoins+condition, args...).Scan(ctx, &count); err != nil {
		return nil, 0, fmt.Errorf("count conversations of an agent: %w", err)
	}
	by, way := "a.created", " DESC"
	if q.ByModified {
		by = agentModified
	}
	if q.Ascending {
		way = " ASC"
	}
	page, err := t.agentConversations(ctx, condition+" ORDER BY "+by+way+", c.id"+way+" LIMIT ? OFFSET ?", append(args, q.Limit, q.Offset)...)
	return page, count, err
}

// DeleteAgentConversation implements [parley.AgentConversations].
func (t *tx) DeleteAgentConversation(ctx context.Context, tenant parley.TenantID, agent parley.ApplicationID, id parley.ConversationID) error {
	key, err := t.conversationKey(ctx, tenant, id)
	if err != nil {
		return err
	}
	if err := t.one(ctx, "conversation", "DELETE FROM agent_conversations WHERE conversation = ? AND bot = ?", key, agent[:]); err != nil {
		return err
	}
	if err := t.run(ctx, "DELETE FROM agent_files WHERE conversation = ?", key); err != nil {
		return err
	}
	return t.run(ctx, "DELETE FROM agent_feedbacks WHERE conversation = ?", key)
}

// DeleteAgent implements [parley.AgentConversations].
func (t *tx) DeleteAgent(ctx context.Context, tenant parley.TenantID, agent parley.ApplicationID) error {
	owner, err := t.s.tenantKey(ctx, t.db, tenant)
	if err != nil {
		return err
	}
	const its = "conversation IN (SELECT conversation FROM agent_conversations WHERE tenant = ? AND bot = ?)"
	for _, text := range []string{"DELETE FROM agent_feedbacks WHERE " + its, "DELETE FROM agent_files WHERE " + its, "DELETE FROM agent_conversations WHERE tenant = ? AND bot = ?",
		"DELETE FROM agent_users WHERE tenant = ? AND bot = ?"} {
		if err := t.run(ctx, text, owner, agent[:]); err != nil {
			return fmt.Errorf("delete what is known of an agent: %w", err)
		}
	}
	return nil
}

// JudgeableAgentConversations implements [parley.AgentConversations].
func (t *tx) JudgeableAgentConversations(ctx context.Context, now time.Time, limit int) ([]parley.AgentConversation, error) {
	return t.agentConversations(ctx, "WHERE a.judge_at <= ? ORDER BY a.judge_at LIMIT ?", now.UnixMilli(), limit)
}
