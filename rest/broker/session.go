package broker

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"parley"
	"parley/rest/api"
)

// A session is one as it is now.
type session struct {
	parley.BotSession
	conversation parley.Conversation
}

// session reads a session of the bot and channel of a request.
func (s *Surface) session(ctx context.Context, a *ask, id parley.ConversationID) (*session, error) {
	now := &session{}
	err := s.Store.View(ctx, func(tx parley.Tx) (err error) {
		if now.BotSession, err = tx.BotSession(ctx, a.tenant.ID, id); err != nil {
			return err
		}
		now.conversation, err = tx.Conversation(ctx, a.tenant.ID, id)
		return err
	})
	if parley.KindOf(err) == parley.NotFound || err == nil && (now.Bot != a.bot.id || now.conversation.Account != a.account) {
		err = errSession
	}
	return now, err
}

// answeredBefore answers a request as one of the same name was, if there was one.
func (s *Surface) answeredBefore(ctx context.Context, w http.ResponseWriter, a *ask, id parley.ConversationID) (over bool, err error) {
	answer, err := s.repeated(ctx, a, id)
	if err != nil || answer == nil {
		return false, err
	}
	api.WriteJSON(w, http.StatusOK, answer)
	return true, nil
}

// repeatFor is for how long a request is known by its name (reference 4.1).
const repeatFor = time.Minute

// repeated is the answer to an earlier request of the same name; nil if there was none.
func (s *Surface) repeated(ctx context.Context, a *ask, id parley.ConversationID) (answer *reply, err error) {
	if a.request == "" {
		return nil, nil
	}
	t := &parley.Turn{}
	err = s.Store.View(ctx, func(tx parley.Tx) (err error) {
		*t, err = tx.TurnOfRequest(ctx, a.tenant.ID, id, a.request, s.now().Add(-repeatFor))
		return err
	})
	if parley.KindOf(err) == parley.NotFound {
		return nil, nil
	}
	if err == nil && t.Status == parley.TurnOpen {
		waiting, cancel := context.WithTimeout(ctx, parley.MaxTurn)
		defer cancel()
		t, err = s.Hub.AwaitTurn(waiting, a.tenant.ID, id, t.Seq)
	}
	if err != nil {
		return nil, err
	}
	switch t.Status {
	case parley.TurnFailed:
		return nil, failed(t)
	case parley.TurnDropped: // it had no answer
		return nil, nil
	}
	return s.replyTo(ctx, a, t)
}

// settle waits for turns of the session that other nodes have in progress, ends it if its time is over, and is the session after that.
func (s *Surface) settle(ctx context.Context, a *ask, id parley.ConversationID) (now *session, err error) {
	for err == nil {
		if now, err = s.session(ctx, a, id); err != nil {
			break
		}
		c := &now.conversation
		switch open := c.State.Bot.Open; {
		case len(open) > 0:
			_, err = s.Hub.AwaitTurn(ctx, a.tenant.ID, id, open[0].Seq)
		case now.isOver(a.timeout, s.now()):
			// Another node may have begun a turn, or ended it, since it was read. Its clock may be another, too.
			if err = s.Hub.EndAfter(ctx, a.tenant.ID, id, c.Seq, "the session expired"); parley.KindOf(err) == parley.Conflict {
				err = nil
			}
		default:
			return now, nil
		}
	}
	if ctx.Err() != nil {
		err = errInProgress
	}
	return now, err
}

// expires is when an open session is over unless there is another turn; zero = it stays, since an agent has it.
func (now *session) expires(timeout time.Duration) time.Time {
	if now.conversation.Owner.Kind == parley.OwnerAgent {
		return time.Time{}
	}
	last := now.conversation.State.Bot.Active
	if last.IsZero() {
		last = now.Created
	}
	return last.Add(timeout)
}

// timeoutOf is how long a session on an account stays open without a turn.
func timeoutOf(a *parley.Account) time.Duration {
	return time.Duration(a.TimeoutMinutes * float64(time.Minute))
}

// isOver says whether an open session has had no turn for too long.
func (now *session) isOver(timeout time.Duration, at time.Time) bool {
	end := now.expires(timeout)
	return now.conversation.Status == parley.Open && !end.IsZero() && !at.Before(end)
}

// expired answers a turn in a session that is over, if it is: with what people said at its end, in a new session, or not at all.
func (s *Surface) expired(ctx context.Context, w http.ResponseWriter, a *ask, now *session) (over bool, err error) {
	if now.conversation.Status == parley.Open {
		return false, nil
	}
	if s.mayHear(a, &now.BotSession) {
		answer, err := s.farewell(ctx, a, now)
		if err != nil || answer != nil {
			if err == nil {
				api.WriteJSON(w, http.StatusOK, answer)
			}
			return true, err
		}
	}
	if a.renews {
		return true, s.renew(ctx, w, a, now)
	}
	return true, errExpired
}

// clientIn is where the customer of a conversation is.
func clientIn(c *parley.Conversation) (at parley.ClientInfo) {
	_ = json.Unmarshal(c.State.ClientInfo, &at) // written by this surface
	return at
}
