package agentapi

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"parley"
	"parley/directory"
	"parley/hub"
	"parley/ident"
	"parley/rest/api"
)

// Contacts by which the hub knows users.
const contactType = "agentUser"

// create makes a conversation in which nothing was said (reference 4.2).
func (s *Surface) create(r *request) (answer, error) {
	b, err := read(r)
	if err != nil {
		return answer{}, err
	}
	userID := requiredID[parley.AgentUser](b, "conversationUserId")
	a := parley.AgentConversation{Title: b.optional("title", maxTitle), Context: b.optional("context", maxContext), CustomData: b.object("customData"),
		State: id[parley.AgentState](b, "conversationStateId"), Channel: directory.AgentChannel}
	if err := b.err(); err != nil {
		return answer{}, err
	}
	ctx := r.Context()
	err = s.Store.Update(ctx, func(tx parley.Tx) (err error) {
		if a.User, err = tx.AgentUser(ctx, r.tenant, r.agent.ID, userID); err != nil {
			return err
		}
		return s.knownState(ctx, tx, r.tenant, a.State)
	})
	if err != nil {
		return answer{}, err
	}
	if err := s.begin(r, &a, "", ""); err != nil {
		return answer{}, err
	}
	return created(showConversation(&a)), nil
}

// knownState wants a state that there is, or none.
func (s *Surface) knownState(ctx context.Context, tx parley.Tx, tenant parley.TenantID, id parley.AgentStateID) error {
	if id.IsZero() {
		return nil
	}
	states, err := tx.AgentStates(ctx, tenant)
	if err != nil {
		return err
	}
	for _, known := range states {
		if known.ID == id {
			return nil
		}
	}
	return errNotFound
}

// begin makes the conversation, under a name if it has one, and what is known beside it, and leaves it as it is then. errBegun if there is one of
// that name.
func (s *Surface) begin(r *request, a *parley.AgentConversation, introduction, name string) error {
	ctx := r.Context()
	if _, err := s.Channels.ChannelFor(ctx, r.tenant, r.agent.ID, a.Channel); err != nil {
		return err
	}
	customer := parley.CustomerData{Name: a.User.Name(), Contacts: []parley.Contact{{Type: contactType, Address: a.User.ID.String()}}}
	if a.User.Email != "" {
		customer.Contacts = append(customer.Contacts, parley.Contact{Type: "email", Address: a.User.Email})
	}
	if a.User.Phone != "" {
		customer.Contacts = append(customer.Contacts, parley.Contact{Type: "phone", Address: a.User.Phone})
	}
	id := ident.New[parley.Conversation]()
	begun, err := s.Hub.Begin(ctx, hub.BeginRequest{Tenant: r.tenant, ID: id, ChannelType: a.Channel, Address: r.agent.ID.String() + "/" + a.Channel, Customer: customer,
		Background: background(a), Introduction: introduction, Name: name})
	if err != nil {
		return err
	}
	if begun != id {
		return errBegun
	}
	s.fill(r, a, id)
	return s.Store.Update(ctx, func(tx parley.Tx) error {
		note := *a
		switch found, err := tx.AgentConversation(ctx, r.tenant, r.agent.ID, id); {
		case err == nil: // by a start on another node, which goes on with it
			note = begunBy(a, &found)
		case parley.KindOf(err) != parley.NotFound:
			return err
		}
		if err := tx.PutAgentConversation(ctx, note); err != nil {
			return err
		}
		known, err := tx.AgentConversation(ctx, r.tenant, r.agent.ID, id)
		if err == nil {
			*a = known
		}
		return err
	})
}

// begunBy is what is known of a conversation when whoever began it notes that after a start that found it: as if they had come in this order.
// The title is that of the first; of the rest, what the later one gave counts.
func begunBy(first, found *parley.AgentConversation) parley.AgentConversation {
	both := *found
	both.Title, both.Titled = first.Title, first.Titled
	both.Context = cmp.Or(found.Context, first.Context)
	both.State = cmp.Or(found.State, first.State)
	if found.CustomData == nil {
		both.CustomData = first.CustomData
	}
	return both
}

// errBegun tells a start that another one began the conversation that it wants.
var errBegun = errors.New("the conversation was begun before")

// fill makes what is known beside a conversation that of a new one.
func (s *Surface) fill(r *request, a *parley.AgentConversation, id parley.ConversationID) {
	now := s.now()
	a.Conversation.ID, a.Conversation.Tenant, a.Agent = id, r.tenant, r.agent.ID
	a.Status, a.Titled, a.PublicID, a.Created, a.Changed = parley.AgentActive, a.Title != "", ident.Opaque("conv_"), now, now
	if a.Channel == channelVoice {
		a.CallID = ident.Opaque("call_")
	}
}

// background is what the agent is told with every turn.
func background(a *parley.AgentConversation) string {
	return strings.TrimSpace(strings.Join([]string{a.User.Context, a.Context}, "\n\n"))
}

// get shows one conversation.
func (s *Surface) get(r *request) (answer, error) {
	a, err := s.conversation(r)
	if err != nil {
		return answer{}, err
	}
	ctx := r.Context()
	if a.Judged < a.Conversation.Seq && a.JudgeAt.IsZero() { // said on another surface
		if err := s.stir(ctx, &a); err != nil {
			return answer{}, err
		}
	}
	var all map[parley.ConversationID][]parley.Feedback
	err = s.Store.View(ctx, func(tx parley.Tx) (err error) {
		all, err = tx.Feedbacks(ctx, r.tenant, []parley.ConversationID{a.Conversation.ID})
		return err
	})
	return ok(withFeedbacks(&a, all[a.Conversation.ID])), err
}

// change lets change work on what is known of a conversation, and stores what comes out.
func (s *Surface) change(ctx context.Context, a *parley.AgentConversation, change func(tx parley.Tx, a *parley.AgentConversation) error) error {
	tenant, agent, id := a.Conversation.Tenant, a.Agent, a.Conversation.ID
	return s.Store.Update(ctx, func(tx parley.Tx) error {
		now, err := tx.AgentConversation(ctx, tenant, agent, id)
		if err != nil {
			return err
		}
		if err := change(tx, &now); err != nil {
			return err
		}
		*a = now
		return tx.PutAgentConversation(ctx, now)
	})
}

// update changes what a caller may change (reference 4.6).
func (s *Surface) update(r *request) (answer, error) {
	a, b, err := s.conversationAndBody(r)
	if err != nil {
		return answer{}, err
	}
	for _, name := range []string{"title", "context", "status"} {
		if b.isNull(name) {
			b.refuse(name, "must not be null")
		}
	}
	title, hasTitle := b.text("title", maxTitle)
	about, hasContext := b.text("context", maxContext)
	status := parley.AgentStatus(b.choice("status", string(parley.AgentActive), string(parley.AgentInactive), string(parley.AgentArchived)))
	stateID := id[parley.AgentState](b, "conversationStateId")
	if err := b.err(); err != nil {
		return answer{}, err
	}
	_, hasState := b.members["conversationStateId"]
	if !hasTitle && !hasContext && status == "" && !hasState {
		return ok(showConversation(&a)), nil
	}
	ctx := r.Context()
	err = s.change(ctx, &a, func(tx parley.Tx, a *parley.AgentConversation) error {
		if hasTitle {
			a.Title, a.Titled = title, title != ""
		}
		if hasContext {
			a.Context = about
		}
		if status != "" {
			a.Status = status
		}
		if hasState {
			a.State = stateID
		}
		a.Changed = s.now()
		return s.knownState(ctx, tx, r.tenant, a.State)
	})
	return ok(showConversation(&a)), err
}

// mode gives a conversation to people, or back to the agent (reference 4.12).
func (s *Surface) mode(r *request) (answer, error) {
	a, b, err := s.conversationAndBody(r)
	if err != nil {
		return answer{}, err
	}
	mode := b.choice("mode", modeAI, modeManual)
	if mode == "" && b.isNull("mode") {
		b.refuse("mode", "must be one of ai, manual")
	}
	if err := b.err(); err != nil {
		return answer{}, err
	}
	if manual := mode == modeManual; mode != "" && manual != a.Conversation.Manual() {
		ctx := r.Context()
		if err := s.Hub.SetManual(ctx, r.tenant, a.Conversation.ID, manual); err != nil {
			return answer{}, err
		}
		err = s.change(ctx, &a, func(_ parley.Tx, a *parley.AgentConversation) error {
			a.Changed = s.now()
			return nil
		})
	}
	return ok(showConversation(&a)), err
}

// states lists the states of the tenant (reference 4.4).
func (s *Surface) states(r *request) (answer, error) {
	ctx := r.Context()
	var all []parley.AgentState
	err := s.Store.Update(ctx, func(tx parley.Tx) (err error) { // it makes those that every tenant begins with
		all, err = tx.AgentStates(ctx, r.tenant)
		return err
	})
	return ok(api.List(all, showState)), err
}

// deleteOfUser removes all conversations of a user with this agent (reference 4.3).
func (s *Surface) deleteOfUser(r *request) (answer, error) {
	b, err := read(r)
	if err != nil {
		return answer{}, err
	}
	user := requiredID[parley.AgentUser](b, "conversationUserId")
	if err := b.err(); err != nil {
		return answer{}, err
	}
	return done, s.forget(r, user)
}

// forgetPage bounds what is removed together.
const forgetPage = 100

// forget removes the conversations of a user: they end, what was said is erased, and nothing is known of them.
func (s *Surface) forget(r *request, user parley.AgentUserID) error {
	ctx := r.Context()
	for {
		var page []parley.AgentConversation
		if err := s.Store.View(ctx, func(tx parley.Tx) (err error) {
			page, _, err = tx.ListAgentConversations(ctx, parley.AgentQuery{Tenant: r.tenant, Agent: r.agent.ID, User: user, Limit: forgetPage})
			return err
		}); err != nil || len(page) == 0 {
			return err
		}
		for _, a := range page {
			id := a.Conversation.ID
			if err := s.Hub.End(ctx, r.tenant, id, "the caller deleted the conversation"); err != nil {
				return err
			}
			if err := s.Store.Update(ctx, func(tx parley.Tx) error {
				if _, err := tx.Forget(ctx, r.tenant, id); err != nil {
					return err
				}
				err := tx.DeleteAgentConversation(ctx, r.tenant, r.agent.ID, id)
				if parley.KindOf(err) == parley.NotFound { // another request was faster
					err = nil
				}
				return err
			}); err != nil {
				return err
			}
		}
	}
}

// agentProfile is what an agent is (reference 5).
type agentProfile struct {
	ID             string   `json:"id"`
	Name           string   `json:"name"`
	PublicName     string   `json:"publicName"`
	Role           string   `json:"role"`
	Status         string   `json:"status"`
	OrganizationID string   `json:"organizationId"`
	CreatedAt      api.Time `json:"createdAt"`
	UpdatedAt      api.Time `json:"updatedAt"`
}

// profile shows the agent that the key belongs to.
func (s *Surface) profile(r *request) (answer, error) {
	ctx := r.Context()
	var t parley.Tenant
	if err := s.Store.View(ctx, func(tx parley.Tx) (err error) {
		t, err = tx.Tenant(ctx, r.tenant)
		return err
	}); err != nil {
		return answer{}, err
	}
	p := agentProfile{ID: r.agent.ID.String(), Name: r.agent.Name, PublicName: r.agent.Name, Role: string(r.agent.Bot.Connector), Status: "active", OrganizationID: t.Organisation.String(),
		CreatedAt: api.Time(r.agent.Created), UpdatedAt: api.Time(r.agent.Modified)}
	if !r.agent.Active {
		p.Status = "inactive"
	}
	return ok(p), nil
}
