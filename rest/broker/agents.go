package broker

import (
	"cmp"
	"context"

	"parley"
	"parley/ident"
)

// liveChat is what the agent-conversations surface calls channels of this one.
const liveChat = "live_chat"

// show lets callers of the agent-conversations surface see a session of theirs: a conversation of the bot, with its user.
func (s *Surface) show(ctx context.Context, tx parley.Tx, a *ask, session *parley.BotSession) error {
	name := cmp.Or(session.BusinessKey, a.client.UserRef)
	u, err := tx.FindAgentUser(ctx, session.Tenant, session.Bot, name, "", "")
	if parley.KindOf(err) == parley.NotFound {
		u = parley.AgentUser{ID: ident.New[parley.AgentUser](), Tenant: session.Tenant, Agent: session.Bot, FirstName: name, ForeignID: name, Source: "broker", Created: session.Created, Modified: session.Created}
		err = tx.PutAgentUser(ctx, u)
	}
	if err != nil {
		return err
	}
	return tx.PutAgentConversation(ctx, parley.AgentConversation{Conversation: parley.Conversation{ID: session.Conversation, Tenant: session.Tenant}, Agent: session.Bot, User: u,
		Status: parley.AgentActive, Channel: liveChat, PublicID: ident.Opaque("conv_"), JudgeAt: session.Created, Created: session.Created, Changed: session.Created})
}
