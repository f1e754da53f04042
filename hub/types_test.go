package hub_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"parley"
	"parley/hub"
	"parley/store/storetest"
)

// What the message types of reference section 9.4 do that have no dialogue of their own: who hears of them.
func TestTypesReachTheOtherSide(t *testing.T) {
	const c, bot, agent = parley.Customer, parley.CustomBot, parley.CustomAgent
	w := newWorld(t, storetest.Open(t))
	id := w.start()
	for _, said := range []struct {
		role parley.Role
		kind parley.MessageType
		what string
		to   string
	}{
		{c, parley.TypeAuthSuccess, `{"token":"x"}`, "rex"},
		{c, parley.TypeAuthFailure, `{"reason":"x"}`, "rex"},
		{c, parley.TypeError, `{"code":"x","message":"y"}`, "rex"},
		{bot, parley.TypeError, `{"code":"x","message":"y"}`, "customer"},
		{bot, parley.TypePagePush, `{"url":"https://example.org/"}`, "customer"},
		{bot, parley.TypeRichQuickreply, `{"type":"quickreply","version":"1"}`, "customer"},
		{c, parley.TypeCustomerInfo, `{"name":"Anna B.","attributes":[{"name":"tier","value":"gold"}]}`, "rex"},
		{bot, parley.TypeCustomerInfo, `{"attributes":[{"name":"order","value":"7"}]}`, "customer"},
		{bot, parley.TypeEscalationTransfer, `{"reason":"x","intent":"y","queue":{"id":"1"}}`, "desk"},
		{c, parley.TypeAuthSuccess, `{}`, "desk"},
		{agent, parley.TypeConversationState, `{"status":"assigned","content":""}`, "customer"},
		{agent, parley.TypeAgentTransfer, `{"agentName":"Kim"}`, "customer"},
		{agent, parley.TypePagePush, `{"url":"https://example.org/"}`, "customer"},
		{agent, parley.TypeAgentUnavailable, ``, "customer"},
		{agent, parley.TypeAgentAvailable, ``, ""},
	} {
		posted := w.say(id, said.role, said.kind, func(d *parley.Draft) {
			if said.what != "" {
				d.Body.Content = &parley.Content{JSON: []byte(said.what)}
			}
		})
		want := strings.TrimSpace(string(said.role) + " " + string(said.kind) + " → " + said.to)
		if got := w.log(id)[posted.Seq-1]; got != want {
			t.Errorf("record has %q, want %q", got, want)
		}
	}
	if c := w.conversation(id); c.Owner.Kind != parley.OwnerAgent || c.State.Customer.Name != "Anna B." || len(c.State.Customer.Attributes) != 2 {
		t.Errorf("the %s owns it, the customer is %+v; want agents to, and both customer.info merged", c.Owner.Kind, c.State.Customer)
	}
	storetest.Check(t, w.store, w.tenant, id)
}

// Nobody free: work goes back into the queue only if the account allows it.
func TestQueueWhileNobodyIsThere(t *testing.T) {
	for _, allowed := range []bool{false, true} {
		w := newWorld(t, storetest.Open(t), func(a *parley.Account, _ *parley.Channel, _ *parley.Orchestration, _ []parley.Participant) {
			a.QueueIfUnavailable = allowed
		})
		id := w.start()
		w.say(id, parley.CustomBot, parley.TypeEscalationTransfer)
		w.say(parley.ConversationID{}, parley.CustomAgent, parley.TypeAgentUnavailable)
		_, err := w.try(id, parley.CustomAgent, parley.TypeQueueTransfer)
		if owner := w.conversation(id).Owner.Kind; allowed && (err != nil || owner != parley.OwnerQueue) || !allowed && (parley.ReasonOf(err) != parley.FeatureRefused || owner != parley.OwnerAgent) {
			t.Errorf("allowed %v: %v, and the %s has the turn", allowed, err, owner)
		}
	}
}

// A request is stored whole or not at all.
func TestOneBadMessageRefusesTheRequest(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	id := w.start()
	good := draft(parley.Customer, "good")
	bad := parley.Draft{Type: parley.TypeAgentJoin, Sender: parley.Customer}
	good.Conversation, bad.Conversation = id, id
	if _, err := w.post(good, bad); parley.ReasonOf(err) != parley.TypeNotAllowed {
		t.Errorf("post = %v, want TypeNotAllowed", err)
	}
	if _, err := w.post(w.starter("never"), bad); parley.ReasonOf(err) != parley.TypeNotAllowed {
		t.Errorf("start = %v, want TypeNotAllowed", err)
	}
	if log := w.log(id); len(log) != 1 {
		t.Errorf("record %q, want the first message alone", log)
	}
}

// The timeout counts from what is stored: typing and presence do not keep a conversation open.
func TestTypingDoesNotKeepAConversationOpen(t *testing.T) {
	w := newWorld(t, storetest.Open(t), noBots)
	id := w.start()
	w.later(29 * time.Minute)
	w.say(id, parley.Customer, parley.TypeTypingStart)
	w.say(id, parley.Customer, parley.TypeCustomerActive)
	w.hub.Remind(t.Context())
	if c := w.conversation(id); c.Status != parley.Open {
		t.Fatal("ended before its time")
	}
	w.later(time.Minute)
	w.hub.Remind(t.Context())
	if want := []string{"customer text → desk", "system conversation.end → customer desk"}; !slices.Equal(w.log(id), want) {
		t.Errorf("record %q, want %q", w.log(id), want)
	}
}

// The transcript of a bot-only conversation goes out when it times out, too; not once agents had it, nor without an
// address to know the customer by.
func TestForwardTranscript(t *testing.T) {
	forward := func(_ *parley.Account, _ *parley.Channel, o *parley.Orchestration, _ []parley.Participant) {
		o.Bots.ForwardTranscript, o.Bots.Bots[0].EscalateTo = true, o.Agents[1].Application
	}
	w := newWorld(t, storetest.Open(t), forward, func(_ *parley.Account, _ *parley.Channel, _ *parley.Orchestration, bots []parley.Participant) {
		for i := range bots {
			bots[i].Options = []parley.NameValue{{Name: parley.OptionTurnDeadline, Value: "36000"}}
		}
	})
	idle := w.start()
	w.later(31 * time.Minute)
	w.hub.Remind(t.Context())
	if log := w.log(idle); log[len(log)-1] != "system conversation.end → customer rex desk2" {
		t.Errorf("after the timeout: %q", log)
	}
	if end := storetest.Messages(t, w.store, idle)[1]; end.Body.Transcript == 0 {
		t.Error("the end of the conversation does not bring the transcript")
	}
	escalated := w.start()
	w.say(escalated, parley.CustomBot, parley.TypeEscalationTransfer)
	w.say(escalated, parley.Customer, parley.TypeConversationEnd)
	all := storetest.Messages(t, w.store, escalated)
	if all[len(all)-1].Body.Transcript != 0 {
		t.Error("agents who had the conversation get its transcript at the end")
	}
}

// sameCaseDuration: who comes back in time goes on with the case that the first conversation began.
func TestSameCase(t *testing.T) {
	w := newWorld(t, storetest.Open(t), func(a *parley.Account, _ *parley.Channel, _ *parley.Orchestration, _ []parley.Participant) {
		a.SameCaseMinutes = 60
	})
	first := w.start()
	w.say(first, parley.Customer, parley.TypeConversationEnd)
	w.later(50 * time.Minute)
	second := w.start()
	w.say(second, parley.Customer, parley.TypeConversationEnd)
	w.later(50 * time.Minute)
	third := w.start()
	w.say(third, parley.Customer, parley.TypeConversationEnd)
	w.later(61 * time.Minute)
	fourth := w.start()
	for id, want := range map[parley.ConversationID][2]parley.ConversationID{second: {first, first}, third: {second, first}, fourth: {{}, fourth}} {
		if s := w.conversation(id).State; s.Previous != want[0] || s.Case != want[1] {
			t.Errorf("%s follows %s in case %s, want %s in %s", id, s.Previous, s.Case, want[0], want[1])
		}
	}
}

// Guarantee G3 within one request: the second message of one messageId is a repeat of the first, also when they start the
// conversation.
func TestRepeatsInOneRequest(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	same := func(text string) parley.Draft {
		d := draft(parley.Customer, text)
		d.Body.MessageID = "same"
		return d
	}
	started, err := w.post(w.starter("same"), same("again"), draft(parley.Customer, "more"))
	if err != nil {
		t.Fatal(err)
	}
	id := started[0].Conversation
	if started[1] != started[0] || started[2].Seq != 2 {
		t.Errorf("start = %+v, want the second to be the first", started)
	}
	one, two := same("one"), same("two")
	one.Conversation, two.Conversation = id, id
	one.Body.MessageID, two.Body.MessageID = "other", "other"
	posted, err := w.post(one, two)
	if err != nil {
		t.Fatal(err)
	}
	if posted[1] != posted[0] || posted[0].Seq != 3 {
		t.Errorf("post = %+v, want the second to be the first", posted)
	}
	storetest.Check(t, w.store, w.tenant, id)
}

// An agent program may announce several things at once; each has its answer.
func TestAnnouncements(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	announce := func(kind parley.MessageType) parley.Draft {
		return parley.Draft{Type: kind, Sender: parley.CustomAgent}
	}
	posted, err := w.post(announce(parley.TypeAgentAvailable), announce(parley.TypeAgentUnavailable))
	if err != nil || len(posted) != 2 || posted[0].ID == posted[1].ID {
		t.Errorf("two announcements = %+v, %v; want an answer each", posted, err)
	}
	id := w.start()
	w.say(id, parley.CustomBot, parley.TypeEscalationTransfer)
	if c := w.conversation(id); c.Status != parley.Ended {
		t.Errorf("the last announcement does not hold: the conversation is %s", c.Status)
	}
	_, err = w.post(announce(parley.TypeAgentAvailable), announce(parley.TypeText))
	if parley.KindOf(err) != parley.Invalid {
		t.Errorf("an announcement with a message to nobody = %v, want Invalid", err)
	}
	second := w.start()
	w.say(second, parley.CustomBot, parley.TypeEscalationTransfer)
	if c := w.conversation(second); c.Status != parley.Ended {
		t.Error("a request that was refused has made the agents available")
	}
}

// A credential announces only what it may speak as.
func TestAnnouncementsAreOfTheSpeaker(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	for what, test := range map[string]struct {
		speaker parley.Speaker
		want    parley.Reason
	}{
		"its own":           {parley.Speaker{Application: w.agents[0]}, parley.Unspecified},
		"in its role":       {parley.Speaker{Application: w.agents[0], Roles: []parley.Role{parley.CustomAgent}}, parley.Unspecified},
		"in another role":   {parley.Speaker{Application: w.agents[0], Roles: []parley.Role{parley.Customer}}, parley.NotParty},
		"of no agent":       {parley.Speaker{Application: w.botApp}, parley.NotParty},
		"of a customer":     {parley.Speaker{Application: parley.WidgetApplication, Roles: []parley.Role{parley.Customer}, Contact: "x"}, parley.NotParty},
		"of another tenant": {parley.Speaker{Tenant: parley.TenantID{1}}, parley.NotParty},
	} {
		if test.speaker.Tenant.IsZero() {
			test.speaker.Tenant = w.tenant
		}
		_, err := w.hub.Post(t.Context(), hub.PostRequest{Speaker: test.speaker, Drafts: []parley.Draft{{Type: parley.TypeAgentAvailable, Sender: parley.CustomAgent}}})
		if parley.ReasonOf(err) != test.want || test.want == parley.Unspecified && err != nil {
			t.Errorf("%s: %v, want reason %d", what, err, test.want)
		}
	}
}

// With several messages in a request, the error says which one it is about.
func TestErrorsNameTheMessage(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	id := w.start()
	good, bad := draft(parley.Customer, "x"), parley.Draft{Type: parley.TypeAgentJoin, Sender: parley.Customer}
	good.Conversation, bad.Conversation = id, id
	for _, test := range []struct {
		drafts []parley.Draft
		want   string
	}{
		{[]parley.Draft{good, bad}, "messages.message[1].type.value"},
		{[]parley.Draft{bad, good}, "messages.message[0].type.value"},
		{[]parley.Draft{bad}, "type.value"}, // the surface knows where it stands
		{[]parley.Draft{w.starter("new"), bad}, "messages.message[1].type.value"},
	} {
		_, err := w.post(test.drafts...)
		if e, ok := errors.AsType[*parley.Error](err); !ok || e.Field != test.want {
			t.Errorf("%d messages: %v, want field %s", len(test.drafts), err, test.want)
		}
	}
	if _, err := w.post(w.starter("again")); err != nil {
		t.Fatal(err)
	}
	_, err := w.post(w.starter("again"), bad) // the start is a repeat, the rest is not
	if e, ok := errors.AsType[*parley.Error](err); !ok || e.Field != "messages.message[1].type.value" {
		t.Errorf("behind a repeated start: %v", err)
	}
}

// What is held for a program that the orchestration no longer has goes to the one it has now.
func TestHeldForNobodyIsGivenOut(t *testing.T) {
	w := newWorld(t, storetest.Open(t), retain, func(_ *parley.Account, _ *parley.Channel, o *parley.Orchestration, _ []parley.Participant) {
		o.Agents = nil
	})
	id := w.start()
	w.say(id, parley.CustomBot, parley.TypeEscalationTransfer)
	if c := w.conversation(id); !c.State.Held {
		t.Fatalf("with no agents at all: %+v, want it held", c.Owner)
	}
	w.update(func(tx parley.Tx) error {
		o, err := tx.Orchestrations().Find(t.Context(), w.tenant, w.account.Orchestration)
		if err != nil {
			return err
		}
		o.Agents = []parley.AgentReference{{Application: w.agents[0]}}
		return tx.Orchestrations().Replace(t.Context(), &o, nil)
	})
	w.hub.ConfigChanged(t.Context(), w.tenant)
	w.later(31 * time.Second)
	w.hub.Remind(t.Context())
	want := []string{"customer text → rex", "custom_bot escalation.transfer → desk", "system text → customer", "system conversation.state → customer", "system conversation.state → customer"}
	if c := w.conversation(id); c.Owner.Kind != parley.OwnerAgent || !slices.Equal(w.log(id), want) {
		t.Errorf("once there are agents: the %s has it, record %q; want %q", c.Owner.Kind, w.log(id), want)
	}
}
