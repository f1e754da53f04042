package figures_test

import (
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"parley"
	"parley/insight/figures"
	"parley/store"
	"parley/store/storetest"
)

// A mirror is what somebody keeps who exports visits: of each the last that came.
type mirror struct {
	w     *world
	place parley.VisitPlace
	has   map[parley.VisitName]parley.Visit
	ids   map[parley.VisitID]parley.VisitName
}

// reads reads a few pages, or all that there are if pages is 0.
func (m *mirror) reads(pages, limit int) (came int) {
	m.w.t.Helper()
	for n := 1; ; n++ {
		var page []parley.ExportedVisit
		if err := m.w.store.View(m.w.t.Context(), func(tx parley.Tx) (err error) {
			page, err = tx.ExportedVisits(m.w.t.Context(), parley.VisitQuery{Tenant: m.w.tenant.ID, After: m.place, Limit: limit})
			return err
		}); err != nil {
			m.w.t.Fatal(err)
		}
		for _, v := range page {
			name := parley.VisitName{Conversation: v.Conversation, Part: v.Part}
			if known, ok := m.ids[v.ID]; ok && known != name || v.Tenant != m.w.tenant.ID {
				m.w.t.Fatalf("%+v has the id of %+v, or is of another tenant", v, known)
			}
			m.place, m.has[name], m.ids[v.ID] = v.Place, v.Visit, name
		}
		came += len(page)
		if n == pages || len(page) < limit {
			return came
		}
	}
}

// visits are those that there are, read another way.
func (w *world) visits() map[parley.VisitName]parley.Visit {
	w.t.Helper()
	all := map[parley.VisitName]parley.Visit{}
	if err := w.store.View(w.t.Context(), func(tx parley.Tx) error {
		known, err := tx.VisitDimensions(w.t.Context(), w.tenant.ID)
		if err != nil {
			return err
		}
		var keys []int64
		for _, d := range known {
			keys = append(keys, d.Key)
		}
		return tx.EachVisit(w.t.Context(), keys, dawn.AddDate(0, 0, -7), dawn.AddDate(9, 0, 0), func(v *parley.Visit) error {
			all[parley.VisitName{Conversation: v.Conversation, Part: v.Part}] = *v
			return nil
		})
	}); err != nil {
		w.t.Fatal(err)
	}
	return all
}

// Whoever goes on from where they were, over whatever happens, also while everything is counted anew and threads are split otherwise after
// that, has every visit that there is as it is.
func TestWhoGoesOnHasEveryVisit(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) {
		g, enough := newGround(t, open), enough(t)
		rapid.Check(t, func(r *rapid.T) {
			if enough() {
				return
			}
			w := g.world(t)
			m := &mirror{w: w, has: map[parley.VisitName]parley.Visit{}, ids: map[parley.VisitID]parley.VisitName{}}
			someReads := func() { m.reads(rapid.IntRange(1, 3).Draw(r, "pages"), rapid.IntRange(1, 5).Draw(r, "limit")) }
			check := func(when string) {
				m.reads(0, rapid.IntRange(1, 5).Draw(r, "limit"))
				want := w.visits()
				for name := range m.has {
					if _, ok := want[name]; !ok { // it is gone, which nobody is told
						delete(m.has, name)
					}
				}
				if diff := gocmp.Diff(want, m.has, cmpopts.IgnoreFields(parley.Visit{}, "Closes")); diff != "" { // which is not exported
					r.Fatalf("%s, who goes on has (-what there is +what they have):\n%s", when, diff)
				}
			}
			for range rapid.IntRange(1, 4).Draw(r, "days") {
				w.lives(r, rapid.IntRange(1, 15).Draw(r, "steps"))
				someReads()
			}
			w.count()
			check("after some days")
			if rapid.IntRange(0, 3).Draw(r, "rebuild") > 0 {
				return
			}
			w.lives(r, rapid.IntRange(0, 5).Draw(r, "steps"))
			w.count()
			otherwise := parley.FigureSettings{Silence: map[string]int64{"whatsapp": rapid.SampledFrom([]int64{0, 1, 900}).Draw(r, "silence")}}
			if err := w.store.Update(t.Context(), func(tx parley.Tx) error { return tx.PutFigureSettings(t.Context(), w.tenant.ID, otherwise) }); err != nil {
				r.Fatal(err)
			}
			if _, err := figures.Rebuild(t.Context(), w.store, w.now); err != nil {
				r.Fatalf("Rebuild = %v", err)
			}
			if rapid.Bool().Draw(r, "keenly") {
				w.record.written = func() { m.reads(0, 100) }
			}
			for range rapid.IntRange(0, 3).Draw(r, "rounds") {
				someReads()
				if _, err := w.counter.Round(t.Context()); err != nil {
					w.restart()
				}
				w.lives(r, rapid.IntRange(1, 3).Draw(r, "steps"))
			}
			w.count()
			w.record.written = nil
			check("counted anew")
		})
	})
}
