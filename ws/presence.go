package ws

import (
	"context"
	"time"

	"parley"
	"parley/hub"
)

// awayAfter is how long a customer may be without any session before the others hear of it: a reload is no leaving.
const awayAfter = 5 * time.Second

// presenceTimeout bounds how long a client waits because a Redis is silent.
const presenceTimeout = 250 * time.Millisecond

// presenceKey is under what the sessions of a speaker are counted.
func presenceKey(s parley.Speaker) string {
	if s.Contact != "" {
		return s.Tenant.String() + ":" + s.Account.String() + ":" + s.Contact
	}
	return s.Tenant.String() + ":" + s.Application.String()
}

// customerKey is under what the sessions of a conversation's customer are counted.
func customerKey(c *parley.Conversation) string {
	contact, _ := c.State.Contact()
	return presenceKey(parley.Speaker{Tenant: c.Tenant, Account: c.Account, Contact: contact.Address})
}

// joinPresence counts the session for the time until the third heartbeat. Presence may be late, so errors are ignored.
func (s *session) joinPresence() {
	if live := s.server.config.Live; live != nil {
		ctx, cancel := context.WithTimeout(s.apart(), presenceTimeout)
		defer cancel()
		_ = live.Join(ctx, presenceKey(s.grant.Speaker), s.id, 3*s.server.config.Heartbeat)
	}
}

// crowded says whether a customer has as many sessions as one may have.
func (s *session) crowded(ctx context.Context) bool {
	live := s.server.config.Live
	if live == nil || s.grant.Speaker.Contact == "" {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, presenceTimeout)
	defer cancel()
	n, err := live.Present(ctx, presenceKey(s.grant.Speaker))
	return err == nil && n[0] >= s.server.config.PerCustomer
}

// arrived tells the others that the customer is there.
func (s *session) arrived(c *parley.Conversation) {
	if s.grant.Speaker.Contact != "" {
		s.server.config.Hub.Present(c, true, s)
	}
}

// leavePresence takes the session out, and tells the conversations it followed should no other one come in its place.
func (s *session) leavePresence(followed []parley.ConversationID) {
	live := s.server.config.Live
	if live == nil || s.grant.Tenant == (parley.TenantID{}) {
		return
	}
	// The session is over, but its leaving is to be known; otherwise it would end by itself.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.done), time.Second)
	defer cancel()
	key := presenceKey(s.grant.Speaker)
	_ = live.Leave(ctx, key, s.id)
	if s.grant.Speaker.Contact == "" || len(followed) == 0 {
		return
	}
	if n, err := live.Present(ctx, key); err == nil && n[0] == 0 {
		s.server.later(awayAfter, func(ctx context.Context) {
			if n, err := live.Present(ctx, key); err != nil || n[0] > 0 {
				return
			}
			for _, id := range followed {
				if c, _, err := s.server.config.Hub.Conversation(ctx, s.grant.Speaker, id); err == nil {
					s.server.config.Hub.Present(&c, false, nil)
				}
			}
		})
	}
}

// standing is what a session hears, besides messages, of a conversation that it begins to follow: the marks of reading, the
// place in the queue, and, for agents, whether the customer is there.
func (s *session) standing(ctx context.Context, at *hub.Standing) (objects [][]byte, there *visitor, err error) {
	c := &at.Conversation
	tell := func(kind string, what any) { objects = append(objects, encode(map[string]any{kind: what})) }
	for _, r := range at.Receipts {
		tell("receipt", receipt{c.ID, r.Role, r.Read})
	}
	switch at, ok, err := s.server.config.Hub.Place(ctx, c); {
	case err != nil:
		return nil, nil, err
	case ok:
		tell("queue", placeOf(c.ID, at))
	}
	if live := s.server.config.Live; live != nil && at.Reader.Slots == 0 {
		ctx, cancel := context.WithTimeout(ctx, presenceTimeout)
		defer cancel()
		if n, err := live.Present(ctx, customerKey(c)); err == nil {
			tell("presence", presence{c.ID, parley.Customer, c.State.Customer.Name, n[0] > 0})
			if n[0] > 0 {
				there = visitorOf(c)
				there.counted = true
			}
		}
	}
	return objects, there, nil
}

// A visitor is a customer of whom the client of a session was told that she is there. It is guarded by the session's mu.
type visitor struct {
	key, name string
	counted   bool // sessions of hers were found; without, she said so herself
	missed    bool // none were found the last time
}

func visitorOf(c *parley.Conversation) *visitor {
	return &visitor{key: customerKey(c), name: c.State.Customer.Name}
}

// maxVisitors bounds for how many a session looks at a time.
const maxVisitors = 200

// lookForVisitors tells the client of customers who left without anybody saying so, because the node of their last session died,
// or ended before it was time to say it. Twice in a row none of her sessions is found then: a reload is no leaving.
func (s *session) lookForVisitors() {
	live := s.server.config.Live
	if live == nil {
		return
	}
	var follows []*follow
	var visitors []*visitor
	var keys []string
	s.mu.Lock()
	for _, f := range s.follows {
		if v := f.visitor; v != nil && len(keys) < maxVisitors {
			follows, visitors, keys = append(follows, f), append(visitors, v), append(keys, v.key)
		}
	}
	s.mu.Unlock()
	if len(keys) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(s.done, presenceTimeout)
	defer cancel()
	found, err := live.Present(ctx, keys...)
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, v := range visitors {
		switch f := follows[i]; {
		case f.visitor != v || f.over: // told otherwise meanwhile
		case found[i] > 0:
			v.counted, v.missed = true, false
		case v.counted && v.missed:
			f.visitor = nil
			s.push(encode(map[string]any{"presence": presence{f.id, parley.Customer, v.name, false}}))
		default:
			v.missed = v.counted
		}
	}
}

// A presence tells whether a customer has a session, or said to be there.
type presence struct {
	Conversation parley.ConversationID `json:"conversation"`
	Role         parley.Role           `json:"role"`
	Name         string                `json:"name"`
	Active       bool                  `json:"active"`
}
