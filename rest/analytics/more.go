package analytics

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"

	"github.com/gorilla/mux"

	"parley/insight/figures"
)

// messages are the messages of a bot's conversations by the hour in which they were said.
func (s *Surface) messages(r *request) (any, error) {
	return s.ofBuckets(r, s.statistics.Messages)
}

func (s *Surface) users(r *request) (any, error) { return s.ofBuckets(r, s.statistics.Users) }

func (s *Surface) intentInsights(r *request) (any, error) {
	return s.ofBuckets(r, s.statistics.Intents)
}

func (s *Surface) ofBuckets(r *request, read func(context.Context, figures.Query) (figures.Series, error)) (any, error) {
	q, err := r.filtered(figures.Whole, figures.Hour, figures.Day, figures.Week)
	if err != nil {
		return nil, err
	}
	out, err := read(r.Context(), q)
	return toSeries(out), err
}

// activity is what customers say by weekday and hour.
func (s *Surface) activity(r *request) (any, error) {
	q, err := r.filtered()
	if err != nil {
		return nil, err
	}
	lines, err := s.statistics.Activity(r.Context(), q)
	if err != nil {
		return nil, err
	}
	out := toSeries(figures.Series{Series: lines})
	for h := range 24 {
		out.Data.XValues = append(out.Data.XValues, fmt.Sprintf("%02d:00", h))
	}
	return out, nil
}

type intent struct {
	IntentID string `json:"intent_id"`
	Count    int64  `json:"count"`
	Rank     int64  `json:"rank"` // from 1
}

type pagination struct {
	StartCursor string `json:"start_cursor"`
	EndCursor   string `json:"end_cursor"`
	HasMore     bool   `json:"has_more"`
}

// Bounds of pages.
const (
	pageSize    = 100
	maxPageSize = 1000
)

// intents are those that were understood, the most frequent first, a page of them.
func (s *Surface) intents(r *request) (any, error) {
	q, err := r.filtered()
	if err != nil {
		return nil, err
	}
	all, err := s.statistics.Intents(r.Context(), q)
	if err != nil {
		return nil, err
	}
	from, until, err := r.params.page(len(all.Series))
	if err != nil {
		return nil, err
	}
	out := struct {
		Data       []intent   `json:"data"`
		Pagination pagination `json:"pagination"`
	}{Data: []intent{}}
	for i := from; i < until; i++ {
		out.Data = append(out.Data, intent{all.Series[i].Name, all.Series[i].Sum, int64(i + 1)})
	}
	if len(out.Data) > 0 {
		out.Pagination.StartCursor, out.Pagination.EndCursor = cursor(from), cursor(until-1)
	}
	out.Pagination.HasMore = until < len(all.Series)
	if r.params.one("last") != "" {
		out.Pagination.HasMore = from > 0
	}
	return out, nil
}

// cursor names the place of something in a list.
func cursor(place int) string {
	return base64.RawURLEncoding.EncodeToString([]byte("rank:" + strconv.Itoa(place+1)))
}

// page is the part of n things that is asked for: the first so many after one, or the last so many before one.
func (p params) page(n int) (from, until int, err error) {
	at := func(name string, otherwise int) (int, error) {
		v := p.one(name)
		if v == "" {
			return otherwise, nil
		}
		raw, err := base64.RawURLEncoding.DecodeString(v)
		var rank int
		if err == nil {
			_, err = fmt.Sscanf(string(raw), "rank:%d", &rank)
		}
		if err != nil || rank < 1 {
			return 0, invalid("%s is no cursor of this list", name)
		}
		return rank, nil
	}
	size := func(name string) (int, error) {
		v, err := strconv.Atoi(cmp.Or(p.one(name), strconv.Itoa(pageSize)))
		if err != nil || v < 1 {
			return 0, invalid("%s must be a whole number from 1", name)
		}
		return min(v, maxPageSize), nil
	}
	after, err := at("after", 0)
	if err != nil {
		return 0, 0, err
	}
	before, err := at("before", n+1)
	if err != nil {
		return 0, 0, err
	}
	from, until = min(after, n), max(min(before-1, n), min(after, n))
	if p.one("last") != "" {
		last, err := size("last")
		return max(from, until-last), until, err
	}
	first, err := size("first")
	return from, min(until, from+first), err
}

type node struct {
	ID          string `json:"id"`
	Occurrences int64  `json:"occurrences"`
}

// flows are where conversations went after a way.
func (s *Surface) flows(r *request) (any, error) {
	q, err := r.filtered()
	if err != nil {
		return nil, err
	}
	nodes, err := s.statistics.Nodes(r.Context(), q, r.params.list("path"))
	if err != nil {
		return nil, err
	}
	out := struct {
		Nodes []node `json:"nodes"`
	}{Nodes: []node{}}
	for _, n := range nodes {
		out.Nodes = append(out.Nodes, node{n.Place.Name(), n.Count})
	}
	return out, nil
}

// flowStep are figures of one dialog.
func (s *Surface) flowStep(r *request) (any, error) {
	q, err := r.filtered()
	if err != nil {
		return nil, err
	}
	d, err := s.statistics.Step(r.Context(), q, mux.Vars(r.Request)["step_id"])
	return struct {
		Messages      int64 `json:"message_count"`
		Dropoffs      int64 `json:"drop_off_count"`
		Conversations int64 `json:"conversation_count"`
	}{d.Messages, d.Dropoffs, d.Conversations}, err
}

type edge struct {
	Count    int64  `json:"count"`
	FromStep string `json:"from_step"`
	ToStep   string `json:"to_step"`
	ID       string `json:"id"`   // of the other step; deprecated, as the next one
	Type     string `json:"type"` // of the other step
}

// flowEdges are the ways to a step, or from it.
func (s *Surface) flowEdges(r *request) (any, error) {
	q, err := r.filtered()
	if err != nil {
		return nil, err
	}
	kind, err := r.params.required("type")
	if err != nil {
		return nil, err
	}
	if kind != "sources" && kind != "targets" {
		return nil, invalid("type must be sources or targets")
	}
	ways, err := s.statistics.Ways(r.Context(), q, mux.Vars(r.Request)["step_id"], kind == "sources")
	if err != nil {
		return nil, err
	}
	out := struct {
		Edges []edge `json:"edges"`
	}{Edges: []edge{}}
	for _, w := range ways {
		other := w.To
		if kind == "sources" {
			other = w.From
		}
		out.Edges = append(out.Edges, edge{Count: w.Count, FromStep: w.From.Name(), ToStep: w.To.Name(), ID: other.Name(), Type: string(other.Type)})
	}
	return out, nil
}

// A funnelBody is what conversations are sent through.
type funnelBody struct {
	Version           string       `json:"version"`
	StartTime         string       `json:"start_time"`
	EndTime           string       `json:"end_time"`
	Steps             []funnelStep `json:"steps"`
	BreakdownProperty string       `json:"breakdown_property"`
	OrderType         string       `json:"order_type"`
}

type funnelStep struct {
	Order   int64  `json:"order"`
	EventID string `json:"event_id"`
}

type funnelValue struct {
	EventID        string `json:"event_id"`
	Count          int64  `json:"count"`
	Order          int64  `json:"order"`
	BreakdownValue string `json:"breakdown_value"`
}

type funnelResult struct {
	Values []funnelValue `json:"values"`
}

const maxFunnel = 20

// read makes parameters of a body, so that both are held to the same.
func (b *funnelBody) read(q *figures.Query) error {
	p := params{"version": {b.Version}, "start_time": {b.StartTime}, "end_time": {b.EndTime}}
	if err := p.version(q); err != nil {
		return err
	}
	if err := p.between(q); err != nil {
		return err
	}
	if len(b.Steps) == 0 || len(b.Steps) > maxFunnel {
		return invalid("steps must have 1 to %d items", maxFunnel)
	}
	for i, step := range b.Steps {
		if step.EventID == "" {
			return invalid("steps[%d].event_id is required", i)
		}
	}
	slices.SortStableFunc(b.Steps, func(x, y funnelStep) int { return cmp.Compare(x.Order, y.Order) })
	switch b.OrderType {
	case "", "sequential", "strict":
		return nil
	}
	return invalid("order_type must be sequential or strict")
}

// flowFunnel is how many conversations came by steps one after the other.
func (s *Surface) flowFunnel(r *request) (any, error) {
	var body funnelBody
	if err := r.body(&body); err != nil {
		return nil, err
	}
	q := figures.Query{Tenant: r.tenant, Bot: &r.bot}
	if err := body.read(&q); err != nil {
		return nil, err
	}
	f := figures.Funnel{Strict: body.OrderType == "strict"}
	for _, step := range body.Steps {
		f.Steps = append(f.Steps, step.EventID)
	}
	if body.BreakdownProperty != "" {
		d := figures.Dimension(body.BreakdownProperty)
		switch d {
		case figures.ByChannel, figures.ByLanguage, figures.ByCampaign, figures.ByCampaignSource:
			f.Break = &d
		default:
			return nil, invalid("breakdown_property must be one of channel_type, language, campaign_id, campaign_source")
		}
	}
	lines, err := s.statistics.Funnel(r.Context(), q, f)
	if err != nil {
		return nil, err
	}
	return toFunnel(lines, func(i int) funnelStep { return body.Steps[i] }), nil
}

// A funnelAnswer is how many came by each step, a result for each value of what it is told by.
type funnelAnswer struct {
	Result []funnelResult `json:"result"`
}

// toFunnel is a funnel as it is shown; step says what was asked for at a place.
func toFunnel(lines []figures.FunnelLine, step func(i int) funnelStep) funnelAnswer {
	out := funnelAnswer{Result: []funnelResult{}}
	for _, line := range lines {
		result := funnelResult{Values: []funnelValue{}}
		for i, n := range line.Counts {
			s := step(i)
			result.Values = append(result.Values, funnelValue{s.EventID, n, s.Order, line.Value})
		}
		out.Result = append(out.Result, result)
	}
	return out
}
