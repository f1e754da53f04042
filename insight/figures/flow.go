package figures

import (
	"context"
	"slices"

	"parley"
)

// A Flow is the way one conversation went.
type Flow struct {
	Visit       parley.Visit
	User        string // who the customer is; "" = nobody knows
	Transitions []FlowTransition
}

// A FlowTransition is a transition with its place in the visit.
type FlowTransition struct {
	parley.Transition
	Depth int
}

// Flow is the way a conversation of the query's bot and version went that began in its range; of a thread that never ends the first part
// that did. With a message, which is the hub's id or a sender's, it has only the transitions that this one caused: none if it is not known.
// NotFound if there is no such conversation.
func (s *Statistics) Flow(ctx context.Context, q Query, conversation parley.ConversationID, message string) (f Flow, err error) {
	err = s.Record.View(ctx, func(tx parley.Tx) error {
		visits, err := tx.VisitsOf(ctx, q.Tenant, conversation)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(visits, func(v parley.Visit) bool {
			return q.matches(&v.Dimensions) && !v.Started.Before(q.From) && v.Started.Before(q.Until)
		})
		if i < 0 {
			return &parley.Error{Kind: parley.NotFound, Msg: "conversation not found in the range"}
		}
		f = Flow{Visit: visits[i]}
		c, err := tx.Conversation(ctx, q.Tenant, conversation)
		if err != nil {
			return err
		}
		if contact, ok := c.State.Contact(); ok {
			f.User = contact.Address
		}
		caused := func(parley.Transition) bool { return true }
		if message != "" {
			m, err := tx.FindMessage(ctx, q.Tenant, conversation, parley.Customer, message)
			if parley.KindOf(err) == parley.NotFound {
				return nil
			}
			if err != nil {
				return err
			}
			caused = func(t parley.Transition) bool {
				return t.Question == m.Seq || t.First > 0 && t.First <= m.Seq && m.Seq <= t.Last
			}
		}
		for depth, t := range visits[i].Facts.Steps {
			if caused(t) {
				f.Transitions = append(f.Transitions, FlowTransition{t, depth})
			}
		}
		return nil
	})
	return f, err
}
