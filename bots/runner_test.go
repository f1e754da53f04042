package bots_test

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"parley"
	"parley/bots"
	"parley/dispatch"
	"parley/hub"
	"parley/ident"
	"parley/store"
	"parley/store/storetest"
)

// A scripted connector does what the test says.
type scripted func(ctx context.Context, t *bots.Turn, partial func(string)) (parley.BotReply, error)

func (s scripted) Turn(ctx context.Context, t *bots.Turn, partial func(string)) (parley.BotReply, error) {
	return s(ctx, t, partial)
}

// A stage is hub, dispatch and runner on a real store, with an account whose bot is scripted.
type stage struct {
	*testing.T
	store  *store.Store
	hub    *hub.Hub
	runner *bots.Runner
	meter  *prometheus.Registry
	bot    parley.ApplicationID
	mu     sync.Mutex
	script scripted
}

func (s *stage) does(script scripted) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script = script
}

func newStage(t *testing.T, s *store.Store, script scripted, settings parley.BotSettings) *stage {
	st := &stage{T: t, store: s, script: script, meter: prometheus.NewRegistry(), bot: ident.New[parley.ClientApplication]()}
	late := &struct{ *hub.Hub }{}
	settings.Connector = parley.ConnectorRules
	log := slog.New(slog.DiscardHandler)
	st.runner = bots.New(bots.Config{Store: s, Hub: late, Health: s, Logger: log, Meter: st.meter, Connectors: map[parley.Connector]bots.Factory{
		parley.ConnectorRules: func(*parley.ClientApplication) bots.Connector {
			return scripted(func(ctx context.Context, turn *bots.Turn, partial func(string)) (parley.BotReply, error) {
				st.mu.Lock()
				script := st.script
				st.mu.Unlock()
				return script(ctx, turn, partial)
			})
		}}})
	d := dispatch.New(dispatch.Config{Store: s, Hub: late, Work: true, Sweep: 20 * time.Millisecond, Logger: log, Bots: st.runner})
	st.hub = hub.New(hub.Config{Store: s, Dispatcher: d, Logger: log})
	late.Hub = st.hub
	ctx, stop := context.WithCancel(context.Background())
	var parts sync.WaitGroup
	for _, run := range []func(context.Context) error{d.Run, st.hub.Run} {
		parts.Go(func() { _ = run(ctx) }) // both end with ctx
	}
	t.Cleanup(func() {
		stop()
		parts.Wait()
	})
	base := func(name string) parley.Base {
		return parley.Base{Tenant: parley.DefaultTenant, Name: name, Active: true}
	}
	participant := parley.Participant{ID: ident.New[parley.Participant](), Base: base("Rex"), Type: parley.CustomBot, Application: st.bot}
	orchestration := parley.Orchestration{ID: ident.New[parley.Orchestration](), Base: base("one bot"), Agents: []parley.AgentReference{{Application: parley.ConsoleApplication}},
		Bots: &parley.BotConfiguration{Bots: []parley.BotReference{{Application: st.bot, Participant: participant.ID}}}}
	err := s.Update(t.Context(), func(tx parley.Tx) error {
		return errors.Join(
			tx.Applications().Insert(t.Context(), &parley.ClientApplication{ID: st.bot, Base: base("Bot"), Bot: &settings,
				Roles: []parley.ApplicationRole{{Name: parley.CustomBot, Version: "v3", Callback: parley.BotCallback}}}, nil),
			tx.Participants().Insert(t.Context(), &participant, nil), tx.Orchestrations().Insert(t.Context(), &orchestration, nil),
			tx.Accounts().Insert(t.Context(), &parley.Account{ID: ident.New[parley.Account](), Base: base("shop"), Address: "shop", Channel: parley.WebChatChannel,
				Orchestration: orchestration.ID, TimeoutMinutes: 30, DefaultLanguage: "en-US", Unavailable: parley.RetainAndRetry}, []parley.Reference{{Kind: parley.KindChannel, ID: parley.WebChatChannel}}))
	})
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// ask says something, and waits for the end of its turn.
func (s *stage) ask(id parley.ConversationID, text string) (parley.ConversationID, parley.Turn) {
	s.Helper()
	return s.askHeard(id, text, make(chan parley.ConversationID, 1))
}

// askHeard is ask that says where it did before it waits.
func (s *stage) askHeard(id parley.ConversationID, text string, where chan<- parley.ConversationID) (parley.ConversationID, parley.Turn) {
	s.Helper()
	d := parley.Draft{Conversation: id, Type: parley.TypeText, Sender: parley.Customer, Asks: true, Body: parley.Body{Content: &parley.Content{Text: text}, Turn: &parley.TurnInput{}}}
	if id.IsZero() {
		d.ChannelType, d.Address = "web_chat", "shop"
		d.Customer = &parley.CustomerData{Name: "Anna", Contacts: []parley.Contact{{Type: "email", Address: "anna@example.org"}}}
		d.ClientInfo = []byte(`{"os":"iOS","locale":"es-ES"}`)
	}
	posted, err := s.hub.Post(s.Context(), hub.PostRequest{Speaker: parley.Speaker{Tenant: parley.DefaultTenant}, Surface: "test", Drafts: []parley.Draft{d}})
	if err != nil {
		s.Fatal(err)
	}
	where <- posted[0].Conversation
	ctx, cancel := context.WithTimeoutCause(s.Context(), 20*time.Second, errors.New("nobody said that the turn is over")) // with a plain one it looks once more
	defer cancel()
	turn, err := s.hub.AwaitTurn(ctx, parley.DefaultTenant, posted[0].Conversation, posted[0].Seq)
	if err != nil {
		s.Fatalf("waiting for the answer to %q: %v", text, err)
	}
	return posted[0].Conversation, *turn
}

func (s *stage) said(id parley.ConversationID) (all []string) {
	for _, m := range storetest.Messages(s, s.store, id) {
		all = append(all, string(m.Sender)+": "+m.Body.Content.Text)
	}
	return all
}

// What a bot is asked, and what becomes of its answers: contexts, its own state, messages, in order.
func TestTurnsAreAsked(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) {
		s := newStage(t, open(t), func(ctx context.Context, turn *bots.Turn, partial func(string)) (parley.BotReply, error) {
			before, err := turn.History(ctx, 10)
			if err != nil {
				return parley.BotReply{}, err
			}
			partial("so")
			return parley.BotReply{
				Answers:  []parley.BotAnswer{{Type: parley.AnswerText, Text: "you said " + turn.Text + " after " + string(rune('0'+len(before)))}, {Type: parley.AnswerText, Text: "state " + string(turn.State)}},
				Contexts: &parley.Contexts{Visible: []byte(`{"os":"` + turn.Client.System + `","locale":"` + turn.Client.Locale + `","channel":"` + turn.Client.ChannelType + `"}`)},
				State:    []byte(`"` + turn.Text + `"`)}, nil
		}, parley.BotSettings{})
		id, first := s.ask(parley.ConversationID{}, "one")
		if _, second := s.ask(id, "two"); first.Status != parley.TurnAnswered || second.Status != parley.TurnAnswered || string(second.Result.Visible) != `{"os":"iOS","locale":"es-ES","channel":"web_chat"}` {
			t.Errorf("turns %+v and %+v", first, second)
		}
		if diff := cmp.Diff([]string{"customer: one", "custom_bot: you said one after 0", "custom_bot: state ", "customer: two", "custom_bot: you said two after 3",
			`custom_bot: state "one"`}, s.said(id)); diff != "" {
			t.Errorf("said (-want +got)\n%s", diff)
		}
	})
}

// A listener hears of answers on their way.
type listener chan string

// Deliver implements hub.Subscriber.
func (l listener) Deliver(e *hub.Event) {
	if e.Partial != nil {
		l <- e.Partial.Text
	}
}

// An answer that comes bit by bit is told of now and then, not with every bit; but all of it that there is is told in the end.
func TestPartialAnswersAreTold(t *testing.T) {
	heard := make(listener, 2000)
	s := newStage(t, storetest.Open(t), func(ctx context.Context, turn *bots.Turn, partial func(string)) (parley.BotReply, error) {
		if turn.Text == "two" {
			for i := range 1000 {
				partial(strconv.Itoa(i))
			}
			for told := ""; told != "999"; { // while the bot thinks on
				select {
				case told = <-heard:
				case <-ctx.Done():
					return parley.BotReply{}, ctx.Err()
				}
			}
			for i := range 1000 {
				partial("late " + strconv.Itoa(i))
			}
		}
		return parley.BotReply{Answers: []parley.BotAnswer{{Type: parley.AnswerText, Text: "done"}}}, nil
	}, parley.BotSettings{})
	id, _ := s.ask(parley.ConversationID{}, "one")
	defer s.hub.Subscribe(parley.DefaultTenant, id, heard)()
	began := time.Now()
	if _, turn := s.ask(id, "two"); turn.Status != parley.TurnAnswered {
		t.Errorf("the turn is %+v", turn)
	}
	if n, most := len(heard), 1+int(time.Since(began)/(100*time.Millisecond)); n > most {
		t.Errorf("a thousand bits were told of %d times, want at most %d", n, most)
	}
}

// Whatever a bot does wrong, its turn ends with the reason, the record of attempts has it, and the next question reaches the bot.
func TestBotsFail(t *testing.T) {
	for name, test := range map[string]struct {
		script  scripted
		want    parley.TurnFailure
		problem string
	}{
		"says so": {func(context.Context, *bots.Turn, func(string)) (parley.BotReply, error) {
			return parley.BotReply{}, &bots.Failure{Why: parley.FailureModel, Problem: "the model is away"}
		}, parley.FailureModel, "the model is away"},
		"hangs": {func(ctx context.Context, _ *bots.Turn, _ func(string)) (parley.BotReply, error) {
			<-ctx.Done()
			return parley.BotReply{}, ctx.Err()
		}, parley.FailureDeadline, "in its time"},
		"breaks": {func(context.Context, *bots.Turn, func(string)) (parley.BotReply, error) {
			return parley.BotReply{}, errors.New("planted")
		}, parley.FailureInternal, "could not ask"},
		"panics": {func(context.Context, *bots.Turn, func(string)) (parley.BotReply, error) { panic("planted") }, parley.FailureInternal, "could not ask"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, storetest.Open(t), test.script, parley.BotSettings{TurnDeadline: 50 * time.Millisecond})
			id, turn := s.ask(parley.ConversationID{}, "one")
			if turn.Status != parley.TurnFailed || turn.Failure != test.want || !strings.Contains(turn.Problem, test.problem) || strings.Contains(turn.Problem, "planted") {
				t.Errorf("the turn is %+v, want it failed: %s", turn, test.want)
			}
			s.does(func(context.Context, *bots.Turn, func(string)) (parley.BotReply, error) {
				return parley.BotReply{Answers: []parley.BotAnswer{{Type: parley.AnswerText, Text: "here"}}}, nil
			})
			if _, turn = s.ask(id, "two"); turn.Status != parley.TurnAnswered {
				t.Errorf("the next turn is %+v", turn)
			}
			if diff := cmp.Diff([]string{"customer: one", "customer: two", "custom_bot: here"}, s.said(id)); diff != "" {
				t.Errorf("said (-want +got)\n%s", diff)
			}
		})
	}
}

// A bot that answers when its turn is over is not heard, and the record of attempts says so.
func TestLateAnswersAreDropped(t *testing.T) {
	asked, answered := make(chan struct{}, 1), make(chan struct{})
	s := newStage(t, storetest.Open(t), func(context.Context, *bots.Turn, func(string)) (parley.BotReply, error) {
		asked <- struct{}{}
		<-answered
		return parley.BotReply{Answers: []parley.BotAnswer{{Type: parley.AnswerText, Text: "late"}}}, nil
	}, parley.BotSettings{})
	d := parley.Draft{Type: parley.TypeText, Sender: parley.Customer, Asks: true, ChannelType: "web_chat", Address: "shop",
		Customer: &parley.CustomerData{Contacts: []parley.Contact{{Type: "email", Address: "anna@example.org"}}}, Body: parley.Body{Content: &parley.Content{Text: "one"}}}
	posted, err := s.hub.Post(t.Context(), hub.PostRequest{Speaker: parley.Speaker{Tenant: parley.DefaultTenant}, Drafts: []parley.Draft{d}})
	if err != nil {
		t.Fatal(err)
	}
	id := posted[0].Conversation
	<-asked // before that, there would be nothing to ask any more
	if err := s.hub.TurnFailed(t.Context(), parley.DefaultTenant, id, 1, parley.FailureDeadline, "too long"); err != nil {
		t.Fatal(err)
	}
	close(answered)
	deadline := time.After(20 * time.Second)
	for {
		var attempts []parley.LaneAttempt
		if err := s.store.View(t.Context(), func(tx parley.Tx) (err error) {
			attempts, err = tx.Attempts(t.Context(), parley.DefaultTenant, id, 0, 10)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if len(attempts) == 1 && strings.Contains(attempts[0].Error, "after its turn was over") {
			break
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-deadline:
			t.Fatalf("the record of attempts is %+v", attempts)
		}
	}
	if diff := cmp.Diff([]string{"customer: one"}, s.said(id)); diff != "" {
		t.Errorf("said (-want +got)\n%s", diff)
	}
}

// Whoever waits for a turn hears of its end also if the node that answered it died before it said so: from the next one that was to answer it.
func TestTurnOfADeadNodeIsHeardOf(t *testing.T) {
	asked, mayAnswer := make(chan struct{}, 2), make(chan struct{})
	s := newStage(t, storetest.Open(t), func(context.Context, *bots.Turn, func(string)) (parley.BotReply, error) {
		asked <- struct{}{}
		<-mayAnswer
		return parley.BotReply{Answers: []parley.BotAnswer{{Type: parley.AnswerText, Text: "late"}}}, nil
	}, parley.BotSettings{TurnDeadline: parley.MaxBotDeadline})
	dead := hub.New(hub.Config{Store: s.store, Logger: slog.New(slog.DiscardHandler)}) // what it does nobody hears of
	answer := func() (turns chan parley.Turn, id parley.ConversationID) {
		turns = make(chan parley.Turn, 1)
		made := make(chan parley.ConversationID, 1)
		go func() {
			defer close(turns)
			_, turn := s.askHeard(parley.ConversationID{}, "one", made)
			turns <- turn
		}()
		id = <-made
		<-asked
		reply := bots.ReplyOf(1, &parley.BotReply{Answers: []parley.BotAnswer{{Type: parley.AnswerText, Text: "in time"}}})
		if err := dead.Reply(t.Context(), parley.DefaultTenant, id, reply); err != nil {
			t.Error(err)
		}
		return turns, id
	}

	turns, id := answer() // the lane comes to somebody else
	var c parley.Conversation
	if err := s.store.View(t.Context(), func(tx parley.Tx) (err error) {
		c, err = tx.Conversation(t.Context(), parley.DefaultTenant, id)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if problem, err := s.runner.Answer(t.Context(), parley.Receiver{Tenant: parley.DefaultTenant, Application: s.bot}, &c, &storetest.Messages(t, s.store, id)[0]); err != nil || problem != "" {
		t.Errorf("Answer = %q, %v", problem, err)
	}
	if turn := <-turns; turn.Status != parley.TurnAnswered {
		t.Errorf("the turn is %+v", turn)
	}

	turns, _ = answer() // somebody else asked, too
	close(mayAnswer)
	if turn := <-turns; turn.Status != parley.TurnAnswered {
		t.Errorf("the turn is %+v", turn)
	}
}

// Fifty who ask in one conversation at once are answered one after the other, each once.
func TestTurnsAreSerial(t *testing.T) {
	var mu sync.Mutex
	asked, now := 0, 0
	s := newStage(t, storetest.Open(t), func(_ context.Context, turn *bots.Turn, _ func(string)) (parley.BotReply, error) {
		mu.Lock()
		asked++
		if now++; now > 1 {
			t.Errorf("%d turns at the same time", now)
		}
		mu.Unlock()
		defer func() {
			mu.Lock()
			now--
			mu.Unlock()
		}()
		return parley.BotReply{Answers: []parley.BotAnswer{{Type: parley.AnswerText, Text: "answer to " + turn.Text}}}, nil
	}, parley.BotSettings{})
	id, _ := s.ask(parley.ConversationID{}, "zero")
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if _, turn := s.ask(id, "more"); turn.Status != parley.TurnAnswered || turn.First == 0 || turn.First != turn.Last {
				t.Errorf("a turn is %+v", turn)
			}
		})
	}
	all.Wait()
	if asked != 51 || len(s.said(id)) != 102 {
		t.Errorf("the bot was asked %d times, and %d messages were said; want 51 and 102", asked, len(s.said(id)))
	}
}

// A bot can be tried without a conversation.
func TestBotsAreTried(t *testing.T) {
	s := newStage(t, storetest.Open(t), func(_ context.Context, turn *bots.Turn, _ func(string)) (parley.BotReply, error) {
		if turn.Text == "fail" {
			return parley.BotReply{}, &bots.Failure{Why: parley.FailureBot, Problem: "no"}
		}
		return parley.BotReply{Answers: []parley.BotAnswer{{Type: parley.AnswerText, Text: turn.Input.Code + turn.Text + turn.Client.Locale}}}, nil
	}, parley.BotSettings{Language: "de-DE"})
	for text, want := range map[string]string{"": parley.WelcomeCode + "de-DE", "hello": "hellode-DE"} {
		out, err := s.runner.Try(t.Context(), parley.DefaultTenant, s.bot, text, "", false)
		if err != nil || out.Failure != nil || out.Reply.Answers[0].Text != want {
			t.Errorf("Try(%q) = %+v, %v; want %q", text, out, err, want)
		}
	}
	if out, err := s.runner.Try(t.Context(), parley.DefaultTenant, s.bot, "fail", "", false); err != nil || out.Failure == nil || out.Failure.Why != parley.FailureBot {
		t.Errorf("Try = %+v, %v; want a failure", out, err)
	}
	if _, err := s.runner.Try(t.Context(), parley.DefaultTenant, parley.ConsoleApplication, "x", "", false); parley.KindOf(err) != parley.NotFound {
		t.Errorf("Try of the console = %v, want NotFound", err)
	}
}
