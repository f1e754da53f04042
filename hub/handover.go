package hub

import (
	"slices"
	"time"

	"parley"
)

// begin sets up a conversation that its first customer message starts, and decides who gets it.
func (r *routing) begin(previous *parley.Conversation) error {
	d := &r.in.draft
	p := r.plan
	if !p.active {
		return &parley.Error{Kind: parley.Invalid, Reason: parley.Inactive, Field: "conversation.account",
			Msg: "the account, its channel or its orchestration is switched off"}
	}
	customer := parley.Party{Role: parley.Customer}
	if p.customer != nil {
		customer = *p.customer
	}
	r.c.Tenant, r.c.Account, r.c.Status = p.account.Tenant, p.account.ID, parley.Open
	r.c.Created, r.c.Touched = r.now, r.now
	r.c.Owner = parley.Owner{Kind: parley.OwnerQueue}
	r.c.State = parley.ConversationState{ChannelType: p.channel.Type, Address: p.account.Address, Language: d.Language,
		EntryPoint: d.EntryPoint, LookupContact: d.LookupContact, ConversationContact: d.ConversationContact,
		ClientInfo: d.ClientInfo, Campaign: d.Campaign.Cut(), Parties: []parley.Party{customer}}
	if r.c.State.Language == "" {
		r.c.State.Language = p.account.DefaultLanguage
	}
	if r.c.State.EntryPoint == "" {
		r.c.State.EntryPoint = p.account.EntryPoint
	}
	if d.Customer != nil {
		r.c.State.Customer = *d.Customer
	}
	if r.c.State.Customer.Type == "" {
		r.c.State.Customer.Type = "individual"
	}
	r.c.State.Case = r.c.ID
	if previous != nil && r.within(previous.Touched, p.account.SameCaseMinutes) {
		r.c.State.Previous, r.c.State.Case = previous.ID, previous.State.Case
	}
	r.step.New, r.step.StateChanged = true, true

	bypass := p.orchestration.Bots != nil && previous != nil && previous.Status == parley.Ended &&
		r.within(previous.Ended, p.orchestration.Bots.BypassMinutes)
	if bypass && p.account.CopyAttributes {
		r.c.State.Customer.Attributes = mergePairs(previous.State.Customer.Attributes, r.c.State.Customer.Attributes)
	}
	bot, ok := p.entryBot()
	switch {
	case ok && !bypass:
		r.party(bot.party)
		r.own(botOwner(bot))
	case !ok && len(p.agents) == 0:
		return &parley.Error{Kind: parley.Invalid, Reason: parley.Inactive, Field: "conversation.account",
			Msg: "every bot of the account's orchestration is switched off, and it has no agents"}
	case !ok && d.Asks && len(p.bots) > 0: // whoever waits for a bot is not given to people whom no bot has called
		return errNoBot
	}
	return nil
}

// within says whether a time is less than some minutes ago; never for zero minutes.
func (r *routing) within(t time.Time, minutes float64) bool {
	return minutes > 0 && r.now.Sub(t) < time.Duration(minutes*float64(time.Minute))
}

func botOwner(b plannedBot) parley.Owner {
	return parley.Owner{Kind: parley.OwnerBot, Application: b.party.Application, Role: b.party.Role,
		Participant: b.party.Participant, Name: b.party.Name}
}

func agentOwner(a plannedAgent) parley.Owner {
	return parley.Owner{Kind: parley.OwnerAgent, Application: a.party.Application, Role: a.party.Role}
}

// nextAgent is the agent program to turn to: the one that a tracker names, else the one the bot escalates to, else the first
// listed one that was not tried.
// ok is false if there is none at all; it may be unavailable.
func (r *routing) nextAgent() (a plannedAgent, ok bool) {
	candidates := make([]plannedAgent, 0, len(r.plan.agents))
	if r.in.kind == detected {
		if a, ok := r.plan.agent(r.in.found.Action.To); ok {
			candidates = append(candidates, a)
		}
	}
	if bot, known := r.plan.bot(r.c.Owner); known && r.c.Owner.Kind == parley.OwnerBot {
		if a, ok := r.plan.agent(bot.escalate); ok {
			candidates = append(candidates, a)
		}
	}
	for _, a := range r.plan.agents {
		if a.listed {
			candidates = append(candidates, a)
		}
	}
	candidates = slices.DeleteFunc(candidates, func(a plannedAgent) bool {
		return !a.active || slices.Contains(r.c.State.TriedAgents, a.party.Application)
	})
	if len(candidates) == 0 {
		return plannedAgent{}, false
	}
	return candidates[0], true
}

// toAgents gives the conversation to an agent program with everything said so far. transfer is the bot's own message,
// nil if the hub decides for it. The customer is told; if nobody is there, the account's rule says what happens.
func (r *routing) toAgents(transfer *parley.Body, sender parley.Role, why string) {
	agent, ok := r.nextAgent()
	body := parley.Body{Name: systemName}
	if transfer != nil {
		body = *transfer
	} else {
		sender = parley.System
	}
	body.HandOver = true
	r.c.State.Escalated = true
	r.step.StateChanged = true
	if !ok || !agent.available {
		r.add(parley.TypeEscalationTransfer, sender, 0, why+"; no agent is available", body)
		at := len(r.step.Messages) - 1
		if held, slot := r.unavailable(agent, ok); held {
			r.step.Messages[at].To |= parley.Held
			r.step.Messages[at].Body.Transcript = bit(slot)
		}
		return
	}
	slot := r.party(agent.party)
	body.Transcript = bit(slot)
	r.own(agentOwner(agent))
	r.add(parley.TypeEscalationTransfer, sender, bit(slot), why, body)
	r.state(statusEscalated, why)
}

// unavailable applies the account's rule for a conversation that no agent can take: retained with held messages, or
// ended with a text.
func (r *routing) unavailable(agent plannedAgent, known bool) (held bool, slot int) {
	if r.plan.account.Unavailable != parley.RetainAndRetry {
		r.tell(parley.TextOffHours, nil, parley.CustomerSlot, "no agent is available: off_hours")
		r.state(statusOffHours, "no agent is available")
		r.end(parley.System, parley.Body{Name: systemName}, "no agent is available: off_hours ends the conversation")
		return false, 0
	}
	slot = parley.CustomerSlot
	owner := parley.Owner{Kind: parley.OwnerQueue}
	if known {
		slot = r.party(agent.party)
		owner.Application, owner.Role = agent.party.Application, agent.party.Role
	}
	if r.c.Owner != owner {
		r.own(owner)
	}
	r.c.State.Held = true
	r.step.StateChanged = true
	if !r.c.State.HeldTold {
		r.c.State.HeldTold = true
		r.tell(parley.TextRetainAndRetry, nil, parley.CustomerSlot, "no agent is available: retain_and_retry")
		r.state(statusRetained, "messages are kept until an agent is there")
	}
	return true, slot
}

// released gives what was held to the agent program that is available now.
func (r *routing) released() {
	if !r.c.State.Held || r.c.Status != parley.Open {
		return
	}
	agent, ok := r.plan.agent(r.c.Owner.Application)
	if !ok || !agent.active { // the program that was waited for is gone, or there was none: now there may be another
		agent, ok = r.nextAgent()
	}
	if !ok || !agent.available {
		return
	}
	r.release(agent)
	r.state(statusEscalated, "an agent is available again")
}

// release makes the agent program the owner and addresses the held messages to it.
func (r *routing) release(agent plannedAgent) {
	slot := r.party(agent.party)
	r.c.State.Held = false
	r.own(agentOwner(agent))
	r.step.Readdress = &parley.Readdress{Slot: slot}
}

// botFailed goes on to the next bot of the orchestration, or to the agents, when the owner failed (guarantee G7).
func (r *routing) botFailed(why string) {
	current := r.c.Owner
	tried := append(slices.Clone(r.c.State.TriedBots), current.Participant)
	r.c.State.TriedBots = tried
	r.step.StateChanged = true
	waiting := r.c.Waiting // since when the customer has no answer: what came from then on goes to the next bot
	if at := r.in.created; !at.IsZero() && (waiting.IsZero() || at.Before(waiting)) {
		waiting = at
	}
	for _, b := range r.plan.bots {
		if !b.active || slices.Contains(tried, b.party.Participant) {
			continue
		}
		slot := r.party(b.party)
		r.own(botOwner(b))
		r.system(parley.TypeEscalationTransfer, 0, why+"; the next bot of the orchestration takes over", nil)
		if !waiting.IsZero() {
			r.c.Waiting = r.now
			r.step.Readdress = &parley.Readdress{Slot: slot, Since: waiting}
		}
		return
	}
	r.toAgents(nil, parley.System, why)
}

// agentFailed goes on to the next agent program, or applies the rule for absent agents.
func (r *routing) agentFailed(why string) {
	r.c.State.TriedAgents = append(slices.Clone(r.c.State.TriedAgents), r.c.Owner.Application)
	r.toAgents(nil, parley.System, why)
}

// reminded looks at what is due and does it.
func (r *routing) reminded() {
	if r.c.Status == parley.Ended {
		return
	}
	if !r.keptByPeople() && !r.now.Before(r.c.Touched.Add(r.plan.idle())) {
		r.end(parley.System, parley.Body{Name: systemName, Idle: r.plan.idle().Milliseconds()}, "nothing was said for the account's timeout")
		return
	}
	if r.c.State.Held {
		r.released()
	}
	r.settled(false)
	if r.c.Owner.Kind == parley.OwnerBot && !r.c.Waiting.IsZero() {
		if bot, _ := r.plan.bot(r.c.Owner); !r.now.Before(bot.answerBy(&r.c)) {
			r.giveUpBot(parley.FailureDeadline, "the bot did not answer in its deadline")
		}
	}
}

// failed goes on after a delivery was given up: the sender hears of what the customer did not get, and an owner that
// cannot be reached loses the turn.
func (r *routing) failed() {
	if r.c.Status == parley.Ended {
		return
	}
	slot := r.in.slot
	if slot == parley.CustomerSlot {
		if owner := r.ownerSlot(); owner > 0 && r.in.sender != parley.System {
			r.tell(parley.TextMessageFailed, nil, owner, "a message could not be delivered to the customer")
		}
		return
	}
	if slot != r.ownerSlot() {
		return
	}
	switch r.c.Owner.Kind {
	case parley.OwnerBot:
		r.giveUpBot(parley.FailureBot, "a message could not be delivered to the bot")
	case parley.OwnerAgent, parley.OwnerQueue:
		r.agentFailed("a message could not be delivered to the agent program")
	}
}
