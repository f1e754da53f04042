package hub_test

import (
	"log/slog"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley"
	"parley/hub"
	"parley/store/storetest"
)

// Two nodes act on one conversation by turns, and no hint comes: what a node knows of it is old whenever it is asked. It says so to nobody, and
// writes nothing of it.

// elsewhere is another node on the record of a world.
func (w *world) elsewhere() *world {
	other := *w
	other.hub = hub.New(hub.Config{Store: w.store, Dispatcher: w, Clock: w.now, Logger: slog.New(slog.DiscardHandler)})
	return &other
}

// A bot that asks at once on one node what was asked on another one is not too late.
func TestAnswerToAQuestionOfAnotherNode(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		one := newWorld(t, open(t))
		one.runsBots()
		two := one.elsewhere()
		id := one.start()
		if err := two.reply(id, 1, nil, "Hello"); err != nil {
			t.Fatal(err)
		}
		question := one.say(id, parley.Customer, parley.TypeText)
		if err := two.reply(id, question.Seq, nil, "Yes"); err != nil {
			t.Errorf("the answer = %v", err)
		}
		if got := one.turn(id, question.Seq); got.Status != parley.TurnAnswered {
			t.Errorf("the turn is %+v", got)
		}
		storetest.Check(t, one.store, one.tenant, id)
	})
}

// A turn that one node closes without a word is not open again because another one adds a message to what it knows.
func TestTurnThatAnotherNodeClosed(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		one := newWorld(t, open(t), oneBot)
		one.runsBots()
		two := one.elsewhere()
		id := one.start()
		if err := two.reply(id, 1, nil, "Hello"); err != nil {
			t.Fatal(err)
		}
		first := two.say(id, parley.Customer, parley.TypeText, asks)
		second := one.say(id, parley.Customer, parley.TypeText, asks)
		if err := two.hub.TurnFailed(t.Context(), two.tenant, id, first.Seq, parley.FailureInternal, "it failed"); err != nil {
			t.Fatal(err)
		}
		third := one.say(id, parley.Customer, parley.TypeText, asks)
		var left []int64
		for _, o := range one.conversation(id).State.Bot.Open {
			left = append(left, o.Seq)
		}
		if diff := cmp.Diff([]int64{second.Seq, third.Seq}, left); diff != "" {
			t.Errorf("open turns (-want +got)\n%s", diff)
		}
		storetest.Check(t, one.store, one.tenant, id)
	})
}

// Who has the turn is what the record says, not what the node says that is asked.
func TestOwnerByAnotherNode(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		one := newWorld(t, open(t))
		two := one.elsewhere()
		id := one.start()
		two.say(id, parley.CustomBot, parley.TypeText)
		one.say(id, parley.CustomBot, parley.TypeEscalationTransfer)
		two.say(id, parley.CustomAgent, parley.TypeAgentJoin, payload(`{"agentName":"Ben"}`))
		one.say(id, parley.CustomAgent, parley.TypeText)
		storetest.Check(t, one.store, one.tenant, id)
	})
}

// What one node held for agents another one gives out, although it never heard of it.
func TestHeldByAnotherNode(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		one := newWorld(t, open(t), retain)
		two := one.elsewhere()
		id := one.start()
		two.say(id, parley.CustomBot, parley.TypeText)
		one.say(parley.ConversationID{}, parley.CustomAgent, parley.TypeAgentUnavailable)
		one.say(id, parley.CustomBot, parley.TypeEscalationTransfer)
		if c := one.conversation(id); !c.State.Held {
			t.Fatalf("nobody is there: %+v, want it held", c.Owner)
		}
		two.say(parley.ConversationID{}, parley.CustomAgent, parley.TypeAgentAvailable)
		waitFor(t, "the release", func() bool { return one.conversation(id).Owner.Kind == parley.OwnerAgent })
		storetest.Check(t, one.store, one.tenant, id)
	})
}
