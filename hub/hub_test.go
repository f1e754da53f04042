package hub_test

import (
	"encoding/csv"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley"
	"parley/hub"
	"parley/ident"
	"parley/store"
	"parley/store/storetest"
)

// The data file is the vendor's matrix as the reference has it.
func TestPermissionsAreTheVendorsMatrix(t *testing.T) {
	f, err := os.Open("testdata/permissions.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 31 {
		t.Fatalf("%d rows, want a header and 30 types", len(rows))
	}
	for i, row := range rows[1:] {
		if want := parley.MessageTypes()[i]; row[0] != string(want) {
			t.Errorf("row %d is %s, want %s", i+1, row[0], want)
		}
		for j, cell := range row[1:] {
			role := parley.Role(rows[0][j+1])
			if got := hub.Permitted(role, parley.MessageType(row[0])); got != (cell == "Y") {
				t.Errorf("Permitted(%s, %s) = %v, want %s", role, row[0], got, cell)
			}
		}
	}
}

func retain(a *parley.Account, _ *parley.Channel, _ *parley.Orchestration, _ []parley.Participant) {
	a.Unavailable = parley.RetainAndRetry
}

func noBots(_ *parley.Account, _ *parley.Channel, o *parley.Orchestration, _ []parley.Participant) {
	o.Bots = nil
}

// Each dialogue is what somebody does, and the record that is left of it.
func TestDialogues(t *testing.T) {
	const c, bot, agent = parley.Customer, parley.CustomBot, parley.CustomAgent
	for _, test := range []struct {
		name    string
		changes []change
		before  func(w *world)
		act     func(w *world, id parley.ConversationID)
		want    string
	}{
		{name: "bot answers", act: func(w *world, id parley.ConversationID) { w.say(id, bot, parley.TypeText) },
			want: `customer text → rex
custom_bot text → customer`},
		{name: "escalation", act: func(w *world, id parley.ConversationID) {
			w.say(id, bot, parley.TypeEscalationTransfer)
			w.say(id, c, parley.TypeText)
			w.say(id, agent, parley.TypeAgentJoin, payload(`{"agentName":"Dana"}`))
			w.say(id, agent, parley.TypeText)
			w.say(id, agent, parley.TypeConversationEnd)
		}, want: `customer text → rex
custom_bot escalation.transfer → desk
system conversation.state → customer
customer text → desk
custom_agent agent.join → customer
custom_agent text → customer
custom_agent conversation.end → customer rex`},
		{name: "escalation while nobody is there ends with a text", before: func(w *world) { w.say(parley.ConversationID{}, agent, parley.TypeAgentUnavailable) },
			act: func(w *world, id parley.ConversationID) { w.say(id, bot, parley.TypeEscalationTransfer) },
			want: `customer text → rex
custom_bot escalation.transfer →
system text → customer
system conversation.state → customer
system conversation.end → customer rex`},
		{name: "escalation while nobody is there is held, then given out", changes: []change{retain},
			before: func(w *world) { w.say(parley.ConversationID{}, agent, parley.TypeAgentUnavailable) },
			act: func(w *world, id parley.ConversationID) {
				w.say(id, bot, parley.TypeEscalationTransfer)
				w.say(id, c, parley.TypeText)
				w.say(parley.ConversationID{}, agent, parley.TypeAgentAvailable)
				waitFor(w.t, "the release", func() bool { return w.conversation(id).Owner.Kind == parley.OwnerAgent })
				w.say(id, c, parley.TypeText)
			}, want: `customer text → rex
custom_bot escalation.transfer → desk
system text → customer
system conversation.state → customer
customer text → desk
system conversation.state → customer
customer text → desk`},
		{name: "agents only", changes: []change{noBots}, act: func(w *world, id parley.ConversationID) { w.say(id, agent, parley.TypeText) },
			want: `customer text → desk
custom_agent text → customer`},
		{name: "agents only and nobody there", changes: []change{noBots, retain}, before: func(w *world) { w.say(parley.ConversationID{}, agent, parley.TypeAgentUnavailable) },
			act: func(w *world, id parley.ConversationID) {
				w.say(id, c, parley.TypeText)
				w.say(id, agent, parley.TypeAgentJoin, payload(`{"agentName":"Dana"}`))
			},
			want: `customer text → desk
system text → customer
system conversation.state → customer
customer text → desk
custom_agent agent.join → customer`},
		{name: "queue", act: func(w *world, id parley.ConversationID) {
			w.say(id, bot, parley.TypeEscalationTransfer)
			w.say(id, agent, parley.TypeQueueTransfer, payload(`{"queue":{"id":"1","name":"returns"}}`))
			w.say(id, c, parley.TypeText)
			w.say(id, agent, parley.TypeAgentJoin, payload(`{"agentName":"Dana"}`))
			w.say(id, agent, parley.TypeText)
		}, want: `customer text → rex
custom_bot escalation.transfer → desk
system conversation.state → customer
custom_agent queue.transfer → customer
customer text → desk
custom_agent agent.join → customer
custom_agent text → customer`},
		{name: "from one agent program to another", act: func(w *world, id parley.ConversationID) {
			w.say(id, bot, parley.TypeEscalationTransfer)
			w.say(id, agent, parley.TypeEscalationTransfer, payload(`{"agent":{"id":"`+w.agents[1].String()+`"}}`))
			w.say(id, c, parley.TypeText)
		}, want: `customer text → rex
custom_bot escalation.transfer → desk
system conversation.state → customer
custom_agent escalation.transfer → desk2
customer text → desk2`},
		{name: "customer ends", act: func(w *world, id parley.ConversationID) { w.say(id, c, parley.TypeConversationEnd) },
			want: `customer text → rex
customer conversation.end → rex`},
		{name: "transcript of a bot-only conversation is forwarded", changes: []change{func(_ *parley.Account, _ *parley.Channel, o *parley.Orchestration, _ []parley.Participant) {
			o.Bots.ForwardTranscript = true
			o.Bots.Bots[0].EscalateTo = o.Agents[1].Application
		}}, act: func(w *world, id parley.ConversationID) { w.say(id, c, parley.TypeConversationEnd) },
			want: `customer text → rex
customer conversation.end → rex desk2`},
		{name: "typing leaves no trace", act: func(w *world, id parley.ConversationID) {
			w.say(id, c, parley.TypeTypingStart)
			w.say(id, bot, parley.TypeTypingEnd)
			if len(w.typed) != 2 || w.typed[0].Message.Type != parley.TypeTypingStart || w.typed[1].Slot != parley.CustomerSlot {
				w.t.Errorf("whispers = %+v, want one to the bot and one to the customer's program", w.typed)
			}
		}, want: `customer text → rex`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, storetest.Open(t), test.changes...)
			if test.before != nil {
				test.before(w)
			}
			id := w.start()
			test.act(w, id)
			if diff := cmp.Diff(strings.Split(test.want, "\n"), w.log(id)); diff != "" {
				t.Errorf("record (-want +got):\n%s", diff)
			}
			storetest.Check(t, w.store, w.tenant, id)
		})
	}
}

// waitFor polls for what a goroutine of the hub does.
func waitFor(t testing.TB, what string, done func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for !done() {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// Guarantee G6: who lost the turn is refused, with a reason, and the epoch says that the owner changed.
func TestFormerOwnerIsRefused(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	id := w.start()
	before := w.conversation(id).Epoch
	w.say(id, parley.CustomBot, parley.TypeEscalationTransfer)
	if after := w.conversation(id).Epoch; after <= before {
		t.Errorf("epoch %d after %d, want it to grow", after, before)
	}
	if _, err := w.try(id, parley.CustomBot, parley.TypeText); parley.ReasonOf(err) != parley.NotParty || !strings.Contains(err.Error(), "agent") {
		t.Errorf("late bot = %v, want NotParty saying who has the turn", err)
	}
	if _, err := w.try(id, parley.EgainAgent, parley.TypeText); parley.ReasonOf(err) != parley.NotParty {
		t.Errorf("role nobody has = %v, want NotParty", err)
	}
	w.say(id, parley.CustomAgent, parley.TypeConversationEnd)
	if _, err := w.try(id, parley.Customer, parley.TypeText); parley.KindOf(err) != parley.Closed {
		t.Errorf("after the end = %v, want Closed", err)
	}
}

// Guarantee G7: a bot that is silent for its deadline loses the turn to the next bot, that one to the agents, and an idle
// conversation ends.
func TestSilentOwnersLoseTheTurn(t *testing.T) {
	w := newWorld(t, storetest.Open(t), func(_ *parley.Account, _ *parley.Channel, _ *parley.Orchestration, bots []parley.Participant) {
		bots[0].Options = []parley.NameValue{{Name: parley.OptionTurnDeadline, Value: "5"}}
	})
	w.run()
	id := w.start()
	w.later(6 * time.Second)
	owner := func(want string) func() bool {
		return func() bool { c := w.conversation(id); return string(c.Owner.Kind)+" "+c.Owner.Name == want }
	}
	waitFor(t, "the second bot", owner("bot "+w.bots[1].Name))
	w.later(parley.DefaultTurnDeadline + time.Second)
	waitFor(t, "the agents", owner("agent "))
	w.later(31 * time.Minute)
	waitFor(t, "the end", owner("none "))
	want := []string{"customer text → rex spare", "system escalation.transfer →", "system escalation.transfer → desk",
		"system conversation.state → customer", "system conversation.end → customer rex spare desk"}
	if diff := cmp.Diff(want, w.log(id)); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
}

// Guarantee G7: an owner that cannot be reached loses the turn; what a customer did not get is told to the sender.
func TestDeadDeliveries(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	id := w.start()
	first := storetest.Messages(t, w.store, id)[0]
	if err := w.hub.DeliveryFailed(t.Context(), w.tenant, 1, first); err != nil {
		t.Fatal(err)
	}
	answer := w.say(id, parley.CustomBot, parley.TypeText)
	m := storetest.Messages(t, w.store, id)[answer.Seq-1]
	if err := w.hub.DeliveryFailed(t.Context(), w.tenant, parley.CustomerSlot, m); err != nil {
		t.Fatal(err)
	}
	want := []string{"customer text → rex spare", "system escalation.transfer →", "custom_bot text → customer", "system text → spare"}
	if diff := cmp.Diff(want, w.log(id)); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
}

// Guarantee G3: the same messageId of the same sender is one message; a repeated start is one conversation; both also
// after the hub forgot everything it knew, and after the end.
func TestRepeats(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		w := newWorld(t, open(t))
		starter := w.starter("start-1")
		first, err := w.post(starter)
		if err != nil {
			t.Fatal(err)
		}
		id := first[0].Conversation
		named := func(d *parley.Draft) { d.Body.MessageID = "m-1" }
		said := w.say(id, parley.Customer, parley.TypeText, named)
		w.say(id, parley.CustomBot, parley.TypeText, named) // another sender may use the same id
		w.say(id, parley.CustomBot, parley.TypeEscalationTransfer)
		for _, forgetful := range []bool{false, true} {
			if forgetful {
				w.hub = hub.New(hub.Config{Store: w.store, Dispatcher: w, Clock: w.now})
			}
			if again, err := w.post(starter); err != nil || again[0] != first[0] {
				t.Errorf("repeated start = %+v, %v; want %+v", again, err, first[0])
			}
			if again := w.say(id, parley.Customer, parley.TypeText, named); again != said {
				t.Errorf("repeat = %+v, want %+v", again, said)
			}
			if _, err := w.try(id, parley.CustomBot, parley.TypeText, named); err != nil {
				t.Errorf("repeat of the bot after the hand-over = %v, want its first result", err)
			}
		}
		w.say(id, parley.Customer, parley.TypeConversationEnd)
		if again := w.say(id, parley.Customer, parley.TypeText, named); again != said {
			t.Errorf("repeat after the end = %+v, want %+v", again, said)
		}
		mixed := []parley.Draft{starter, draft(parley.Customer, "more")}
		if _, err := w.post(mixed...); parley.KindOf(err) != parley.Closed {
			t.Errorf("repeated start with a further message after the end = %v, want Closed", err)
		}
		storetest.Check(t, w.store, w.tenant, id)
	})
}

type opener = func(testing.TB, ...storetest.Option) *store.Store

func TestDeletesAndUndo(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	id := w.start()
	first := storetest.Messages(t, w.store, id)[0]
	of := func(parent string) func(*parley.Draft) { return func(d *parley.Draft) { d.Body.Parent = parent } }
	w.say(id, parley.Customer, parley.TypeDeleteSoft, of(first.Body.MessageID))
	if m := storetest.Messages(t, w.store, id)[0]; m.Deleted != parley.SoftlyDeleted {
		t.Errorf("after delete.soft: %d", m.Deleted)
	}
	w.say(id, parley.Customer, parley.TypeUndo, of(first.ID.String()))
	all := storetest.Messages(t, w.store, id)
	if all[0].Deleted != parley.NotDeleted || all[2].Body.Content == nil || all[2].Body.Content.Text != "hello" {
		t.Errorf("after undo: deleted %d, the undo carries %+v; want the text for who did not see it", all[0].Deleted, all[2].Body.Content)
	}
	if _, err := w.try(id, parley.Customer, parley.TypeUndo, of(first.ID.String())); parley.ReasonOf(err) != parley.NoParent {
		t.Errorf("undo of what is not deleted = %v, want NoParent", err)
	}
	w.say(id, parley.Customer, parley.TypeDeletePermanent, of(first.ID.String()))
	if m := storetest.Messages(t, w.store, id)[0]; m.Deleted != parley.Erased || m.Body.Content != nil {
		t.Errorf("after delete.permanent: %d, %+v; want it gone", m.Deleted, m.Body.Content)
	}
	if _, err := w.try(id, parley.Customer, parley.TypeUndo, of(first.ID.String())); parley.ReasonOf(err) != parley.NoParent {
		t.Errorf("undo after erasure = %v, want NoParent", err)
	}
	named := func(d *parley.Draft) { d.Body.MessageID = "same" }
	mine := w.say(id, parley.Customer, parley.TypeText, named)
	w.say(id, parley.CustomBot, parley.TypeText, named) // the bot calls one of its messages the same
	w.say(id, parley.Customer, parley.TypeDeleteSoft, of("same"))
	if m := storetest.Messages(t, w.store, id)[mine.Seq-1]; m.Deleted != parley.SoftlyDeleted {
		t.Errorf("the customer's own message of that id is not the one that was deleted")
	}
	bot := w.say(id, parley.CustomBot, parley.TypeText)
	if _, err := w.try(id, parley.Customer, parley.TypeDeleteSoft, of(bot.ID.String())); parley.ReasonOf(err) != parley.NoParent {
		t.Errorf("delete of the bot's message = %v, want NoParent", err)
	}
	if _, err := w.try(id, parley.Customer, parley.TypeDeleteSoft, of("nobody said this")); parley.ReasonOf(err) != parley.NoParent {
		t.Errorf("delete of nothing = %v, want NoParent", err)
	}
}

func TestChannelRestrictions(t *testing.T) {
	w := newWorld(t, storetest.Open(t), func(_ *parley.Account, c *parley.Channel, _ *parley.Orchestration, _ []parley.Participant) {
		c.Restrictions = &parley.Restrictions{
			Inbound: &parley.Restriction{MaxTextLength: 10, Features: []parley.Feature{parley.FeatureAttachments},
				Attachments: &parley.AttachmentPolicy{Enabled: true, MaxSize: 100, Extensions: []string{"exe"}}},
			Outbound: &parley.OutboundRestriction{SystemMessages: true, RichTypes: []string{"quickreply"}}}
	})
	id := w.start()
	file := func(name string, size int64) func(*parley.Draft) {
		return func(d *parley.Draft) {
			d.Body.Content = nil
			d.Body.Attachments = []parley.Attachment{{URL: "https://files.example.org/x", Name: name, Size: size}}
		}
	}
	rich := payload(`{"type":"x","version":"1"}`)
	for _, test := range []struct {
		what   string
		role   parley.Role
		kind   parley.MessageType
		change func(*parley.Draft)
		want   parley.Reason
	}{
		{"long text", parley.Customer, parley.TypeText, func(d *parley.Draft) { d.Body.Content = &parley.Content{Text: "ääääääääääx"} }, parley.TextTooLong},
		{"text that fits in code points", parley.Customer, parley.TypeText, func(d *parley.Draft) { d.Body.Content = &parley.Content{Text: "ääääääääää"} }, parley.Unspecified},
		{"blocked extension", parley.Customer, parley.TypeText, file("a.EXE", 1), parley.AttachmentRefused},
		{"large file", parley.Customer, parley.TypeText, file("a.png", 101), parley.AttachmentTooLarge},
		{"good file", parley.Customer, parley.TypeText, file("a.png", 100), parley.Unspecified},
		{"rich text", parley.Customer, parley.TypeText, func(d *parley.Draft) { d.Body.Content = &parley.Content{Text: "x", HTML: "<b>x</b>"} }, parley.FeatureRefused},
		{"rich text to the customer", parley.CustomBot, parley.TypeText, func(d *parley.Draft) { d.Body.Content = &parley.Content{HTML: "<b>x</b>"} }, parley.Unspecified},
		{"rich type that is not listed", parley.CustomBot, parley.TypeRichForm, rich, parley.FeatureRefused},
		{"authentication without midChatAuth", parley.CustomBot, parley.TypeRichAuthentication, rich, parley.FeatureRefused},
		{"listed rich type", parley.CustomBot, parley.TypeRichQuickreply, rich, parley.Unspecified},
		{"unknown asset", parley.CustomBot, parley.TypeText, func(d *parley.Draft) {
			d.Body.Attachments = []parley.Attachment{{Asset: ident.New[parley.Asset]()}}
		}, parley.BadAsset},
	} {
		if _, err := w.try(id, test.role, test.kind, test.change); parley.ReasonOf(err) != test.want || test.want == parley.Unspecified && err != nil {
			t.Errorf("%s = %v, want reason %d", test.what, err, test.want)
		}
	}
	w.say(id, parley.Customer, parley.TypeTypingStart) // no typing_events inbound: accepted, and nobody hears of it
	if len(w.typed) != 0 {
		t.Errorf("typing was passed on: %+v", w.typed)
	}
	var notices []string
	waitFor(t, "the hub texts", func() bool {
		notices = nil
		for _, m := range storetest.Messages(t, w.store, id) {
			if m.Sender == parley.System {
				notices = append(notices, m.Body.Content.Text)
			}
		}
		return len(notices) == 5
	})
	if !slices.ContainsFunc(notices, func(s string) bool { return strings.Contains(s, "exe") }) ||
		!slices.ContainsFunc(notices, func(s string) bool { return strings.Contains(s, "100 bytes") }) {
		t.Errorf("hub texts = %q, want those of the file rules with their placeholders filled", notices)
	}
	storetest.Check(t, w.store, w.tenant, id)
}

// The customer is back within bypassVaDuration: straight to the agents.
func TestBypass(t *testing.T) {
	w := newWorld(t, storetest.Open(t), func(a *parley.Account, _ *parley.Channel, o *parley.Orchestration, _ []parley.Participant) {
		o.Bots.BypassMinutes, a.CopyAttributes, a.SameCaseMinutes = 10, true, 60
	})
	starter := w.starter("")
	starter.Customer.Attributes = []parley.NameValue{{Name: "tier", Value: "gold"}}
	posted, err := w.post(starter)
	if err != nil {
		t.Fatal(err)
	}
	first := posted[0].Conversation
	w.say(first, parley.Customer, parley.TypeConversationEnd)
	w.later(9 * time.Minute)
	second := w.start()
	if want := []string{"customer text → desk", "system conversation.state → customer"}; !slices.Equal(w.log(second), want) {
		t.Errorf("record = %q, want %q", w.log(second), want)
	}
	c := w.conversation(second)
	if c.State.Previous != first || len(c.State.Customer.Attributes) != 1 {
		t.Errorf("previous %v, attributes %v; want %v and those of before", c.State.Previous, c.State.Customer.Attributes, first)
	}
	w.say(second, parley.Customer, parley.TypeConversationEnd)
	w.later(11 * time.Minute)
	if third := w.start(); w.log(third)[0] != "customer text → rex" {
		t.Errorf("after the time: %q, want the bot", w.log(third))
	}
}

// The first message of a conversation without a bot is stored like every other one: its file stays, and it says who sent it.
func TestFirstMessageToAgentsIsWhole(t *testing.T) {
	w := newWorld(t, storetest.Open(t), noBots)
	file := parley.Asset{ID: ident.New[parley.Asset](), Tenant: w.tenant, ChannelType: w.channel.Type, Sender: parley.Customer, Name: "a.png",
		Size: 7, ContentType: "image/png", Uploaded: true, Created: w.now()}
	w.update(func(tx parley.Tx) error { return tx.InsertAsset(t.Context(), file) })
	starter := w.starter("")
	starter.Body.Attachments = []parley.Attachment{{Asset: file.ID, Name: "b.exe"}}
	posted, err := w.post(starter)
	if err != nil {
		t.Fatal(err)
	}
	first := storetest.Messages(t, w.store, posted[0].Conversation)[0]
	if want := (parley.Attachment{Asset: file.ID, Name: "a.png", ContentType: "image/png", Size: 7}); first.Body.Attachments[0] != want || first.Body.Name != "Anna" {
		t.Errorf("stored by %q with %+v, want Anna with %+v", first.Body.Name, first.Body.Attachments[0], want)
	}
	if err := w.store.Update(t.Context(), func(tx parley.Tx) error { return tx.DeleteAsset(t.Context(), w.tenant, file.ID) }); parley.ReasonOf(err) != parley.AssetInUse {
		t.Errorf("delete of the file = %v, want AssetInUse", err)
	}
}

// Many senders at once, on two hubs over one store: every post is stored once, in one order, and no caller sees a conflict.
func TestTwoHubsOneOrder(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		w := newWorld(t, open(t))
		other := hub.New(hub.Config{Store: w.store, Clock: w.now})
		id := w.start()
		const each = 40
		errs := make(chan error, 2*each)
		for i := range 2 * each {
			h := w.hub
			if i%2 == 1 {
				h = other
			}
			go func() {
				d := draft(parley.Customer, "x")
				d.Conversation = id
				_, err := h.Post(t.Context(), hub.PostRequest{Speaker: parley.Speaker{Tenant: w.tenant}, Drafts: []parley.Draft{d}})
				errs <- err
			}()
		}
		for range 2 * each {
			if err := <-errs; err != nil {
				t.Errorf("post: %v", err)
			}
		}
		if n := len(storetest.Messages(t, w.store, id)); n != 2*each+1 {
			t.Errorf("%d messages, want %d", n, 2*each+1)
		}
		storetest.Check(t, w.store, w.tenant, id)
	})
}
