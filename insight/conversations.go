package insight

import (
	"context"
	"fmt"
	"strings"
	"time"

	"parley"
	"parley/insight/criteria"
)

// Conversations reads what was found in conversations, and takes texts from outside. Safe for concurrent use.
type Conversations struct{ *Vocabularies }

// A ListQuery asks for conversations (reference 5.4). The zero value asks for none; see NewListQuery.
type ListQuery struct {
	Limit, Offset int
	Descending    bool
	Sort          string // comma-separated selectors; "" = conversation.startTime
	From, Until   time.Time
	Filter        string
}

// The bounds and defaults of a list.
const (
	maxList       = 65536
	defaultList   = 20
	defaultWindow = 7 * 24 * time.Hour
	maxSorts      = 8
)

// NewListQuery is the query that asks for what is listed by default.
func NewListQuery() ListQuery { return ListQuery{Limit: defaultList} }

// List is a page of a tenant's conversations; with a group those that satisfy its criteria. Invalid; NotFound if there is no
// such group.
func (c *Conversations) List(ctx context.Context, tenant parley.TenantID, group *parley.Number, q ListQuery) (page []parley.Insight, err error) {
	query, err := c.query(tenant, q)
	if err != nil {
		return nil, err
	}
	err = c.store.View(ctx, func(tx parley.Tx) error {
		if group != nil {
			g, err := tx.Groups().Find(ctx, tenant, *group)
			if err != nil {
				return err
			}
			condition, err := criteria.Parse(g.Criteria)
			if err != nil {
				return fmt.Errorf("criteria of group %s: %w", g.Number, err)
			}
			query.Condition = &condition
		}
		page, err = tx.ListInsights(ctx, query)
		return err
	})
	return page, err
}

// query checks what was asked for.
func (c *Conversations) query(tenant parley.TenantID, q ListQuery) (parley.InsightQuery, error) {
	query := parley.InsightQuery{Tenant: tenant, Limit: q.Limit, Offset: q.Offset, Descending: q.Descending}
	now := c.now()
	if q.Limit < 0 || q.Limit > maxList {
		return query, invalid("limit", "%q must be from 0 to %d", "limit", maxList)
	}
	if q.Offset < 0 {
		return query, invalid("offset", "%q must not be negative", "offset")
	}
	if query.Until = q.Until; query.Until.IsZero() || query.Until.After(now) {
		query.Until = now
	}
	if query.From = q.From; query.From.IsZero() {
		query.From = query.Until.Add(-defaultWindow)
	}
	if query.From.After(now) {
		return query, invalid("startTime", "%q must not be in the future", "startTime")
	}
	if !query.From.Before(query.Until) {
		return query, invalid("startTime", "%q must be before %q", "startTime", "endTime")
	}
	for name := range strings.SplitSeq(q.Sort, ",") {
		if name == "" {
			continue
		}
		s, ok := parley.ParseSelector(strings.TrimSpace(name))
		if !ok || s.Kind == parley.SelectLabel || storable(name) != name {
			return query, invalid("sort", "%q: there is no order by %q", "sort", name)
		}
		query.Sort = append(query.Sort, s)
	}
	if n := len(query.Sort); n > maxSorts {
		return query, invalid("sort", "%q may name %d fields, not %d", "sort", maxSorts, n)
	}
	if q.Filter != "" {
		condition, err := criteria.ParseFilter(q.Filter)
		if err != nil {
			return query, named("filter", err)
		}
		query.Filter = &condition
	}
	return query, nil
}

// Find is the conversation of that number.
func (c *Conversations) Find(ctx context.Context, tenant parley.TenantID, n parley.Number) (in parley.Insight, err error) {
	err = c.store.View(ctx, func(tx parley.Tx) (err error) {
		in, err = tx.FindInsight(ctx, tenant, n)
		return err
	})
	return in, err
}

// A SaidMessage is a message as the manage surface shows it.
type SaidMessage struct {
	Seq        int64
	Number     parley.Number
	Text       string
	From       parley.Member
	Start, End time.Time
	redact     func(string) string // of what was said made this Text; nil = it was left as it is
	original   string
}

// read reads a conversation with what was said in it.
func (c *Conversations) read(ctx context.Context, tenant parley.TenantID, n parley.Number) (in parley.Insight, conversation parley.Conversation, said []SaidMessage, err error) {
	err = c.store.View(ctx, func(tx parley.Tx) (err error) {
		if in, err = tx.FindInsight(ctx, tenant, n); err != nil {
			return err
		}
		if conversation, err = tx.Conversation(ctx, tenant, in.Conversation); err != nil {
			return err
		}
		said, err = c.said(ctx, tx, &conversation)
		return err
	})
	return in, conversation, said, err
}

// said reads what was said, as it may be shown.
func (c *Conversations) said(ctx context.Context, tx parley.Tx, conversation *parley.Conversation) ([]SaidMessage, error) {
	messages, err := messagesUpTo(ctx, tx, conversation.Tenant, conversation.ID, 0, conversation.Seq)
	said := []SaidMessage{}
	for _, m := range messages {
		if words := Said(&m); words != "" {
			said = append(said, SaidMessage{Seq: m.Seq, Number: parley.NumberOf(m.ID), Text: words, From: memberOf(conversation.ID, emailOf(conversation), &m), Start: m.Created, End: endOf(&m)})
		}
	}
	return said, err
}

// Messages is what was said in a conversation. It is redacted if that is asked for, or is the tenant's setting; exclude are further
// entity names to leave as they are.
func (c *Conversations) Messages(ctx context.Context, tenant parley.TenantID, n parley.Number, redact bool, exclude []string) (in parley.Insight, said []SaidMessage, err error) {
	for i, name := range exclude {
		if !entityName.MatchString(name) {
			return in, nil, invalid("exclude", "%q must be an entity name such as PERSON_NAME, not %q", fmt.Sprintf("exclude[%d]", i), name)
		}
	}
	in, conversation, said, err := c.read(ctx, tenant, n)
	if err != nil {
		return in, nil, err
	}
	redactor, err := c.redactor(ctx, tenant, redact, exclude)
	if err != nil || redactor == nil {
		return in, said, err
	}
	clean := func(said string) string { return redactor.Text(said, conversation.State.Language) }
	for i := range said {
		m := &said[i]
		if shown := clean(m.Text); shown != m.Text {
			m.Text, m.original, m.redact = shown, m.Text, clean
		}
	}
	return in, said, nil
}

// PutMetadata replaces the metadata of a conversation.
func (c *Conversations) PutMetadata(ctx context.Context, tenant parley.TenantID, n parley.Number, metadata map[string]string) (in parley.Insight, err error) {
	if err := checkMetadata(metadata); err != nil {
		return in, err
	}
	err = c.store.Update(ctx, func(tx parley.Tx) (err error) {
		if in, err = tx.FindInsight(ctx, tenant, n); err != nil {
			return err
		}
		in.Metadata = metadata
		return tx.PutInsight(ctx, &in)
	})
	return in, err
}
