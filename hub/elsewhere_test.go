package hub_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"parley"
	"parley/store/storetest"
)

// Two nodes act on one conversation by turns, and no hint comes: what a node knows of it is old whenever it is asked. It says so to nobody, and
// writes nothing of it.

// elsewhere is another node on the record of a world.
func (w *world) elsewhere() *world {
	other := &world{t: w.t, store: w.store, tenant: w.tenant, account: w.account, bots: w.bots, botApp: w.botApp, agents: w.agents, channel: w.channel,
		custApp: w.custApp, watch: w.watch}
	other.hub = other.newHub()
	return other
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

// Who is unavailable is whoever has the conversation, not who had it as far as the node knows that is told.
func TestUnavailableAfterATransferByAnotherNode(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		one := newWorld(t, open(t), noBots, retain)
		two := one.elsewhere()
		id := one.start()
		two.say(id, parley.CustomAgent, parley.TypeText)
		one.say(id, parley.CustomAgent, parley.TypeEscalationTransfer)
		two.say(id, parley.CustomAgent, parley.TypeAgentUnavailable)
		two.say(id, parley.CustomAgent, parley.TypeEscalationTransfer) // back to the former, who is there
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

// A deed is one thing that somebody does in a world, and what they hear of it.
type deed func(w *world, id parley.ConversationID) error

// outcomeOf is how a deed ended, and what is in the record after it. Ids and texts of errors differ from world to world.
func (w *world) outcomeOf(id parley.ConversationID, err error) string {
	w.t.Helper()
	c := w.conversation(id)
	var open []int64
	for _, o := range c.State.Bot.Open {
		open = append(open, o.Seq)
	}
	return fmt.Sprintf("refused: %v, %v %v\n%s %d of the %s, epoch %d, held %v, tried %d, open %v, waits %v, wakes %v\n%s", err != nil, parley.KindOf(err), parley.ReasonOf(err), c.Status, c.Seq,
		c.Owner.Kind, c.Epoch, c.State.Held, len(c.State.TriedBots), open, c.Waiting.Format(time.TimeOnly), c.WakeAt.Format(time.TimeOnly), strings.Join(w.log(id), "\n"))
}

// Whatever is done, and on whichever of two nodes: each hears, and the record has, what it would be if there were one node.
func TestNodesAreAsOne(t *testing.T) {
	store := storetest.Open(t)
	type pair struct{ alone, one, two *world }
	var pairs []pair
	for _, changes := range [][]change{nil, {retain}, {noBots, retain}, {oneBot}} {
		p := pair{alone: newWorld(t, store, changes...), one: newWorld(t, store, changes...)}
		p.two = p.one.elsewhere()
		pairs = append(pairs, p)
	}
	running := pair{alone: newWorld(t, store), one: newWorld(t, store)}
	running.two = running.one.elsewhere()
	running.alone.runsBots()
	running.one.runsBots()
	pairs = append(pairs, running)
	rapid.Check(t, func(r *rapid.T) {
		p := pairs[rapid.IntRange(0, len(pairs)-1).Draw(r, "shop")]
		for _, w := range []*world{p.alone, p.one, p.two} {
			for _, app := range w.agents { // what the case before left behind
				w.update(func(tx parley.Tx) error { return tx.SetAvailable(t.Context(), w.tenant, app, true, w.now()) })
			}
			w.hub.ConfigChanged(t.Context(), w.tenant)
		}
		alone, shared := p.alone.start(), p.one.start()
		for range rapid.IntRange(1, 20).Draw(r, "steps") {
			name, do := anyDeed(r)
			w := p.one
			if rapid.Bool().Draw(r, "other node") {
				w = p.two
			}
			want := p.alone.done(do, alone)
			got := w.done(do, shared)
			for _, other := range []*world{p.one, p.two} { // plans may be seconds old, and are not what this is about
				other.hub.ConfigChanged(t.Context(), w.tenant)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				r.Fatalf("%s (-one node +two)\n%s", name, diff)
			}
		}
	})
}

// done does a deed, and is its outcome once nothing that it caused is on its way.
func (w *world) done(do deed, id parley.ConversationID) string {
	err := do(w, id)
	w.hub.Settle(w.tenant, id)
	return w.outcomeOf(id, err)
}

// stored are the types of messages that are kept: who types is told as a node knows it. What is given out once agents are there comes later.
var stored = slices.DeleteFunc(parley.MessageTypes(), func(t parley.MessageType) bool { return t.Ephemeral() || t == parley.TypeAgentAvailable })

// anyDeed is something that may happen to a conversation.
func anyDeed(r *rapid.T) (name string, do deed) {
	switch rapid.IntRange(0, 9).Draw(r, "what") {
	case 0:
		minutes := rapid.IntRange(1, 20).Draw(r, "minutes")
		return fmt.Sprintf("%d minutes go by", minutes), func(w *world, _ parley.ConversationID) error {
			w.later(time.Duration(minutes) * time.Minute)
			w.hub.Remind(context.Background())
			return nil
		}
	case 1:
		seq, slot := rapid.IntRange(1, 4).Draw(r, "failed"), rapid.IntRange(0, 1).Draw(r, "slot")
		return "a delivery fails", func(w *world, id parley.ConversationID) error {
			c, all := w.snapshot(id)
			return w.hub.DeliveryFailed(context.Background(), w.tenant, min(slot, len(c.State.Parties)-1), all[min(seq, len(all))-1])
		}
	case 2:
		seq := rapid.Int64Range(1, 6).Draw(r, "question")
		return "the bot answers", func(w *world, id parley.ConversationID) error { return w.reply(id, seq, nil, "yes") }
	case 3:
		seq := rapid.Int64Range(1, 6).Draw(r, "question")
		return "the bot fails", func(w *world, id parley.ConversationID) error {
			return w.hub.TurnFailed(context.Background(), w.tenant, id, seq, parley.FailureInternal, "it failed")
		}
	default:
		role, kind := rapid.SampledFrom(parley.SenderRoles()).Draw(r, "role"), rapid.SampledFrom(stored).Draw(r, "type")
		ids := []string{"", "a", "b"}
		named, parent, asked := rapid.SampledFrom(ids).Draw(r, "messageId"), rapid.SampledFrom(ids).Draw(r, "parent"), rapid.Bool().Draw(r, "asks")
		return fmt.Sprintf("%s %s %q of %q", role, kind, named, parent), func(w *world, id parley.ConversationID) error {
			_, err := w.try(id, role, kind, func(d *parley.Draft) {
				d.Body.MessageID, d.Body.Parent = named, parent
				d.Body.Content = &parley.Content{Text: "https://example.org/", JSON: []byte(`{"status":"x","agentName":"Dana","type":"t","version":"1"}`)}
				if asked && role == parley.Customer && kind == parley.TypeText {
					asks(d)
				}
			})
			return err
		}
	}
}
