package hub_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"parley"
	"parley/hub"
	"parley/ident"
	"parley/store/storetest"
)

// A world is a hub on a real store, with a shop that has two bots, two agent programs and a customer program.
type world struct {
	t       testing.TB
	store   parley.Store
	hub     *hub.Hub
	tenant  parley.TenantID
	account parley.Account
	bots    [2]parley.Participant
	botApp  parley.ApplicationID
	agents  [2]parley.ApplicationID
	channel parley.Channel
	custApp parley.ApplicationID

	*watch

	mu    sync.Mutex
	woken []int64
	typed []parley.Whisper
}

// A watch is the clock of a world, which moves when it is told to.
type watch struct {
	mu sync.Mutex
	at time.Time
}

// Lease implements hub.Dispatcher.
func (w *world) Lease() (time.Duration, []int64) { return 0, nil }

// Wake implements hub.Dispatcher.
func (w *world) Wake(c parley.Committed) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.woken = append(w.woken, c.Wake...)
}

// Stirred implements hub.Dispatcher.
func (w *world) Stirred(parley.TenantID) {}

// Whisper implements hub.Dispatcher.
func (w *world) Whisper(whisper parley.Whisper) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.typed = append(w.typed, whisper)
}

func (w *watch) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.at
}

func (w *watch) later(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at = w.at.Add(d)
}

// A change alters the shop before it is stored.
type change func(*parley.Account, *parley.Channel, *parley.Orchestration, []parley.Participant)

func newWorld(t testing.TB, store parley.Store, changes ...change) *world {
	t.Helper()
	w := &world{t: t, store: store, tenant: parley.DefaultTenant, watch: &watch{at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}}
	w.hub = w.newHub()
	suffix := ident.New[world]().String() // worlds may share a store
	base := func(name string) parley.Base {
		return parley.Base{Tenant: w.tenant, Name: name + " " + suffix, Active: true, Created: w.at, Modified: w.at}
	}
	app := func(name string, role parley.Role) parley.ClientApplication {
		return parley.ClientApplication{ID: ident.New[parley.ClientApplication](), Base: base(name), Roles: []parley.ApplicationRole{
			{Name: role, Version: "v3", Callback: "http://127.0.0.1:1/" + name, NotificationEmail: "ops@example.org"}}}
	}
	bot, one, two, customers := app("bots", parley.CustomBot), app("desk", parley.CustomAgent), app("second desk", parley.CustomAgent), app("site", parley.Customer)
	w.botApp, w.agents, w.custApp = bot.ID, [2]parley.ApplicationID{one.ID, two.ID}, customers.ID
	for i, name := range []string{"Rex", "Spare"} {
		w.bots[i] = parley.Participant{ID: ident.New[parley.Participant](), Base: base(name), Type: parley.CustomBot, Application: bot.ID}
	}
	w.channel = parley.Channel{ID: ident.New[parley.Channel](), Base: base(""), Type: "chat " + suffix, DisplayName: "Chat", Icon: "x"}
	orchestration := parley.Orchestration{ID: ident.New[parley.Orchestration](), Base: base("bots first"), Customer: customers.ID,
		Bots: &parley.BotConfiguration{Bots: []parley.BotReference{
			{Application: bot.ID, Participant: w.bots[0].ID}, {Application: bot.ID, Participant: w.bots[1].ID}}},
		Agents: []parley.AgentReference{{Application: one.ID}, {Application: two.ID}}}
	w.account = parley.Account{ID: ident.New[parley.Account](), Base: base("shop"), Address: "shop", Channel: w.channel.ID,
		Orchestration: orchestration.ID, TimeoutMinutes: 30, DefaultLanguage: "en-US", Unavailable: parley.OffHours}
	for _, c := range changes {
		c(&w.account, &w.channel, &orchestration, w.bots[:])
	}
	w.update(func(tx parley.Tx) error {
		ctx := t.Context()
		for _, a := range []*parley.ClientApplication{&bot, &one, &two, &customers} {
			if err := tx.Applications().Insert(ctx, a, nil); err != nil {
				return err
			}
		}
		for i := range w.bots {
			if err := tx.Participants().Insert(ctx, &w.bots[i], nil); err != nil {
				return err
			}
		}
		if err := tx.Channels().Insert(ctx, &w.channel, nil); err != nil {
			return err
		}
		if err := tx.Orchestrations().Insert(ctx, &orchestration, nil); err != nil {
			return err
		}
		return tx.Accounts().Insert(ctx, &w.account, []parley.Reference{{Kind: parley.KindChannel, ID: w.channel.ID}})
	})
	return w
}

// newHub is a hub on the world's store, by its clock.
func (w *world) newHub() *hub.Hub {
	return hub.New(hub.Config{Store: w.store, Dispatcher: w, Clock: w.now, Logger: slog.New(slog.DiscardHandler)})
}

func (w *world) update(fn func(parley.Tx) error) {
	w.t.Helper()
	if err := w.store.Update(context.Background(), fn); err != nil {
		w.t.Fatal(err)
	}
}

// run lets the hub do its duties until the test ends.
func (w *world) run() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = w.hub.Run(ctx)
	}()
	w.t.Cleanup(func() {
		cancel()
		<-done
	})
}

// draft is a text of a role.
func draft(role parley.Role, text string) parley.Draft {
	return parley.Draft{Type: parley.TypeText, Sender: role, Body: parley.Body{Content: &parley.Content{Text: text}}}
}

func (w *world) starter(messageID string) parley.Draft {
	d := draft(parley.Customer, "hello")
	d.Body.MessageID, d.ChannelType, d.Address = messageID, w.channel.Type, "shop"
	d.Customer = &parley.CustomerData{Name: "Anna", Contacts: []parley.Contact{{Type: "email", Address: "anna@example.org"}}}
	return d
}

func (w *world) post(drafts ...parley.Draft) ([]hub.Posted, error) {
	return w.hub.Post(context.Background(), hub.PostRequest{Speaker: parley.Speaker{Tenant: w.tenant}, Surface: "test", Drafts: drafts})
}

// start begins a conversation.
func (w *world) start(change ...func(*parley.Draft)) parley.ConversationID {
	w.t.Helper()
	starter := w.starter(ident.New[world]().String())
	for _, c := range change {
		c(&starter)
	}
	posted, err := w.post(starter)
	if err != nil {
		w.t.Fatalf("start: %v", err)
	}
	return posted[0].Conversation
}

// say posts to a conversation and wants it accepted.
func (w *world) say(id parley.ConversationID, role parley.Role, kind parley.MessageType, change ...func(*parley.Draft)) hub.Posted {
	w.t.Helper()
	p, err := w.try(id, role, kind, change...)
	if err != nil {
		w.t.Fatalf("%s by %s: %v", kind, role, err)
	}
	return p
}

// try posts to a conversation.
func (w *world) try(id parley.ConversationID, role parley.Role, kind parley.MessageType, change ...func(*parley.Draft)) (hub.Posted, error) {
	d := parley.Draft{Conversation: id, Type: kind, Sender: role}
	if kind == parley.TypeText {
		d.Body.Content = &parley.Content{Text: "text of " + string(role)}
	}
	for _, c := range change {
		c(&d)
	}
	posted, err := w.post(d)
	if err != nil {
		return hub.Posted{}, err
	}
	return posted[0], nil
}

func payload(json string) func(*parley.Draft) {
	return func(d *parley.Draft) { d.Body.Content = &parley.Content{JSON: []byte(json)} }
}

func (w *world) conversation(id parley.ConversationID) (c parley.Conversation) {
	w.t.Helper()
	if err := w.store.View(context.Background(), func(tx parley.Tx) (err error) {
		c, err = tx.Conversation(context.Background(), w.tenant, id)
		return err
	}); err != nil {
		w.t.Fatal(err)
	}
	return c
}

// snapshot is a conversation with its messages, as they were at one moment.
func (w *world) snapshot(id parley.ConversationID) (c parley.Conversation, messages []parley.Message) {
	w.t.Helper()
	if err := w.store.View(context.Background(), func(tx parley.Tx) (err error) {
		if c, err = tx.Conversation(context.Background(), w.tenant, id); err != nil {
			return err
		}
		messages, err = tx.Messages(context.Background(), parley.MessageQuery{Tenant: w.tenant, Conversation: id, Limit: 1 << 20})
		return err
	}); err != nil {
		w.t.Fatal(err)
	}
	return c, messages
}

// log is what was said, one line a message: type, sender, and who it is addressed to.
func (w *world) log(id parley.ConversationID) []string {
	w.t.Helper()
	c := w.conversation(id)
	var lines []string
	for _, m := range storetest.Messages(w.t, w.store, id) {
		line := fmt.Sprintf("%s %s →", m.Sender, m.Type)
		for slot, p := range c.State.Parties {
			if m.To&(1<<slot) == 0 {
				continue
			}
			switch {
			case p.Participant == w.bots[0].ID:
				line += " rex"
			case p.Participant == w.bots[1].ID:
				line += " spare"
			case p.Application == w.agents[0]:
				line += " desk"
			case p.Application == w.agents[1]:
				line += " desk2"
			default:
				line += " " + string(p.Role)
			}
		}
		if m.To&parley.Held != 0 {
			line += " held"
		}
		lines = append(lines, line)
	}
	return lines
}
