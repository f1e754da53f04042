package broker

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"parley"
	"parley/ident"
)

// renew begins a new session in place of one that is over: it is of the same customer, and a test if that was one. Whoever lost the answer
// repeats the request under the old code, having no other, and gets the same one.
func (s *Surface) renew(ctx context.Context, w http.ResponseWriter, a *ask, was *session) error {
	a.test, a.client = was.conversation.State.Bot.Test, laterClient(clientIn(&was.conversation), a.client)
	a.client.BusinessKey = cmp.Or(a.client.BusinessKey, was.BusinessKey)
	d, err := a.startDraft()
	if err != nil {
		return err
	}
	if a.request != "" {
		minute := s.now().Truncate(repeatFor)
		for _, of := range []time.Time{minute, minute.Add(-repeatFor)} {
			if over, err := s.renewedBefore(ctx, w, a, renewalID(was.Conversation, a.request, of)); err != nil || over {
				return err
			}
		}
		d.Body.MessageID = renewalID(was.Conversation, a.request, minute) // on another node the same request may be at this point, too
	}
	if p := s.limits.take(a.key); p != nil {
		return p
	}
	return s.begin(ctx, w, a, d)
}

// renewalID names the message that begins a session in place of another one, for a request of that name in that minute.
func renewalID(old parley.ConversationID, request string, minute time.Time) string {
	return uuid.NewSHA1(uuid.UUID(old), fmt.Appendf(nil, "renew %d %s", minute.Unix(), request)).String()
}

// renewedBefore answers as the session was that such a message began, if there is one and it is not too long ago.
func (s *Surface) renewedBefore(ctx context.Context, w http.ResponseWriter, a *ask, messageID string) (over bool, err error) {
	var id parley.ConversationID
	err = s.Store.View(ctx, func(tx parley.Tx) (err error) {
		_, id, err = tx.StartedBy(ctx, a.tenant.ID, ident.StartKey(a.account.ID, a.client.UserRef, messageID))
		return err
	})
	if parley.KindOf(err) == parley.NotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return s.answeredBefore(ctx, w, a, id)
}
