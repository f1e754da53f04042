package hub_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley"
	"parley/hub"
	"parley/store/storetest"
)

// A hit tells whoever has the turn, and hands over from the bot, each once, however often the message is looked at.
func TestTrackersAct(t *testing.T) {
	for _, test := range []struct {
		name   string
		action func(*world) parley.TrackerAction
		sender parley.Role
		want   []string // after the customer's first message and the one that was hit
		owner  parley.OwnerKind
	}{
		{"nothing to do", func(*world) parley.TrackerAction { return parley.TrackerAction{Label: "x"} }, parley.Customer, nil, parley.OwnerBot},
		{"tell the bot", func(*world) parley.TrackerAction { return parley.TrackerAction{Callback: true} }, parley.Customer,
			[]string{"system customer.info → rex"}, parley.OwnerBot},
		{"hand over", func(*world) parley.TrackerAction { return parley.TrackerAction{HandOver: true} }, parley.Customer,
			[]string{"system escalation.transfer → desk", "system conversation.state → customer"}, parley.OwnerAgent},
		{"hand over to the one named", func(w *world) parley.TrackerAction {
			return parley.TrackerAction{HandOver: true, To: w.agents[1]}
		}, parley.Customer, []string{"system escalation.transfer → desk2", "system conversation.state → customer"}, parley.OwnerAgent},
		{"what the bot says hands nothing over", func(*world) parley.TrackerAction { return parley.TrackerAction{HandOver: true} }, parley.CustomBot, nil, parley.OwnerBot},
	} {
		t.Run(test.name, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, open opener) {
				w := newWorld(t, open(t))
				id := w.start()
				w.say(id, test.sender, parley.TypeText)
				hit := parley.Detected{Tracker: 4711, Name: "Cancel", Phrase: "cancel my contract", Message: storetest.Messages(t, w.store, id)[1], Action: test.action(w)}
				other := hub.New(hub.Config{Store: w.store, Clock: w.now}) // of another leader, who looks at it again
				for _, h := range []*hub.Hub{w.hub, w.hub, other} {
					if err := h.Detected(t.Context(), w.tenant, hit); err != nil {
						t.Fatalf("Detected: %v", err)
					}
				}
				if diff := cmp.Diff(test.want, w.log(id)[2:], cmpEmpty); diff != "" {
					t.Errorf("after the hit (-want +got):\n%s", diff)
				}
				if got := w.conversation(id).Owner.Kind; got != test.owner {
					t.Errorf("the turn is the %s's, want %s", got, test.owner)
				}
				storetest.Check(t, w.store, w.tenant, id)
			})
		})
	}
}

var cmpEmpty = cmp.Transformer("empty", func(s []string) string { return strings.Join(s, "\n") })

// Each hit is told once: of each tracker, in each message.
func TestEachHitIsTold(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	id := w.start()
	w.say(id, parley.Customer, parley.TypeText)
	var want []string
	for _, m := range storetest.Messages(t, w.store, id)[:2] {
		for tracker := range parley.Number(2) {
			hit := parley.Detected{Tracker: 4711 + tracker, Message: m, Action: parley.TrackerAction{Callback: true}}
			if err := w.hub.Detected(t.Context(), w.tenant, hit); err != nil {
				t.Fatal(err)
			}
			want = append(want, "system customer.info → rex")
		}
	}
	if diff := cmp.Diff(want, w.log(id)[2:]); diff != "" {
		t.Errorf("after the hits (-want +got):\n%s", diff)
	}
}

// A hit in a conversation that is over is none of anybody's business.
func TestTrackersLetTheDeadRest(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	id := w.start()
	w.say(id, parley.Customer, parley.TypeConversationEnd)
	before := len(w.log(id))
	hit := parley.Detected{Tracker: 1, Message: storetest.Messages(t, w.store, id)[0], Action: parley.TrackerAction{Callback: true, HandOver: true}}
	if err := w.hub.Detected(t.Context(), w.tenant, hit); err != nil || len(w.log(id)) != before {
		t.Errorf("Detected = %v, and said %v", err, w.log(id)[before:])
	}
}
