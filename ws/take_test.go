package ws_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"testing"
	"time"

	"parley"
	"parley/dispatch"
	"parley/hub"
	"parley/ident"
	"parley/store/storetest"
	"parley/tokens"
	"parley/ws"
)

// newBotSite is a site whose account gives conversations to a bot that takes its messages over a session, with a dispatcher
// that runs until the test ends.
func newBotSite(t *testing.T) (s *site, d *dispatch.Dispatcher) {
	t.Helper()
	var deliveries lateDeliveries
	s = newSite(t, func(c *ws.Config) { c.Deliveries = &deliveries })
	ctx, now := t.Context(), time.Now().UTC()
	base := parley.Base{Tenant: parley.DefaultTenant, Name: "bot", Active: true, Created: now, Modified: now}
	app := parley.ClientApplication{ID: ident.New[parley.ClientApplication](), Base: base, Roles: []parley.ApplicationRole{
		{Name: parley.CustomBot, Version: "v3", Callback: parley.SessionCallback, NotificationEmail: "ops@example.org"}}}
	bot := parley.Participant{ID: ident.New[parley.Participant](), Base: base, Type: parley.CustomBot, Application: app.ID}
	orchestration := parley.Orchestration{ID: ident.New[parley.Orchestration](), Base: base,
		Bots: &parley.BotConfiguration{Bots: []parley.BotReference{{Application: app.ID, Participant: bot.ID}}}}
	s.account.Orchestration = orchestration.ID
	err := s.store.Update(ctx, func(tx parley.Tx) error {
		if err := tx.Applications().Insert(ctx, &app, nil); err != nil {
			return err
		}
		if err := tx.Participants().Insert(ctx, &bot, nil); err != nil {
			return err
		}
		if err := tx.Orchestrations().Insert(ctx, &orchestration, nil); err != nil {
			return err
		}
		return tx.Accounts().Replace(ctx, &s.account, []parley.Reference{{Kind: parley.KindChannel, ID: parley.WebChatChannel}})
	})
	if err != nil {
		t.Fatal(err)
	}
	s.hub.ConfigChanged(ctx, parley.DefaultTenant)
	s.grant("bot", tokens.Grant{Tenant: parley.DefaultTenant, Expires: now.Add(time.Hour), Speaker: parley.Speaker{Tenant: parley.DefaultTenant,
		Application: app.ID, Roles: []parley.Role{parley.CustomBot}}})
	d = dispatch.New(dispatch.Config{Store: s.store, Work: true, Logger: slog.New(slog.DiscardHandler), Sweep: 50 * time.Millisecond,
		Schedule: []time.Duration{time.Millisecond, time.Millisecond}})
	deliveries.Dispatcher = d
	running, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = d.Run(running)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return s, d
}

// lateDeliveries lets sessions be made before their dispatcher.
type lateDeliveries struct{ *dispatch.Dispatcher }

type handed struct {
	ID           string
	Conversation string
	Seq, Attempt int64
	Body         struct {
		Messages struct {
			Message []struct{ Content struct{ Text string } }
		}
	}
}

func (h handed) text() string { return h.Body.Messages.Message[0].Content.Text }

func (c *client) delivery() handed {
	c.t.Helper()
	for {
		o, err := c.next()
		if err != nil {
			c.t.Fatalf("waiting for a delivery: %v", err)
		}
		var h handed
		if o["delivery"] == nil {
			continue
		}
		if err := json.Unmarshal(o["delivery"], &h); err != nil {
			c.t.Fatal(err)
		}
		return h
	}
}

func (s *site) say(conversation any, words string) {
	s.t.Helper()
	id, err := parley.ParseID[parley.Conversation](conversation.(string))
	if err != nil {
		s.t.Fatal(err)
	}
	_, err = s.hub.Post(s.t.Context(), hub.PostRequest{Speaker: parley.Speaker{Tenant: parley.DefaultTenant}, Drafts: []parley.Draft{
		{Conversation: id, Type: parley.TypeText, Sender: parley.Customer, Body: parley.Body{Content: &parley.Content{Text: words}}}}})
	if err != nil {
		s.t.Fatal(err)
	}
}

// Guarantee G5 over sessions: each message comes until its outcome is told, under the same id, in order, whichever session
// of the program has it; what waited while there was none comes first.
func TestDeliveriesOverASession(t *testing.T) {
	s, _ := newBotSite(t)
	anna, _ := s.connect("anna")
	id := anna.ask("open", map[string]any{"message": text("one")})["conversation"]
	s.say(id, "two")
	bot, _ := s.connect("bot")
	if ok := bot.ask("take", map[string]any{}); ok["role"] != "custom_bot" || ok["atOnce"] != 16.0 {
		t.Errorf("take = %v", ok)
	}
	first := bot.delivery()
	if first.text() != "one" || first.Seq != 1 || first.Attempt != 1 || first.Conversation != id {
		t.Errorf("first delivery = %+v", first)
	}
	bot.ask("outcome", map[string]any{"delivery": first.ID, "outcome": "retry", "reason": "busy", "after": 1})
	again := bot.delivery()
	if again.ID != first.ID || again.Attempt != 2 || again.text() != "one" {
		t.Errorf("after a retry: %+v, want the same delivery as attempt 2", again)
	}
	bot.conn.CloseNow() // no outcome was told: another session gets it again, and nothing beyond it
	other, _ := s.connect("bot")
	other.ask("take", map[string]any{"role": "custom_bot", "atOnce": 1})
	if h := other.delivery(); h.ID != first.ID || h.Attempt != 2 {
		t.Errorf("the next session gets %+v, want the first delivery again, and no failure for the session's end", h)
	}
	other.ask("outcome", map[string]any{"delivery": first.ID, "outcome": "delivered"})
	if code := other.refused("outcome", map[string]any{"delivery": first.ID, "outcome": "delivered"}); code != "404-101" {
		t.Errorf("a second outcome = %s, want 404-101", code)
	}
	second := other.delivery()
	if second.text() != "two" || second.Seq != 2 || second.Attempt != 1 {
		t.Errorf("second delivery = %+v", second)
	}
	other.ask("outcome", map[string]any{"delivery": second.ID, "outcome": "rejected", "reason": "no such thing"})
	s.say(id, "three")
	if h := other.delivery(); h.text() != "three" {
		t.Errorf("after a rejected one comes %+v", h)
	}
	conversation, _ := parley.ParseID[parley.Conversation](id.(string))
	storetest.Check(t, s.store, parley.DefaultTenant, conversation)
}

// Two sessions of a program share its lanes: every delivery once, each conversation in order.
func TestSessionsShareLanes(t *testing.T) {
	s, _ := newBotSite(t)
	const conversations, each = 6, 5
	for i := range conversations {
		anna, _ := s.connect("anna")
		id := anna.ask("open", map[string]any{"message": text(fmt.Sprint("m", i))})["conversation"]
		for j := 1; j < each; j++ {
			s.say(id, fmt.Sprint(j))
		}
	}
	type seen struct {
		session int
		h       handed
	}
	all := make(chan seen, conversations*each)
	stop := make(chan struct{})
	for n := range 2 {
		bot, _ := s.connect("bot")
		bot.ask("take", map[string]any{"atOnce": 2})
		go func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				o, err := bot.next()
				if err != nil {
					return // the test is over
				}
				var h handed
				if o["delivery"] == nil || json.Unmarshal(o["delivery"], &h) != nil {
					continue
				}
				bot.send(`{"id":"x","outcome":{"delivery":"` + h.ID + `","outcome":"delivered"}}`)
				all <- seen{n, h}
			}
		}()
	}
	last := map[string]int64{}
	ids := []string{}
	for range conversations * each {
		select {
		case x := <-all:
			if x.h.Seq != last[x.h.Conversation]+1 || slices.Contains(ids, x.h.ID) {
				t.Errorf("session %d got seq %d of %s after %d", x.session, x.h.Seq, x.h.Conversation, last[x.h.Conversation])
			}
			last[x.h.Conversation], ids = x.h.Seq, append(ids, x.h.ID)
		case <-time.After(20 * time.Second):
			t.Fatalf("only %d deliveries came", len(ids))
		}
	}
	close(stop)
}

func TestTakeIsRefused(t *testing.T) {
	s, _ := newBotSite(t)
	anna, _ := s.connect("anna")
	bot, _ := s.connect("bot")
	agent, _ := s.connect("dana") // the console has no callback, and is no program that takes deliveries
	for _, test := range []struct {
		what string
		c    *client
		in   map[string]any
		want string
	}{
		{"a customer", anna, map[string]any{}, "403-112"},
		{"a role the credential does not have", bot, map[string]any{"role": "custom_agent"}, "403-112"},
		{"another application", bot, map[string]any{"application": parley.ConsoleApplication.String()}, "403-112"},
		{"too many at once", bot, map[string]any{"atOnce": 1000}, "400-152"},
		{"a program that is told by subscribe", agent, map[string]any{}, "404-101"},
	} {
		if code := test.c.refused("take", test.in); code != test.want {
			t.Errorf("take of %s = %s, want %s", test.what, code, test.want)
		}
	}
	bot.ask("take", map[string]any{})
	if code := bot.refused("take", map[string]any{}); code != "400-152" {
		t.Errorf("take twice = %s", code)
	}
	for _, in := range []map[string]any{{"delivery": "x", "outcome": "lost"}, {"delivery": "x", "outcome": "retry", "after": -1},
		{"delivery": "x", "outcome": "retry", "after": 18446744073710}} { // nanoseconds of which wrap around to almost nothing
		if code := bot.refused("outcome", in); code != "400-152" {
			t.Errorf("outcome %v = %s", in, code)
		}
	}
}

// A program may say that it wants nothing any more: its role is disabled, and what it is owed is held, as after a 410.
func TestGoneOverASession(t *testing.T) {
	s, _ := newBotSite(t)
	anna, _ := s.connect("anna")
	id := anna.ask("open", map[string]any{"message": text("one")})["conversation"]
	bot, _ := s.connect("bot")
	bot.ask("take", map[string]any{})
	bot.ask("outcome", map[string]any{"delivery": bot.delivery().ID, "outcome": "gone"})
	for deadline := time.Now().Add(10 * time.Second); ; runtime.Gosched() {
		all, err := s.store.Healths(t.Context(), parley.DefaultTenant)
		if err != nil {
			t.Fatal(err)
		}
		if len(all) == 1 && all[0].Disabled != "" && all[0].Owing == 1 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("receivers are %+v, want one that is disabled and owed one", all)
		}
	}
	conversation, _ := parley.ParseID[parley.Conversation](id.(string))
	storetest.Check(t, s.store, parley.DefaultTenant, conversation)
}
