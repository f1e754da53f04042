package broker

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/gorilla/mux"

	"parley"
	"parley/rest/api"
)

// The elements of a history (reference 9).
type historyEntry struct {
	Session          historySession       `json:"session"`
	UserInteractions []historyInteraction `json:"userInteractions"`
}

type historySession struct {
	SessionCode            string    `json:"sessionCode"`
	CreateDate             api.Time  `json:"createDate"`
	ExpireDate             *api.Time `json:"expireDate"`
	BusinessKey            string    `json:"businessKey"`
	SessionType            string    `json:"sessionType"`
	BotID                  string    `json:"botId"`
	ChannelID              string    `json:"channelId"`
	OperatingSystem        *string   `json:"operatingSystem"`
	OperatingSystemVersion *string   `json:"operatingSystemVersion"`
	Browser                *string   `json:"browser"`
	BrowserVersion         *string   `json:"browserVersion"`
	UserRef                string    `json:"userRef"`
	Locale                 string    `json:"locale"`
	Test                   bool      `json:"test"`
}

type historyInteraction struct {
	ID          int64    `json:"id"`
	CreateDate  api.Time `json:"createDate"`
	SessionCode string   `json:"sessionCode"`
	UserSent    bool     `json:"userSent"`
	AnswerUUID  *string  `json:"answerUuid"`
	Text        string   `json:"text"`
	Intent      *string  `json:"intent"`
	Confidence  float64  `json:"confidence"`
	Entities    string   `json:"entities"` // JSON in a string
	UserSentID  *string  `json:"userSentId"`
	Evaluation  *bool    `json:"evaluation"`
	UUID        string   `json:"uuid"`
}

const (
	maxHistory  = 100 // sessions
	historyPage = 500 // messages
)

// history is what a business user and bots said to each other.
func (s *Surface) history(w http.ResponseWriter, r *http.Request) error {
	p, err := s.withKey(r)
	if r.Header.Get("Api-Key") == "" {
		p, err = s.asAdministrator(r)
	}
	if err != nil {
		return err
	}
	key := mux.Vars(r)["businessKey"] // percent-decoded
	if utf8.RuneCountInString(key) > maxBusinessKey {
		return errNotFound
	}
	ctx := r.Context()
	var sessions []parley.BotSession
	if err := s.Store.View(ctx, func(tx parley.Tx) (err error) {
		sessions, err = tx.BotSessionsOf(ctx, p.tenant.ID, key, maxHistory)
		return err
	}); err != nil {
		return err
	}
	entries := []historyEntry{}
	for _, session := range slices.Backward(sessions) {
		entry, err := s.entry(ctx, session)
		if err != nil {
			return err
		}
		entries = append(entries, entry)
	}
	api.WriteJSON(w, http.StatusOK, entries)
	return nil
}

// entry is one session with everything that was said in it.
func (s *Surface) entry(ctx context.Context, of parley.BotSession) (e historyEntry, err error) {
	now := session{BotSession: of}
	var messages []parley.Message
	turns := map[int64]parley.Turn{}
	var ratings map[int64]parley.Rating
	var account parley.Account
	err = s.Store.View(ctx, func(tx parley.Tx) (err error) {
		if now.conversation, err = tx.Conversation(ctx, of.Tenant, of.Conversation); err != nil {
			return err
		}
		if account, err = tx.Accounts().Find(ctx, of.Tenant, now.conversation.Account); parley.KindOf(err) == parley.NotFound {
			err = nil // the channel was deleted
		}
		if err != nil {
			return err
		}
		for after := int64(0); ; {
			page, err := tx.Messages(ctx, parley.MessageQuery{Tenant: of.Tenant, Conversation: of.Conversation, After: after, Limit: historyPage})
			if err != nil {
				return err
			}
			messages = append(messages, page...)
			if len(page) < historyPage {
				break
			}
			after = page[len(page)-1].Seq
		}
		for after := int64(0); ; {
			page, err := tx.TurnsOf(ctx, of.Tenant, of.Conversation, after, historyPage)
			if err != nil {
				return err
			}
			for _, t := range page {
				turns[t.Seq] = t
				after = t.Seq
			}
			if len(page) < historyPage {
				break
			}
		}
		ratings, err = tx.Ratings(ctx, of.Tenant, of.Conversation)
		return err
	})
	if err != nil {
		return e, err
	}
	e = historyEntry{Session: showSession(&now, &account, len(turns), s.now()), UserInteractions: []historyInteraction{}}
	question, asked := "", parley.Turn{}
	for i := range messages {
		m := &messages[i]
		if m.Sender == parley.Customer && m.Type == parley.TypeText {
			question, asked = m.ID.String(), turns[m.Seq]
			e.UserInteractions = append(e.UserInteractions, showQuestion(m, asked))
			continue
		}
		if m.Body.HandOver && sawHandOver(&asked) {
			shown := showAnswer(m, handOverAnswer(&asked), question, nil)
			shown.UUID = withVersion(asked.Question, 8).String()
			e.UserInteractions = append(e.UserInteractions, shown)
			asked = parley.Turn{}
			continue
		}
		shown, ok := answerOf(m)
		if !ok || !m.Sender.IsBot() && !m.Sender.IsAgent() {
			continue
		}
		e.UserInteractions = append(e.UserInteractions, showAnswer(m, shown, question, ratings))
	}
	return e, nil
}

func showSession(of *session, account *parley.Account, turns int, now time.Time) historySession {
	c, at := &of.conversation, clientIn(&of.conversation)
	out := historySession{SessionCode: c.ID.String(), CreateDate: api.Time(of.Created), BusinessKey: of.BusinessKey, SessionType: "CREATED", BotID: of.Bot.String(),
		ChannelID: c.Account.String(), OperatingSystem: api.Some(at.System), OperatingSystemVersion: api.Some(at.SystemVersion), Browser: api.Some(at.Browser),
		BrowserVersion: api.Some(at.BrowserVersion), UserRef: at.UserRef, Locale: at.Locale, Test: c.State.Bot.Test}
	if turns > 1 {
		out.SessionType = "UPDATED"
	}
	expires := of.expires(timeoutOf(account))
	switch {
	case c.Status == parley.Ended:
		out.SessionType, expires = "EXPIRED", c.Ended
	case !expires.IsZero() && !now.Before(expires): // the next turn would find it over
		out.SessionType = "EXPIRED"
	}
	if !expires.IsZero() {
		out.ExpireDate = new(api.Time(expires))
	}
	return out
}

func showQuestion(m *parley.Message, t parley.Turn) historyInteraction {
	out := historyInteraction{ID: int64(parley.NumberOf(m.ID)), CreateDate: api.Time(m.Created), SessionCode: m.Conversation.String(), UserSent: true, Entities: "[]", UUID: m.ID.String()}
	if m.Body.Content != nil {
		out.Text = m.Body.Content.Text
	}
	if n := t.Result.NLP; n != nil && n.Type != parley.NLPNone {
		out.Intent, out.Confidence = &n.Name, n.Score
		entities := []nlpEntity{}
		for _, e := range n.Entities {
			entities = append(entities, nlpEntity{e.Name, e.Value, e.Original, position{e.Start, e.End}})
		}
		if text, err := json.Marshal(entities); err == nil {
			out.Entities = string(text)
		}
	}
	return out
}

func showAnswer(m *parley.Message, shown answer, question string, ratings map[int64]parley.Rating) historyInteraction {
	out := historyInteraction{ID: int64(parley.NumberOf(m.ID)), CreateDate: api.Time(m.Created), SessionCode: m.Conversation.String(), Entities: "[]",
		UserSentID: api.Some(question), UUID: m.ID.String()}
	if text, ok := shown.Content.(string); ok && (shown.Type == parley.AnswerText || shown.Type == parley.AnswerOptions) {
		out.Text = text
	} else if content, err := json.Marshal(shown.Content); err == nil {
		out.Text = string(content)
	}
	if a := m.Body.Answer; a != nil {
		out.AnswerUUID = api.Some(a.ID)
	}
	if r, ok := ratings[m.Seq]; ok {
		out.Evaluation = &r.Helpful
	}
	return out
}
