package hub

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"time"

	"parley"
)

// apply does what a message of its type does, once it is known to be allowed.
func (r *routing) apply() error {
	d := &r.in.draft
	switch d.Type {
	case parley.TypeTypingStart, parley.TypeTypingEnd, parley.TypeCustomerActive, parley.TypeCustomerInactive:
		return r.whisper()
	case parley.TypeEscalationTransfer:
		return r.escalate()
	case parley.TypeConversationEnd:
		r.end(d.Sender, r.body(), "ended by the "+string(d.Sender))
		return nil
	case parley.TypeDeleteSoft:
		return r.remove(parley.SoftlyDeleted)
	case parley.TypeDeletePermanent:
		return r.remove(parley.Erased)
	case parley.TypeUndo:
		return r.remove(parley.NotDeleted)
	case parley.TypeQueueTransfer:
		return r.queue()
	case parley.TypeAgentJoin:
		return r.join()
	case parley.TypeAgentAvailable, parley.TypeAgentUnavailable:
		return r.availability()
	case parley.TypeCustomerInfo:
		return r.info()
	}
	r.pass()
	return nil
}

// checkContent wants of a message what its type cannot do without (reference sections 9.4 and 9.5).
func (r *routing) checkContent() error {
	d := &r.in.draft
	switch d.Type {
	case parley.TypePagePush:
		if !hasPage(d.Body.Content) {
			return badContent("content.json.url", "a page push needs an absolute URL")
		}
	case parley.TypeConversationState:
		if text(d.Body.Content, "status") == "" {
			return missingContent("content.json.status")
		}
	case parley.TypeRichListpicker, parley.TypeRichRichlink:
		for _, member := range []string{"type", "version"} {
			if text(d.Body.Content, member) == "" {
				return missingContent("content.json." + member)
			}
		}
	case parley.TypeText:
		if c := d.Body.Content; d.Body.Turn == nil && (c == nil || c.Text == "" && c.HTML == "") && len(d.Body.Attachments) == 0 {
			return missingContent("content.text")
		}
	}
	if suffix, rich := d.Type.Rich(); rich && (d.Body.Content == nil || len(d.Body.Content.JSON) == 0) {
		return missingContent("content.json of the " + suffix)
	}
	return nil
}

// body is the draft's body as it is stored: redacted if the tenant wants that, with the program and the name of whoever spoke.
func (r *routing) body() parley.Body {
	d := &r.in.draft
	b := d.Body
	b.Content = r.redacted(b.Content)
	switch {
	case d.Sender == parley.Customer:
		if b.Name == "" {
			b.Name = r.c.State.Customer.Name
		}
	case d.Sender.IsBot():
		b.Application, b.Participant = r.c.Owner.Application, r.c.Owner.Participant
		if b.Name == "" {
			b.Name = r.c.Owner.Name
		}
	default:
		b.Application = r.senderApplication()
		if b.Name == "" && b.Application == r.c.Owner.Application {
			b.Name = r.c.Owner.Name
		}
	}
	b.Attachments = slices.Clone(b.Attachments) // the draft may be routed again
	for i := range b.Attachments {
		a := &b.Attachments[i]
		known := slices.IndexFunc(r.in.assets, func(known parley.Asset) bool { return known.ID == a.Asset })
		if a.Asset.IsZero() || known < 0 {
			continue
		}
		r.step.UsedAssets = append(r.step.UsedAssets, a.Asset)
		// What receivers read of a file is what its record says, not what the sender may have said beside the id.
		a.Name, a.ContentType, a.Size = r.in.assets[known].Name, r.in.assets[known].ContentType, r.in.assets[known].Size
	}
	return b
}

// pass hands a message to the other side: the customer's to the owner, a bot's or agent's to the customer.
func (r *routing) pass() {
	d := &r.in.draft
	if d.Sender != parley.Customer {
		r.add(d.Type, d.Sender, r.narrowed(customerBit), "to the customer", r.body())
		r.c.Waiting = time.Time{}
		r.answered()
		return
	}
	if r.c.Owner.Kind == parley.OwnerQueue && !r.c.State.Held {
		if agent, ok := r.plan.agent(r.c.Owner.Application); !ok || !agent.active || !agent.available {
			r.passToAbsent(agent, ok)
			return
		}
	}
	why := "to the " + string(r.c.Owner.Kind)
	if r.c.Owner.Name != "" {
		why += " " + r.c.Owner.Name
	}
	if r.c.State.Held {
		why = "held until an agent is available"
	}
	if r.c.State.Bot.Leaving { // the transcript has it
		r.add(d.Type, d.Sender, 0, "for people, who take over once the bot has finished", r.body())
		return
	}
	r.add(d.Type, d.Sender, r.narrowed(r.ownerBit()), why, r.body())
	if r.c.Owner.Kind != parley.OwnerBot {
		return
	}
	if r.c.Waiting.IsZero() {
		r.c.Waiting = r.now
	}
	if r.keepsTurns() {
		r.opened()
	}
}

// passToAbsent applies the account's rule to a customer's message in the queue of an agent program that is not there.
func (r *routing) passToAbsent(agent plannedAgent, known bool) {
	d := &r.in.draft
	r.add(d.Type, d.Sender, 0, "in the queue, and no agent is available", r.body())
	at := len(r.step.Messages) - 1
	if held, _ := r.unavailable(agent, known); held {
		r.step.Messages[at].To |= parley.Held
	}
}

// narrowed keeps of the addressed slots those whose roles the sender asked for; asking for nobody there changes nothing.
func (r *routing) narrowed(to int64) int64 {
	if len(r.in.draft.Body.Recipients) == 0 {
		return to
	}
	kept := to & parley.Held
	for slot, p := range r.c.State.Parties {
		for _, role := range r.in.draft.Body.Recipients {
			if p.Role == role {
				kept |= to & bit(slot)
			}
		}
	}
	if kept == 0 {
		return to
	}
	return kept
}

// whisper passes typing and presence on without storing them; a channel without typing events loses them silently.
func (r *routing) whisper() error {
	d := &r.in.draft
	presence := d.Type == parley.TypeCustomerActive || d.Type == parley.TypeCustomerInactive
	if d.Type == parley.TypeTypingEnd && d.Sender.IsBot() {
		r.settled(true)
	}
	if !presence && !r.carries(d.Sender, parley.FeatureTyping) {
		return nil
	}
	to := customerBit
	if d.Sender == parley.Customer {
		to = r.ownerBit() &^ parley.Held
	}
	whispered := *d
	whispered.Body = r.body()
	r.effects = append(r.effects, effect{to: to, draft: &whispered, typing: &parley.Typing{Slot: max(r.senderSlot(), 0),
		Role: d.Sender, Name: whispered.Body.Name, On: d.Type == parley.TypeTypingStart, Type: d.Type}})
	return nil
}

// escalate hands the conversation from the bot to the agents, or from an agent program to another one.
func (r *routing) escalate() error {
	d := &r.in.draft
	if d.Sender.IsBot() {
		b := r.body()
		r.toAgents(&b, d.Sender, "the bot escalated")
		return nil
	}
	var wish struct {
		Agent struct {
			ID string `json:"id"`
		} `json:"agent"`
	}
	if c := d.Body.Content; c != nil {
		_ = json.Unmarshal(c.JSON, &wish) // lenient: a payload of another shape names nobody
	}
	for _, a := range r.plan.agents {
		id := a.party.Application
		if id == r.c.Owner.Application || !a.active || wish.Agent.ID != "" && wish.Agent.ID != id.String() {
			continue
		}
		b := r.body()
		slot := r.party(a.party)
		b.Transcript = bit(slot)
		if !a.available {
			return &parley.Error{Kind: parley.Invalid, Reason: parley.FeatureRefused, Field: "content.json.agent.id", Msg: "that agent program is not available"}
		}
		r.own(agentOwner(a))
		r.add(d.Type, d.Sender, bit(slot), "to another agent program", b)
		return nil
	}
	return &parley.Error{Kind: parley.Invalid, Reason: parley.BadReference, Field: "content.json.agent.id",
		Msg: "the orchestration has no other agent program to transfer to"}
}

// remove deletes a message of the customer's, or brings it back.
func (r *routing) remove(to parley.Deletion) error {
	r.step.Deletions = append(r.step.Deletions, parley.DeletionChange{Seq: r.in.parent.Seq, To: to})
	b := r.body()
	if to == parley.NotDeleted { // who never saw the message gets it with the undo
		b.Content, b.Attachments = r.in.parent.Body.Content, r.in.parent.Body.Attachments
	} else {
		b.Content, b.Attachments = nil, nil
	}
	r.add(r.in.draft.Type, parley.Customer, r.ownerBit(), fmt.Sprintf("message %d", r.in.parent.Seq), b)
	return nil
}

// queue puts the conversation back into the queue of its agent program.
func (r *routing) queue() error {
	anybody := false
	for _, a := range r.plan.agents {
		anybody = anybody || a.active && a.available
	}
	if !anybody && !r.plan.account.QueueIfUnavailable {
		return &parley.Error{Kind: parley.Invalid, Reason: parley.FeatureRefused, Field: "type.value",
			Msg: "nobody is available, and the account does not allow a transfer to the queue then"}
	}
	b := r.body()
	if r.c.Owner.Kind != parley.OwnerQueue {
		r.own(parley.Owner{Kind: parley.OwnerQueue, Application: r.c.Owner.Application, Role: r.c.Owner.Role})
	}
	r.add(r.in.draft.Type, r.in.draft.Sender, customerBit, "to the queue", b)
	return nil
}

// join makes the agent the owner; what was held for agents is given out.
func (r *routing) join() error {
	d := &r.in.draft
	b := r.body()
	name := text(d.Body.Content, "agentName")
	if name == "" {
		name = d.Body.Name
	}
	if b.Name == "" {
		b.Name = name
	}
	agent, ok := r.plan.agent(b.Application)
	if !ok {
		return notParty("the agent program is not part of the orchestration")
	}
	switch {
	case r.c.State.Held:
		r.release(agent)
	case r.c.Owner.Kind != parley.OwnerAgent || r.c.Owner.Application != b.Application:
		r.party(agent.party)
		r.own(agentOwner(agent))
	}
	if r.c.Owner.Name != name {
		r.c.Owner.Name = name
		r.step.StateChanged = true
	}
	r.add(d.Type, d.Sender, customerBit, "the agent joined", b)
	return nil
}

// availability keeps in the record what an agent program said of itself here; that it is gone is told to the customer,
// whose client gives up waiting. The mark itself was set before (see noteAvailability).
func (r *routing) availability() error {
	d := &r.in.draft
	b := r.body()
	here := d.Type == parley.TypeAgentAvailable
	to := customerBit
	if here {
		to = 0
	}
	r.add(d.Type, d.Sender, to, "agent availability", b)
	return nil
}

// info merges what is new about the customer and tells the other side.
func (r *routing) info() error {
	d := &r.in.draft
	told := parley.CustomerData{}
	if d.Customer != nil {
		told = *d.Customer
	} else if c := d.Body.Content; c != nil && len(c.JSON) > 0 {
		var payload struct {
			Name       string             `json:"name"`
			Attributes []parley.NameValue `json:"attributes"`
		}
		if err := json.Unmarshal(c.JSON, &payload); err != nil {
			return badContent("content.json", "customer data needs name and attributes of the documented shape")
		}
		told.Name, told.Attributes = payload.Name, payload.Attributes
	}
	if merged, changed := mergeCustomer(r.c.State.Customer, told, &r.c.State); changed {
		r.c.State.Customer, r.step.StateChanged = merged, true
	}
	r.pass()
	return nil
}

// mergeCustomer adds what is told to what is known. The contact that identifies the customer stays as it is: lookups
// depend on it.
func mergeCustomer(known, told parley.CustomerData, state *parley.ConversationState) (parley.CustomerData, bool) {
	changed := false
	if told.Name != "" && told.Name != known.Name {
		known.Name, changed = told.Name, true
	}
	if told.Type != "" && told.Type != known.Type {
		known.Type, changed = told.Type, true
	}
	for _, a := range told.Attributes {
		if value, ok := pair(known.Attributes, a.Name); !ok || value != a.Value {
			known.Attributes, changed = mergePairs(known.Attributes, told.Attributes), true
			break
		}
	}
	main, _ := parley.PickContact(state.LookupContact, known.Contacts)
	for _, c := range told.Contacts {
		if contains(known.Contacts, c) {
			continue
		}
		merged := append(known.Contacts[:len(known.Contacts):len(known.Contacts)], c)
		if still, _ := parley.PickContact(state.LookupContact, merged); still == main && len(merged) <= maxContacts {
			known.Contacts, changed = merged, true
		}
	}
	return known, changed
}

// maxContacts bounds what continuing messages may add (reference section 9.1).
const maxContacts = 25

func contains(list []parley.Contact, c parley.Contact) bool {
	for _, have := range list {
		if have == c {
			return true
		}
	}
	return false
}

func pair(list []parley.NameValue, name string) (string, bool) {
	for _, p := range list {
		if p.Name == name {
			return p.Value, true
		}
	}
	return "", false
}

// mergePairs is base with the pairs of more put over it, at most 25.
func mergePairs(base, more []parley.NameValue) []parley.NameValue {
	merged := append([]parley.NameValue(nil), base...)
next:
	for _, p := range more {
		for i := range merged {
			if merged[i].Name == p.Name {
				merged[i].Value = p.Value
				continue next
			}
		}
		if len(merged) < 25 {
			merged = append(merged, p)
		}
	}
	return merged
}

// text is a string member of a content's payload, "" if it is not one.
func text(c *parley.Content, member string) string {
	if c == nil || len(c.JSON) == 0 {
		return ""
	}
	var payload map[string]json.RawMessage
	var s string
	if json.Unmarshal(c.JSON, &payload) != nil || json.Unmarshal(payload[member], &s) != nil {
		return ""
	}
	return s
}

func hasPage(c *parley.Content) bool {
	target := text(c, "url")
	if target == "" && c != nil {
		target = c.Text
	}
	u, err := url.Parse(target)
	return err == nil && u.IsAbs() && u.Host != ""
}

func missingContent(field string) error {
	return &parley.Error{Kind: parley.Invalid, Reason: parley.Missing, Field: field, Msg: "this message type needs it"}
}

func badContent(field, why string) error {
	return &parley.Error{Kind: parley.Invalid, Reason: parley.BadValue, Field: field, Msg: why}
}
