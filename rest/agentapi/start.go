package agentapi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"parley"
	"parley/ident"
)

// The channels of conversations that an agent starts.
const (
	channelEmail = "email"
	channelSMS   = "sms"
	channelVoice = "voice"
)

// started is the answer to a start.
type started struct {
	ConversationID string `json:"conversationId"`
}

// A beginning is what is asked for (reference 4.7).
type beginning struct {
	channel      string
	user         parley.AgentUser
	subject      string // of a mail
	introduction string
	reset        bool
	about        string // the conversation, for the agent
	hasAbout     bool
	custom       []byte
	state        parley.AgentStateID
}

// A whom is who is written to. Starts for one of them go one after the other on a node; between nodes, names see to it that they are as if they did.
type whom struct {
	agent   parley.ApplicationID
	channel string
	user    string // by what users are known by
}

// readBeginning reads one of the three shapes.
func readBeginning(b *body) (in beginning) {
	in.channel = b.requiredChoice("channel", channelEmail, channelSMS, channelVoice)
	in.user = readUser(b)
	switch in.channel {
	case channelEmail:
		b.required("email", maxShort)
		in.subject = b.required("emailSubject", maxLong)
		in.introduction = b.required("emailIntroduction", maxMessage)
		b.flag("includeSignatureInEmail")
		in.reset = b.flag("resetConversation")
	case channelSMS:
		b.required("phoneNumber", maxShort)
		in.introduction = b.required("smsIntroduction", maxMessage)
		b.flag("includeSignatureInSms")
		in.reset = b.flag("resetConversation")
	case channelVoice:
		b.required("phoneNumber", maxShort)
		in.introduction = b.required("firstMessage", maxMessage)
		in.reset = true // each call is a conversation of its own; the one before stays as it is
	}
	in.about, in.hasAbout = b.text("conversationContext", maxContext)
	in.custom, in.state = b.object("customData"), id[parley.AgentState](b, "conversationStateId")
	b.optional("authorId", maxShort)
	return in
}

// start has the agent begin a conversation. Starts at the same time for one user, or one that is repeated before it was answered, are one conversation,
// as they are one after the other.
func (s *Surface) start(r *request) (answer, error) {
	b, err := read(r)
	if err != nil {
		return answer{}, err
	}
	in := readBeginning(b)
	if err := b.err(); err != nil {
		return answer{}, err
	}
	ctx := r.Context()
	leave, err := s.starts.Take(ctx, whom{r.agent.ID, in.channel, cmp.Or(in.user.ForeignID, strings.ToLower(in.user.Email), in.user.Phone)})
	if err != nil {
		return answer{}, err
	}
	defer leave()
	channel, err := s.Channels.ChannelFor(ctx, r.tenant, r.agent.ID, in.channel)
	if err != nil {
		return answer{}, err
	}
	for {
		to, err := s.address(r, &in, channel.ID)
		if err != nil {
			return answer{}, err
		}
		if to.goesOn {
			id := to.conversation.Conversation.ID
			return created(started{id.String()}), s.Hub.Introduce(ctx, r.tenant, id, in.introduction)
		}
		if err = s.begin(r, &to.conversation, in.introduction, to.name); errors.Is(err, errBegun) {
			continue // another node was first: look again at what is there now
		}
		return created(started{to.conversation.Conversation.ID.String()}), err
	}
}

// conversation is the one that a start makes.
func (in *beginning) conversation(user parley.AgentUser) parley.AgentConversation {
	title := in.subject
	if runes := []rune(title); len(runes) > maxTitle {
		title = string(runes[:maxTitle])
	}
	return parley.AgentConversation{User: user, Channel: in.channel, Title: title, Context: in.about, CustomData: in.custom, State: in.state}
}

// An addressed is where a start leads to.
type addressed struct {
	conversation parley.AgentConversation
	goesOn       bool   // there is that conversation
	name         string // under which it is begun otherwise; "" = none
}

// address brings what is known of the user, and of the conversation that a start goes on with or leaves, up to date.
func (s *Surface) address(r *request, in *beginning, account parley.AccountID) (to addressed, err error) {
	ctx := r.Context()
	err = s.Store.Update(ctx, func(tx parley.Tx) error {
		to = addressed{}
		if err := s.knownState(ctx, tx, r.tenant, in.state); err != nil {
			return err
		}
		user := in.user
		if err := s.putUser(ctx, tx, r, &user); err != nil {
			return err
		}
		to.conversation = in.conversation(user)
		if in.channel == channelVoice {
			return nil
		}
		before, name, err := s.before(ctx, tx, r, account, &to.conversation)
		if to.name = name; err != nil || before == nil {
			return err
		}
		if in.reset {
			before.Status, before.Changed = parley.AgentArchived, s.now()
			return tx.PutAgentConversation(ctx, *before)
		}
		if in.hasAbout {
			before.Context = in.about
		}
		if in.custom != nil {
			before.CustomData = in.custom
		}
		if !in.state.IsZero() {
			before.State = in.state
		}
		to.conversation, to.goesOn = *before, true
		return tx.PutAgentConversation(ctx, *before)
	})
	return to, err
}

// putUser finds the user, and brings it up to date with what was given, or makes it.
func (s *Surface) putUser(ctx context.Context, tx parley.Tx, r *request, u *parley.AgentUser) error {
	known, err := tx.FindAgentUser(ctx, r.tenant, r.agent.ID, u.ForeignID, u.Email, u.Phone)
	if parley.KindOf(err) == parley.NotFound {
		return s.putNew(ctx, tx, r, u)
	}
	if err != nil {
		return err
	}
	for _, given := range []struct {
		to   *string
		text string
	}{{&known.FirstName, u.FirstName}, {&known.LastName, u.LastName}, {&known.Email, u.Email}, {&known.Phone, u.Phone}, {&known.ForeignID, u.ForeignID},
		{&known.ForeignUserID, u.ForeignUserID}, {&known.Source, u.Source}, {&known.Context, u.Context}} {
		if given.text != "" {
			*given.to = given.text
		}
	}
	known.Modified = s.now()
	*u = known
	return tx.PutAgentUser(ctx, known)
}

// before is the user's newest active conversation on the channel of a new one, nil if there is none, and the name of the new one. That is made of
// the conversation which is the newest now, active or not, and of a number: what nodes see at the same time has one name, so only one of
// them begins what follows it.
func (s *Surface) before(ctx context.Context, tx parley.Tx, r *request, account parley.AccountID, a *parley.AgentConversation) (active *parley.AgentConversation, name string, err error) {
	for {
		newest, active, err := latest(ctx, tx, r, a.User.ID, a.Channel)
		if err != nil {
			return nil, "", err
		}
		after := uuid.UUID(a.User.ID)
		if newest != nil {
			after = uuid.UUID(newest.Conversation.ID)
		}
		name, begun, err := free(ctx, tx, r, account, a.User.ID, after)
		if err != nil || begun.IsZero() {
			return active, name, err
		}
		found := *a
		s.fill(r, &found, begun)
		if err := tx.PutAgentConversation(ctx, found); err != nil {
			return nil, "", err
		}
	}
}

// free is the first name that no conversation after that one has. Clocks of nodes differ, so one that was begun later may look older. begun is one
// of those of which nothing is known beside it yet: whoever began it is about to note that, or will never.
func free(ctx context.Context, tx parley.Tx, r *request, account parley.AccountID, user parley.AgentUserID, after uuid.UUID) (name string, begun parley.ConversationID, err error) {
	for n := 0; ; n++ {
		name = uuid.NewSHA1(after, fmt.Appendf(nil, "start %d", n)).String()
		_, id, err := tx.StartedBy(ctx, r.tenant, ident.StartKey(account, user.String(), name))
		if parley.KindOf(err) == parley.NotFound {
			return name, begun, nil
		}
		if err != nil {
			return "", begun, err
		}
		_, err = tx.AgentConversation(ctx, r.tenant, r.agent.ID, id)
		if err == nil {
			continue
		}
		if parley.KindOf(err) != parley.NotFound {
			return "", begun, err
		}
		c, err := tx.Conversation(ctx, r.tenant, id)
		if err != nil || c.Status == parley.Open {
			return "", id, err
		}
	}
}

// latest are the user's newest conversation on a channel, and the newest active one; nil if there is none.
func latest(ctx context.Context, tx parley.Tx, r *request, user parley.AgentUserID, channel string) (newest, active *parley.AgentConversation, err error) {
	for offset, count := 0, 1; offset < count; offset += maxPageSize {
		page, n, err := tx.ListAgentConversations(ctx, parley.AgentQuery{Tenant: r.tenant, Agent: r.agent.ID, User: user, Offset: offset, Limit: maxPageSize})
		if err != nil {
			return nil, nil, err
		}
		for i := range page {
			if page[i].Channel != channel {
				continue
			}
			if newest == nil {
				newest = &page[i]
			}
			if page[i].Status == parley.AgentActive {
				return newest, &page[i], nil
			}
		}
		count = n
	}
	return newest, nil, nil
}
