package broker

import (
	"context"
	"fmt"
	"net/http"
	"sort"

	"github.com/google/uuid"

	"parley"
	"parley/ident"
)

// renew begins a new session in place of one that is over: it is of the same customer, and a test if that was one. Whoever lost the answer
// repeats the request under the old code, having no other, and gets the same one.
func (s *Surface) renew(ctx context.Context, w http.ResponseWriter, a *ask, was *session) error {
	a.test, a.client = was.conversation.State.Bot.Test, laterClient(clientIn(&was.conversation), a.client)
	d, err := a.startDraft()
	if err != nil {
		return err
	}
	if a.request != "" {
		id, n, err := s.renewals(ctx, a, was.Conversation)
		if err != nil {
			return err
		}
		if n > 0 {
			if over, err := s.answeredBefore(ctx, w, a, id); err != nil || over {
				return err
			}
		}
		d.Body.MessageID = renewalID(was.Conversation, a.request, n) // on another node the same request may be at this point, too
	}
	if p := s.limits.take(a.key); p != nil {
		return p
	}
	return s.begin(ctx, w, a, d)
}

// renewals counts the sessions that requests of that name began in place of another one, and finds the last of them. They are numbered, and not
// named by their time: what two nodes count is the same, what their clocks say is not.
func (s *Surface) renewals(ctx context.Context, a *ask, old parley.ConversationID) (last parley.ConversationID, n int, err error) {
	err = s.Store.View(ctx, func(tx parley.Tx) (err error) {
		begun := func(i int) (id parley.ConversationID) { // zero = there is none, or err says why it is not known
			if err == nil {
				_, id, err = tx.StartedBy(ctx, a.tenant.ID, ident.StartKey(a.account, a.client.UserRef, renewalID(old, a.request, i)))
			}
			if parley.KindOf(err) == parley.NotFound {
				err = nil
			}
			return id
		}
		enough := 1 // a client that never takes the new code may have begun many
		for !begun(enough - 1).IsZero() {
			enough *= 2
		}
		if n = sort.Search(enough, func(i int) bool { return begun(i).IsZero() }); n > 0 {
			last = begun(n - 1)
		}
		return err
	})
	return last, n, err
}

// renewalID names the message that begins a session in place of another one, for the n-th request of that name, from 0.
func renewalID(old parley.ConversationID, request string, n int) string {
	return uuid.NewSHA1(uuid.UUID(old), fmt.Appendf(nil, "renew %d %s", n, request)).String()
}
