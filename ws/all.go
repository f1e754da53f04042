package ws

import (
	"context"

	"parley"
	"parley/hub"
)

// followAll lets an application hear of every conversation in which it is a party.
func (s *session) followAll(ctx context.Context, id string) error {
	speaker := s.grant.Speaker
	if speaker.Contact != "" || len(speaker.Roles) == 0 {
		return &parley.Error{Kind: parley.Forbidden, Reason: parley.ActorNotAllowed, Msg: "only a session of an application with a role may follow all"}
	}
	s.mu.Lock()
	first := s.all == nil
	s.mu.Unlock()
	if first { // else only the list is wanted again
		s.hear(speaker)
	}
	open, err := s.server.config.Hub.OpenFor(ctx, speaker, maxListed)
	if err != nil {
		if first {
			s.deafen()
		}
		return err
	}
	list := make([]summary, len(open))
	for i := range open {
		list[i] = summaryOf(&open[i].Conversation, open[i].Last)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ok(id, map[string]any{"conversations": list})
	if first {
		for i := range open {
			s.goOn(&open[i])
		}
		s.listed()
	}
	return nil
}

// hear lets the session hear of what an application's roles are a party in. What it hears of waits until the list is there.
func (s *session) hear(speaker parley.Speaker) {
	s.mu.Lock()
	s.listing = true
	var cancels []func()
	s.all = func() {
		for _, cancel := range cancels {
			cancel()
		}
	}
	s.mu.Unlock()
	for _, role := range speaker.Roles { // without mu; see release, which comes after this
		cancels = append(cancels, s.server.config.Hub.Follow(speaker.Tenant, speaker.Application, role, s))
	}
}

// deafen takes back what hear did, when there is no list to begin with: the client asks again.
func (s *session) deafen() {
	s.mu.Lock()
	cancel := s.all
	s.all, s.listing = nil, false
	for id, f := range s.follows {
		if f.early {
			f.over = true
			delete(s.follows, id)
		}
	}
	s.mu.Unlock()
	cancel()
}

// noticed starts to follow a conversation of an application that follows everything. Called with mu held.
func (s *session) noticed(e *hub.Event) *follow {
	if s.all == nil || e.Message == nil {
		return nil
	}
	reader, err := hub.ReaderOf(s.grant.Speaker, e.Conversation)
	if err != nil {
		return nil
	}
	f := &follow{id: e.Conversation.ID, reader: reader, rich: true, early: s.listing, filling: s.listing, reach: reach{slot: hub.SlotOf(s.grant.Speaker, e.Conversation)}}
	s.follows[f.id] = f
	return f
}

// goOn starts to follow a conversation that a list has named, behind the Seq that the list names: what was before it the client may read as
// history. What it has of it is not known then, so nothing is noted as shown. Called with mu held.
func (s *session) goOn(at *hub.Standing) {
	c := &at.Conversation
	before := s.follows[c.ID]
	if before != nil && !before.early {
		return // followed by name
	}
	f := &follow{id: c.ID, reader: at.Reader, rich: true, seen: c.Seq, sent: at.Last, ended: c.Status == parley.Ended, reach: reach{slot: -1}}
	s.replace(f)
	if before != nil { // something was said since the list was read
		f.unsure = true
		s.fill(f, c.Seq)
	}
}

// listed ends the wait of what was met while a list was made and is not in it: it began meanwhile. Called with mu held.
func (s *session) listed() {
	s.listing = false
	for _, f := range s.follows {
		if f.early {
			f.early, f.filling = false, false
			s.fill(f, f.target)
		}
	}
}

// findNew follows the open conversations that a session which follows everything did not hear of.
func (s *session) findNew() {
	ctx, cancel := context.WithTimeout(s.done, opTimeout)
	defer cancel()
	open, err := s.server.config.Hub.OpenFor(ctx, s.grant.Speaker, maxListed)
	if err != nil {
		s.end(err) // the client comes back and asks again
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range open {
		c := &open[i].Conversation
		if s.follows[c.ID] != nil {
			continue
		}
		if f := s.noticed(&hub.Event{Conversation: c, Message: &parley.Message{}}); f != nil {
			s.fill(f, c.Seq)
		}
	}
}
