package agentapi

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"parley"
)

// A page is one of a list (reference 4.1).
type page struct {
	CurrentPage     int            `json:"currentPage"`
	PageSize        int            `json:"pageSize"`
	TotalItems      int            `json:"totalItems"`
	TotalPages      int            `json:"totalPages"`
	HasNextPage     bool           `json:"hasNextPage"`
	HasPreviousPage bool           `json:"hasPreviousPage"`
	Data            []conversation `json:"data"`
}

const (
	defaultPageSize = 10
	maxPageSize     = 100
	maxPage         = 1_000_000_000
)

// A query reads parameters, and collects what is wrong with them. Empty ones are as good as absent.
type query struct {
	findings
	values url.Values
}

func (q *query) number(name string, otherwise, most int) int {
	text := q.values.Get(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		q.refuse(name, "must be a whole number from 1 to "+strconv.Itoa(most))
	}
	return n
}

func (q *query) choice(name, otherwise string, others ...string) string {
	text := q.values.Get(name)
	if text == "" {
		return otherwise
	}
	for _, one := range append(others, otherwise) {
		if text == one {
			return text
		}
	}
	q.refuse(name, "must be one of "+strings.Join(append(others, otherwise), ", "))
	return otherwise
}

func (q *query) flag(name string) bool { return q.choice(name, "false", "true") == "true" }

func (q *query) time(name string) (t time.Time) {
	if text := q.values.Get(name); text != "" {
		var err error
		// A plus that was not encoded comes as a blank.
		if t, err = parseTime(strings.ReplaceAll(text, " ", "+")); err != nil {
			q.refuse(name, "must be a time such as 2026-01-31T09:05:07Z")
		}
	}
	return t
}

// list shows a page of the agent's conversations.
func (s *Surface) list(r *request) (answer, error) {
	p := &query{values: r.URL.Query()}
	out := page{CurrentPage: p.number("page", 1, maxPage), PageSize: p.number("pageSize", defaultPageSize, maxPageSize), Data: []conversation{}}
	q := parley.AgentQuery{Tenant: r.tenant, Agent: r.agent.ID, ByModified: p.choice("orderBy", "createdAt", "updatedAt") == "updatedAt", Ascending: p.choice("orderDirection", "DESC", "ASC") == "ASC",
		Keyword: p.values.Get("searchKeyword"), From: p.time("startDate"), Until: p.time("endDate"), WithFeedbacks: p.flag("withFeedbacksOnly"),
		Offset: (out.CurrentPage - 1) * out.PageSize, Limit: out.PageSize}
	if !q.From.IsZero() { // what is stored is in milliseconds: later than a part of one is the next
		q.From = q.From.Add(time.Millisecond - 1).Truncate(time.Millisecond)
	}
	if text := p.values.Get("userId"); text != "" {
		var err error
		if q.User, err = parley.ParseID[parley.AgentUser](strings.ToLower(text)); err != nil {
			p.refuse("userId", "must be a UUID")
		}
	}
	if err := p.err(); err != nil {
		return answer{}, err
	}
	if strings.Contains(strings.ToLower(r.agent.Name), strings.ToLower(q.Keyword)) {
		q.Keyword = "" // every conversation has the agent's name
	}
	ctx := r.Context()
	err := s.Store.View(ctx, func(tx parley.Tx) error {
		found, count, err := tx.ListAgentConversations(ctx, q)
		if err != nil {
			return err
		}
		ids := make([]parley.ConversationID, len(found))
		for i := range found {
			ids[i] = found[i].Conversation.ID
		}
		feedbacks, err := tx.Feedbacks(ctx, r.tenant, ids)
		out.TotalItems, out.Data = count, []conversation{}
		for i := range found {
			out.Data = append(out.Data, withFeedbacks(&found[i], feedbacks[ids[i]]))
		}
		return err
	})
	out.TotalPages = (out.TotalItems + out.PageSize - 1) / out.PageSize
	out.HasNextPage, out.HasPreviousPage = out.CurrentPage < out.TotalPages, out.CurrentPage > 1
	return ok(out), err
}
