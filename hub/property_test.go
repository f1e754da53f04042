package hub_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"parley"
	"parley/store/storetest"
)

// Whatever anybody sends, in whichever order, and whatever happens besides: the sequence has no holes (G2), no messageId
// is stored twice (G3), exactly one party has the turn and the epoch grows when that changes (G6), and while the
// conversation is open somebody is in charge of the customer (G7).
func TestAnySequenceKeepsTheGuarantees(t *testing.T) {
	store := storetest.Open(t)
	worlds := []*world{newWorld(t, store), newWorld(t, store, retain), newWorld(t, store, noBots, retain)}
	rapid.Check(t, func(r *rapid.T) {
		w := rapid.SampledFrom(worlds).Draw(r, "world")
		for _, app := range w.agents { // what the case before left behind
			w.update(func(tx parley.Tx) error { return tx.SetAvailable(t.Context(), w.tenant, app, true, w.now()) })
		}
		w.hub.ConfigChanged(t.Context(), w.tenant)
		id := w.start()
		before := w.conversation(id)
		ids := []string{"", "a", "b", "c"}
		for range rapid.IntRange(1, 25).Draw(r, "steps") {
			switch rapid.IntRange(0, 9).Draw(r, "what") {
			case 0:
				w.later(time.Duration(rapid.IntRange(1, 20).Draw(r, "minutes")) * time.Minute)
				w.hub.Remind(t.Context())
			case 1:
				all := storetest.Messages(t, store, id)
				m := rapid.SampledFrom(all).Draw(r, "failed")
				slot := rapid.IntRange(0, len(before.State.Parties)-1).Draw(r, "slot")
				_ = w.hub.DeliveryFailed(t.Context(), w.tenant, slot, m) // Closed after the end
			default:
				role := rapid.SampledFrom(parley.SenderRoles()).Draw(r, "role")
				kind := rapid.SampledFrom(parley.MessageTypes()).Draw(r, "type")
				named := rapid.SampledFrom(ids).Draw(r, "messageId")
				in := rapid.SampledFrom([]parley.ConversationID{id, id, id, {}}).Draw(r, "where")
				_, err := w.try(in, role, kind, func(d *parley.Draft) {
					d.Body.MessageID, d.Body.Parent = named, rapid.SampledFrom(ids).Draw(r, "parent")
					if rapid.Bool().Draw(r, "content") {
						d.Body.Content = &parley.Content{Text: "https://example.org/", JSON: []byte(`{"status":"x","agentName":"Dana","type":"t","version":"1"}`)}
					}
				})
				if err != nil && parley.KindOf(err) == parley.Internal {
					r.Fatalf("%s by %s: %v", kind, role, err)
				}
			}
			var after parley.Conversation
			var all []parley.Message
			if err := store.View(t.Context(), func(tx parley.Tx) (err error) { // at one moment: notices are posted behind our back
				if after, err = tx.Conversation(t.Context(), w.tenant, id); err == nil {
					all, err = tx.Messages(t.Context(), parley.MessageQuery{Tenant: w.tenant, Conversation: id, Limit: 1000})
				}
				return err
			}); err != nil {
				r.Fatal(err)
			}
			for _, wrong := range storetest.Faults(after, all) {
				r.Error(wrong)
			}
			changed := after.Owner.Kind != before.Owner.Kind || after.Owner.Application != before.Owner.Application || after.Owner.Participant != before.Owner.Participant
			if after.Epoch < before.Epoch || changed && after.Epoch == before.Epoch {
				r.Errorf("owner %+v (epoch %d) became %+v (epoch %d)", before.Owner, before.Epoch, after.Owner, after.Epoch)
			}
			if after.Status == parley.Open && after.WakeAt.IsZero() {
				r.Error("open, but nothing will ever wake it")
			}
			if after.Status == parley.Open && after.Owner.Kind == parley.OwnerQueue && !after.State.Held && after.Owner.Application.IsZero() {
				r.Error("in the queue of nobody, and not held")
			}
			before = after
		}
	})
}
