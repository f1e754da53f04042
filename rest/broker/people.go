package broker

import (
	"context"
	"encoding/json"
	"hash/fnv"
	"io"
	"iter"
	"slices"

	"parley"
)

// handOver shows in the read-only context who has the conversation: "waiting", "agent" or "closed".
func (r *reply) handOver(state string) {
	members := map[string]json.RawMessage{}
	_ = json.Unmarshal(r.ContextReadOnly, &members) // an object: bots' contexts are checked
	members["handover"] = json.RawMessage(`{"state":"` + state + `"}`)
	if all, err := json.Marshal(members); err == nil {
		r.ContextReadOnly = all
	}
}

// handOverText tells connectors in their own way that people go on (reference 13).
const handOverText = `{"type":"handover","handover":"agent","exit_command":"","welcomeback":"","action":"connect"}`

// handOverAnswer is no message of the conversation: it has an id of its own.
func handOverAnswer(t *parley.Turn) answer {
	return answer{Content: "", TechnicalText: json.RawMessage(handOverText), Buttons: []button{}, QuickReply: []quickReply{}, Type: parley.AnswerCustom,
		InteractionID: withVersion(t.Question, 8).String()}
}

// withVersion is an id with another version (RFC 9562 section 4.2). Ids of messages are of version 7; the answer that says that people go on has
// the id of the question with version 8, by which the question is found.
func withVersion(id parley.MessageID, version byte) parley.MessageID {
	id[6] = id[6]&0x0f | version<<4
	return id
}

// isHandOver says whether an id is that of an answer that says that people go on.
func isHandOver(ctx context.Context, tx parley.Tx, tenant parley.TenantID, id parley.MessageID) (bool, error) {
	question := withVersion(id, 7)
	if withVersion(question, 8) != id {
		return false, nil
	}
	conversation, seq, err := tx.Interaction(ctx, tenant, question)
	var t parley.Turn
	if err == nil {
		t, err = tx.Turn(ctx, tenant, conversation, seq)
	}
	if parley.KindOf(err) == parley.NotFound {
		return false, nil
	}
	return sawHandOver(&t), err
}

// sawHandOver says whether the answers to a turn end with one that says that people go on.
func sawHandOver(t *parley.Turn) bool { return t.Status == parley.TurnAnswered && t.Result.HandOver }

// peopleState says whether people are there already, when a question was asked: somebody who said a name, or anything, since the hand-over.
func peopleState(ctx context.Context, tx parley.Tx, c *parley.Conversation, seq int64) (string, error) {
	switch {
	case c.Owner.Kind != parley.OwnerAgent:
		return "waiting", nil
	case c.Owner.Name != "":
		return "agent", nil
	}
	for m, err := range backwards(ctx, tx, c, seq) {
		switch {
		case err != nil:
			return "", err
		case m.Sender.IsAgent():
			return "agent", nil
		case m.Body.HandOver:
			return "waiting", nil
		}
	}
	return "waiting", nil
}

// lookBack bounds what is read of a conversation with people at once.
const lookBack = 200

// backwards are the messages of a conversation before the one with the given Seq, newest first. They end with an error.
func backwards(ctx context.Context, tx parley.Tx, c *parley.Conversation, seq int64) iter.Seq2[parley.Message, error] {
	return func(yield func(parley.Message, error) bool) {
		for before := seq; before > 1; {
			page, err := tx.Messages(ctx, parley.MessageQuery{Tenant: c.Tenant, Conversation: c.ID, Before: before, Limit: lookBack, Newest: true})
			if err != nil {
				yield(parley.Message{}, err)
				return
			}
			if len(page) == 0 {
				return
			}
			for _, m := range slices.Backward(page) {
				if !yield(m, nil) {
					return
				}
			}
			before = page[0].Seq
		}
	}
}

// An unheard is what a channel has not heard yet.
type unheard struct {
	said   []parley.Message // by people, since the last answer that it got
	people bool             // they had the conversation then
}

// fromPeople is what the channel has not heard yet when it asks the question with the given Seq. A question that came to nothing had no answer
// to hear it with, and one of another surface was answered there.
func fromPeople(ctx context.Context, tx parley.Tx, c *parley.Conversation, seq int64) (u unheard, err error) {
	defer func() { slices.Reverse(u.said) }()
	for m, err := range backwards(ctx, tx, c, seq) {
		if err != nil {
			return u, err
		}
		if m.Sender.IsAgent() {
			u.said = append(u.said, m)
		}
		asked := m.Body.Turn
		if m.Sender != parley.Customer || m.Type != parley.TypeText || asked == nil || asked.Surface != surface && asked.Surface != "" {
			continue
		}
		t, err := tx.Turn(ctx, c.Tenant, c.ID, m.Seq)
		if err != nil && parley.KindOf(err) != parley.NotFound {
			return u, err
		}
		if err != nil || t.Status != parley.TurnFailed {
			u.people = t.Status == parley.TurnHuman || t.Result.HandOver
			return u, nil
		}
	}
	return u, nil
}

// farewell is the one answer of a session that is over while the channel does not know it: what people said last, if they said anything that it
// has not heard, or ended it. nil if there is nothing to tell.
func (s *Surface) farewell(ctx context.Context, a *ask, now *session) (*reply, error) {
	c := &now.conversation
	var before unheard
	var last parley.Message
	err := s.Store.View(ctx, func(tx parley.Tx) error {
		page, err := tx.Messages(ctx, parley.MessageQuery{Tenant: c.Tenant, Conversation: c.ID, Limit: 1, Newest: true})
		if err != nil || len(page) == 0 {
			return err
		}
		last = page[0]
		if last.Sender.IsAgent() || c.State.Escalated {
			before, err = fromPeople(ctx, tx, c, last.Seq+1)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	out := newReply(a.sent, c.ID, last.ID, c.State.Bot.Contexts.Open, c.State.Bot.Contexts.Visible)
	out.add(before.said)
	if len(out.Answers) == 0 && !last.Sender.IsAgent() {
		return nil, nil
	}
	out.handOver("closed")
	return out, s.Store.Update(ctx, func(tx parley.Tx) error {
		told, err := tx.BotSession(ctx, a.tenant.ID, c.ID) // another node may be telling it, too
		switch {
		case err != nil:
			return err
		case !s.mayHear(a, &told):
			out = nil
		case told.Told.IsZero():
			told.Told, told.ToldTo = s.now(), requestMark(a.request)
			return tx.PutBotSession(ctx, told)
		}
		return nil
	})
}

// mayHear says whether the channel has not had its farewell yet, or asks for it again with the request that had it: the answer may be lost.
func (s *Surface) mayHear(a *ask, now *parley.BotSession) bool {
	return now.Told.IsZero() || a.request != "" && now.ToldTo == requestMark(a.request) && s.now().Sub(now.Told) < repeatFor
}

// requestMark is what is kept of the name of a request that had a farewell; 0 = it has none.
func requestMark(request string) uint32 {
	if request == "" {
		return 0
	}
	h := fnv.New32a()
	_, _ = io.WriteString(h, request)  // never fails
	return max(1, h.Sum32()&(1<<31-1)) // 31 bits
}
