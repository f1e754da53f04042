package broker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/mux"
	"golang.org/x/text/language"

	"parley"
	"parley/hub"
	"parley/rest/api"
)

// An ask is a turn as it was asked for.
type ask struct {
	place
	bot
	client  parley.ClientInfo
	test    bool
	input   parley.TurnInput
	text    string  // that is kept
	sent    *string // as it was sent; nil = absent
	request string  // x-request-id, if the caller named the request; "" = it did not
	trace   string
}

// prepare reads everything of a turn but its session, in the order of reference 2.
func (s *Surface) prepare(r *http.Request) (*ask, error) {
	var err error
	a := &ask{}
	if err = s.reading.pass(r.Context(), func() error { return s.whom(r, a) }); err != nil {
		return nil, err
	}
	if a.client, err = clientOf(r); err != nil {
		return nil, err
	}
	if a.test, err = isTest(r); err != nil {
		return nil, err
	}
	var body turnBody
	if err = read(r, &body); err != nil {
		return nil, err
	}
	a.sent = body.Text
	if id := r.Header.Get(requestHeader); saneRequest.MatchString(id) {
		a.request = id
	}
	a.trace = api.Traceparent(r.Context())
	a.input, a.text, err = body.input()
	a.input.Request, a.input.Surface = a.request, surface
	return a, err
}

// draft is the turn as a message.
func (a *ask) draft() (*parley.Draft, error) {
	info, err := json.Marshal(a.client)
	if err != nil {
		return nil, err
	}
	input := a.input
	return &parley.Draft{Type: parley.TypeText, Sender: parley.Customer, Asks: true, ClientInfo: info,
		Body: parley.Body{Content: &parley.Content{Text: a.text}, Turn: &input}}, nil
}

// startDraft is the turn as the message that begins a session.
func (a *ask) startDraft() (*parley.Draft, error) {
	d, err := a.draft()
	if err != nil {
		return nil, err
	}
	d.ChannelType, d.Address, d.Test, d.Language = a.channel, a.address, a.test, a.language()
	d.Customer = &parley.CustomerData{Contacts: []parley.Contact{{Type: "userRef", Address: a.client.UserRef}}}
	if a.client.BusinessKey != "" {
		d.Customer.Contacts = append(d.Customer.Contacts, parley.Contact{Type: "businessKey", Address: a.client.BusinessKey})
	}
	return d, nil
}

// language is that of the conversation: the locale as it is written elsewhere, or the bot's own if that is none.
func (a *ask) language() string {
	tag, err := language.Parse(strings.ReplaceAll(a.client.Locale, "_", "-"))
	if err != nil {
		return a.speaks
	}
	return tag.String()
}

// say posts a turn and waits until it is over. Thousands may wait here at the same time, each with all frames of its goroutine, and the runtime
// halves a stack only while less than a quarter of it is used. So what comes before and after the wait are functions of their own.
func (s *Surface) say(ctx context.Context, a *ask, d *parley.Draft) (parley.ConversationID, *parley.Turn, error) {
	id, seq, err := s.post(ctx, a, d)
	if err != nil {
		return id, nil, err
	}
	waiting, cancel := context.WithTimeout(ctx, parley.MaxTurn)
	defer cancel()
	t, err := s.Hub.AwaitTurn(waiting, a.tenant.ID, id, seq)
	return id, t, err
}

// post says a turn in its conversation, or begins that, when it is let in.
func (s *Surface) post(ctx context.Context, a *ask, d *parley.Draft) (parley.ConversationID, int64, error) {
	var posted []hub.Posted
	err := s.posting.pass(ctx, func() (err error) {
		posted, err = s.Hub.Post(ctx, hub.PostRequest{Speaker: parley.Speaker{Tenant: a.tenant.ID}, Surface: surface, Trace: a.trace, Drafts: []parley.Draft{*d}})
		return err
	})
	if err != nil {
		if why := parley.ReasonOf(err); why == parley.Inactive || why == parley.NoAccount { // since it was let in, or behind the channel
			err = errOff
		}
		return d.Conversation, 0, err
	}
	return posted[0].Conversation, posted[0].Seq, nil
}

// start begins a session.
func (s *Surface) start(w http.ResponseWriter, r *http.Request) error {
	a, err := s.prepare(r)
	if err != nil {
		return err
	}
	if p := s.limits.take(a.key); p != nil {
		return p
	}
	d, err := a.startDraft()
	if err != nil {
		return err
	}
	return s.refused(r, s.begin(r.Context(), w, a, d))
}

// refused is why a session did not begin that was let in. When the bot or the channel was switched off or deleted meanwhile, that is what whoever
// comes now hears.
func (s *Surface) refused(r *http.Request, err error) error {
	if !errors.Is(err, errOff) && !errors.Is(err, errNoEnd) {
		return err
	}
	if now, ok := errors.AsType[*problem](s.whom(r, &ask{})); ok {
		return now
	}
	return err
}

func (s *Surface) begin(ctx context.Context, w http.ResponseWriter, a *ask, d *parley.Draft) error {
	id, t, err := s.say(ctx, a, d)
	if err == nil && (t.Status == parley.TurnFailed || t.Status == parley.TurnDropped && t.First == 0) {
		err = failed(t)
	}
	if err != nil {
		return s.undone(ctx, a, id, err)
	}
	return s.begun(ctx, w, a, id, t)
}

// undone leaves nothing behind of a session whose first turn failed.
func (s *Surface) undone(ctx context.Context, a *ask, id parley.ConversationID, err error) error {
	if id.IsZero() {
		return err
	}
	return errors.Join(err, s.Hub.End(context.WithoutCancel(ctx), a.tenant.ID, id, "the first turn failed"))
}

// begun answers the first turn of a session.
func (s *Surface) begun(ctx context.Context, w http.ResponseWriter, a *ask, id parley.ConversationID, t *parley.Turn) error {
	session := parley.BotSession{Tenant: a.tenant.ID, Conversation: id, Bot: a.bot.id, BusinessKey: a.client.BusinessKey, Created: t.Opened}
	if err := s.Store.Update(ctx, func(tx parley.Tx) error {
		if err := tx.PutBotSession(ctx, session); err != nil {
			return err
		}
		return s.show(ctx, tx, a, &session)
	}); err != nil {
		return err
	}
	answer, err := s.replyTo(ctx, a, t)
	if err != nil {
		return err
	}
	api.WriteJSON(w, http.StatusOK, answer)
	return nil
}

// prepareNext reads everything of a further turn, and sees to it that there is its session.
func (s *Surface) prepareNext(r *http.Request) (*ask, parley.ConversationID, error) {
	id, unknown := parley.ParseID[parley.Conversation](strings.ToLower(mux.Vars(r)["session"]))
	a, err := s.prepare(r)
	switch {
	case unknown != nil && err == nil:
		return nil, id, errSession
	case unknown != nil:
		return nil, id, err
	case err == nil:
		_, err = s.session(r.Context(), a, id)
	}
	return a, id, inSession(err, id)
}

// next is a further turn of a session.
func (s *Surface) next(w http.ResponseWriter, r *http.Request) error {
	a, id, err := s.prepareNext(r)
	if err != nil {
		return err
	}
	ctx := r.Context()
	if over, err := s.answeredBefore(ctx, w, a, id); err != nil || over {
		return inSession(err, id)
	}
	placing, cancel := context.WithTimeout(ctx, placeFor)
	defer cancel()
	leave, err := s.places.Take(placing, id)
	if err != nil {
		return errInProgress
	}
	defer leave()
	paid := false
	for again := time.Millisecond; ; again *= 2 {
		now, err := s.settle(placing, a, id) // what was before may be over
		if err != nil {
			return inSession(err, id)
		}
		if over, err := s.answeredBefore(ctx, w, a, id); err != nil || over { // the same request may have had the place meanwhile
			return inSession(err, id)
		}
		if over, err := s.expired(ctx, w, a, now); err != nil || over {
			return s.refused(r, err)
		}
		if !paid {
			if p := s.limits.take(a.key); p != nil {
				return p.at(id.String())
			}
			paid = true
		}
		err = s.goOn(ctx, w, a, now)
		if kind := parley.KindOf(err); kind != parley.Conflict && kind != parley.Closed {
			return inSession(err, id)
		}
		// Something was said meanwhile, or somebody ended it: on another node, or another surface. It may be on its way to the record still.
		select {
		case <-time.After(min(again, maxAgain)):
		case <-placing.Done():
			return inSession(err, id)
		}
	}
}

// maxAgain is how long to wait at most until a session is read again that others change.
const maxAgain = 200 * time.Millisecond

// errEnded is what became of a turn whose session somebody ended meanwhile.
var errEnded = &parley.Error{Kind: parley.Closed, Msg: "the session ended before its turn did"}

// goOn asks the next turn of a session. Closed, of the hub or since the session ended meanwhile: nobody answers.
func (s *Surface) goOn(ctx context.Context, w http.ResponseWriter, a *ask, now *session) error {
	d, err := s.nextDraft(ctx, a, now)
	if err != nil {
		return err
	}
	_, t, err := s.say(ctx, a, d)
	switch {
	case err != nil:
		return err
	case t.Status == parley.TurnFailed:
		return failed(t)
	case t.Status == parley.TurnDropped:
		return errEnded
	}
	answer, err := s.replyTo(ctx, a, t)
	if err != nil {
		return err
	}
	api.WriteJSON(w, http.StatusOK, answer)
	return nil
}

// nextDraft is the turn as a further message of a session, which notes whose it is if that changed.
func (s *Surface) nextDraft(ctx context.Context, a *ask, now *session) (*parley.Draft, error) {
	d, err := a.draft()
	if err != nil {
		return nil, err
	}
	d.Conversation, d.After = now.Conversation, now.conversation.Seq // places are the node's: another one may begin a turn, too
	if a.request != "" {                                             // on another node the same request may be at this point, too: one of the two makes the message
		d.Body.MessageID = uuid.NewSHA1(uuid.UUID(now.Conversation), fmt.Appendf(nil, "%d %s", now.conversation.Seq, a.request)).String()
	}
	if d.ClientInfo, err = json.Marshal(laterClient(clientIn(&now.conversation), a.client)); err != nil {
		return nil, err
	}
	if a.client.BusinessKey != "" && a.client.BusinessKey != now.BusinessKey {
		changed := now.BotSession
		changed.BusinessKey = a.client.BusinessKey
		if err := s.Store.Update(ctx, func(tx parley.Tx) error { return tx.PutBotSession(ctx, changed) }); err != nil {
			return nil, err
		}
	}
	return d, nil
}
