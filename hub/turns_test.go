package hub_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley"
	"parley/hub"
	"parley/store/storetest"
)

// runsBots makes the hub run the world's bots.
func (w *world) runsBots(change ...func(*parley.BotSettings)) {
	w.t.Helper()
	w.update(func(tx parley.Tx) error {
		app, err := tx.Applications().Find(context.Background(), w.tenant, w.botApp)
		if err != nil {
			return err
		}
		app.Roles[0].Callback, app.Bot = parley.BotCallback, &parley.BotSettings{Connector: parley.ConnectorRules}
		for _, change := range change {
			change(app.Bot)
		}
		return tx.Applications().Replace(context.Background(), &app, nil)
	})
	w.hub.ConfigChanged(context.Background(), w.tenant)
}

// oneBot leaves the spare one out.
func oneBot(_ *parley.Account, _ *parley.Channel, o *parley.Orchestration, _ []parley.Participant) {
	o.Bots.Bots = o.Bots.Bots[:1]
}

// spareOff switches the spare one off.
func spareOff(_ *parley.Account, _ *parley.Channel, _ *parley.Orchestration, bots []parley.Participant) {
	bots[1].Active = false
}

func noAgents(_ *parley.Account, _ *parley.Channel, o *parley.Orchestration, _ []parley.Participant) {
	o.Agents = nil
}

// asks marks a message as one whose answer somebody waits for.
func asks(d *parley.Draft) {
	d.Asks = true
	d.Body.Turn = &parley.TurnInput{}
}

// turn is how the turn of a question is.
func (w *world) turn(id parley.ConversationID, seq int64) (t parley.Turn) {
	w.t.Helper()
	if err := w.store.View(context.Background(), func(tx parley.Tx) (err error) {
		t, err = tx.Turn(context.Background(), w.tenant, id, seq)
		return err
	}); err != nil {
		w.t.Fatalf("turn %d: %v", seq, err)
	}
	return t
}

func (w *world) reply(id parley.ConversationID, seq int64, change func(*hub.Reply), texts ...string) error {
	r := hub.Reply{Seq: seq}
	for _, text := range texts {
		r.Messages = append(r.Messages, parley.Draft{Type: parley.TypeText, Body: parley.Body{Content: &parley.Content{Text: text}}})
	}
	if change != nil {
		change(&r)
	}
	return w.hub.Reply(context.Background(), w.tenant, id, r)
}

// A turn opens with a question, closes with all of its answers, and is answered once.
func TestTurnIsAnsweredOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		w := newWorld(t, open(t))
		w.runsBots()
		id := w.start()
		if got := w.turn(id, 1); got.Status != parley.TurnOpen || got.Question.IsZero() {
			t.Errorf("the turn of the first message is %+v", got)
		}
		waited := make(chan *parley.Turn, 1)
		go func() {
			got, err := w.hub.AwaitTurn(t.Context(), w.tenant, id, 1)
			if err != nil {
				t.Errorf("AwaitTurn = %v", err)
			}
			waited <- got
		}()
		err := w.reply(id, 1, func(r *hub.Reply) {
			r.Result = parley.TurnResult{NLP: &parley.NLPResult{Type: parley.NLPIntent, Name: "greet", Score: 0.9}, Await: &parley.AwaitedInput{Type: "DATE"}}
			r.Contexts = &parley.Contexts{Open: json.RawMessage(`{"a":1}`), Visible: json.RawMessage(`{"b":2}`), Hidden: json.RawMessage(`{"c":3}`)}
			r.Connector = json.RawMessage(`{"step":7}`)
		}, "Hello", "When?")
		if err != nil {
			t.Fatalf("Reply = %v", err)
		}
		got := <-waited
		want := parley.TurnResult{NLP: &parley.NLPResult{Type: parley.NLPIntent, Name: "greet", Score: 0.9}, Await: &parley.AwaitedInput{Type: "DATE"},
			Open: json.RawMessage(`{"a":1}`), Visible: json.RawMessage(`{"b":2}`)}
		if diff := cmp.Diff(want, got.Result); diff != "" || got.Status != parley.TurnAnswered || got.First != 2 || got.Last != 3 || got.Closed.IsZero() {
			t.Errorf("the turn is %+v (-want +got)\n%s", got, diff)
		}
		c := w.conversation(id)
		if string(c.State.Bot.Connector) != `{"step":7}` || string(c.State.Bot.Contexts.Hidden) != `{"c":3}` || len(c.State.Bot.Open) != 0 || !c.Waiting.IsZero() {
			t.Errorf("the conversation is %+v, waiting %s", c.State.Bot, c.Waiting)
		}
		if err := w.reply(id, 1, nil, "Hello again"); !errors.Is(err, hub.ErrTurnOver) {
			t.Errorf("the second answer = %v, want ErrTurnOver", err)
		}
		if diff := cmp.Diff([]string{"customer text → rex", "custom_bot text → customer", "custom_bot text → customer"}, w.log(id)); diff != "" {
			t.Errorf("said (-want +got)\n%s", diff)
		}
		storetest.Check(t, w.store, w.tenant, id)
	})
}

// Questions are answered one after the other; nothing is said about the second while the first is open.
func TestTurnsQueue(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	w.runsBots()
	id := w.start()
	w.say(id, parley.Customer, parley.TypeText)
	w.later(time.Second)
	if err := w.reply(id, 1, nil); err != nil { // with nothing to say
		t.Fatal(err)
	}
	c := w.conversation(id)
	if w.turn(id, 1).Status != parley.TurnAnswered || w.turn(id, 2).Status != parley.TurnOpen || len(c.State.Bot.Open) != 1 || !c.Waiting.Equal(w.now()) {
		t.Errorf("after the first answer: %+v, waiting since %s at %s", c.State.Bot.Open, c.Waiting, w.now())
	}
	if err := w.reply(id, 2, nil, "both"); err != nil {
		t.Fatal(err)
	}
	if got := w.turn(id, 2); got.First != 3 || got.Last != 3 {
		t.Errorf("the second turn is %+v", got)
	}
}

// What becomes of a turn that a bot failed: another bot has it, or whoever asked is told, or the agents go on.
func TestFailedTurns(t *testing.T) {
	for _, test := range []struct {
		name    string
		changes []change
		asked   bool
		status  parley.TurnStatus
		owner   parley.OwnerKind
		log     []string // after the question
	}{
		{"the next bot takes over", nil, true, parley.TurnOpen, parley.OwnerBot, []string{"system escalation.transfer →"}},
		{"who asked is told, and the bot stays", []change{oneBot}, true, parley.TurnFailed, parley.OwnerBot, nil},
		{"who asked is told, since the other bot is switched off", []change{spareOff}, true, parley.TurnFailed, parley.OwnerBot, nil},
		{"nobody waits: the agents go on", []change{oneBot}, false, parley.TurnFailed, parley.OwnerAgent,
			[]string{"system escalation.transfer → desk", "system conversation.state → customer"}},
		{"nobody waits, nobody else is there", []change{oneBot, noAgents}, false, parley.TurnFailed, parley.OwnerNone,
			[]string{"system escalation.transfer →", "system text → customer", "system conversation.state → customer", "system conversation.end → customer rex"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, open opener) {
				w := newWorld(t, open(t), test.changes...)
				w.runsBots()
				id := w.start(func(d *parley.Draft) {
					if test.asked {
						asks(d)
					}
				})
				if err := w.hub.TurnFailed(t.Context(), w.tenant, id, 1, parley.FailureBot, "the bot answered 500"); err != nil {
					t.Fatalf("TurnFailed = %v", err)
				}
				got := w.turn(id, 1)
				if got.Status != test.status || (got.Status == parley.TurnFailed) != (got.Failure == parley.FailureBot && got.Problem == "the bot answered 500") {
					t.Errorf("the turn is %+v, want %s", got, test.status)
				}
				if owner := w.conversation(id).Owner.Kind; owner != test.owner {
					t.Errorf("the turn is the %s's, want %s", owner, test.owner)
				}
				if diff := cmp.Diff(test.log, w.log(id)[1:], cmpEmpty); diff != "" {
					t.Errorf("said (-want +got)\n%s", diff)
				}
				if test.status == parley.TurnOpen { // and answers it
					if err := w.reply(id, 1, nil, "here I am"); err != nil || w.turn(id, 1).Status != parley.TurnAnswered {
						t.Errorf("the next bot's answer = %v, %+v", err, w.turn(id, 1))
					}
				} else if err := w.reply(id, 1, nil, "late"); !errors.Is(err, hub.ErrTurnOver) {
					t.Errorf("a late answer = %v, want ErrTurnOver", err)
				}
				storetest.Check(t, w.store, w.tenant, id)
			})
		})
	}
}

// When the last bot of the orchestration fails, too, whoever asked is told, and nobody else gets the conversation: not the first one again, and no people.
func TestEveryBotFails(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	w.runsBots()
	id := w.start(asks)
	for _, problem := range []string{"first", "second"} {
		if err := w.hub.TurnFailed(t.Context(), w.tenant, id, 1, parley.FailureBot, problem); err != nil {
			t.Fatalf("TurnFailed of the %s = %v", problem, err)
		}
	}
	if got := w.turn(id, 1); got.Status != parley.TurnFailed || got.Problem != "second" {
		t.Errorf("the turn is %+v", got)
	}
	if c := w.conversation(id); c.Owner.Participant != w.bots[1].ID || c.State.Escalated {
		t.Errorf("the conversation is the %+v's", c.Owner)
	}
	w.wantLog(id, "customer text → rex spare", "system escalation.transfer →")
}

// A bot that hands over where there are no people keeps the conversation, and does not say otherwise.
func TestHandOverToNobody(t *testing.T) {
	w := newWorld(t, storetest.Open(t), oneBot, noAgents)
	w.runsBots()
	id := w.start()
	if err := w.reply(id, 1, func(r *hub.Reply) { r.HandOver = true }, "One moment"); err != nil {
		t.Fatal(err)
	}
	if got, c := w.turn(id, 1), w.conversation(id); got.Status != parley.TurnAnswered || got.Result.HandOver || c.Status != parley.Open || c.Owner.Kind != parley.OwnerBot {
		t.Errorf("the turn is %+v, the conversation %s, the %s's", got, c.Status, c.Owner.Kind)
	}
}

// A bot that hands over and ends at once hands over: the customer was told that people go on. Without people it ends.
func TestHandOverWinsOverTheEnd(t *testing.T) {
	for owner, changes := range map[parley.OwnerKind][]change{parley.OwnerAgent: {oneBot}, parley.OwnerNone: {oneBot, noAgents}} {
		w := newWorld(t, storetest.Open(t), changes...)
		w.runsBots()
		id := w.start()
		if err := w.reply(id, 1, func(r *hub.Reply) { r.HandOver, r.End = true, true }, "Goodbye"); err != nil {
			t.Fatal(err)
		}
		got, c := w.turn(id, 1), w.conversation(id)
		if people := owner == parley.OwnerAgent; c.Owner.Kind != owner || got.Result.HandOver != people || (c.Status == parley.Open) != people {
			t.Errorf("the turn is %+v, the conversation %s, the %s's, want the %s's", got, c.Status, c.Owner.Kind, owner)
		}
	}
}

// A turn that nobody answers ends with the bot's time, even if whoever asked the bot is gone.
func TestTurnEndsWithItsDeadline(t *testing.T) {
	w := newWorld(t, storetest.Open(t), oneBot)
	w.runsBots()
	w.run()
	id := w.start(asks)
	w.later(parley.DefaultBotDeadline + 10*time.Second)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	got, err := w.hub.AwaitTurn(ctx, w.tenant, id, 1)
	if err != nil || got.Status != parley.TurnFailed || got.Failure != parley.FailureDeadline {
		t.Errorf("the turn is %+v, %v; want it failed by its deadline", got, err)
	}
}

// Whoever began a conversation that lasts waits longer than whoever is in a session, unless the bot's settings say how long.
func TestTimeOfABot(t *testing.T) {
	for name, test := range map[string]struct {
		lasts bool
		set   time.Duration
		want  time.Duration
	}{
		"session":           {want: 15 * time.Second},
		"lasting":           {lasts: true, want: time.Minute},
		"session, with its": {set: 7 * time.Second, want: 7 * time.Second},
		"lasting, with its": {lasts: true, set: 7 * time.Second, want: 7 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, storetest.Open(t), oneBot)
			w.runsBots(func(s *parley.BotSettings) { s.TurnDeadline = test.set })
			var id parley.ConversationID
			if test.lasts {
				id = w.begin("")
				w.say(id, parley.Customer, parley.TypeText, asks)
			} else {
				id = w.start()
			}
			w.later(test.want) // and 3 s for whoever asks the bot
			w.hub.Remind(t.Context())
			if turn := w.turn(id, 1); turn.Status != parley.TurnOpen {
				t.Errorf("after %v the turn is %+v", test.want, turn)
			}
			w.later(4 * time.Second)
			w.hub.Remind(t.Context())
			if turn := w.turn(id, 1); turn.Status != parley.TurnFailed || turn.Failure != parley.FailureDeadline {
				t.Errorf("later the turn is %+v", turn)
			}
		})
	}
}

// A bot with a callback answers in any number of messages; its turn is over when it types no more, or nothing follows.
func TestTurnsOfBotsWithCallbacks(t *testing.T) {
	for name, done := range map[string]func(*world, parley.ConversationID){
		"typing ends":     func(w *world, id parley.ConversationID) { w.say(id, parley.CustomBot, parley.TypeTypingEnd) },
		"nothing follows": func(w *world, _ parley.ConversationID) { w.later(parley.DefaultSettle) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, storetest.Open(t))
			id := w.start(asks)
			w.say(id, parley.CustomBot, parley.TypeTypingEnd) // says nothing yet
			w.say(id, parley.CustomBot, parley.TypeText)
			w.say(id, parley.CustomBot, parley.TypeText)
			if got := w.turn(id, 1); got.Status != parley.TurnOpen {
				t.Errorf("the turn is %+v, want it open", got)
			}
			done(w, id)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			if got, err := w.hub.AwaitTurn(ctx, w.tenant, id, 1); err != nil || got.Status != parley.TurnAnswered || got.First != 2 || got.Last != 3 {
				t.Errorf("the turn is %+v, %v", got, err)
			}
		})
	}
	t.Run("as long as its bot says", func(t *testing.T) {
		w := newWorld(t, storetest.Open(t))
		w.update(func(tx parley.Tx) error {
			app, err := tx.Applications().Find(context.Background(), w.tenant, w.botApp)
			if err != nil {
				return err
			}
			app.Bot = &parley.BotSettings{Connector: parley.ConnectorCallback, Settle: 5 * time.Second}
			return tx.Applications().Replace(context.Background(), &app, nil)
		})
		w.hub.ConfigChanged(context.Background(), w.tenant)
		w.run()
		id := w.start(asks)
		w.say(id, parley.CustomBot, parley.TypeText)
		w.later(4 * time.Second)
		w.say(id, parley.CustomBot, parley.TypeText) // in time: part of the same turn
		w.later(4 * time.Second)
		w.hub.Remind(t.Context()) // what is over is now
		if got := w.turn(id, 1); got.Status != parley.TurnOpen {
			t.Errorf("the turn is %+v, want it open", got)
		}
		w.later(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if got, err := w.hub.AwaitTurn(ctx, w.tenant, id, 1); err != nil || got.Status != parley.TurnAnswered || got.First != 2 || got.Last != 3 {
			t.Errorf("the turn is %+v, %v", got, err)
		}
	})
	t.Run("nobody waits: no turn is kept", func(t *testing.T) {
		w := newWorld(t, storetest.Open(t))
		id := w.start()
		if c := w.conversation(id); len(c.State.Bot.Open) != 0 {
			t.Errorf("open turns: %+v", c.State.Bot.Open)
		}
	})
}

// A bot hands over, or ends the conversation; questions that it did not answer are people's then.
func TestTurnsEndWithTheBotsTime(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	w.runsBots()
	id := w.start()
	w.say(id, parley.Customer, parley.TypeText)
	if err := w.reply(id, 1, func(r *hub.Reply) { r.HandOver = true }, "a colleague will help"); err != nil {
		t.Fatal(err)
	}
	if first, second := w.turn(id, 1), w.turn(id, 2); first.Status != parley.TurnAnswered || !first.Result.HandOver || second.Status != parley.TurnHuman {
		t.Errorf("after the hand-over the turns are %+v and %+v", first, second)
	}
	if got := w.conversation(id); got.Owner.Kind != parley.OwnerAgent || len(got.State.Bot.Open) != 0 {
		t.Errorf("the turn is the %s's", got.Owner.Kind)
	}
	// A question that people are to answer has a turn that is over at once.
	third := w.say(id, parley.Customer, parley.TypeText, asks)
	if got := w.turn(id, third.Seq); got.Status != parley.TurnHuman || got.Closed.IsZero() {
		t.Errorf("a question to people is %+v", got)
	}

	id = w.start()
	w.say(id, parley.Customer, parley.TypeText)
	if err := w.reply(id, 1, func(r *hub.Reply) { r.End = true }, "bye"); err != nil {
		t.Fatal(err)
	}
	if got := w.conversation(id); got.Status != parley.Ended || w.turn(id, 1).Status != parley.TurnAnswered || w.turn(id, 2).Status != parley.TurnDropped {
		t.Errorf("after the end: %s, %+v", got.Status, w.turn(id, 2))
	}
}

// The open context is written by the channel, too; null removes a member; it has a limit.
func TestContextIsMerged(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	w.runsBots()
	starter := w.starter("m1")
	starter.Asks, starter.Test, starter.Background, starter.ClientInfo = true, true, new("a good customer"), json.RawMessage(`{"os":"iOS"}`)
	starter.Body.Turn = &parley.TurnInput{Context: json.RawMessage(`{"tier":"gold","city":"Kiel"}`), Request: "r1"}
	posted, err := w.post(starter)
	if err != nil {
		t.Fatal(err)
	}
	id := posted[0].Conversation
	with := func(context string) func(*parley.Draft) {
		return func(d *parley.Draft) { d.Body.Turn = &parley.TurnInput{Context: json.RawMessage(context)} }
	}
	w.say(id, parley.Customer, parley.TypeText, with(`{"city":null,"n":1}`))
	bot := w.conversation(id).State.Bot
	if string(bot.Contexts.Open) != `{"n":1,"tier":"gold"}` || !bot.Test || bot.Background != "a good customer" || !bot.Asked {
		t.Errorf("the bot's state is %+v, context %s", bot, bot.Contexts.Open)
	}
	if string(w.conversation(id).State.ClientInfo) != `{"os":"iOS"}` {
		t.Errorf("client information %s", w.conversation(id).State.ClientInfo)
	}
	for _, bad := range []string{`[]`, `"x"`, `{"x":"` + strings.Repeat("x", 64<<10) + `"}`} {
		if _, err := w.try(id, parley.Customer, parley.TypeText, with(bad)); parley.KindOf(err) != parley.Invalid {
			t.Errorf("context %.20s = %v, want Invalid", bad, err)
		}
	}
	var repeated parley.Turn
	err = w.store.View(t.Context(), func(tx parley.Tx) (err error) {
		repeated, err = tx.TurnOfRequest(t.Context(), w.tenant, id, "r1", w.now().Add(-time.Minute))
		return err
	})
	if err != nil || repeated.Seq != 1 {
		t.Errorf("TurnOfRequest = %+v, %v", repeated, err)
	}
	err = w.store.View(t.Context(), func(tx parley.Tx) error {
		_, err := tx.TurnOfRequest(t.Context(), w.tenant, id, "r1", w.now().Add(time.Minute))
		return err
	})
	if parley.KindOf(err) != parley.NotFound {
		t.Errorf("TurnOfRequest of later = %v, want NotFound", err)
	}
}

// A conversation takes only so many questions before the bot answered any.
func TestOpenTurnsAreBounded(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	w.runsBots()
	id := w.start()
	var err error
	n := 1
	for ; err == nil && n < 100; n++ {
		_, err = w.try(id, parley.Customer, parley.TypeText)
	}
	if parley.KindOf(err) != parley.Busy || n != 65 {
		t.Errorf("question %d = %v, want Busy at the 65th", n, err)
	}
}
