package figures

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"parley"
)

var morning = time.Date(2026, 3, 27, 9, 0, 0, 0, time.UTC)

func drawVisit(r *rapid.T, conversation int64) *parley.StoredVisit {
	few := func(name string) int { return rapid.IntRange(0, 3).Draw(r, name) }
	at := func(name string) int64 {
		if rapid.Bool().Draw(r, name+" at all") {
			return 0
		}
		return morning.UnixMilli() + rapid.Int64Range(0, 100_000).Draw(r, name)
	}
	v := &parley.StoredVisit{Visit: parley.Visit{Conversation: conversation, Started: morning.Add(time.Duration(few("quarter")) * 15 * time.Minute),
		Person: int64(rapid.IntRange(0, 50).Draw(r, "person"))}}
	v.Last = v.Started.Add(time.Duration(few("seconds")) * time.Second)
	v.Facts = parley.VisitFacts{User: few("user"), Bot: few("bot"), Agent: few("agent"), FirstUser: at("user"), FirstBot: at("bot"), HandedOver: at("hand over"),
		FirstAgent: at("agent"), Ended: at("end"), Ending: rapid.SampledFrom([]parley.EndingKind{"", parley.EndingByBot, parley.EndingByUser}).Draw(r, "ending"),
		Turns: few("turns"), Missed: few("missed"), Helped: few("helped"), Unhelpful: few("unhelpful"), Asked: few("asked"), Rated: rapid.IntRange(0, 5).Draw(r, "rated"),
		Failures: map[parley.TurnFailure]int{}, Intents: map[string]int{}, Said: map[string]int{}}
	for range few("took") {
		v.Facts.Took = append(v.Facts.Took, rapid.Int64Range(0, 2000).Draw(r, "ms"))
	}
	for _, name := range rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c"}), 0, 3).Draw(r, "names") {
		v.Facts.Intents[name]++
		v.Facts.Said[name]++
		v.Facts.Failures[parley.TurnFailure(name)]++
		v.Facts.Steps = append(v.Facts.Steps, parley.Transition{To: parley.FlowPlace{Type: parley.PlaceDialog, ID: name}})
	}
	return v
}

// bins are what quantiles saw.
func bins(t *Totals) (all []map[float64]float64) {
	for _, q := range []*Quantiles{&t.BotReply, &t.AgentReply, &t.Resolution, &t.Took, &t.Duration, &t.Length} {
		seen := map[float64]float64{-1: float64(q.n), -2: float64(q.sum)}
		if q.sketch != nil {
			q.sketch.ForEach(func(value, count float64) bool { seen[value] = count; return false })
		}
		all = append(all, seen)
	}
	return all
}

// What is counted on comes out as if it were counted anew, whatever changes, comes or goes.
func TestCountingOnIsCountingAnew(t *testing.T) {
	tried, on := 0, 0
	compare := func(r *rapid.T) {
		first := &sheet{changed: map[parley.VisitName]*parley.StoredVisit{}}
		stored := map[int64]*parley.StoredVisit{}
		n := int64(rapid.IntRange(1, 30).Draw(r, "visits"))
		for c := range n {
			v := drawVisit(r, c)
			stored[c] = v
			first.changed[parley.VisitName{Conversation: c}] = v
		}
		first.recount(nil)
		var err error
		if first.Cell.Totals, err = first.totals.encode(); err != nil {
			r.Fatal(err)
		}

		next := &sheet{Cell: first.Cell, before: n, changed: map[parley.VisitName]*parley.StoredVisit{}}
		for c := range int64(rapid.IntRange(1, 4).Draw(r, "changes")) {
			c += rapid.Int64Range(0, n).Draw(r, "which") // the last ones are new
			name := parley.VisitName{Conversation: c}
			if _, twice := next.changed[name]; twice {
				continue
			}
			old := stored[c]
			if old != nil {
				next.was = append(next.was, &old.Visit)
			}
			next.changed[name] = drawVisit(r, c)
			switch {
			case old != nil && rapid.IntRange(0, 3).Draw(r, "gone") == 0:
				next.changed[name] = nil
			case old != nil && rapid.IntRange(0, 3).Draw(r, "same person") > 0:
				next.changed[name].Person = old.Person
			}
		}
		next.Visits += int64(len(next.changed)) // as room does for those that come
		on1, err := next.countOn(0)
		if err != nil {
			r.Fatal(err)
		}
		tried++
		if !on1 {
			return
		}
		on++
		anew := &sheet{changed: next.changed}
		var all []parley.StoredVisit
		for _, c := range rand.Perm(int(n)) {
			all = append(all, *stored[int64(c)])
		}
		anew.recount(all)
		if next.totals.People.Count() != anew.totals.People.Count() {
			r.Fatalf("%d people, want %d", next.totals.People.Count(), anew.totals.People.Count())
		}
		if diff := gocmp.Diff(anew.Count, next.Count) + gocmp.Diff(bins(anew.totals), bins(next.totals)); diff != "" {
			r.Fatalf("counted on differs (-anew +on): %s", diff)
		}
		plain := []*Totals{anew.totals, next.totals}
		for _, t := range plain { // sketches are written in any order
			t.BotReply, t.AgentReply, t.Resolution, t.Took, t.Duration, t.Length, t.People = Quantiles{}, Quantiles{}, Quantiles{}, Quantiles{}, Quantiles{}, Quantiles{}, Distinct{}
		}
		want, errWant := anew.totals.encode()
		got, errGot := next.totals.encode()
		if err := errors.Join(errWant, errGot); err != nil {
			r.Fatal(err)
		}
		if diff := gocmp.Diff(string(want), string(got)); diff != "" {
			r.Fatalf("counted on differs (-anew +on): %s", diff)
		}
	}
	for range 5 { // of 100 cells, 28 on average, fewer than a fifth may be counted on by chance
		rapid.Check(t, compare)
	}
	if on*5 < tried {
		t.Errorf("%d of %d cells were counted on", on, tried)
	}
}
