package figures

import (
	"context"
	"slices"

	"parley"
)

// An EventFunnel is what users are sent through by the events that were tracked of them: how many have the first step's, how many of those
// the second one's after it, and so on. Events that nobody is known to have do not count.
type EventFunnel struct {
	Steps  []EventStep
	Strict bool   // each step must be the user's very next event
	Break  string // an attribute; or campaign_id, campaign_source; "" = all users are one line
}

// An EventStep is an event of a name that has attributes with those values.
type EventStep struct {
	Name string
	Has  map[string]string // see [parley.AttributeValues]
}

// noValue is the line of users whose first step has no such attribute.
const noValue = "none"

// EventFunnel counts users, one line for each value that their first step has, the greatest first. A user counts once: in the line of the
// way on which they came farthest, the earliest of those.
func (s *Statistics) EventFunnel(ctx context.Context, q Query, f EventFunnel) ([]FunnelLine, error) {
	wanted := parley.EventQuery{Tenant: q.Tenant, Bot: *q.Bot, Version: q.Version, From: q.From, Until: q.Until}
	if !f.Strict { // others may be between
		for _, step := range f.Steps {
			if !slices.Contains(wanted.Names, step.Name) {
				wanted.Names = append(wanted.Names, step.Name)
			}
		}
	}
	var lines map[string]*FunnelLine
	err := s.Record.View(ctx, func(tx parley.Tx) error {
		lines = map[string]*FunnelLine{}
		if f.Break == "" {
			lines[""] = &FunnelLine{Counts: make([]int64, len(f.Steps))}
		}
		var user string
		var of way
		done := func() {
			if of.far == 0 {
				return
			}
			line := lines[of.value]
			if line == nil {
				line = &FunnelLine{Value: of.value, Counts: make([]int64, len(f.Steps))}
				lines[of.value] = line
			}
			for i := range of.far {
				line.Counts[i]++
			}
		}
		err := tx.EachUsersEvents(ctx, wanted, func(e *parley.TrackedEvent) error {
			if e.User != user {
				done()
				user, of = e.User, way{}
			}
			return of.pass(&f, e)
		})
		done()
		return err
	})
	if err != nil {
		return nil, err
	}
	return inOrder(lines), nil
}

// A way is how far a user has come.
type way struct {
	far   int
	value string // of the first step
	runs  []run  // strict: those that may go on, the oldest first
}

// A run is steps that came one right after the other, the last of them with the last event.
type run struct {
	far   int
	value string
}

func (w *way) pass(f *EventFunnel, e *parley.TrackedEvent) error {
	values, err := parley.AttributeValues(e.Attributes)
	if err != nil {
		return err
	}
	is := func(step int) bool {
		if step >= len(f.Steps) || f.Steps[step].Name != e.Name {
			return false
		}
		for name, v := range f.Steps[step].Has {
			if got, ok := values[name]; !ok || got != v {
				return false
			}
		}
		return true
	}
	if !f.Strict {
		if is(w.far) {
			if w.far == 0 {
				w.value = f.valueOf(e, values)
			}
			w.far++
		}
		return nil
	}
	w.runs = slices.DeleteFunc(w.runs, func(r run) bool { return !is(r.far) })
	for i := range w.runs {
		w.runs[i].far++
	}
	if is(0) {
		w.runs = append(w.runs, run{1, f.valueOf(e, values)})
	}
	for _, r := range w.runs {
		if r.far > w.far {
			w.far, w.value = r.far, r.value
		}
	}
	return nil
}

// valueOf is the line that a first step belongs to.
func (f *EventFunnel) valueOf(e *parley.TrackedEvent, values map[string]string) string {
	var v string
	switch f.Break {
	case "":
		return ""
	case string(ByCampaign):
		v = e.Campaign.ID
	case string(ByCampaignSource):
		v = e.Campaign.Source
	default:
		v = values[f.Break]
	}
	if v == "" {
		return noValue
	}
	return v
}
