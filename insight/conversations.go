package insight

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"parley"
	"parley/insight/criteria"
	"parley/insight/text"
)

// Conversations reads what was found in conversations, and takes texts from outside. Safe for concurrent use.
type Conversations struct {
	*Vocabularies
	// Allow are private addresses that a webhook of a text may be: what dispatch is allowed to reach, so that who names one that
	// it refuses hears of it at once.
	Allow []netip.Prefix
}

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
		if !ok || s.Kind == parley.SelectLabel {
			return query, invalid("sort", "%q: there is no order by %q", "sort", name)
		}
		query.Sort = append(query.Sort, s)
	}
	if q.Filter != "" {
		condition, err := criteria.ParseFilter(q.Filter)
		if err != nil {
			return query, err
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
	redacted   bool // Text is not what was said
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
	for i := range said {
		shown := redactor(said[i].Text, conversation.State.Language)
		said[i].Text, said[i].redacted = shown, shown != said[i].Text
	}
	return in, said, nil
}

// A Ref is where something was found.
type Ref struct {
	Message SaidMessage
	Hit     parley.TrackerHit // of trackers: with the similarity, and the words that speak for it
	Offset  int               // in UTF-16 code units; -1 = of similar meaning
}

// A Match is one value that was found.
type Match struct {
	Value string
	Refs  []Ref
}

// A Finding is a tracker or an entity with what was found of it.
type Finding struct {
	Number                  parley.Number
	Name                    string // of a tracker
	Type, SubType, Category string // of an entity
	Matches                 []Match
}

// Trackers is what trackers found in a conversation, in the order of reference 3.5.
func (c *Conversations) Trackers(ctx context.Context, tenant parley.TenantID, n parley.Number) ([]Finding, error) {
	var hits []parley.TrackerHit
	said, err := c.withHits(ctx, tenant, n, func(tx parley.Tx, id parley.ConversationID) (err error) {
		hits, err = tx.TrackerHits(ctx, tenant, id)
		return err
	})
	found := findings{}
	for _, h := range hits {
		if m, ok := said[h.Seq]; ok {
			found.add(Finding{Number: h.Tracker, Name: h.Name}, h.Value, Ref{Message: m, Hit: h, Offset: placeIn(&m, h.Value, h.Offset)})
		}
	}
	return found, err
}

// Entities is which entities were found in a conversation.
func (c *Conversations) Entities(ctx context.Context, tenant parley.TenantID, n parley.Number) ([]Finding, error) {
	var hits []parley.EntityHit
	said, err := c.withHits(ctx, tenant, n, func(tx parley.Tx, id parley.ConversationID) (err error) {
		hits, err = tx.EntityHits(ctx, tenant, id)
		return err
	})
	found := findings{}
	for _, h := range hits {
		if m, ok := said[h.Seq]; ok {
			found.add(Finding{Number: h.Entity, Type: h.Type, SubType: h.SubType, Category: h.Category}, h.Value, Ref{Message: m, Offset: h.Offset})
		}
	}
	return found, err
}

// findings gathers hits that come in order of what was found.
type findings []Finding

// add adds a hit of a value: to the last finding, if it is of the same tracker or entity.
func (all *findings) add(of Finding, value string, r Ref) {
	if last := len(*all) - 1; last < 0 || (*all)[last].Number != of.Number || (*all)[last].Type != of.Type || (*all)[last].SubType != of.SubType {
		*all = append(*all, of)
	}
	f := &(*all)[len(*all)-1]
	i := slices.IndexFunc(f.Matches, func(m Match) bool { return m.Value == value })
	if i < 0 {
		f.Matches = append(f.Matches, Match{Value: value})
		i = len(f.Matches) - 1
	}
	f.Matches[i].Refs = append(f.Matches[i].Refs, r)
}

// withHits reads hits together with what was said, by Seq, redacted if that is the tenant's setting.
func (c *Conversations) withHits(ctx context.Context, tenant parley.TenantID, n parley.Number, hits func(parley.Tx, parley.ConversationID) error) (map[int64]SaidMessage, error) {
	in, said, err := c.Messages(ctx, tenant, n, false, nil)
	if err != nil {
		return nil, err
	}
	if err := c.store.View(ctx, func(tx parley.Tx) error { return hits(tx, in.Conversation) }); err != nil {
		return nil, err
	}
	bySeq := make(map[int64]SaidMessage, len(said))
	for _, m := range said {
		bySeq[m.Seq] = m
	}
	return bySeq, nil
}

// placeIn is the place of a phrase in a message as it is shown: where it was found, unless the message was redacted since.
func placeIn(m *SaidMessage, phrase string, found int) int {
	if found < 0 || !m.redacted {
		return found
	}
	places := text.NewLexicon([]string{phrase}).Find(m.Text)
	if len(places) == 0 {
		return -1
	}
	return text.UTF16Offset(m.Text, places[0].Start)
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
