package hub

import (
	"context"
	"fmt"

	"parley"
	"parley/ident"
)

// A BeginRequest begins a conversation in which the customer has said nothing yet.
type BeginRequest struct {
	Tenant       parley.TenantID
	ID           parley.ConversationID // zero = the hub makes one
	ChannelType  string
	Address      string
	Language     string              // "" = the account's
	Customer     parley.CustomerData // with the contact that identifies the customer
	Background   string              // for bots
	Introduction string              // what the bot says first; "" = nothing
	Name         string              // of this beginning among those of the customer on the account; wants an introduction; "" = none
}

// Begin begins a conversation that somebody else than the customer wants, on an account that a bot comes first on. It lasts: when a bot or
// an agent ends it, it goes back to the bot, and only the hub's own [Hub.End] ends it for good. A name begins one conversation, on whatever
// node it is asked for (guarantee G3): who comes later with it hears which that is, and nothing is said. Kinds: Invalid (no such account,
// switched off, no contact), Busy.
func (h *Hub) Begin(ctx context.Context, b BeginRequest) (parley.ConversationID, error) {
	p, err := h.plans.at(ctx, b.Tenant, b.ChannelType, b.Address)
	if err != nil {
		return parley.ConversationID{}, fmt.Errorf("begin conversation: %w", err)
	}
	contact, ok := parley.PickContact("", b.Customer.Contacts)
	if !ok {
		return parley.ConversationID{}, &parley.Error{Kind: parley.Invalid, Reason: parley.Missing, Field: "customer.contacts", Msg: "a new conversation needs a contact of the customer"}
	}
	if b.ID.IsZero() {
		b.ID = ident.New[parley.Conversation]()
	}
	in := &input{kind: begun, draft: parley.Draft{Sender: parley.System, Language: b.Language, Customer: &b.Customer, Background: &b.Background}, newID: ident.New[parley.Message]}
	if b.Introduction != "" {
		in.draft.Body.Content = &parley.Content{Text: b.Introduction}
	}
	begins := &post{surface: "hub", inputs: []*input{in}}
	if b.Name != "" {
		begins.startKey = ident.StartKey(p.account.ID, contact.Address, b.Name)
	}
	id, answer := b.ID, make(chan error, 1)
	begins.done = func(posted []Posted, err error) {
		if err == nil && !posted[0].Conversation.IsZero() { // it was begun before
			id = posted[0].Conversation
		}
		answer <- err
	}
	h.conversation(b.Tenant, b.ID).begin(begins, p)
	select {
	case err := <-answer:
		return id, err
	case <-ctx.Done():
		return b.ID, fmt.Errorf("begin conversation: %w", context.Cause(ctx))
	}
}

// begun sets up a conversation without a message of the customer's.
func (r *routing) begun() error {
	if err := r.begin(nil); err != nil {
		return err
	}
	if r.c.Owner.Kind != parley.OwnerBot {
		return errNoBot
	}
	d := &r.in.draft
	r.c.State.Bot = parley.BotState{Asked: true, Lasting: true, Background: *d.Background}
	if d.Body.Content == nil {
		return nil
	}
	return r.introduced()
}

// Introduce has the bot of a conversation say something that nobody asked for, whoever has the turn. Closed if it is over.
func (h *Hub) Introduce(ctx context.Context, tenant parley.TenantID, id parley.ConversationID, text string) error {
	in := &input{kind: introduced, draft: parley.Draft{Sender: parley.System, Body: parley.Body{Content: &parley.Content{Text: text}}}}
	if err := h.wait(ctx, tenant, id, in); err != nil {
		return fmt.Errorf("introduce in conversation %s: %w", id, err)
	}
	return nil
}

// introduced adds what the bot says without being asked.
func (r *routing) introduced() error {
	if r.c.Status != parley.Open {
		return errEnded
	}
	bot, ok := r.plan.entryBot()
	if !ok {
		return errNoBot
	}
	p := bot.party
	r.add(parley.TypeText, p.Role, customerBit, "introduction", parley.Body{Application: p.Application, Participant: p.Participant, Name: p.Name, Content: r.redacted(r.in.draft.Body.Content)})
	return nil
}

var errNoBot = &parley.Error{Kind: parley.Invalid, Reason: parley.Inactive, Field: "conversation.account", Msg: "every bot of the account's orchestration is switched off"}

// statusReturned is the state of a conversation that went back from people to the bot; the word is ours.
const statusReturned = "returned"

// SetManual gives a conversation to people, who answer from then on, or back to its bot. The bot still finishes the turns that are open;
// what it did not answer before it lost the conversation it does not answer later. What is so already stays. Closed if it is over.
func (h *Hub) SetManual(ctx context.Context, tenant parley.TenantID, id parley.ConversationID, manual bool) error {
	if err := h.wait(ctx, tenant, id, &input{kind: moded, manual: manual}); err != nil {
		return fmt.Errorf("set the mode of conversation %s: %w", id, err)
	}
	return nil
}

// moded gives the conversation to people, or back to the bot.
func (r *routing) moded() error {
	if r.c.Status != parley.Open {
		return errEnded
	}
	bot := &r.c.State.Bot
	switch {
	case r.in.manual == r.c.Manual():
	case r.in.manual:
		bot.Leaving, r.step.StateChanged = true, true // finishTurns goes on, at once if no turn is open
	case bot.Leaving:
		bot.Leaving, r.step.StateChanged = false, true
	default:
		bot, ok := r.plan.entryBot()
		if !ok {
			return errNoBot
		}
		r.toBot(&bot, parley.System, parley.Body{Name: systemName}, parley.TypeConversationState, "given back to the bot")
	}
	return nil
}

// leave gives a conversation that is to be people's to them, once its bot has no turn left to finish.
func (r *routing) leave() {
	if bot := &r.c.State.Bot; bot.Leaving && len(bot.Open) == 0 {
		bot.Leaving, r.step.StateChanged = false, true
		if r.c.Owner.Kind == parley.OwnerBot {
			r.toAgents(nil, parley.System, "given to people")
		}
	}
}

// toBot gives the conversation to a bot of the orchestration, and tells whoever had it by a message of that type.
func (r *routing) toBot(bot *plannedBot, sender parley.Role, body parley.Body, t parley.MessageType, why string) {
	to := customerBit
	if slot := r.ownerSlot(); slot > 0 && sender == parley.System {
		to |= bit(slot)
	}
	if t == parley.TypeConversationState {
		body.Content = &parley.Content{JSON: []byte(`{"status":"` + statusReturned + `","content":""}`)}
	}
	r.party(bot.party)
	r.own(botOwner(*bot))
	r.c.State.Held, r.c.State.HeldTold, r.c.State.TriedAgents, r.c.State.TriedBots = false, false, nil, nil
	r.add(t, sender, to, why, body)
}

// goOn is what the end of a lasting conversation is: the bot begins anew. It says whether that is so.
func (r *routing) goOn(sender parley.Role, body parley.Body, why string) bool {
	bot := &r.c.State.Bot
	if !bot.Lasting || sender == parley.System {
		return false
	}
	bot.Connector, bot.Contexts, r.step.StateChanged = nil, parley.Contexts{}, true
	if r.c.Owner.Kind == parley.OwnerBot {
		r.add(parley.TypeConversationEnd, sender, customerBit, why+"; the conversation lasts", body)
		return true
	}
	next, ok := r.plan.entryBot()
	if !ok && len(r.plan.bots) > 0 { // they are switched off, which is for a time, and takes them out of new conversations only
		next, ok = r.plan.bots[0], true
	}
	if ok {
		r.toBot(&next, sender, body, parley.TypeConversationEnd, why+"; the conversation goes back to the bot")
	}
	return ok
}
