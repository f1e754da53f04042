package broker

import (
	"cmp"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gorilla/mux"

	"parley"
	"parley/ident"
	"parley/rest/api"
)

const (
	maxComments  = 2000 // characters
	maxRequester = 100
	// surveyFor is how long after its end a session may still be surveyed.
	surveyFor = 24 * time.Hour
)

// satisfaction keeps what a customer thought of a session (reference 7).
func (s *Surface) satisfaction(w http.ResponseWriter, r *http.Request) error {
	p, err := s.withKey(r)
	if err != nil {
		return err
	}
	id, err := parley.ParseID[parley.ClientApplication](strings.ToLower(mux.Vars(r)["bot"]))
	if err != nil {
		return errNotFound
	}
	var app parley.ClientApplication
	err = s.Store.View(r.Context(), func(tx parley.Tx) (err error) {
		app, err = tx.Applications().Find(r.Context(), p.tenant.ID, id)
		return err
	})
	if parley.KindOf(err) == parley.NotFound || err == nil && app.Bot == nil {
		return errNotFound
	}
	if err != nil {
		return err
	}
	if _, err := localeOf(r); err != nil {
		return err
	}
	var body struct {
		Evaluation    *int32  `json:"evaluation"`
		Answered      *bool   `json:"answered"`
		UserComments  *string `json:"userComments"`
		ExpireSession *bool   `json:"expireSession"`
	}
	if err := read(r, &body); err != nil {
		return err
	}
	survey := parley.Survey{ID: ident.New[parley.Message](), At: s.now(), Answered: body.Evaluation != nil, Comments: api.Value(body.UserComments)}
	switch {
	case body.Evaluation == nil && body.Answered == nil:
		return fail(http.StatusUnprocessableEntity, "INVALID_VALUE", "a survey needs evaluation or answered")
	case body.Evaluation != nil && (*body.Evaluation < 1 || *body.Evaluation > 5):
		return fail(http.StatusUnprocessableEntity, "INVALID_VALUE", "evaluation must be from 1 to 5")
	case utf8.RuneCountInString(survey.Comments) > maxComments || strings.ContainsRune(survey.Comments, 0):
		return fail(http.StatusUnprocessableEntity, "INVALID_VALUE", "userComments may have 2000 characters")
	}
	if body.Answered != nil {
		survey.Answered = *body.Answered
	}
	if body.Evaluation != nil && survey.Answered {
		survey.Evaluation = int(*body.Evaluation)
	}
	conversation, err := parley.ParseID[parley.Conversation](strings.ToLower(mux.Vars(r)["session"]))
	if err != nil {
		return errSession
	}
	ctx := r.Context()
	var now session
	err = s.Store.Update(ctx, func(tx parley.Tx) (err error) {
		if now.BotSession, err = tx.BotSession(ctx, p.tenant.ID, conversation); err != nil {
			return err
		}
		if now.conversation, err = tx.Conversation(ctx, p.tenant.ID, conversation); err != nil {
			return err
		}
		if now.Bot != id {
			return errSession
		}
		if c := &now.conversation; c.Status == parley.Ended && s.now().Sub(c.Ended) > surveyFor {
			return errExpired
		}
		by, err := s.Hub.Redactor(ctx, tx, p.tenant.ID)
		if err != nil {
			return err
		}
		survey.Conversation, survey.Comments = conversation, parley.RedactedText(by, now.conversation.State.Language, api.Value(body.UserComments))
		return tx.PutSurvey(ctx, p.tenant.ID, survey)
	})
	if parley.KindOf(err) == parley.NotFound {
		err = errSession
	}
	if err == nil && body.ExpireSession != nil && *body.ExpireSession {
		err = s.Hub.End(ctx, p.tenant.ID, conversation, "the survey asked for the end")
	}
	if err != nil {
		return err
	}
	contexts := now.conversation.State.Bot.Contexts
	api.WriteJSON(w, http.StatusOK, newReply(nil, conversation, survey.ID, contexts.Open, contexts.Visible))
	return nil
}

// likable keeps whether an answer helped (reference 8).
func (s *Surface) likable(w http.ResponseWriter, r *http.Request) error {
	p, err := s.withKey(r)
	if err != nil {
		return err
	}
	requester := strings.TrimSpace(r.URL.Query().Get("requesterId"))
	if requester == "" || utf8.RuneCountInString(requester) > maxRequester || strings.ContainsRune(requester, 0) {
		return fail(http.StatusBadRequest, "INVALID_PARAMETER", "requesterId is missing, or has more than 100 characters")
	}
	var body struct {
		Evaluation    *bool   `json:"evaluation"`
		InteractionID *string `json:"interactionId"`
	}
	if err := read(r, &body); err != nil {
		return err
	}
	if body.Evaluation == nil || body.InteractionID == nil {
		return fail(http.StatusBadRequest, "MALFORMED_BODY", "evaluation and interactionId are required")
	}
	id, err := parley.ParseID[parley.Message](strings.ToLower(*body.InteractionID))
	if err != nil {
		return errInteraction
	}
	ctx := r.Context()
	err = s.Store.Update(ctx, func(tx parley.Tx) error {
		conversation, seq, err := tx.Interaction(ctx, p.tenant.ID, id)
		if parley.KindOf(err) == parley.NotFound {
			if handOver, wrong := isHandOver(ctx, tx, p.tenant.ID, id); handOver || wrong != nil {
				return cmp.Or[error](wrong, errNotEvaluable)
			}
		}
		if err != nil {
			return err
		}
		page, err := tx.Messages(ctx, parley.MessageQuery{Tenant: p.tenant.ID, Conversation: conversation, After: seq - 1, Before: seq + 1, Limit: 1})
		if err != nil || len(page) == 0 {
			return err
		}
		if a := page[0].Body.Answer; a == nil || !a.Evaluable {
			return errNotEvaluable
		}
		return tx.PutRating(ctx, p.tenant.ID, parley.Rating{Conversation: conversation, Seq: seq, Requester: requester, Helpful: *body.Evaluation, At: s.now()})
	})
	if parley.KindOf(err) == parley.NotFound {
		return errInteraction
	}
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("OK")) // the caller has gone; there is nobody to tell
	return nil
}
