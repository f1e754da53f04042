package insight

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"parley"
)

// What a job finds with the tenant's trackers and entities besides its own is what one engine of all of them finds; and the tenant's are not
// compiled again for it.
func TestJobsFindAsIfAllWereOne(t *testing.T) {
	phrases := []string{"cancel my contract", "what is the price", "thunder", "late", "how much does it cost", "cargo max", "my order"}
	said := []string{"How much is it? The cargo-max was late.", "I want to cancel the contract", "thunder, and my order is late", "call +49 30 901820 on 3 May", "nothing"}
	rapid.Check(t, func(r *rapid.T) {
		some := func(label string) []string {
			return rapid.SliceOfNDistinct(rapid.SampledFrom(phrases), 1, 3, rapid.ID[string]).Draw(r, label)
		}
		trackers := func(label string, from int) (made []parley.Tracker) {
			for i := range rapid.IntRange(0, 3).Draw(r, label) {
				made = append(made, parley.Tracker{Number: parley.Number(from + i), Name: label, Vocabulary: some(label), Languages: []string{"en"}})
			}
			return made
		}
		entities := func(label string, from int) (made []parley.Entity) {
			for i := range rapid.IntRange(0, 2).Draw(r, label) {
				made = append(made, parley.Entity{Number: parley.Number(from + i), Type: label, SubType: label, Values: some(label)})
			}
			return made
		}
		own := newEngine(trackers("tenant's", 1), entities("TENANTS", 1), true, 0)
		request := parley.JobRequest{Trackers: trackers("job's", 10), Entities: entities("JOBS", 10), NoEntities: rapid.Bool().Draw(r, "no entities"),
			NoTrackers: rapid.Bool().Draw(r, "no trackers"), Similarity: rapid.SampledFrom([]float64{0, 1}).Draw(r, "similarity")}
		if request.NoTrackers {
			request.Stored = []parley.Number{1, 3}
		}
		kept, entitiesOf := own.trackers, own.entities
		if request.NoTrackers {
			kept = own.named(request.Stored)
		}
		if request.NoEntities {
			entitiesOf = nil
		}
		one := newEngine(slices.Concat(kept, request.Trackers), slices.Concat(entitiesOf, request.Entities), !request.NoEntities, request.Similarity)
		made := own.forJob(&request)
		if made != own && !request.NoTrackers && made.besides != own {
			r.Error("the tenant's trackers are compiled again")
		}
		for _, text := range said {
			trackers, entities := made.find(text, "en-US", 7)
			wantTrackers, wantEntities := one.find(text, "en-US", 7)
			sortHits(trackers, entities)
			sortHits(wantTrackers, wantEntities)
			if diff := cmp.Diff(wantTrackers, trackers); diff != "" {
				r.Errorf("trackers in %q (-one +job)\n%s", text, diff)
			}
			if diff := cmp.Diff(wantEntities, entities); diff != "" {
				r.Errorf("entities in %q (-one +job)\n%s", text, diff)
			}
		}
		for _, n := range []parley.Number{1, 2, 10} {
			if one.action(n) != made.action(n) {
				r.Errorf("tracker %d does something else", n)
			}
		}
	})
}

// sortHits puts hits into one order: the record has its own.
func sortHits(trackers []parley.TrackerHit, entities []parley.EntityHit) {
	slices.SortFunc(trackers, func(a, b parley.TrackerHit) int {
		return cmpAll(int64(a.Tracker), int64(b.Tracker), a.Phrase, b.Phrase, a.Offset, b.Offset)
	})
	slices.SortFunc(entities, func(a, b parley.EntityHit) int {
		return cmpAll(int64(a.Entity), int64(b.Entity), a.Ordinal, b.Ordinal, a.Offset, b.Offset)
	})
}

func cmpAll(a, b int64, more ...int) int {
	if a != b {
		return int(a - b)
	}
	for i := 0; i < len(more); i += 2 {
		if d := more[i] - more[i+1]; d != 0 {
			return d
		}
	}
	return 0
}
