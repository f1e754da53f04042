package hub_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley"
	"parley/hub"
	"parley/store/storetest"
)

// begin begins a conversation in which the customer has said nothing.
func (w *world) begin(introduction string) parley.ConversationID {
	w.t.Helper()
	id, err := w.hub.Begin(context.Background(), hub.BeginRequest{Tenant: w.tenant, ChannelType: w.channel.Type, Address: "shop", Introduction: introduction, Background: "a regular",
		Customer: parley.CustomerData{Name: "Anna", Contacts: []parley.Contact{{Type: "user", Address: "4711"}}}})
	if err != nil {
		w.t.Fatalf("Begin = %v", err)
	}
	return id
}

func (w *world) setManual(id parley.ConversationID, manual bool) {
	w.t.Helper()
	if err := w.hub.SetManual(context.Background(), w.tenant, id, manual); err != nil {
		w.t.Fatalf("SetManual(%t) = %v", manual, err)
	}
}

// botsAre switches the bots on or off.
func (w *world) botsAre(active bool) {
	w.t.Helper()
	w.update(func(tx parley.Tx) error {
		for i := range w.bots {
			w.bots[i].Active = active
			if err := tx.Participants().Replace(context.Background(), &w.bots[i], nil); err != nil {
				return err
			}
		}
		return nil
	})
	w.hub.ConfigChanged(context.Background(), w.tenant)
}

func (w *world) wantLog(id parley.ConversationID, want ...string) {
	w.t.Helper()
	if diff := cmp.Diff(want, w.log(id)); diff != "" {
		w.t.Errorf("said (-want +got)\n%s", diff)
	}
}

// retained keeps what nobody can take.
func retained(a *parley.Account, _ *parley.Channel, o *parley.Orchestration, _ []parley.Participant) {
	a.Unavailable, a.QueueIfUnavailable = parley.RetainAndRetry, true
	o.Bots.Bots = o.Bots.Bots[:1]
}

// A conversation begins without a word, or with the bot's.
func TestBegin(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		w := newWorld(t, open(t), retained)
		w.runsBots()
		id := w.begin("")
		c := w.conversation(id)
		if c.Seq != 0 || c.Status != parley.Open || c.Owner.Kind != parley.OwnerBot || c.Manual() || c.State.Bot.Background != "a regular" || c.State.Customer.Name != "Anna" {
			t.Errorf("the conversation is %+v", c)
		}
		w.say(id, parley.Customer, parley.TypeText, asks)
		if err := w.reply(id, 1, nil, "Hello"); err != nil {
			t.Errorf("Reply = %v", err)
		}
		w.wantLog(id, "customer text → rex", "custom_bot text → customer")
		storetest.Check(t, w.store, w.tenant, id)
		id = w.begin("Good morning")
		w.wantLog(id, "custom_bot text → customer")
		if _, messages := w.snapshot(id); messages[0].Body.Content.Text != "Good morning" || messages[0].Body.Name != c.Owner.Name || messages[0].Body.Participant != w.bots[0].ID {
			t.Errorf("the introduction is %+v", messages[0])
		}
		w.setManual(id, true)
		if err := w.hub.Introduce(t.Context(), w.tenant, id, "One more thing"); err != nil {
			t.Errorf("Introduce = %v", err)
		}
		w.wantLog(id, "custom_bot text → customer", "system escalation.transfer → desk", "system conversation.state → customer", "custom_bot text → customer")
		_, err := w.hub.Begin(t.Context(), hub.BeginRequest{Tenant: w.tenant, ChannelType: w.channel.Type, Address: "nowhere", Customer: parley.CustomerData{Contacts: []parley.Contact{{Address: "x"}}}})
		if parley.ReasonOf(err) != parley.NoAccount {
			t.Errorf("Begin on no account = %v", err)
		}
		if _, err := w.hub.Begin(t.Context(), hub.BeginRequest{Tenant: w.tenant, ChannelType: w.channel.Type, Address: "shop"}); parley.KindOf(err) != parley.Invalid {
			t.Errorf("Begin without a contact = %v", err)
		}
	})
}

// People take over when the open turns are over, and give back; what was asked meanwhile stays theirs.
func TestModes(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		w := newWorld(t, open(t), retained)
		w.runsBots()
		id := w.begin("")
		w.say(id, parley.Customer, parley.TypeText, asks)
		w.setManual(id, true)
		if c := w.conversation(id); !c.Manual() || c.Owner.Kind != parley.OwnerBot {
			t.Errorf("while a turn is open the owner is %+v, manual %t", c.Owner, c.Manual())
		}
		w.say(id, parley.Customer, parley.TypeText, asks)
		if got := w.turn(id, 2); got.Status != parley.TurnHuman {
			t.Errorf("what is asked then is %s", got.Status)
		}
		if err := w.reply(id, 1, nil, "Hello"); err != nil {
			t.Errorf("the running turn's answer = %v", err)
		}
		if c := w.conversation(id); !c.Manual() || c.Owner.Application != w.agents[0] {
			t.Errorf("then the owner is %+v", c.Owner)
		}
		w.setManual(id, true) // again
		w.say(id, parley.CustomAgent, parley.TypeText)
		w.setManual(id, false)
		w.setManual(id, false)
		if c := w.conversation(id); c.Manual() || c.Owner.Participant != w.bots[0].ID {
			t.Errorf("given back, the owner is %+v", c.Owner)
		}
		w.say(id, parley.Customer, parley.TypeText, asks)
		w.setManual(id, true)
		w.setManual(id, false) // before the turn was over: nothing comes of it
		seq := w.conversation(id).Seq
		if err := w.reply(id, seq, nil, "Yes"); err != nil || w.conversation(id).Owner.Kind != parley.OwnerBot {
			t.Errorf("Reply = %v", err)
		}
		w.wantLog(id, "customer text → rex", "customer text →", "custom_bot text → customer", "system escalation.transfer → desk", "system conversation.state → customer",
			"custom_agent text → customer", "system conversation.state → customer desk", "customer text → rex", "custom_bot text → customer")
		storetest.Check(t, w.store, w.tenant, id)
	})
}

// What neither bot nor agent ends goes back to the bot, also while that is switched off; the hub ends it.
func TestLastingConversations(t *testing.T) {
	w := newWorld(t, storetest.Open(t), retained)
	w.runsBots()
	id := w.begin("")
	w.say(id, parley.Customer, parley.TypeText, asks)
	if err := w.reply(id, 1, func(r *hub.Reply) { r.End, r.Connector = true, []byte(`{"step":1}`) }, "Bye"); err != nil {
		t.Fatalf("Reply = %v", err)
	}
	if c := w.conversation(id); c.Status != parley.Open || c.Owner.Kind != parley.OwnerBot || c.State.Bot.Connector != nil {
		t.Errorf("after the bot's end it is %s, %+v", c.Status, c.State.Bot)
	}
	w.say(id, parley.Customer, parley.TypeText, asks)
	if err := w.reply(id, 4, func(r *hub.Reply) { r.HandOver = true }, "A colleague"); err != nil {
		t.Fatalf("Reply = %v", err)
	}
	w.botsAre(false)
	w.say(id, parley.CustomAgent, parley.TypeConversationEnd)
	if c := w.conversation(id); c.Status != parley.Open || c.Owner.Participant != w.bots[0].ID {
		t.Errorf("after the agent's end it is %s, %+v", c.Status, c.Owner)
	}
	w.setManual(id, true)
	if err := w.hub.SetManual(t.Context(), w.tenant, id, false); parley.ReasonOf(err) != parley.Inactive {
		t.Errorf("given back to bots that are switched off: %v", err)
	}
	w.botsAre(true)
	w.setManual(id, false)
	last := w.say(id, parley.Customer, parley.TypeText, asks).Seq
	if err := w.hub.End(t.Context(), w.tenant, id, "deleted"); err != nil || w.conversation(id).Status != parley.Ended {
		t.Errorf("End = %v", err)
	}
	if err := w.hub.SetManual(t.Context(), w.tenant, id, true); parley.KindOf(err) != parley.Closed {
		t.Errorf("SetManual after the end = %v", err)
	}
	if w.turn(id, last).Status != parley.TurnDropped {
		t.Errorf("the open turn is %+v", w.turn(id, last))
	}
}

// A name begins one conversation for a customer, whatever hub is asked; another customer's is another one.
func TestBeginOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		w := newWorld(t, open(t), retained)
		w.runsBots()
		begin := func(h *hub.Hub, name, customer, introduction string) parley.ConversationID {
			t.Helper()
			id, err := h.Begin(t.Context(), hub.BeginRequest{Tenant: w.tenant, ChannelType: w.channel.Type, Address: "shop", Introduction: introduction, Name: name,
				Customer: parley.CustomerData{Contacts: []parley.Contact{{Type: "user", Address: customer}}}})
			if err != nil {
				t.Fatalf("Begin = %v", err)
			}
			return id
		}
		id := begin(w.hub, "n1", "4711", "Hello")
		for customer, h := range map[string]*hub.Hub{"4712": w.hub, "4713": w.elsewhere().hub} {
			if again := begin(h, "n1", "4711", "Hello again"); again != id {
				t.Errorf("begun again it is %s, not %s", again, id)
			}
			if begin(h, "n1", customer, "Hello") == id {
				t.Error("another customer's is the same")
			}
		}
		if begin(w.hub, "n2", "4711", "Hello") == id {
			t.Error("another name's is the same")
		}
		w.wantLog(id, "custom_bot text → customer")
		storetest.Check(t, w.store, w.tenant, id)
	})
}
