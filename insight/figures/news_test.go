package figures_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"parley"
	"parley/ident"
	"parley/insight/figures"
	"parley/store"
	"parley/store/storetest"
)

// Whatever happens, in whatever pieces it is counted, counted anew and interrupted: subscriptions are owed each message that counts exactly
// once, and each transition as it is in the end, once; of other bots and versions they are owed nothing.
func TestNewsIsOwedOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) {
		enough := enough(t)
		rapid.Check(t, func(r *rapid.T) {
			if enough() {
				return
			}
			w := newGround(t, open).world(t) // on a record of its own: what is owed is owed by the record
			w.stays = true                   // of what is erased before it is counted nobody is told
			subs := map[parley.EventType]*parley.Subscription{}
			for _, kind := range []parley.EventType{parley.EventMessage, parley.EventFlow} {
				s := &parley.Subscription{ID: ident.New[parley.Subscription](), Tenant: w.tenant.ID, Bot: w.bots[0], Version: parley.VersionLive, Type: kind,
					Target: "https://example.org", Status: parley.SubscriptionEnabled, Created: dawn.Add(-24 * time.Hour)}
				subs[kind] = s
				if err := w.store.Update(t.Context(), func(tx parley.Tx) error { return tx.InsertSubscription(t.Context(), s) }); err != nil {
					r.Fatal(err)
				}
			}
			for range 3 {
				w.lives(r, rapid.IntRange(1, 12).Draw(r, "steps"))
				if rapid.IntRange(0, 2).Draw(r, "rebuild") == 0 {
					_, _ = figures.Rebuild(t.Context(), w.store, w.now) // it may be going on
				}
			}
			w.record.before, w.record.after = 0, 0
			w.count()

			messages, transitions := map[parley.MessageID]int{}, map[string]int{}
			if err := w.store.View(t.Context(), func(tx parley.Tx) error {
				owed, err := tx.Owed(t.Context(), subs[parley.EventMessage].Key, 1<<20)
				for _, n := range owed {
					if n.Message != nil {
						messages[n.Message.ID]++
					}
				}
				if err != nil {
					return err
				}
				owed, err = tx.Owed(t.Context(), subs[parley.EventFlow].Key, 1<<20)
				for _, n := range owed {
					if tr := n.Transition; tr != nil {
						transitions[fmt.Sprint(tr.Conversation, tr.Part, tr.Depth, tr.From, tr.To, tr.At)]++
					}
				}
				return err
			}); err != nil {
				r.Fatal(err)
			}
			for id, n := range messages {
				if n != 1 {
					r.Fatalf("message %s is owed %d times", id, n)
				}
			}
			for _, k := range w.talks {
				if k.state.Seq == 0 {
					continue
				}
				var visits []parley.Visit
				var said []parley.Message
				if err := w.store.View(t.Context(), func(tx parley.Tx) (err error) {
					if said, err = tx.Messages(t.Context(), parley.MessageQuery{Tenant: w.tenant.ID, Conversation: k.state.ID, Limit: 1000}); err != nil {
						return err
					}
					visits, err = tx.VisitsOf(t.Context(), w.tenant.ID, k.state.ID)
					return err
				}); err != nil {
					r.Fatal(err)
				}
				for _, v := range visits {
					if v.Bot != w.bots[0] || v.Version != parley.VersionLive {
						continue
					}
					for _, m := range said {
						if m.Seq < v.FirstSeq || m.Seq > v.LastSeq || m.Type != parley.TypeText || m.Body.Turn != nil {
							continue
						}
						if messages[m.ID] != 1 {
							r.Fatalf("message %d of %s is owed %d times", m.Seq, k.state.ID, messages[m.ID])
						}
						delete(messages, m.ID)
					}
					for depth, tr := range v.Facts.Steps {
						if n := transitions[fmt.Sprint(k.state.ID, v.Part, depth, tr.From, tr.To, tr.At)]; n != 1 {
							r.Fatalf("transition %d of %s, %v to %v, is owed %d times", depth, k.state.ID, tr.From, tr.To, n)
						}
					}
				}
			}
			if len(messages) > 0 {
				r.Fatalf("%d messages are owed that nobody wants", len(messages))
			}
		})
	})
}
