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

var insertInteractions = newBulk("INSERT INTO interactions (id, conversation, seq) SELECT id, conversation, seq FROM %ROWS% WHERE true ON CONFLICT DO NOTHING",
	column{"id", bytea}, column{"conversation", bigint}, column{"seq", bigint})

// writeInteractions notes where the messages are by whose ids somebody may ask.
func (s *Store) writeInteractions(ctx context.Context, t bun.Tx, chains []*chain) error {
	var rows [][]any
	for _, c := range chains {
		for _, e := range c.entries {
			if !e.step.Conversation.State.Bot.Asked {
				continue
			}
			for i := range e.step.Messages {
				m := &e.step.Messages[i]
				rows = append(rows, []any{m.ID[:], c.key, m.Seq})
			}
		}
	}
	return insertInteractions.run(ctx, s.conn(s.writes, t.Tx), rows, discard)
}

// conversationKey is the key of a conversation's row.
func (t *tx) conversationKey(ctx context.Context, tenant parley.TenantID, id parley.ConversationID) (key int64, err error) {
	owner, err := t.s.tenantKey(ctx, t.db, tenant)
	if err != nil {
		return 0, err
	}
	err = t.db.NewRaw("SELECT key FROM conversations WHERE tenant = ? AND id = ?", owner, id[:]).Scan(ctx, &key)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, errConversationUnknown
	}
	return key, err
}

// PutBotSession implements [parley.BotSessions].
func (t *tx) PutBotSession(ctx context.Context, s parley.BotSession) error {
	owner, err := t.s.tenantKey(ctx, t.db, s.Tenant)
	if err != nil {
		return err
	}
	key, err := t.conversationKey(ctx, s.Tenant, s.Conversation)
	if err != nil {
		return err
	}
	return t.run(ctx, `INSERT INTO bot_sessions (conversation, tenant, bot, business_key, told, created) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (conversation) DO UPDATE SET business_key = excluded.business_key, told = excluded.told`,
		key, owner, s.Bot[:], s.BusinessKey, toldOf(&s), s.Created.UnixMilli())
}

// toldOf is when a channel was told and which request, as one number: seconds, and the 31 bits of the request. It was 1 before that was noted.
func toldOf(s *parley.BotSession) int64 {
	if s.Told.IsZero() {
		return 0
	}
	return s.Told.Unix()<<31 | int64(s.ToldTo&(1<<31-1))
}

// BotSession implements [parley.BotSessions].
func (t *tx) BotSession(ctx context.Context, tenant parley.TenantID, conversation parley.ConversationID) (parley.BotSession, error) {
	all, err := t.botSessions(ctx, tenant, "c.id = ?", conversation[:])
	if err == nil && len(all) == 0 {
		err = &parley.Error{Kind: parley.NotFound, Msg: "session not found"}
	}
	if err != nil {
		return parley.BotSession{}, err
	}
	return all[0], nil
}

// BotSessionsOf implements [parley.BotSessions].
func (t *tx) BotSessionsOf(ctx context.Context, tenant parley.TenantID, businessKey string, limit int) ([]parley.BotSession, error) {
	if !findable(businessKey) {
		return nil, nil
	}
	return t.botSessions(ctx, tenant, "s.business_key = ? ORDER BY s.created DESC, s.conversation DESC LIMIT ?", businessKey, limit)
}

func (t *tx) botSessions(ctx context.Context, tenant parley.TenantID, where string, args ...any) (all []parley.BotSession, err error) {
	owner, err := t.s.tenantKey(ctx, t.db, tenant)
	if err != nil {
		return nil, err
	}
	err = query(ctx, t.db, `SELECT c.id, s.bot, s.business_key, s.told, s.created FROM bot_sessions AS s JOIN conversations AS c ON c.key = s.conversation
		WHERE s.tenant = ? AND `+where, append([]any{owner}, args...), func(rows *sql.Rows) error {
		s := parley.BotSession{Tenant: tenant}
		var id, bot []byte
		var told, created int64
		if err := rows.Scan(&id, &bot, &s.BusinessKey, &told, &created); err != nil {
			return err
		}
		s.Conversation, s.Bot, s.Created = parley.ConversationID(id), parley.ApplicationID(bot), moment(&created)
		if told != 0 {
			s.Told, s.ToldTo = time.Unix(told>>31, 0).UTC(), uint32(told&(1<<31-1))
		}
		all = append(all, s)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read sessions: %w", err)
	}
	return all, nil
}

// Interaction implements [parley.BotSessions].
func (t *tx) Interaction(ctx context.Context, tenant parley.TenantID, id parley.MessageID) (conversation parley.ConversationID, seq int64, err error) {
	owner, err := t.s.tenantKey(ctx, t.db, tenant)
	if err != nil {
		return conversation, 0, err
	}
	var found []byte
	err = t.db.NewRaw("SELECT c.id, i.seq FROM interactions AS i JOIN conversations AS c ON c.key = i.conversation WHERE i.id = ? AND c.tenant = ?", id[:], owner).Scan(ctx, &found, &seq)
	if err != nil {
		return conversation, 0, notFound(err, "interaction")
	}
	return parley.ConversationID(found), seq, nil
}

// PutRating implements [parley.BotSessions].
func (t *tx) PutRating(ctx context.Context, tenant parley.TenantID, r parley.Rating) error {
	key, err := t.conversationKey(ctx, tenant, r.Conversation)
	if err != nil {
		return err
	}
	if err := t.recount(ctx, key); err != nil {
		return err
	}
	return t.run(ctx, `INSERT INTO ratings (conversation, seq, requester, helpful, at) VALUES (?, ?, `+unlessForgotten+`, ?, ?)
		ON CONFLICT (conversation, seq) DO UPDATE SET requester = excluded.requester, helpful = excluded.helpful, at = excluded.at`,
		key, r.Seq, key, r.Requester, flag(r.Helpful), r.At.UnixMilli())
}

// Ratings implements [parley.BotSessions].
func (t *tx) Ratings(ctx context.Context, tenant parley.TenantID, conversation parley.ConversationID) (map[int64]parley.Rating, error) {
	key, err := t.conversationKey(ctx, tenant, conversation)
	if err != nil {
		return nil, err
	}
	found := map[int64]parley.Rating{}
	err = query(ctx, t.db, "SELECT seq, requester, helpful, at FROM ratings WHERE conversation = ?", []any{key}, func(rows *sql.Rows) error {
		r := parley.Rating{Conversation: conversation}
		var helpful, at int64
		if err := rows.Scan(&r.Seq, &r.Requester, &helpful, &at); err != nil {
			return err
		}
		r.Helpful, r.At = helpful != 0, moment(&at)
		found[r.Seq] = r
		return nil
	})
	return found, err
}

// PutSurvey implements [parley.BotSessions].
func (t *tx) PutSurvey(ctx context.Context, tenant parley.TenantID, s parley.Survey) error {
	key, err := t.conversationKey(ctx, tenant, s.Conversation)
	if err != nil {
		return err
	}
	if err := t.recount(ctx, key); err != nil {
		return err
	}
	return t.run(ctx, `INSERT INTO surveys (conversation, id, evaluation, answered, comments, at) VALUES (?, ?, ?, ?, `+unlessForgotten+`, ?)
		ON CONFLICT (conversation) DO UPDATE SET id = excluded.id, evaluation = excluded.evaluation, answered = excluded.answered,
			comments = excluded.comments, at = excluded.at`,
		key, s.ID[:], s.Evaluation, flag(s.Answered), key, s.Comments, s.At.UnixMilli())
}

// Survey implements [parley.BotSessions].
func (t *tx) Survey(ctx context.Context, tenant parley.TenantID, conversation parley.ConversationID) (parley.Survey, error) {
	s := parley.Survey{Conversation: conversation}
	key, err := t.conversationKey(ctx, tenant, conversation)
	if err != nil {
		return s, err
	}
	var id []byte
	var answered, at int64
	if err := t.db.NewRaw("SELECT id, evaluation, answered, comments, at FROM surveys WHERE conversation = ?", key).Scan(ctx, &id, &s.Evaluation, &answered, &s.Comments, &at); err != nil {
		return s, notFound(err, "survey")
	}
	s.ID, s.Answered, s.At = parley.MessageID(id), answered != 0, moment(&at)
	return s, nil
}
