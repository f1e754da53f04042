package broker

import (
	"context"
	"encoding/json"
	"fmt"

	"parley"
)

// A reply is the answer to a turn. Every member is always there, and no other is: clients rely on both (reference 4.2).
type reply struct {
	Text                *string         `json:"text"`
	SessionCode         string          `json:"sessionCode"`
	UserInteractionUUID string          `json:"userInteractionUUID"`
	UserInput           *userInput      `json:"userInput"`
	NLPResponse         nlpResponse     `json:"nlpResponse"`
	Answers             []answer        `json:"answers"`
	Context             json.RawMessage `json:"context"`
	ContextReadOnly     json.RawMessage `json:"contextReadOnly"`
}

type userInput struct {
	Type         string `json:"type"`
	CallToAction string `json:"callToAction"`
	Pattern      string `json:"pattern"`
}

type nlpResponse struct {
	Type     string      `json:"type"`
	Name     string      `json:"name"`
	Score    float64     `json:"score"`
	Entities []nlpEntity `json:"entities"`
}

type nlpEntity struct {
	Name          string   `json:"name"`
	Value         string   `json:"value"`
	OriginalValue string   `json:"originalValue"`
	Position      position `json:"position"`
}

type position struct {
	Start int `json:"start"`
	End   int `json:"end"`
}

type answer struct {
	Content       any             `json:"content"`       // a string, or the cards of a carousel
	TechnicalText json.RawMessage `json:"technicalText"` // an object or null
	Buttons       []button        `json:"buttons"`
	QuickReply    []quickReply    `json:"quickReply"`
	Description   string          `json:"description"`
	Type          string          `json:"type"`
	InteractionID string          `json:"interactionId"`
	Evaluable     bool            `json:"evaluable"`
	Masked        bool            `json:"masked"`
}

type button struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Type   string `json:"type"`
	Action string `json:"action"`
}

type quickReply struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type card struct {
	ImageURL string   `json:"imageUrl"`
	Title    string   `json:"title"`
	SubTitle string   `json:"subTitle"`
	Buttons  []button `json:"buttons"`
}

// replyTo is the answer to a turn that is over. It is the same however often it is made.
func (s *Surface) replyTo(ctx context.Context, a *ask, t *parley.Turn) (*reply, error) {
	var c parley.Conversation
	var said []parley.Message
	var before unheard
	people := "" // the state of those who have it
	err := s.Store.View(ctx, func(tx parley.Tx) (err error) {
		if c, err = tx.Conversation(ctx, a.tenant.ID, t.Conversation); err != nil {
			return err
		}
		if t.First > 0 {
			said, err = tx.Messages(ctx, parley.MessageQuery{Tenant: a.tenant.ID, Conversation: c.ID, After: t.First - 1, Before: t.Last + 1, Limit: int(t.Last - t.First + 1)})
		}
		if err == nil && (t.Status == parley.TurnHuman || c.State.Escalated) {
			before, err = fromPeople(ctx, tx, &c, t.Seq)
		}
		if err == nil && t.Status == parley.TurnHuman {
			people, err = peopleState(ctx, tx, &c, t.Seq)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read what was answered: %w", err)
	}
	out := newReply(a.sent, c.ID, t.Question, t.Result.Open, t.Result.Visible)
	if n := t.Result.NLP; n != nil {
		out.NLPResponse = nlpResponse{Type: n.Type, Name: n.Name, Score: n.Score, Entities: []nlpEntity{}}
		for _, e := range n.Entities {
			out.NLPResponse.Entities = append(out.NLPResponse.Entities, nlpEntity{e.Name, e.Value, e.Original, position{e.Start, e.End}})
		}
	}
	if w := t.Result.Await; w != nil {
		out.UserInput = &userInput{w.Type, w.CallToAction, w.Pattern}
	}
	out.add(before.said) // nobody else tells the channel, also if a bot answers meanwhile
	out.add(said)
	switch {
	case t.Status == parley.TurnHuman:
		out.handOver(people)
	case sawHandOver(t):
		out.Answers = append(out.Answers, handOverAnswer(t))
		out.handOver("waiting")
	case before.people:
		out.handOver("closed")
	}
	return out, nil
}

// add answers with what was said.
func (r *reply) add(said []parley.Message) {
	for i := range said {
		if shown, ok := answerOf(&said[i]); ok {
			r.Answers = append(r.Answers, shown)
		}
	}
}

func newReply(text *string, session parley.ConversationID, question parley.MessageID, open, visible json.RawMessage) *reply {
	return &reply{Text: text, SessionCode: session.String(), UserInteractionUUID: question.String(), NLPResponse: nlpResponse{Type: parley.NLPNone, Entities: []nlpEntity{}},
		Answers: []answer{}, Context: orEmpty(open), ContextReadOnly: orEmpty(visible)}
}

func orEmpty(object json.RawMessage) json.RawMessage {
	if len(object) == 0 {
		return json.RawMessage("{}")
	}
	return object
}

// answerOf is a message as an answer; ok is false if it says nothing to the customer.
func answerOf(m *parley.Message) (out answer, ok bool) {
	_, rich := m.Type.Rich()
	if m.Type != parley.TypeText && !rich || m.Deleted != parley.NotDeleted || m.Body.Content == nil {
		return out, false
	}
	out = answer{Buttons: []button{}, QuickReply: []quickReply{}, Type: parley.AnswerText, InteractionID: m.ID.String(), Content: m.Body.Content.Text}
	if m.Body.Content.HTML != "" {
		out.Content = m.Body.Content.HTML
	}
	a := m.Body.Answer
	if a == nil { // of people, or of a bot that speaks as conversationmgr has it
		if rich {
			out.Type, out.TechnicalText = parley.AnswerCustom, m.Body.Content.JSON
		}
		return out, true
	}
	out.Type, out.Description, out.TechnicalText, out.Evaluable, out.Masked = a.Type, a.Description, a.Technical, a.Evaluable, a.Masked
	out.Buttons = buttonsOf(a.Buttons)
	for _, q := range a.QuickReplies {
		out.QuickReply = append(out.QuickReply, quickReply{q.Name, q.Value})
	}
	switch a.Type {
	case parley.AnswerCarousel:
		cards := []card{}
		for _, x := range a.Cards {
			cards = append(cards, card{x.ImageURL, x.Title, x.SubTitle, buttonsOf(x.Buttons)})
		}
		out.Content = cards
	case parley.AnswerImage, parley.AnswerVideo, parley.AnswerAudio, parley.AnswerDocument, parley.AnswerCustom:
		out.Content = a.Text
	}
	return out, true
}

func buttonsOf(all []parley.AnswerButton) []button {
	out := []button{}
	for _, b := range all {
		kind := b.Type
		if kind == "" {
			kind = parley.ButtonPostback
		}
		out = append(out, button{b.Name, b.Value, kind, b.Action})
	}
	return out
}
