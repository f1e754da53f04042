package hub

import (
	"fmt"
	"slices"

	"parley"
)

// said routes a message that somebody sent: who is it, may they, does the channel carry it, and what does it do.
func (r *routing) said() error {
	d := &r.in.draft
	if !Permitted(d.Sender, d.Type) {
		return &parley.Error{Kind: parley.Forbidden, Reason: parley.TypeNotAllowed, Field: "type.value",
			Msg: fmt.Sprintf("a %s may not send %s", d.Sender, d.Type)}
	}
	if r.c.Status == parley.Ended {
		return errEnded
	}
	starting := r.c.ID != (parley.ConversationID{}) && r.c.Status == ""
	if starting {
		if d.Sender != parley.Customer {
			return &parley.Error{Kind: parley.Invalid, Reason: parley.Missing, Field: "conversation.id",
				Msg: "only a customer may start a conversation"}
		}
		if !starts(d.Type) {
			return &parley.Error{Kind: parley.Invalid, Reason: parley.Missing, Field: "conversation.id",
				Msg: string(d.Type) + " does not start a conversation"}
		}
		if err := r.begin(r.in.before); err != nil {
			return err
		}
	}
	if err := r.checkSpeaker(); err != nil {
		return err
	}
	if err := r.checkOwner(); err != nil {
		return err
	}
	if err := r.checkChannel(); err != nil {
		return err
	}
	if err := r.checkParent(); err != nil {
		return err
	}
	if err := r.checkContent(); err != nil {
		return err
	}
	r.learn()
	if err := r.ask(); err != nil {
		return err
	}
	if starting && r.c.Owner.Kind == parley.OwnerQueue {
		return r.beginWithAgents()
	}
	return r.apply()
}

// starts says whether a message of this type can be the first of a conversation: it must be stored, and say something.
func starts(t parley.MessageType) bool {
	switch t {
	case parley.TypeText, parley.TypeCustomerInfo, parley.TypeAuthSuccess, parley.TypeAuthFailure, parley.TypeError:
		return true
	}
	return false
}

var errEnded = &parley.Error{Kind: parley.Closed, Msg: "the conversation is over; start a new one"}

// checkSpeaker holds a message against the credential it came with.
func (r *routing) checkSpeaker() error {
	s, d := &r.in.speaker, &r.in.draft
	if s.Contact != "" {
		contact, _ := r.c.State.Contact()
		if d.Sender != parley.Customer || s.Account != r.c.Account || s.Contact != contact.Address {
			return errConversationUnknown // somebody else's conversation does not exist for a customer
		}
		return nil
	}
	if s.Application.IsZero() {
		return nil
	}
	if len(s.Roles) > 0 && !slices.Contains(s.Roles, d.Sender) {
		return notParty("the credential does not speak as " + string(d.Sender))
	}
	if app := r.senderApplication(); app != s.Application {
		return notParty("the credential belongs to another client application")
	}
	return nil
}

var errConversationUnknown = &parley.Error{Kind: parley.NotFound, Reason: parley.ConversationUnknown, Msg: "conversation not found"}

func notParty(why string) error {
	return &parley.Error{Kind: parley.Forbidden, Reason: parley.NotParty, Field: "sender.type", Msg: why}
}

// senderApplication is the program that speaks in a role. A bound credential says which; without one it is the owner if
// that has the role, else the first program of the orchestration in it.
func (r *routing) senderApplication() parley.ApplicationID {
	d, s := &r.in.draft, &r.in.speaker
	if d.Sender == parley.Customer {
		return r.c.State.Parties[parley.CustomerSlot].Application
	}
	if r.c.Owner.Role == d.Sender && (s.Application.IsZero() || s.Application == r.c.Owner.Application) {
		return r.c.Owner.Application
	}
	for _, a := range r.plan.agents {
		if a.party.Role == d.Sender && (s.Application.IsZero() || s.Application == a.party.Application) {
			return a.party.Application
		}
	}
	for _, b := range r.plan.bots {
		if b.party.Role == d.Sender && (s.Application.IsZero() || s.Application == b.party.Application) {
			return b.party.Application
		}
	}
	return parley.ApplicationID{}
}

// senderSlot is the sender's place; -1 if it has none.
func (r *routing) senderSlot() int {
	if r.in.draft.Sender == parley.Customer {
		return parley.CustomerSlot
	}
	if r.c.Owner.Role == r.in.draft.Sender {
		return r.ownerSlot()
	}
	app := r.senderApplication()
	return slices.IndexFunc(r.c.State.Parties, func(p parley.Party) bool {
		return p.Application == app && p.Role == r.in.draft.Sender
	})
}

// whileQueued are the types that agent programs may send while the queue owns the turn (reference section 9.4).
func whileQueued(t parley.MessageType) bool {
	switch t {
	case parley.TypeAgentJoin, parley.TypeAgentAvailable, parley.TypeAgentUnavailable, parley.TypeAgentTransfer,
		parley.TypeQueueTransfer, parley.TypeConversationEnd:
		return true
	}
	return false
}

// checkOwner refuses bots and agents that do not have the turn (guarantee G6).
func (r *routing) checkOwner() error {
	d, o := &r.in.draft, r.c.Owner
	switch {
	case d.Sender == parley.Customer:
		return nil
	case d.Sender.IsBot():
		if o.Kind != parley.OwnerBot || o.Role != d.Sender {
			return notParty("the bot does not have the turn: " + describeOwner(o))
		}
		if p := d.Body.Participant; !p.IsZero() && p != o.Participant {
			return notParty("another bot has the turn: " + describeOwner(o))
		}
		return nil
	}
	app := r.senderApplication()
	if app.IsZero() {
		return notParty("the conversation's orchestration has no program in the role " + string(d.Sender))
	}
	switch {
	case o.Kind == parley.OwnerAgent && (app == o.Application || d.Type == parley.TypeAgentAvailable || d.Type == parley.TypeAgentUnavailable):
		return nil
	case o.Kind == parley.OwnerQueue && whileQueued(d.Type):
		return nil
	}
	return notParty("the agent program does not have the turn: " + describeOwner(o))
}

func describeOwner(o parley.Owner) string {
	if o.Name != "" {
		return fmt.Sprintf("it belongs to the %s %q", o.Kind, o.Name)
	}
	return fmt.Sprintf("it belongs to the %s", o.Kind)
}

// checkParent wants the message that a delete, an undo or a reply refers to.
func (r *routing) checkParent() error {
	d := &r.in.draft
	removes := d.Type == parley.TypeDeleteSoft || d.Type == parley.TypeDeletePermanent || d.Type == parley.TypeUndo
	if d.Body.Parent == "" {
		if removes {
			return &parley.Error{Kind: parley.Invalid, Reason: parley.Missing, Field: "parent.messageId", Msg: "say which message is meant"}
		}
		return nil
	}
	p := r.in.parent
	if p == nil || removes && p.Sender != parley.Customer {
		return &parley.Error{Kind: parley.Invalid, Reason: parley.NoParent, Field: "parent.messageId",
			Msg: "the conversation has no such message of this sender's to refer to"}
	}
	if removes && p.Deleted == parley.Erased || d.Type == parley.TypeUndo && p.Deleted != parley.SoftlyDeleted {
		return &parley.Error{Kind: parley.Invalid, Reason: parley.NoParent, Field: "parent.messageId",
			Msg: "there is nothing left to change: the message is not softly deleted, or was erased"}
	}
	d.Body.ParentSeq = p.Seq
	return nil
}

// learn takes over what a continuing message says about the customer; the id wins over everything else in the block.
func (r *routing) learn() {
	d := &r.in.draft
	if d.Sender != parley.Customer || r.step.New || d.Customer == nil {
		return
	}
	if merged, changed := mergeCustomer(r.c.State.Customer, *d.Customer, &r.c.State); changed {
		r.c.State.Customer, r.step.StateChanged = merged, true
	}
}

// beginWithAgents gives the first message of a conversation to an agent program: there is no bot, or it is bypassed.
func (r *routing) beginWithAgents() error {
	d := &r.in.draft
	b := r.body()
	agent, ok := r.nextAgent()
	r.c.State.Escalated = true
	if ok && agent.available {
		slot := r.party(agent.party)
		r.own(agentOwner(agent))
		r.add(d.Type, d.Sender, bit(slot), "new conversation: to the agent program", b)
		if len(r.plan.bots) > 0 {
			r.state(statusEscalated, "the customer was here a short while ago: the bot is bypassed")
		}
		return nil
	}
	r.add(d.Type, d.Sender, 0, "new conversation: no agent is available", b)
	at := len(r.step.Messages) - 1
	if held, _ := r.unavailable(agent, ok); held {
		r.step.Messages[at].To |= parley.Held
	}
	return nil
}
