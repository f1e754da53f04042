package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"

	"golang.org/x/text/cases"

	"parley"
)

// folded is a text as keywords are looked for in: a line a part.
func folded(parts ...string) string { return cases.Fold().String(strings.Join(parts, "\n")) }

// PutAgentUser implements [parley.AgentConversations].
func (t *tx) PutAgentUser(ctx context.Context, u parley.AgentUser) error {
	owner, err := t.s.tenantKey(ctx, t.db, u.Tenant)
	if err != nil {
		return err
	}
	profile, err := json.Marshal(&u)
	if err != nil {
		return err
	}
	return t.run(ctx, `INSERT INTO agent_users (id, tenant, bot, email, phone, foreign_id, search, profile, created, modified) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET email = excluded.email, phone = excluded.phone, foreign_id = excluded.foreign_id, search = excluded.search,
			profile = excluded.profile, modified = excluded.modified`,
		u.ID[:], owner, u.Agent[:], cases.Fold().String(u.Email), u.Phone, u.ForeignID, folded(u.FirstName, u.LastName, u.Email, u.Phone), string(profile),
		u.Created.UnixMilli(), u.Modified.UnixMilli())
}

const agentUserColumns = "u.id, u.bot, u.profile, u.created, u.modified"

// An agentUserRow takes agentUserColumns.
type agentUserRow struct {
	id, bot           []byte
	profile           string
	created, modified int64
}

func (r *agentUserRow) into() []any { return []any{&r.id, &r.bot, &r.profile, &r.created, &r.modified} }

func (r *agentUserRow) user(tenant parley.TenantID) (u parley.AgentUser, err error) {
	if err := json.Unmarshal([]byte(r.profile), &u); err != nil {
		return u, fmt.Errorf("read user: %w", err)
	}
	u.ID, u.Tenant, u.Agent, u.Created, u.Modified = parley.AgentUserID(r.id), tenant, parley.ApplicationID(r.bot), moment(&r.created), moment(&r.modified)
	return u, nil
}

// AgentUser implements [parley.AgentConversations].
func (t *tx) AgentUser(ctx context.Context, tenant parley.TenantID, agent parley.ApplicationID, id parley.AgentUserID) (parley.AgentUser, error) {
	return t.agentUser(ctx, tenant, agent, "u.id = ?", id[:])
}

// FindAgentUser implements [parley.AgentConversations].
func (t *tx) FindAgentUser(ctx context.Context, tenant parley.TenantID, agent parley.ApplicationID, foreignID, email, phone string) (parley.AgentUser, error) {
	for _, by := range []struct{ column, value string }{{"foreign_id", foreignID}, {"email", cases.Fold().String(email)}, {"phone", phone}} {
		if by.value != "" && findable(by.value) {
			return t.agentUser(ctx, tenant, agent, "u."+by.column+" = ? AND u."+by.column+" <> '' ORDER BY u.key LIMIT 1", by.value)
		}
	}
	return parley.AgentUser{}, errNoAgentUser
}

var errNoAgentUser = &parley.Error{Kind: parley.NotFound, Msg: "user not found"}

func (t *tx) agentUser(ctx context.Context, tenant parley.TenantID, agent parley.ApplicationID, where string, arg any) (u parley.AgentUser, err error) {
	owner, err := t.s.tenantKey(ctx, t.db, tenant)
	if err != nil {
		return u, err
	}
	found := false
	err = query(ctx, t.db, "SELECT "+agentUserColumns+" FROM agent_users AS u WHERE u.tenant = ? AND u.bot = ? AND "+where, []any{owner, agent[:], arg}, func(rows *sql.Rows) error {
		var r agentUserRow
		if err := rows.Scan(r.into()...); err != nil {
			return err
		}
		found = true
		u, err = r.user(tenant)
		return err
	})
	if err == nil && !found {
		err = errNoAgentUser
	}
	return u, err
}

// DeleteAgentUser implements [parley.AgentConversations].
func (t *tx) DeleteAgentUser(ctx context.Context, tenant parley.TenantID, agent parley.ApplicationID, id parley.AgentUserID) error {
	owner, err := t.s.tenantKey(ctx, t.db, tenant)
	if err != nil {
		return err
	}
	if err := t.run(ctx, "DELETE FROM agent_feedbacks WHERE agent_user IN (SELECT key FROM agent_users WHERE id = ? AND tenant = ? AND bot = ?)", id[:], owner, agent[:]); err != nil {
		return err
	}
	return t.one(ctx, "user", "DELETE FROM agent_users WHERE id = ? AND tenant = ? AND bot = ?", id[:], owner, agent[:])
}

// PutFeedback implements [parley.AgentConversations].
func (t *tx) PutFeedback(ctx context.Context, tenant parley.TenantID, f parley.Feedback) (parley.Feedback, error) {
	key, err := t.conversationKey(ctx, tenant, f.Conversation)
	if err != nil {
		return f, err
	}
	body, err := json.Marshal(&f)
	if err != nil {
		return f, err
	}
	var id []byte
	var created int64
	err = t.db.NewRaw(`INSERT INTO agent_feedbacks (conversation, seq, agent_user, id, body, created, modified)
		SELECT ?, ?, key, ?, ?, ?, ? FROM agent_users WHERE id = ? AND tenant = (SELECT tenant FROM conversations WHERE key = ?)
		ON CONFLICT (conversation, seq, agent_user) DO UPDATE SET body = excluded.body, modified = excluded.modified RETURNING id, created`,
		key, f.Seq, f.ID[:], string(body), f.Created.UnixMilli(), f.Modified.UnixMilli(), f.User[:], key).Scan(ctx, &id, &created)
	if err != nil {
		return f, notFound(err, "user")
	}
	f.ID, f.Created = parley.FeedbackID(id), moment(&created)
	return f, t.recount(ctx, key)
}

var findFeedbacks = newOfConversations("c.id, f.seq, f.id, f.body, f.created, f.modified, u.id, u.profile",
	"CROSS JOIN agent_feedbacks AS f CROSS JOIN agent_users AS u ", "AND f.conversation = c.key AND u.key = f.agent_user ORDER BY f.created, f.id")

// Feedbacks implements [parley.AgentConversations].
func (t *tx) Feedbacks(ctx context.Context, tenant parley.TenantID, conversations []parley.ConversationID) (map[parley.ConversationID][]parley.Feedback, error) {
	owner, err := t.s.tenantKey(ctx, t.db, tenant)
	if err != nil {
		return nil, err
	}
	all := map[parley.ConversationID][]parley.Feedback{}
	err = t.ofConversations(ctx, findFeedbacks, owner, conversations, func(rows *sql.Rows) error {
		var f parley.Feedback
		var conversation, id, user []byte
		var body, profile string
		var created, modified int64
		if err := rows.Scan(&conversation, &f.Seq, &id, &body, &created, &modified, &user, &profile); err != nil {
			return err
		}
		var u parley.AgentUser
		if err := json.Unmarshal([]byte(body), &f); err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(profile), &u); err != nil {
			return err
		}
		f.ID, f.Conversation, f.User, f.Email = parley.FeedbackID(id), parley.ConversationID(conversation), parley.AgentUserID(user), u.Email
		f.Created, f.Modified = moment(&created), moment(&modified)
		all[f.Conversation] = append(all[f.Conversation], f)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read feedbacks: %w", err)
	}
	return all, nil
}

// PutAgentFile implements [parley.AgentConversations].
func (t *tx) PutAgentFile(ctx context.Context, tenant parley.TenantID, file parley.AssetID, conversation parley.ConversationID) error {
	key, err := t.conversationKey(ctx, tenant, conversation)
	if err != nil {
		return err
	}
	return t.run(ctx, "INSERT INTO agent_files (asset, conversation) VALUES (?, ?)", file[:], key)
}

// AgentFile implements [parley.AgentConversations].
func (t *tx) AgentFile(ctx context.Context, tenant parley.TenantID, file parley.AssetID) (conversation parley.ConversationID, err error) {
	owner, err := t.s.tenantKey(ctx, t.db, tenant)
	if err != nil {
		return conversation, err
	}
	var id []byte
	err = t.db.NewRaw("SELECT c.id FROM agent_files AS f JOIN conversations AS c ON c.key = f.conversation WHERE f.asset = ? AND c.tenant = ?", file[:], owner).Scan(ctx, &id)
	if err != nil {
		return conversation, notFound(err, "file")
	}
	return parley.ConversationID(id), nil
}
