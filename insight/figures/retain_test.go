package figures_test

import (
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"parley"
	"parley/insight/figures"
	"parley/store"
	"parley/store/storetest"
)

// keeps has the world keep its figures for some days.
func (w *world) keeps(days int) {
	w.t.Helper()
	if err := w.store.Update(w.t.Context(), func(tx parley.Tx) error {
		return tx.PutRetention(w.t.Context(), w.tenant.ID, parley.Retention{Analytics: days}, w.now)
	}); err != nil {
		w.t.Fatal(err)
	}
}

// Figures that are older than they are kept are gone, whole days of them and nothing else, whatever else happens; counting everything anew
// does not bring them back.
func TestOldFiguresGo(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) {
		g, enough := newGround(t, open), enough(t)
		rapid.Check(t, func(r *rapid.T) {
			if enough() {
				return
			}
			w := g.world(t)
			w.lives(r, rapid.IntRange(10, 40).Draw(r, "steps"))
			w.count()
			days := rapid.IntRange(1, 4).Draw(r, "days")
			w.keeps(days)
			w.lives(r, rapid.IntRange(0, 30).Draw(r, "more steps"))
			w.now = w.now.Add(time.Duration(rapid.IntRange(1, 80).Draw(r, "hours")) * time.Hour)
			w.restart() // whoever begins to count looks for old ones at once
			w.count()
			before := w.now.Add(-time.Duration(days) * 24 * time.Hour).Truncate(24 * time.Hour)
			all := slices.DeleteFunc(plain(t, w), func(v plainVisit) bool { return slices.MaxFunc(v.times, time.Time.Compare).Before(before) })
			s := figures.Statistics{Record: w.store}
			compare := func(when string) {
				for range 4 {
					q := drawQuery(r, w)
					got, err := s.Conversations(t.Context(), q)
					if diff := gocmp.Diff(plainConversations(all, q), got); err != nil || diff != "" {
						r.Fatalf("%s, before %s: Conversations(%s), %v (-want +got):\n%s", when, before, show(q), err, diff)
					}
				}
				if len(all) == 0 {
					w.wantNoCells(before)
				}
			}
			compare("as it came")
			if rapid.IntRange(0, 7).Draw(r, "rebuild") == 0 {
				if _, err := figures.Rebuild(t.Context(), w.store, w.now); err != nil {
					r.Fatalf("Rebuild = %v", err)
				}
				w.count()
				compare("rebuilt")
			}
		})
	})
}

// wantNoCells looks for cells before a time.
func (w *world) wantNoCells(before time.Time) {
	w.t.Helper()
	ctx := w.t.Context()
	n := 0
	if err := w.store.View(ctx, func(tx parley.Tx) error {
		dimensions, err := tx.VisitDimensions(ctx, w.tenant.ID)
		if err != nil {
			return err
		}
		one := func(*parley.Cell) error { n++; return nil }
		if err := tx.HourCells(ctx, dimensions, dawn.AddDate(0, 0, -2), before, true, one); err != nil {
			return err
		}
		return tx.DayCells(ctx, dimensions, dawn.AddDate(0, 0, -2), before, true, one)
	}); err != nil || n > 0 {
		w.t.Fatalf("%d cells of visits that are gone, %v", n, err)
	}
}
