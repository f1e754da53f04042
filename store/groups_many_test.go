package store_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"parley"
	"parley/store/storetest"
)

// manyKeys are keys of metadata that have hundreds of values, each with how one is made: numbers and what looks
// like them, texts that begin alike, texts without a pattern (some longer than words spell), random digits.
var manyKeys = map[string]func(r *rand.Rand) string{
	"amount": func(r *rand.Rand) string {
		switch r.IntN(6) {
		case 0:
			return fmt.Sprint(r.IntN(20) - 10)
		case 1:
			return fmt.Sprintf("%d.%02d", r.IntN(400)-100, r.IntN(100))
		case 2:
			return fmt.Sprintf("%de%d", r.IntN(20)-10, r.IntN(40)-20)
		case 3:
			return fmt.Sprintf("%d%c", r.IntN(200), "x-e.+"[r.IntN(5)])
		case 4:
			return []string{"", "-", "-0", "0.0", "1e308", "-1e308", "5e-324", "none", "NaN", "1e999"}[r.IntN(10)]
		default:
			return fmt.Sprint(r.Int64N(1<<60) - 1<<59)
		}
	},
	"customer": func(r *rand.Rand) string { return fmt.Sprintf("customer-%d", r.IntN(500)) },
	"text": func(r *rand.Rand) string {
		letters := []string{"a", "b", "ä", "\U0001F600", "\U0010FFFF", "-", "1", "*", "%", "\x7f"}
		var text strings.Builder
		for range r.IntN(4) * r.IntN(16) {
			text.WriteString(letters[r.IntN(len(letters))])
		}
		return text.String()
	},
	"digits": func(r *rand.Rand) string { return fmt.Sprintf("%016x%016x", r.Uint64()>>r.IntN(8), r.Uint64()) },
}

// manySelectors are what is compared in the keys' stead, each with what it finds in the values.
var manySelectors = map[string]parley.Selector{"name": {Kind: parley.SelectName}, "label": {Kind: parley.SelectLabel}, "id": {Kind: parley.SelectID}, "end": {Kind: parley.SelectEnd}}

// drawManyCondition compares a key of many values, mostly by order or with wildcards, with what is near to one of them.
func drawManyCondition(r *rapid.T, values map[string][]string) parley.Condition {
	key := rapid.SampledFrom(slices.Sorted(maps.Keys(values))).Draw(r, "key")
	if key == "end" {
		at, err := time.Parse(time.RFC3339Nano, rapid.SampledFrom(values[key]).Draw(r, "end"))
		if err != nil {
			r.Fatal(err)
		}
		at = at.Add(time.Duration(rapid.IntRange(-1, 1).Draw(r, "milliseconds later")) * time.Millisecond)
		return parley.Condition{Selector: manySelectors[key], Op: parley.Operator(rapid.IntRange(int(parley.Equal), int(parley.GreaterOrEqual)).Draw(r, "operator")),
			Values: []parley.Pattern{{Parts: []string{""}, Time: at}}}
	}
	near := func() string {
		value := []rune(rapid.SampledFrom(values[key]).Draw(r, "value"))
		switch rapid.IntRange(0, 3).Draw(r, "near") {
		case 0:
			return string(value[:rapid.IntRange(0, len(value)).Draw(r, "length")])
		case 1:
			return string(value[:rapid.IntRange(0, len(value)).Draw(r, "length")]) + rapid.SampledFrom([]string{"0", "5", "a", "ä", "\U0010FFFF", "!"}).Draw(r, "more")
		case 2:
			return rapid.SampledFrom(values["amount"]).Draw(r, "number")
		}
		return string(value)
	}
	c := parley.Condition{Selector: parley.Selector{Kind: parley.SelectMetadata, Name: key}}
	if s, ok := manySelectors[key]; ok {
		c.Selector = s
	}
	if rapid.IntRange(0, 2).Draw(r, "order") > 0 {
		c.Op = parley.Operator(rapid.IntRange(int(parley.Less), int(parley.GreaterOrEqual)).Draw(r, "operator"))
		c.Values = []parley.Pattern{{Parts: []string{near()}}}
		return c
	}
	c.Op = rapid.SampledFrom([]parley.Operator{parley.Equal, parley.NotEqual, parley.In, parley.Out}).Draw(r, "operator")
	part := func() string {
		text := []rune(near())
		from := rapid.IntRange(0, len(text)).Draw(r, "from")
		return string(text[from:min(len(text), from+rapid.IntRange(0, 3).Draw(r, "chars"))])
	}
	p := parley.Pattern{Parts: []string{""}}
	if rapid.Bool().Draw(r, "begins") {
		p.Parts[0] = near()
	}
	for range rapid.IntRange(0, 2).Draw(r, "stars") {
		p.Parts = append(p.Parts, part())
	}
	if len(p.Parts) > 1 && rapid.Bool().Draw(r, "open end") {
		p.Parts[len(p.Parts)-1] = ""
	}
	c.Values = []parley.Pattern{p}
	return c
}

// drawManyConditions joins some; most often a range of one key.
func drawManyConditions(r *rapid.T, values map[string][]string) parley.Condition {
	c := drawManyCondition(r, values)
	if rapid.IntRange(0, 3).Draw(r, "alone") == 0 {
		return c
	}
	var all []parley.Condition
	for range rapid.IntRange(1, 3).Draw(r, "others") {
		other := drawManyCondition(r, values)
		if other.Op.IsOrder() && c.Op.IsOrder() && rapid.Bool().Draw(r, "same key") {
			other.Selector = c.Selector
			if c.Selector.IsTime() || other.Values[0].Parts[0] == "" || rapid.IntRange(0, 3).Draw(r, "same bound") == 0 {
				other.Values = c.Values
			}
		}
		all = append(all, other)
	}
	all = append(all, c)
	if rapid.IntRange(0, 3).Draw(r, "any") == 0 {
		return parley.Condition{Any: all}
	}
	return parley.Condition{All: all}
}

// Keys of many values, names, labels, ids and ends: ranges and wildcards find what Match says, whatever of it words decide; also if there are more values than are
// looked at.
func TestGroupsOfManyValuesAreWhatMatchSays(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := open(t)
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		random := rand.New(rand.NewPCG(seed, 0))
		all := map[parley.ConversationID]parley.Insight{}
		values := map[string][]string{}
		ours := newTenant(t, s)
		for i := range 700 {
			in := parley.Insight{Conversation: newConversation(t, s, ours), Tenant: ours, Type: "call", Started: groupStart.Add(time.Duration(i) * time.Second), Metadata: map[string]string{}}
			in.Ended = in.Started.Add(time.Duration(random.IntN(10*3600)) * time.Second)
			names := slices.Sorted(maps.Keys(manyKeys))
			if random.IntN(3) > 0 {
				in.Name = manyKeys[names[random.IntN(len(names))]](random)
				values["name"] = append(values["name"], in.Name)
			}
			for range random.IntN(3) {
				in.Labels = append(in.Labels, manyKeys[names[random.IntN(len(names))]](random))
			}
			in.Labels = slices.Compact(slices.Sorted(slices.Values(in.Labels)))
			values["label"] = append(values["label"], in.Labels...)
			values["end"] = append(values["end"], in.Ended.Format(time.RFC3339Nano))
			for _, key := range slices.Sorted(maps.Keys(manyKeys)) {
				if random.IntN(20) > 0 {
					in.Metadata[key] = manyKeys[key](random)
					values[key] = append(values[key], in.Metadata[key])
				}
			}
			if len(in.Metadata) == 0 {
				in.Metadata = nil
			}
			all[in.Conversation] = in
		}
		update(t, s, func(tx parley.Tx) error {
			for id, in := range all {
				if err := tx.PutInsight(t.Context(), &in); err != nil {
					return err
				}
				all[id] = in
				values["id"], values["name"] = append(values["id"], in.Number.String()), append(values["name"], in.Number.String())
			}
			return nil
		})
		rapid.Check(t, func(r *rapid.T) {
			s.LookAtFew(rapid.SampledFrom([]int{64, 4096}).Draw(r, "values looked at"))
			for range 5 {
				c := drawManyConditions(r, values)
				q := parley.InsightQuery{Tenant: ours, Condition: &c, Limit: rapid.SampledFrom([]int{20, 1000}).Draw(r, "limit"), Descending: rapid.Bool().Draw(r, "descending")}
				var got []parley.Insight
				view(t, s, func(tx parley.Tx) (err error) {
					got, err = tx.ListInsights(t.Context(), q)
					return err
				})
				if diff := gocmp.Diff(listed(q, all), got); diff != "" {
					r.Fatalf("%s (-match +database):\n%.3000s", queryText(q), diff)
				}
			}
		})
	})
}
