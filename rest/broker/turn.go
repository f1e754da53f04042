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
	if err = a.mayCall(r.Header.Get("Origin")); err != nil {
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
	a.trace = r.Header.Get("Traceparent")
	a.input, a.text, err = body.input()
	a.input.Request = a.request
	return a, err
}

// whom reads whose turn it is, and which bot's.
func (s *Surface) whom(r *http.Request, a *ask) (err error) {
	if a.place, err = s.withKey(r); err != nil {
		return err
	}
	a.bot, err = s.bot(r.Context(), r, &a.place)
	return err
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
	d.ChannelType, d.Address, d.Test, d.Language = a.channel.Type, a.account.Address, a.test, a.language()
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
		return a.account.DefaultLanguage
	}
	return tag.String()
}

// waitFor is how long a call waits for the end of its turn: longer than any bot may take, which the hub sees to.
const waitFor = parley.MaxBotDeadline + 10*time.Second

// say posts a turn and waits until it is over. Thousands may wait here at the same time, each with all frames of its goroutine, and the runtime
// halves a stack only while less than a quarter of it is used. So what comes before and after the wait are functions of their own.
func (s *Surface) say(ctx context.Context, a *ask, d *parley.Draft) (parley.ConversationID, *parley.Turn, error) {
	id, seq, err := s.post(ctx, a, d)
	if err != nil {
		return id, nil, err
	}
	waiting, cancel := context.WithTimeout(ctx, waitFor)
	defer cancel()
	t, err := s.Hub.AwaitTurn(waiting, a.tenant.ID, id, seq)
	return id, t, err
}

// post says a turn in its conversation, or begins that, when it is let in.
func (s *Surface) post(ctx context.Context, a *ask, d *parley.Draft) (parley.ConversationID, int64, error) {
	var posted []hub.Posted
	err := s.posting.pass(ctx, func() (err error) {
		posted, err = s.Hub.Post(ctx, hub.PostRequest{Speaker: parley.Speaker{Tenant: a.tenant.ID}, Surface: "broker", Trace: a.trace, Drafts: []parley.Draft{*d}})
		return err
	})
	if err != nil {
		if parley.ReasonOf(err) == parley.Inactive {
			err = fail(http.StatusForbidden, "FORBIDDEN", "the bot or the channel is switched off")
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
	return s.begin(r.Context(), w, a)
}

func (s *Surface) begin(ctx context.Context, w http.ResponseWriter, a *ask) error {
	d, err := a.startDraft()
	if err != nil {
		return err
	}
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
	session := parley.BotSession{Tenant: a.tenant.ID, Conversation: id, Bot: a.app.ID, BusinessKey: a.client.BusinessKey, Created: t.Opened}
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
	a, err := s.prepare(r)
	if err != nil {
		return nil, parley.ConversationID{}, err
	}
	id, err := parley.ParseID[parley.Conversation](strings.ToLower(mux.Vars(r)["session"]))
	if err != nil {
		return nil, id, errSession
	}
	_, err = s.session(r.Context(), a, id)
	return a, id, err
}

// next is a further turn of a session.
func (s *Surface) next(w http.ResponseWriter, r *http.Request) error {
	a, id, err := s.prepareNext(r)
	if err != nil {
		return err
	}
	ctx := r.Context()
	if over, err := s.answeredBefore(ctx, w, a, id); err != nil || over {
		return err
	}
	placing, cancel := context.WithTimeout(ctx, placeFor)
	defer cancel()
	leave, err := s.places.take(placing, id)
	if err != nil {
		return errInProgress
	}
	defer leave()
	now, err := s.settle(placing, a, id) // what was before may be over
	if err != nil {
		return err
	}
	if over, err := s.answeredBefore(ctx, w, a, id); err != nil || over { // the same request may have had the place meanwhile
		return err
	}
	if over, err := s.expired(ctx, w, a, now); err != nil || over {
		return err
	}
	if p := s.limits.take(a.key); p != nil {
		return p.at(id.String())
	}
	return s.goOn(ctx, w, a, now)
}

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
	if parley.KindOf(err) == parley.NotFound || err == nil && (now.Bot != a.app.ID || now.conversation.Account != a.account.ID) {
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
		waiting, cancel := context.WithTimeout(ctx, waitFor)
		defer cancel()
		t, err = s.Hub.AwaitTurn(waiting, a.tenant.ID, id, t.Seq)
	}
	if err != nil {
		return nil, err
	}
	if t.Status == parley.TurnFailed {
		return nil, failed(t).at(id.String())
	}
	return s.replyTo(ctx, a, t)
}

// settle waits for turns of the session that other nodes have in progress, and is the session after them.
func (s *Surface) settle(ctx context.Context, a *ask, id parley.ConversationID) (now *session, err error) {
	for {
		now, err = s.session(ctx, a, id)
		if err != nil || len(now.conversation.State.Bot.Open) == 0 {
			return now, err
		}
		if _, err := s.Hub.AwaitTurn(ctx, a.tenant.ID, id, now.conversation.State.Bot.Open[0].Seq); err != nil {
			if ctx.Err() != nil {
				return now, errInProgress
			}
			return now, err
		}
	}
}

// expires is when an open session is over unless there is another turn; zero = it stays, since an agent has it.
func (now *session) expires(timeoutMinutes float64) time.Time {
	if now.conversation.Owner.Kind == parley.OwnerAgent {
		return time.Time{}
	}
	last := now.conversation.State.Bot.Active
	if last.IsZero() {
		last = now.Created
	}
	return last.Add(time.Duration(timeoutMinutes * float64(time.Minute)))
}

// expired answers a turn in a session that is over, if it is: with what people said at its end, in a new session, or not at all.
func (s *Surface) expired(ctx context.Context, w http.ResponseWriter, a *ask, now *session) (over bool, err error) {
	c := &now.conversation
	if c.Status == parley.Open {
		at := now.expires(a.account.TimeoutMinutes)
		if at.IsZero() || s.now().Before(at) {
			return false, nil
		}
		if err := s.Hub.End(ctx, a.tenant.ID, c.ID, "the session expired"); err != nil {
			return true, err
		}
	} else if !now.Told {
		answer, err := s.farewell(ctx, a, now)
		if err != nil || answer != nil {
			if err == nil {
				api.WriteJSON(w, http.StatusOK, answer)
			}
			return true, err
		}
	}
	if a.app.Bot.RenewExpired {
		if p := s.limits.take(a.key); p != nil {
			return true, p
		}
		return true, s.begin(ctx, w, a)
	}
	return true, errExpired
}

// goOn asks the next turn of a session.
func (s *Surface) goOn(ctx context.Context, w http.ResponseWriter, a *ask, now *session) error {
	d, err := s.nextDraft(ctx, a, now)
	if err != nil {
		return err
	}
	id, t, err := s.say(ctx, a, d)
	if err == nil && t.Status == parley.TurnFailed {
		err = failed(t)
	}
	if err != nil {
		return problemOf(err).at(id.String())
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
	d.Conversation = now.Conversation
	if a.request != "" { // on another node the same request may be at this point, too: one of the two makes the message
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

// clientIn is where the customer of a conversation is.
func clientIn(c *parley.Conversation) (at parley.ClientInfo) {
	_ = json.Unmarshal(c.State.ClientInfo, &at) // written by this surface
	return at
}
