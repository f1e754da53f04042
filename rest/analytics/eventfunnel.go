package analytics

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"parley"
	"parley/insight/figures"
)

// An eventFunnelBody is what users are sent through.
type eventFunnelBody struct {
	Version           string            `json:"version"`
	StartTime         string            `json:"start_time"`
	EndTime           string            `json:"end_time"`
	Steps             []eventFunnelStep `json:"steps"`
	Properties        []property        `json:"properties"` // of every step
	BreakdownProperty string            `json:"breakdown_property"`
	OrderType         string            `json:"order_type"`
}

type eventFunnelStep struct {
	Order      int64      `json:"order"`
	EventID    string     `json:"event_id"` // the name of events
	Properties []property `json:"properties"`
}

// A property is an attribute with the value that it must have.
type property struct {
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value"` // a text, a number or a boolean
}

// eventFunnel is how many users had events one after the other.
func (s *Surface) eventFunnel(r *request) (any, error) {
	var body eventFunnelBody
	if err := r.body(&body); err != nil {
		return nil, err
	}
	q := figures.Query{Tenant: r.tenant, Bot: &r.bot}
	f, err := body.read(&q)
	if err != nil {
		return nil, err
	}
	lines, err := s.statistics.EventFunnel(r.Context(), q, f)
	if err != nil {
		return nil, err
	}
	return toFunnel(lines, func(i int) funnelStep { return funnelStep{body.Steps[i].Order, body.Steps[i].EventID} }), nil
}

// read is the funnel of a body, whose steps it sorts. What it has in common with that of flows is held to the same.
func (b *eventFunnelBody) read(q *figures.Query) (f figures.EventFunnel, err error) {
	common := funnelBody{Version: b.Version, StartTime: b.StartTime, EndTime: b.EndTime, OrderType: b.OrderType}
	for _, step := range b.Steps {
		common.Steps = append(common.Steps, funnelStep{step.Order, step.EventID})
	}
	if err := common.read(q); err != nil {
		return f, err
	}
	f = figures.EventFunnel{Strict: b.OrderType == "strict", Break: strings.TrimSpace(b.BreakdownProperty)}
	for i, step := range b.Steps {
		if err := plain(fmt.Sprintf("steps[%d].event_id", i), step.EventID, parley.MaxEventText); err != nil {
			return f, err
		}
	}
	slices.SortStableFunc(b.Steps, func(x, y eventFunnelStep) int { return cmp.Compare(x.Order, y.Order) })
	for _, step := range b.Steps {
		has := map[string]string{}
		for _, p := range slices.Concat(b.Properties, step.Properties) {
			if p.Key == "" {
				return f, invalid("properties need a key")
			}
			if err := plain("the key of a property", p.Key, parley.MaxAttributeName); err != nil {
				return f, err
			}
			kept, err := readAttributes(fmt.Appendf(nil, `{"value":%s}`, cmp.Or(string(p.Value), "null")))
			if err != nil {
				return f, invalid("the value of the property %s must be a text, a number or a boolean", p.Key)
			}
			values, err := parley.AttributeValues(kept) // as those of events are
			v, ok := values["value"]
			if err != nil || !ok {
				return f, invalid("the value of the property %s must be a text, a number or a boolean", p.Key)
			}
			has[p.Key] = v
		}
		f.Steps = append(f.Steps, figures.EventStep{Name: strings.TrimSpace(step.EventID), Has: has})
	}
	return f, nil
}
