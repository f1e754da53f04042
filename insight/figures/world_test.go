package figures_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"parley"
	"parley/ident"
	"parley/insight/figures"
	"parley/store"
	"parley/store/storetest"
)

// A world is a record with some bots and conversations, and whoever counts them.
type world struct {
	*ground
	t       *testing.T
	tenant  parley.Tenant
	record  *shaky
	counter *figures.Counter
	stays   bool // nobody is erased, and nothing removed
	bots    []parley.ApplicationID
	agent   parley.ApplicationID
	talks   []*talk
}

// A talk is a conversation of the world.
type talk struct {
	state parley.Conversation // as it is
	open  []parley.Turn       // that are not over

	forgotten bool
	gone      []parley.Message // what was said, once the record has it no more
	story     parley.Story     // what the record had of it then
}

// shaky is a record whose writes may fail before they did anything, or after.
type shaky struct {
	*store.Store
	before, after int    // so many writes from now fails; 0 = none
	written       func() // after each write; nil = nothing
}

var errShaky = errors.New("the line was cut")

func (s *shaky) Update(ctx context.Context, fn func(parley.Tx) error) error {
	if s.before > 0 {
		if s.before--; s.before == 0 {
			return errShaky
		}
	}
	err := s.Store.Update(ctx, fn)
	if s.after > 0 && err == nil {
		if s.after--; s.after == 0 {
			return errShaky
		}
	}
	if s.written != nil && err == nil {
		s.written()
	}
	return err
}

var dawn = time.Date(2026, 3, 27, 21, 0, 0, 0, time.UTC) // a week-end is near, a month's end, and the change to summer time in Europe

// enough says whether a property was tried often enough: on PostgreSQL each try takes some seconds.
func enough(t *testing.T) func() bool {
	tries, most := 0, 100
	if strings.Contains(t.Name(), "postgres") {
		most = 12
	}
	return func() bool { tries++; return tries > most }
}

// A ground is a record on which worlds follow each other, each in a tenant of its own.
type ground struct {
	store  *store.Store
	now    time.Time
	worlds int
}

func newGround(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) *ground {
	g := &ground{now: dawn}
	g.store = open(t, storetest.Clock(func() time.Time { return g.now }))
	if err := g.store.Update(t.Context(), func(tx parley.Tx) error { return tx.SetFeedCursor(t.Context(), parley.FeedDetection, 1<<60) }); err != nil { // which has nothing to look for
		t.Fatal(err)
	}
	return g
}

func (g *ground) world(t *testing.T) *world {
	g.now, g.worlds = dawn, g.worlds+1
	w := &world{t: t, ground: g, agent: ident.New[parley.ClientApplication](), record: &shaky{Store: g.store}}
	w.tenant = parley.Tenant{ID: ident.New[parley.Tenant](), Organisation: parley.DefaultOrganisation, Name: "world", Created: dawn, Modified: dawn}
	if err := g.store.Update(t.Context(), func(tx parley.Tx) error { return tx.InsertTenant(t.Context(), w.tenant) }); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		w.bots = append(w.bots, ident.New[parley.ClientApplication]())
	}
	w.restart()
	return w
}

// restart has another counter go on.
func (w *world) restart() {
	w.counter = figures.NewCounter(figures.Config{Record: w.record, Logger: slog.New(slog.DiscardHandler), Clock: func() time.Time { return w.now }})
	if w.worlds%2 == 0 { // cells are small: in every other world they are counted on nevertheless
		w.counter.SetRecountShare(0)
	}
}

// count counts everything. What fails once is tried again.
func (w *world) count() {
	w.t.Helper()
	for tries := 0; ; {
		more, err := w.counter.Round(w.t.Context())
		switch {
		case errors.Is(err, errShaky):
			w.restart()
		case err != nil:
			if tries++; tries > 3 {
				w.t.Fatalf("Round = %v", err)
			}
			w.restart()
		case !more:
			return
		}
	}
}

func (w *world) begin(channel, language string, bot int, test bool, contact string, campaign parley.Campaign) *talk {
	c := parley.Conversation{ID: ident.New[parley.Conversation](), Tenant: w.tenant.ID, Account: storetest.AccountID, Epoch: 1, Status: parley.Open,
		Created: w.now, Touched: w.now, Owner: parley.Owner{Kind: parley.OwnerQueue},
		State: parley.ConversationState{ChannelType: channel, Language: language, Campaign: campaign, Parties: []parley.Party{{Role: parley.Customer}, {Application: w.agent, Role: parley.CustomAgent}}}}
	if contact != "" {
		c.State.Customer.Contacts = []parley.Contact{{Type: "email", Address: contact}}
	}
	if bot >= 0 {
		c.Owner = parley.Owner{Kind: parley.OwnerBot, Application: w.bots[bot], Role: parley.CustomBot}
		c.State.Parties = append(c.State.Parties, parley.Party{Application: w.bots[bot], Role: parley.CustomBot})
		c.State.Bot.Test = test
	}
	k := &talk{state: c}
	w.talks = append(w.talks, k)
	return k
}

// step commits what changes a conversation, with turns in place of what they were.
func (w *world) step(k *talk, change func(*parley.Conversation), turns []parley.Turn, messages ...parley.Message) {
	w.t.Helper()
	next := k.state
	if change != nil {
		change(&next)
	}
	s := &parley.Step{Conversation: &next, BaseEpoch: k.state.Epoch, BaseSeq: k.state.Seq, New: k.state.Seq == 0, StateChanged: true, Turns: turns}
	for _, m := range messages {
		next.Seq++
		m.ID, m.Conversation, m.Seq = ident.New[parley.Message](), next.ID, next.Seq
		if m.Created.IsZero() {
			m.Created = w.now
		}
		s.Messages = append(s.Messages, m)
	}
	if len(messages) == 0 {
		next.Epoch++
	}
	next.Touched = w.now
	storetest.MustCommit(w.t, w.store, s)
	k.state = next
}

func (w *world) says(k *talk, sender parley.Role, body parley.Body) {
	w.t.Helper()
	m := parley.Message{Type: parley.TypeText, Sender: sender, Body: body}
	switch {
	case sender == parley.Customer:
		m.To = 0b10
		if len(k.state.State.Parties) > 2 && k.state.Owner.Kind == parley.OwnerBot {
			m.To = 0b100
		}
	case sender.IsBot():
		m.To, m.Body.Application = 1, k.state.State.Parties[2].Application
	case sender.IsAgent():
		m.To, m.Body.Application = 1, w.agent
	}
	w.step(k, nil, nil, m)
}

// asks is a question to a bot that answers in turns.
func (w *world) asks(k *talk, body parley.Body) {
	w.t.Helper()
	turn := parley.Turn{Conversation: k.state.ID, Seq: k.state.Seq + 1, Question: ident.New[parley.Message](), Status: parley.TurnOpen, Opened: w.now}
	k.open = append(k.open, turn)
	w.step(k, nil, []parley.Turn{turn}, parley.Message{Type: parley.TypeText, Sender: parley.Customer, To: 0b100, Body: body})
}

// answers ends the first open turn with so many answers.
func (w *world) answers(k *talk, n int, result parley.TurnResult) {
	w.t.Helper()
	turn := k.open[0]
	k.open = k.open[1:]
	turn.Status, turn.Closed, turn.Result = parley.TurnAnswered, w.now, result
	if n > 0 {
		turn.First, turn.Last = k.state.Seq+1, k.state.Seq+int64(n)
	}
	var messages []parley.Message
	for i := range n {
		messages = append(messages, parley.Message{Type: parley.TypeText, Sender: parley.CustomBot, To: 1,
			Body: parley.Body{Application: k.state.State.Parties[2].Application, Question: turn.Seq, Content: &parley.Content{Text: fmt.Sprint("answer ", i)}}})
	}
	w.step(k, nil, []parley.Turn{turn}, messages...)
}

// fails ends the first open turn without an answer.
func (w *world) fails(k *talk, why parley.TurnFailure) {
	w.t.Helper()
	turn := k.open[0]
	k.open = k.open[1:]
	turn.Status, turn.Closed, turn.Failure = parley.TurnFailed, w.now, why
	w.step(k, nil, []parley.Turn{turn})
}

// closed are the open turns, which are over because people go on, or nobody does.
func (k *talk) closed(now time.Time, status parley.TurnStatus) (turns []parley.Turn) {
	for _, t := range k.open {
		t.Status, t.Closed = status, now
		turns = append(turns, t)
	}
	k.open = nil
	return turns
}

func (w *world) handsOver(k *talk) {
	w.t.Helper()
	w.step(k, func(c *parley.Conversation) {
		c.Epoch++
		c.Owner = parley.Owner{Kind: parley.OwnerAgent, Application: w.agent, Role: parley.CustomAgent}
	}, k.closed(w.now, parley.TurnHuman), parley.Message{Type: parley.TypeEscalationTransfer, Sender: parley.System, To: 0b10, Body: parley.Body{HandOver: true}})
}

// ends is the end of a conversation, by silence if idle is not 0. A lasting one goes on after that.
func (w *world) ends(k *talk, by parley.Role, idle time.Duration) {
	w.t.Helper()
	w.step(k, func(c *parley.Conversation) {
		if c.State.Bot.Lasting && by != parley.System {
			return
		}
		c.Epoch++
		c.Owner, c.Status, c.Ended = parley.Owner{Kind: parley.OwnerNone}, parley.Ended, w.now
	}, k.closed(w.now, parley.TurnDropped), parley.Message{Type: parley.TypeConversationEnd, Sender: by, To: 0b11, Body: parley.Body{Idle: idle.Milliseconds()}})
}

func (w *world) forgets(k *talk) {
	w.t.Helper()
	if k.state.Seq == 0 || k.gone != nil { // it has not begun, or is not there any more
		return
	}
	k.forgotten = true
	err := w.store.Update(w.t.Context(), func(tx parley.Tx) error {
		_, err := tx.Forget(w.t.Context(), k.state.Tenant, k.state.ID)
		return err
	})
	if err != nil {
		w.t.Fatalf("Forget = %v", err)
	}
}

// erases takes everything personal out of a conversation, which goes on to count.
func (w *world) erases(k *talk) {
	w.t.Helper()
	if k.state.Seq == 0 || k.gone != nil || w.stays {
		return
	}
	err := w.store.Update(w.t.Context(), func(tx parley.Tx) error {
		_, err := tx.ErasePerson(w.t.Context(), k.state.Tenant, k.state.ID)
		return err
	})
	if err != nil {
		w.t.Fatalf("ErasePerson = %v", err)
	}
}

// said is what a conversation has.
func (w *world) said(k *talk) (messages []parley.Message) {
	w.t.Helper()
	if k.gone != nil {
		return k.gone
	}
	if err := w.store.View(w.t.Context(), func(tx parley.Tx) (err error) {
		messages, err = tx.Messages(w.t.Context(), parley.MessageQuery{Tenant: k.state.Tenant, Conversation: k.state.ID, Limit: 1000})
		return err
	}); err != nil {
		w.t.Fatal(err)
	}
	return messages
}

// removes takes a conversation that is over out of the record, if there is one that waits for nothing.
func (w *world) removes(r *rapid.T) {
	w.t.Helper()
	ctx := w.t.Context()
	before := w.now.Add(time.Millisecond)
	var old []parley.OldConversation
	var stories []parley.Story
	if err := w.store.View(ctx, func(tx parley.Tx) (err error) {
		if old, err = tx.OldConversations(ctx, w.tenant.ID, before, parley.OldConversation{}, 100); err != nil || len(old) == 0 {
			return err
		}
		old = old[rapid.IntRange(0, len(old)-1).Draw(r, "removed"):][:1]
		stories, err = tx.Stories(ctx, 0, []int64{old[0].Key}, true)
		return err
	}); err != nil {
		w.t.Fatal(err)
	}
	if len(old) == 0 || w.stays {
		return
	}
	k := w.talks[slices.IndexFunc(w.talks, func(k *talk) bool { return k.state.ID == stories[0].ID })]
	said := w.said(k)
	var n int64
	if err := w.store.Update(ctx, func(tx parley.Tx) (err error) {
		n, err = tx.RemoveConversations(ctx, w.tenant.ID, old, before)
		return err
	}); err != nil || n != int64(len(said)) {
		w.t.Fatalf("RemoveConversations = %d of %d messages, %v", n, len(said), err)
	}
	k.gone, k.story = said, stories[0]
}

// lives lets things happen at random.
func (w *world) lives(r *rapid.T, steps int) {
	w.t.Helper()
	for range steps {
		w.now = w.now.Add(time.Duration(rapid.SampledFrom([]int{0, 1, 900, 7_000, 61_000, 601_000, 1_200_000, 3_601_000, 86_400_000}).Draw(r, "wait")) * time.Millisecond)
		var open []*talk
		for _, k := range w.talks {
			if k.state.Status == parley.Open {
				open = append(open, k)
			}
		}
		if len(open) == 0 || rapid.IntRange(0, 5).Draw(r, "new") == 0 {
			k := w.begin(rapid.SampledFrom([]string{"web_chat", "WhatsApp", ""}).Draw(r, "channel"), rapid.SampledFrom([]string{"en", "en-US", "de-DE", ""}).Draw(r, "language"),
				rapid.IntRange(-1, 1).Draw(r, "bot"), rapid.IntRange(0, 3).Draw(r, "test") == 0, rapid.SampledFrom([]string{"", "a@x", "b@x", "C@x"}).Draw(r, "contact"),
				rapid.SampledFrom([]parley.Campaign{{}, {ID: "spring", Source: "mail"}, {Source: "ads"}}).Draw(r, "campaign"))
			k.state.State.Bot.Lasting = rapid.IntRange(0, 4).Draw(r, "lasting") == 0
			open = append(open, k)
		}
		k := open[rapid.IntRange(0, len(open)-1).Draw(r, "who")]
		bot := k.state.Owner.Kind == parley.OwnerBot
		text := parley.Body{Content: &parley.Content{Text: `he said "noText":true`}}
		if k.state.Seq == 0 { // whoever begins
			switch what := rapid.IntRange(0, 3).Draw(r, "first"); {
			case bot && what == 0:
				w.asks(k, parley.Body{Turn: &parley.TurnInput{Code: parley.WelcomeCode, NoText: true}})
			case bot && what == 1:
				w.says(k, parley.CustomBot, text)
			case bot && what == 2:
				w.asks(k, text)
			default:
				w.says(k, parley.Customer, text)
			}
			continue
		}
		switch what := rapid.IntRange(0, 12).Draw(r, "what"); {
		case what < 3 && bot:
			w.asks(k, text)
		case what < 3:
			w.says(k, parley.Customer, text)
		case what < 6 && len(k.open) > 0:
			w.answers(k, rapid.IntRange(0, 3).Draw(r, "answers"), rapid.SampledFrom([]parley.TurnResult{{}, {Fallback: true}, {Steps: []parley.FlowStep{{ID: "size"}, {ID: "done"}}},
				{NLP: &parley.NLPResult{Type: parley.NLPIntent, Name: "order"}}}).Draw(r, "result"))
		case what == 6 && len(k.open) > 0:
			w.fails(k, parley.FailureDeadline)
		case what < 7 && !bot && k.state.Owner.Kind == parley.OwnerAgent:
			w.says(k, parley.CustomAgent, text)
		case what == 7 && bot:
			w.says(k, parley.CustomBot, text)
		case what == 8 && bot:
			w.handsOver(k)
		case what == 9:
			w.step(k, nil, nil, parley.Message{Type: parley.TypeConversationState, Sender: parley.System, To: 1})
		case what == 10:
			w.ends(k, rapid.SampledFrom([]parley.Role{parley.Customer, parley.CustomBot, parley.CustomAgent, parley.System}).Draw(r, "by"),
				0)
		case what == 11:
			w.now = w.now.Add(30 * time.Minute)
			w.ends(k, parley.System, 30*time.Minute)
		case what == 12 && rapid.IntRange(0, 3).Draw(r, "erase") == 0:
			w.erases(w.talks[rapid.IntRange(0, len(w.talks)-1).Draw(r, "erased")])
		case what == 12 && rapid.IntRange(0, 1).Draw(r, "remove") == 0:
			w.removes(r)
		case what == 12 && rapid.IntRange(0, 3).Draw(r, "forget") == 0:
			w.forgets(w.talks[rapid.IntRange(0, len(w.talks)-1).Draw(r, "forgotten")])
		default: // late: a sender's line was slow, and the message is of an hour ago
			if len(k.state.State.Parties) > 2 { // not where a bot has turns: these stand where the clock says
				w.says(k, parley.Customer, text)
				break
			}
			w.step(k, nil, nil, parley.Message{Type: parley.TypeText, Sender: parley.Customer, To: 0b10, Created: w.now.Add(-time.Hour), Body: text})
		}
		switch rapid.IntRange(0, 7).Draw(r, "counting") {
		case 0, 1:
			w.count()
		case 2:
			w.restart()
		case 3:
			w.record.before = rapid.IntRange(1, 3).Draw(r, "before")
		case 4:
			w.record.after = rapid.IntRange(1, 3).Draw(r, "after")
		}
	}
}
