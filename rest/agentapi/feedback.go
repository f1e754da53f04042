package agentapi

import (
	"parley"
	"parley/ident"
	"parley/rest/api"
)

// givenFeedback is the answer to a feedback (reference 5).
type givenFeedback struct {
	ID        string   `json:"id"`
	Message   string   `json:"conversationMessageId"`
	VoteType  string   `json:"voteType"`
	Question  *string  `json:"question"`
	Answer    *string  `json:"answer"`
	Comment   *string  `json:"comment"`
	CreatedAt api.Time `json:"createdAt"`
	UpdatedAt api.Time `json:"updatedAt"`
}

// feedback keeps what a user thinks of a message.
func (s *Surface) feedback(r *request) (answer, error) {
	b, err := read(r)
	if err != nil {
		return answer{}, err
	}
	messageID, userID := requiredID[parley.Message](b, "conversationMessageId"), requiredID[parley.AgentUser](b, "userId")
	vote := b.requiredChoice("voteType", "up", "down")
	now := s.now()
	f := parley.Feedback{ID: ident.New[parley.Feedback](), User: userID, Up: vote == "up", Question: new(b.required("question", maxMessage)), Created: now, Modified: now}
	if text, ok := b.text("answer", maxMessage); ok {
		f.Answer = &text
	}
	if text, ok := b.text("comment", maxLong); ok {
		f.Comment = &text
	}
	if err := b.err(); err != nil {
		return answer{}, err
	}
	ctx, given := r.Context(), f
	err = s.Store.Update(ctx, func(tx parley.Tx) error {
		if _, err := tx.AgentUser(ctx, r.tenant, r.agent.ID, userID); err != nil {
			return err
		}
		if f.Conversation, f.Seq, err = tx.Interaction(ctx, r.tenant, messageID); err != nil {
			return err
		}
		a, err := tx.AgentConversation(ctx, r.tenant, r.agent.ID, f.Conversation)
		if err != nil {
			return err
		}
		by, err := s.Hub.Redactor(ctx, tx, r.tenant)
		if err != nil {
			return err
		}
		redacted := func(said *string) *string {
			if said == nil {
				return nil
			}
			return new(parley.RedactedText(by, a.Conversation.State.Language, *said))
		}
		f.Question, f.Answer, f.Comment = redacted(given.Question), redacted(given.Answer), redacted(given.Comment)
		if f, err = tx.PutFeedback(ctx, r.tenant, f); err != nil {
			return err
		}
		a.Judged, a.JudgeAt = 0, now // the score may change, though nothing was said
		return tx.PutAgentConversation(ctx, a)
	})
	return created(givenFeedback{f.ID.String(), messageID.String(), voteOf(f.Up), f.Question, f.Answer, f.Comment, api.Time(f.Created), api.Time(f.Modified)}), err
}
