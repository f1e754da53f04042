package agentapi

import (
	"context"
	"fmt"
	"slices"

	"parley"
	"parley/hub"
	"parley/rest/api"
)

// messages lists what was said (reference 4.8).
func (s *Surface) messages(r *request) (answer, error) {
	a, err := s.conversation(r)
	if err != nil {
		return answer{}, err
	}
	q := &query{values: r.URL.Query()}
	rated, descending := q.flag("shouldIncludeFeedbacks"), q.choice("orderDirection", "ASC", "DESC") == "DESC"
	if err := q.err(); err != nil {
		return answer{}, err
	}
	ctx := r.Context()
	out := []message{}
	err = s.Store.View(ctx, func(tx parley.Tx) error {
		var err error
		if a, err = tx.AgentConversation(ctx, r.tenant, r.agent.ID, a.Conversation.ID); err != nil { // its open turns, at the same moment as the rest
			return err
		}
		t, err := readTranscript(ctx, tx, &a, 0, 0)
		if err != nil {
			return err
		}
		if rated {
			all, err := tx.Feedbacks(ctx, r.tenant, []parley.ConversationID{a.Conversation.ID})
			if err != nil {
				return err
			}
			t.rate(all[a.Conversation.ID])
		}
		out = append(out[:0], t.messages...)
		return nil
	})
	if descending {
		slices.Reverse(out)
	}
	return ok(map[string][]message{"messages": out}), err
}

// rate adds what users thought of each message.
func (t *transcript) rate(all []parley.Feedback) {
	for i := range t.messages {
		t.messages[i].Feedbacks = &[]feedback{}
	}
	for i := range all {
		at, known := t.places[all[i].Seq]
		if !known {
			continue
		}
		shown := showFeedback(&all[i])
		shown.CreatedAt, shown.UpdatedAt = nil, nil
		*t.messages[at].Feedbacks = append(*t.messages[at].Feedbacks, shown)
	}
}

// said is what a caller sends.
type said struct {
	text    string
	context string
	files   []parley.Attachment
}

// readSaid reads the body of a send.
func (s *Surface) readSaid(r *request, b *body, a *parley.AgentConversation) (m said, err error) {
	m = said{text: b.required("message", maxMessage), context: b.optional("context", maxContext)}
	files := s.readFiles(b)
	if err := b.err(); err != nil {
		return m, err
	}
	m.files, err = s.attach(r, a, files)
	return m, err
}

// send says something and waits for what the agent answers (reference 4.9).
func (s *Surface) send(r *request) (answer, error) {
	a, posted, err := s.ask(r)
	if err != nil {
		return answer{}, err
	}
	ctx := r.Context()
	waiting, cancel := context.WithTimeout(ctx, parley.MaxTurn)
	defer cancel()
	t, err := s.Hub.AwaitTurn(waiting, r.tenant, a.Conversation.ID, posted.Seq)
	if err != nil {
		return answer{}, agentFailed(err)
	}
	switch outcome, why := outcomeOf(t); outcome {
	case turnAnswered:
		reply, err := s.one(ctx, &a, posted.Seq, t.First, t.Last)
		return created(reply), err
	case turnFailed:
		return answer{}, agentFailed(fmt.Errorf("turn %d of conversation %s: %s", t.Seq, t.Conversation, why))
	}
	question, err := s.one(ctx, &a, posted.Seq-1, posted.Seq, posted.Seq)
	return created(question), err
}

// sendAsync says something; the answer is asked for later (reference 4.10).
func (s *Surface) sendAsync(r *request) (answer, error) {
	a, posted, err := s.ask(r)
	if err != nil {
		return answer{}, err
	}
	question, err := s.one(r.Context(), &a, posted.Seq-1, posted.Seq, posted.Seq)
	return created(question), err
}

// ask posts what a user says.
func (s *Surface) ask(r *request) (a parley.AgentConversation, posted hub.Posted, err error) {
	a, b, err := s.conversationAndBody(r)
	if err != nil {
		return a, posted, err
	}
	m, err := s.readSaid(r, b, &a)
	if err != nil {
		return a, posted, err
	}
	ctx := r.Context()
	if err := s.speak(ctx, &a); err != nil {
		return a, posted, err
	}
	d := parley.Draft{Conversation: a.Conversation.ID, Type: parley.TypeText, Sender: parley.Customer, Asks: true, Background: new(background(&a)),
		Body: parley.Body{Content: &parley.Content{Text: m.text}, Attachments: m.files, Turn: &parley.TurnInput{Note: m.context, Surface: surface}}}
	all, err := s.post(ctx, r, d)
	if err != nil {
		return a, posted, err
	}
	return a, all[0], nil
}

func (s *Surface) post(ctx context.Context, r *request, drafts ...parley.Draft) ([]hub.Posted, error) {
	return s.Hub.Post(ctx, hub.PostRequest{Speaker: parley.Speaker{Tenant: r.tenant}, Surface: surface, Trace: api.Traceparent(ctx), Drafts: drafts})
}

// speak notes that something is said: the conversation is active again, and is to be judged anew.
func (s *Surface) speak(ctx context.Context, a *parley.AgentConversation) error {
	if a.Status == parley.AgentActive {
		return s.stir(ctx, a)
	}
	return s.change(ctx, a, func(_ parley.Tx, a *parley.AgentConversation) error {
		a.Status, a.JudgeAt = parley.AgentActive, s.now()
		return nil
	})
}

// stir notes that a conversation is to be judged anew.
func (s *Surface) stir(ctx context.Context, a *parley.AgentConversation) error {
	if !a.JudgeAt.IsZero() {
		return nil
	}
	return s.change(ctx, a, func(_ parley.Tx, a *parley.AgentConversation) error {
		if a.JudgeAt.IsZero() {
			a.JudgeAt = s.now()
		}
		return nil
	})
}

// one is the message that says what was said from one place to another; after is a place before it.
func (s *Surface) one(ctx context.Context, a *parley.AgentConversation, after, first, last int64) (m message, err error) {
	err = s.Store.View(ctx, func(tx parley.Tx) error {
		t, err := readTranscript(ctx, tx, a, after, last)
		if err != nil {
			return err
		}
		for seq := first; seq <= last; seq++ {
			if found, ok := t.at(seq); ok {
				m = found
				return nil
			}
		}
		return fmt.Errorf("message %d of conversation %s says nothing", first, a.Conversation.ID)
	})
	return m, err
}

// An outcome is what became of a question.
type outcome int

const (
	turnPending  outcome = iota // nobody has answered yet, or people are to
	turnAnswered                // by the agent
	turnFailed
)

// outcomeOf says what became of a turn, and why it failed.
func outcomeOf(t *parley.Turn) (outcome, string) {
	switch {
	case t.Status == parley.TurnAnswered && t.First > 0:
		return turnAnswered, ""
	case t.Status == parley.TurnAnswered && !t.Result.HandOver:
		return turnFailed, "the agent had nothing to say"
	case t.Status == parley.TurnFailed:
		return turnFailed, t.Problem
	case t.Status == parley.TurnDropped:
		return turnFailed, "the conversation ended before the agent answered"
	}
	return turnPending, ""
}

// A response is what became of a question (reference 4.11).
type response struct {
	Status  string   `json:"status"`
	Message *message `json:"message"`
	Error   *string  `json:"error"`
}

// responseOn says what became of a question.
func (s *Surface) responseOn(r *request) (answer, error) {
	a, err := s.conversation(r)
	if err != nil {
		return answer{}, err
	}
	id, err := named[parley.Message](r, "questionMessageId")
	if err != nil {
		return answer{}, err
	}
	ctx := r.Context()
	out := response{Status: "pending"}
	err = s.Store.View(ctx, func(tx parley.Tx) error {
		question, err := findQuestion(ctx, tx, &a, id)
		if err != nil {
			return err
		}
		turn, err := tx.Turn(ctx, r.tenant, a.Conversation.ID, question.Seq)
		if err != nil && parley.KindOf(err) != parley.NotFound {
			return err
		}
		outcome, why := outcomeOf(&turn)
		out = response{Status: "pending"}
		switch outcome {
		case turnFailed:
			out = response{Status: "failed", Error: &why}
			return nil
		case turnAnswered:
			t, err := readTranscript(ctx, tx, &a, question.Seq, turn.Last)
			if err != nil {
				return err
			}
			for seq := turn.First; seq <= turn.Last; seq++ {
				if reply, ok := t.at(seq); ok {
					out = response{Status: "completed", Message: &reply}
					return nil
				}
			}
			out = response{Status: "failed", Error: new("the answer was deleted")}
			return nil
		}
		if turn.Status == parley.TurnOpen {
			return nil
		}
		t, err := readTranscript(ctx, tx, &a, question.Seq, 0)
		if err != nil {
			return err
		}
		for i := range t.messages { // a person may have named the question
			if m := &t.messages[i]; m.SenderRole == rolePerson && m.Question == id.String() {
				out = response{Status: "completed", Message: m}
				break
			}
		}
		return nil
	})
	return ok(out), err
}

// findQuestion is what a user said under that id.
func findQuestion(ctx context.Context, tx parley.Tx, a *parley.AgentConversation, id parley.MessageID) (parley.Message, error) {
	m, err := tx.FindMessage(ctx, a.Conversation.Tenant, a.Conversation.ID, parley.Customer, id.String())
	if err == nil && (m.Sender != parley.Customer || m.Type != parley.TypeText || m.ID != id) {
		err = errNotFound
	}
	return m, err
}

// sendManual says what a person says (reference 4.13).
func (s *Surface) sendManual(r *request) (answer, error) {
	a, b, err := s.conversationAndBody(r)
	if err != nil {
		return answer{}, err
	}
	questionID := id[parley.Message](b, "conversationMessageId")
	author := b.optional("authorId", maxShort)
	m, err := s.readSaid(r, b, &a)
	if err != nil {
		return answer{}, err
	}
	ctx := r.Context()
	var attributes []parley.Attribute
	if !questionID.IsZero() {
		if err := s.Store.View(ctx, func(tx parley.Tx) error {
			_, err := findQuestion(ctx, tx, &a, questionID)
			return err
		}); err != nil {
			return answer{}, err
		}
		attributes = append(attributes, parley.Attribute{Name: attributeQuestion, Value: questionID.String()})
	}
	if author != "" {
		attributes = append(attributes, parley.Attribute{Name: attributeAuthor, Value: author})
	}
	switch {
	case !a.Conversation.Manual():
		return answer{}, bad("mode", "must be manual before people can speak")
	case a.Channel == channelVoice:
		return answer{}, bad("channel", "must not be voice")
	}
	if err := s.settle(ctx, &a); err != nil {
		return answer{}, err
	}
	owner := a.Conversation.Owner
	d := parley.Draft{Conversation: a.Conversation.ID, Type: parley.TypeText, Sender: parley.CustomAgent,
		Body: parley.Body{Content: &parley.Content{Text: m.text}, Attachments: m.files, Attributes: attributes}}
	if owner.Role.IsAgent() {
		d.Sender = owner.Role
	}
	drafts := []parley.Draft{d}
	if owner.Kind == parley.OwnerQueue { // whoever speaks has the conversation
		join := d
		join.Type, join.Body = parley.TypeAgentJoin, parley.Body{}
		drafts = []parley.Draft{join, d}
	}
	if err := s.speak(ctx, &a); err != nil {
		return answer{}, err
	}
	posted, err := s.post(ctx, r, drafts...)
	if err != nil {
		return answer{}, err
	}
	seq := posted[len(posted)-1].Seq
	shown, err := s.one(ctx, &a, seq-1, seq, seq)
	return ok(shown), err
}

// settle waits until the agent has finished what it was asked before people took over.
func (s *Surface) settle(ctx context.Context, a *parley.AgentConversation) error {
	waiting, cancel := context.WithTimeout(ctx, parley.MaxTurn)
	defer cancel()
	for len(a.Conversation.State.Bot.Open) > 0 {
		if _, err := s.Hub.AwaitTurn(waiting, a.Conversation.Tenant, a.Conversation.ID, a.Conversation.State.Bot.Open[0].Seq); err != nil {
			return err
		}
		if err := s.Store.View(ctx, func(tx parley.Tx) (err error) {
			*a, err = tx.AgentConversation(ctx, a.Conversation.Tenant, a.Agent, a.Conversation.ID)
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}
