package figures_test

import (
	"math"
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

// visitsOf are all visits of the world, each made from the whole of its conversation.
func visitsOf(t *testing.T, w *world) (all []parley.Visit) {
	t.Helper()
	var stories []parley.Story
	err := w.store.View(t.Context(), func(tx parley.Tx) error {
		stories = nil
		for after := int64(0); ; {
			keys, err := tx.ConversationKeys(t.Context(), after, 1000)
			if err != nil || len(keys) == 0 {
				return err
			}
			page, err := tx.Stories(t.Context(), 0, keys, true)
			if err != nil {
				return err
			}
			stories = append(stories, slices.DeleteFunc(page, func(s parley.Story) bool { return s.Tenant != w.tenant.ID })...)
			after = keys[len(keys)-1]
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range w.talks {
		if k.gone != nil && !k.forgotten {
			stories = append(stories, k.story)
		}
	}
	for i := range stories {
		var none parley.FigureSettings
		all = append(all, figures.Fold(&stories[i], none.SilenceOf(&stories[i].State), w.now)...)
	}
	return all
}

// tellable is what of totals can be compared: of sketches what they tell.
type tellable struct {
	figures.Totals
	BotReply, AgentReply, Resolution, Took, Duration, Length [4]float64
	People                                                   int64
}

func tell(t *figures.Totals) tellable {
	quantiles := func(q *figures.Quantiles) (out [4]float64) {
		out[0], out[1] = float64(q.Count()), math.Round(q.Mean()*1000)
		out[2], _ = q.At(0.5)
		out[3], _ = q.At(0.9)
		return out
	}
	out := tellable{*t, quantiles(&t.BotReply), quantiles(&t.AgentReply), quantiles(&t.Resolution), quantiles(&t.Took), quantiles(&t.Duration), quantiles(&t.Length), t.People.Count()}
	out.Totals.BotReply, out.Totals.AgentReply, out.Totals.Resolution, out.Totals.Took = figures.Quantiles{}, figures.Quantiles{}, figures.Quantiles{}, figures.Quantiles{}
	out.Totals.Duration, out.Totals.Length, out.Totals.People = figures.Quantiles{}, figures.Quantiles{}, figures.Distinct{}
	return out
}

var unexported = gocmp.Options{gocmp.AllowUnexported(figures.Quantiles{}, figures.Distinct{})}

// What hours and days add up to is what adding up single visits gives, at whatever moments a period begins and ends; and the lines of a
// report add up to its total in every time zone, also when the clocks change.
func TestReportsAddUp(t *testing.T) {
	zones := []string{"UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Pacific/Apia"}
	storetest.Each(t, func(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) {
		g, enough := newGround(t, open), enough(t)
		rapid.Check(t, func(r *rapid.T) {
			if enough() {
				return
			}
			w := g.world(t)
			w.lives(r, rapid.IntRange(20, 50).Draw(r, "steps"))
			w.count()
			all := visitsOf(t, w)
			s := figures.Statistics{Record: w.store}
			for range 3 {
				q := figures.ReportQuery{Query: drawQuery(r, w), Unit: rapid.SampledFrom([]figures.Unit{figures.UnitDay, figures.UnitWeek, figures.UnitMonth}).Draw(r, "unit"), Before: true}
				var err error
				if q.Zone, err = time.LoadLocation(rapid.SampledFrom(zones).Draw(r, "zone")); err != nil {
					t.Fatal(err)
				}
				report, err := s.Report(t.Context(), q)
				if err != nil {
					r.Fatalf("Report(%s) = %v", show(q.Query), err)
				}
				var want, lines figures.Totals
				var visits, listed int64
				for i := range all {
					if wants(&q.Query, &all[i]) {
						want.Add(&all[i])
						visits++
					}
				}
				for i := range report.Lines {
					listed += report.Lines[i].Count.Visits
					if err := lines.Merge(&report.Lines[i].Totals); err != nil {
						t.Fatal(err)
					}
				}
				if diff := gocmp.Diff(tell(&want), tell(&report.Total.Totals), unexported); diff != "" || visits != report.Total.Count.Visits {
					r.Fatalf("Report(%s): %d visits, want %d (-want +got):\n%s", show(q.Query), report.Total.Count.Visits, visits, diff)
				}
				if diff := gocmp.Diff(tell(&want), tell(&lines), unexported); diff != "" || visits != listed {
					r.Fatalf("Report(%s) by %s in %s: the lines have %d visits, want %d (-want +got):\n%s", show(q.Query), q.Unit, q.Zone, listed, visits, diff)
				}
				busy, err := s.Busy(t.Context(), q)
				if err != nil {
					t.Fatal(err)
				}
				var counted [7][24]int64
				for i := range all {
					if wants(&q.Query, &all[i]) {
						at := all[i].Started.In(q.Zone)
						counted[(int(at.Weekday())+6)%7][at.Hour()]++
					}
				}
				if busy != counted {
					r.Fatalf("Busy(%s) in %s = %v, want %v", show(q.Query), q.Zone, busy, counted)
				}
			}
		})
	})
}

// wants says whether a query asks for a visit.
func wants(q *figures.Query, v *parley.Visit) bool {
	p := plainVisit{bot: v.Bot.String(), version: v.Version, channel: v.Channel, language: v.Language, times: []time.Time{v.Started}}
	for _, unset := range []struct {
		value *string
		shown string
	}{{&p.bot, "none"}, {&p.channel, "unknown"}, {&p.language, "unknown"}} {
		if *unset.value == "" {
			*unset.value = unset.shown
		}
	}
	return len(among([]plainVisit{p}, *q)) == 1
}

// The days on which clocks change have 23 and 25 hours, and the period before has as many days.
func TestLinesFollowTheClockOnTheWall(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	s := figures.Statistics{Record: storetest.Open(t)}
	at := func(month time.Month, day int) time.Time { return time.Date(2026, month, day, 0, 0, 0, 0, berlin) }
	for _, test := range []struct {
		from, until time.Time
		unit        figures.Unit
		hours       []float64
		before      time.Time // zero = whatever
	}{
		{at(3, 28), at(3, 31), figures.UnitDay, []float64{24, 23, 24}, at(3, 25)},
		{at(10, 24), at(10, 27), figures.UnitDay, []float64{24, 25, 24}, at(10, 21)},
		{at(3, 23), at(4, 6), figures.UnitWeek, []float64{167, 168}, at(3, 9)},
		{at(3, 1), at(5, 1), figures.UnitMonth, []float64{31*24 - 1, 30 * 24}, time.Time{}},
		{at(3, 29), at(3, 30), figures.UnitHour, slices.Repeat([]float64{1}, 23), at(3, 28)},
	} {
		r, err := s.Report(t.Context(), figures.ReportQuery{Query: figures.Query{Tenant: parley.DefaultTenant, From: test.from, Until: test.until}, Zone: berlin, Unit: test.unit, Before: true})
		if err != nil {
			t.Fatal(err)
		}
		var hours []float64
		for _, l := range r.Lines {
			hours = append(hours, l.Until.Sub(l.From).Hours())
		}
		if !slices.Equal(hours, test.hours) {
			t.Errorf("%v to %v by %s: lines of %v hours, want %v", test.from, test.until, test.unit, hours, test.hours)
		}
		if !test.before.IsZero() && !r.Before.From.Equal(test.before) || !r.Before.Until.Equal(test.from) {
			t.Errorf("before %v to %v is %v to %v, want from %v", test.from, test.until, r.Before.From, r.Before.Until, test.before)
		}
	}
}
