package agentapi

import (
	"cmp"
	"context"
	"strings"

	"parley"
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

// A whom is who is written to. Starts at the same time for one of them, or one that is repeated before it was answered, are one conversation, as
// they are one after the other; on several nodes they may be several.
type whom struct {
	agent   parley.ApplicationID
	channel string
	user    string // by what users are known by
}

// readBeginning reads one of the three shapes.
func readBeginning(b *body) (in beginning) {
	in.channel = b.choice("channel", channelEmail, channelSMS, channelVoice)
	if _, there := b.raw("channel"); !there {
		b.refuse("channel", "is required")
	}
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

// start has the agent begin a conversation.
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
	var before *parley.AgentConversation
	err = s.Store.Update(ctx, func(tx parley.Tx) (err error) {
		before = nil
		if err := s.knownState(ctx, tx, r.tenant, in.state); err != nil {
			return err
		}
		if err := s.putUser(ctx, tx, r, &in.user); err != nil || in.channel == channelVoice {
			return err
		}
		if before, err = latest(ctx, tx, r, in.user.ID, in.channel); err != nil || before == nil {
			return err
		}
		if in.reset {
			before.Status, before.Changed = parley.AgentArchived, s.now()
		} else {
			if in.hasAbout {
				before.Context = in.about
			}
			if in.custom != nil {
				before.CustomData = in.custom
			}
			if !in.state.IsZero() {
				before.State = in.state
			}
		}
		return tx.PutAgentConversation(ctx, *before)
	})
	if err != nil {
		return answer{}, err
	}
	if before != nil && !in.reset {
		return created(started{before.Conversation.ID.String()}), s.Hub.Introduce(ctx, r.tenant, before.Conversation.ID, in.introduction)
	}
	if runes := []rune(in.subject); len(runes) > maxTitle {
		in.subject = string(runes[:maxTitle])
	}
	a := parley.AgentConversation{User: in.user, Channel: in.channel, Title: in.subject, Context: in.about, CustomData: in.custom, State: in.state}
	err = s.begin(r, &a, in.introduction)
	return created(started{a.Conversation.ID.String()}), err
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

// latest is the user's newest active conversation on a channel; nil if there is none.
func latest(ctx context.Context, tx parley.Tx, r *request, user parley.AgentUserID, channel string) (*parley.AgentConversation, error) {
	for offset, count := 0, 1; offset < count; offset += maxPageSize {
		page, n, err := tx.ListAgentConversations(ctx, parley.AgentQuery{Tenant: r.tenant, Agent: r.agent.ID, User: user, Offset: offset, Limit: maxPageSize})
		if err != nil {
			return nil, err
		}
		for i := range page {
			if page[i].Channel == channel && page[i].Status == parley.AgentActive {
				return &page[i], nil
			}
		}
		count = n
	}
	return nil, nil
}
