package store_test

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"parley"
	"parley/insight/criteria"
	"parley/store"
	"parley/store/storetest"
)

// Few keys, values and times, so that conditions meet what is there, with what two databases could read differently.
var (
	groupKeys    = []string{"a", "b", "Ä%_"}
	groupValues  = []string{"", "x", "X", "xy", "x*y", "%", "_", "x_", "[x]", "?", `\`, `'"`, "ä", "Z", "10", "9", "9.0", "-0", "0", "-9", "-1.5", "1e3", "1000.0", "\U0001F600", "\uFFFD", "NaN"}
	groupNumbers = []string{"10", "9", "9.0", "-0", "0", "-9", "-1.5", "1e3"}
	groupStart   = time.Date(2026, 2, 3, 10, 0, 0, 0, time.UTC)
)

func groupTime(r *rapid.T, name string) time.Time {
	return groupStart.Add(time.Duration(rapid.IntRange(0, 6).Draw(r, name)) * time.Millisecond)
}

// drawInsight is what may be known about a conversation.
func drawInsight(r *rapid.T, tenant parley.TenantID, conversation parley.ConversationID) parley.Insight {
	in := parley.Insight{Conversation: conversation, Tenant: tenant, Type: rapid.SampledFrom([]string{"meeting", "call"}).Draw(r, "type"),
		Name: rapid.SampledFrom(groupValues).Draw(r, "name"), Started: groupTime(r, "started"), Seq: rapid.Int64Range(0, 9).Draw(r, "seq"), Metadata: map[string]string{}}
	in.Ended = in.Started.Add(time.Duration(rapid.IntRange(0, 6).Draw(r, "length")) * time.Millisecond)
	for i, key := range groupKeys {
		values := groupValues
		if i == 0 { // the key of numbers
			values = groupNumbers
		}
		if rapid.IntRange(0, 3).Draw(r, "has key") > 0 {
			in.Metadata[key] = rapid.SampledFrom(values).Draw(r, "value")
		}
	}
	if len(in.Metadata) == 0 {
		in.Metadata = nil
	}
	in.Labels = slices.Compact(slices.Sorted(slices.Values(rapid.SliceOfN(rapid.SampledFrom(groupValues), 0, 2).Draw(r, "labels"))))
	return in
}

// drawCondition is one that Parse could have read, of more selectors than it allows.
func drawCondition(r *rapid.T, depth int, or bool, known []parley.Insight) parley.Condition {
	if depth > 0 {
		switch n := rapid.IntRange(0, 4).Draw(r, "joined"); {
		case n == 0 || n == 1 && or:
			var of []parley.Condition
			for range rapid.IntRange(2, 3).Draw(r, "parts") {
				of = append(of, drawCondition(r, depth-1, or, known))
			}
			if n == 0 {
				return parley.Condition{All: of}
			}
			return parley.Condition{Any: of}
		}
	}
	c := parley.Condition{Selector: parley.Selector{Kind: parley.SelectorKind(rapid.IntRange(int(parley.SelectMetadata), int(parley.SelectLabel)).Draw(r, "selector"))},
		Op: parley.Operator(rapid.IntRange(int(parley.Equal), int(parley.Out)).Draw(r, "operator"))}
	if rapid.IntRange(0, 2).Draw(r, "metadata") > 0 {
		c.Selector.Kind = parley.SelectMetadata
	}
	if c.Selector.Kind == parley.SelectMetadata {
		c.Selector.Name = rapid.SampledFrom(groupKeys).Draw(r, "key")
	}
	n := 1
	if c.Op.IsList() {
		n = rapid.IntRange(1, 3).Draw(r, "values")
	}
	for range n {
		c.Values = append(c.Values, drawPattern(r, c, known))
	}
	return c
}

func drawPattern(r *rapid.T, c parley.Condition, known []parley.Insight) parley.Pattern {
	if c.Selector.IsTime() {
		t := groupTime(r, "time").Add(rapid.SampledFrom([]time.Duration{0, 20 * time.Minute}).Draw(r, "later"))
		if rapid.IntRange(0, 9).Draw(r, "far") == 0 {
			t = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
		}
		return parley.Pattern{Parts: []string{t.Format(time.RFC3339Nano)}, Time: t}
	}
	values := append([]string{"meeting", "call", "1e20"}, groupValues...)
	for _, in := range known[:min(3, len(known))] {
		values = append(values, in.Number.String())
	}
	value := rapid.SampledFrom(values)
	if c.Op.IsOrder() && rapid.Bool().Draw(r, "number") {
		value = rapid.SampledFrom(groupNumbers)
	}
	stars := 0
	if !c.Op.IsOrder() && rapid.IntRange(0, 2).Draw(r, "stars") == 0 {
		stars = rapid.IntRange(1, 2).Draw(r, "number of stars")
	}
	parts := []string{value.Draw(r, "value")}
	for range stars {
		if rapid.Bool().Draw(r, "empty") {
			parts[len(parts)-1] = ""
		}
		parts = append(parts, value.Draw(r, "value"))
	}
	if stars > 0 && rapid.Bool().Draw(r, "open end") {
		parts[stars] = ""
	}
	return parley.Pattern{Parts: parts}
}

// What the databases list is what Match says, in order, page by page, and never of another tenant; whatever was replaced
// or deleted in between.
func TestGroupsAreWhatMatchSays(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := open(t)
		rapid.Check(t, func(r *rapid.T) {
			ours, others := newTenant(t, s), newTenant(t, s)
			all := map[parley.ConversationID]parley.Insight{}
			var ids []parley.ConversationID
			put := func(tenant parley.TenantID, id parley.ConversationID) parley.Insight {
				in := drawInsight(r, tenant, id)
				update(t, s, func(tx parley.Tx) error { return tx.PutInsight(t.Context(), &in) })
				return in
			}
			for range rapid.IntRange(0, 25).Draw(r, "conversations") {
				id := newConversation(t, s, ours)
				ids, all[id] = append(ids, id), put(ours, id)
				if rapid.Bool().Draw(r, "another tenant") {
					put(others, newConversation(t, s, others))
				}
			}
			for _, id := range ids {
				switch rapid.IntRange(0, 7).Draw(r, "later") {
				case 0:
					before := all[id].Number
					if all[id] = put(ours, id); all[id].Number != before {
						r.Fatalf("a new insight of a conversation changes its number from %d to %d", before, all[id].Number)
					}
				case 1:
					update(t, s, func(tx parley.Tx) error { return tx.DeleteInsight(t.Context(), ours, all[id].Number) })
					delete(all, id)
				case 2: // nothing but values
					in := all[id]
					in.Metadata = maps.Clone(in.Metadata)
					for key := range in.Metadata {
						in.Metadata[key] = rapid.SampledFrom(groupValues).Draw(r, "other value")
					}
					all[id] = in
					update(t, s, func(tx parley.Tx) error { return tx.PutInsight(t.Context(), &in) })
				case 3: // as with every message
					in := all[id]
					in.Ended, in.Seq = in.Ended.Add(rapid.SampledFrom([]time.Duration{time.Millisecond, 20 * time.Minute}).Draw(r, "goes on")), in.Seq+1
					all[id] = in
					update(t, s, func(tx parley.Tx) error { return tx.PutInsight(t.Context(), &in) })
				}
			}
			for range 12 {
				q := drawQuery(r, ours, slices.Collect(maps.Values(all)))
				var got []parley.Insight
				view(t, s, func(tx parley.Tx) (err error) {
					got, err = tx.ListInsights(t.Context(), q)
					return err
				})
				if diff := gocmp.Diff(listed(q, all), got); diff != "" {
					r.Fatalf("%s (-match +database):\n%s", queryText(q), diff)
				}
			}
		})
	})
}

func queryText(q parley.InsightQuery) string {
	text := fmt.Sprintf("From %v Until %v Sort %v Descending %v Offset %d Limit %d", q.From, q.Until, q.Sort, q.Descending, q.Offset, q.Limit)
	for _, c := range []*parley.Condition{q.Condition, q.Filter} {
		if c != nil {
			text += "\n" + criteria.String(*c)
		}
	}
	return text
}

func drawQuery(r *rapid.T, tenant parley.TenantID, known []parley.Insight) parley.InsightQuery {
	q := parley.InsightQuery{Tenant: tenant, Limit: rapid.IntRange(0, 30).Draw(r, "limit"), Offset: rapid.IntRange(0, 4).Draw(r, "offset"), Descending: rapid.Bool().Draw(r, "descending")}
	slices.SortFunc(known, func(a, b parley.Insight) int { return cmp.Compare(a.Number, b.Number) })
	if rapid.IntRange(0, 5).Draw(r, "criteria") > 0 {
		c := drawCondition(r, 3, true, known)
		q.Condition = &c
	}
	if rapid.IntRange(0, 3).Draw(r, "filter") == 0 {
		c := drawCondition(r, 1, false, known)
		q.Filter = &c
	}
	if rapid.IntRange(0, 2).Draw(r, "from") == 0 {
		q.From = groupTime(r, "from").Add(time.Duration(rapid.IntRange(0, 1).Draw(r, "nanoseconds")))
	}
	if rapid.IntRange(0, 2).Draw(r, "until") == 0 {
		q.Until = groupTime(r, "until")
	}
	for range rapid.IntRange(0, 2).Draw(r, "sorts") {
		s := parley.Selector{Kind: parley.SelectorKind(rapid.IntRange(int(parley.SelectMetadata), int(parley.SelectEnd)).Draw(r, "sort"))}
		if s.Kind == parley.SelectMetadata {
			s.Name = rapid.SampledFrom(groupKeys).Draw(r, "key")
		}
		q.Sort = append(q.Sort, s)
	}
	return q
}

// listed is the answer by Match.
func listed(q parley.InsightQuery, all map[parley.ConversationID]parley.Insight) []parley.Insight {
	var fit []parley.Insight
	for _, in := range all {
		if in.Started.Before(q.From) || !q.Until.IsZero() && in.Ended.After(q.Until) ||
			q.Condition != nil && !criteria.Match(*q.Condition, in) || q.Filter != nil && !criteria.Match(*q.Filter, in) {
			continue
		}
		fit = append(fit, in)
	}
	slices.SortFunc(fit, func(a, b parley.Insight) int {
		order := compareInsights(q.Sort, a, b)
		if q.Descending {
			return -order
		}
		return order
	})
	fit = fit[min(q.Offset, len(fit)):]
	if fit = fit[:min(q.Limit, len(fit))]; len(fit) == 0 {
		return nil
	}
	return fit
}

func compareInsights(sort []parley.Selector, a, b parley.Insight) int {
	shown := func(in parley.Insight) string { return cmp.Or(in.Name, in.Number.String()) }
	for _, s := range append(sort, parley.Selector{Kind: parley.SelectStart}) {
		order := 0
		switch s.Kind {
		case parley.SelectMetadata:
			x, has := a.Metadata[s.Name]
			y, have := b.Metadata[s.Name]
			switch {
			case has != have && have:
				order = -1
			case has != have:
				order = 1
			default:
				order = strings.Compare(x, y)
			}
		case parley.SelectID:
			order = cmp.Compare(a.Number, b.Number)
		case parley.SelectName:
			order = strings.Compare(shown(a), shown(b))
		case parley.SelectType:
			order = strings.Compare(a.Type, b.Type)
		case parley.SelectStart:
			order = a.Started.Compare(b.Started)
		case parley.SelectEnd:
			order = a.Ended.Compare(b.Ended)
		}
		if order != 0 {
			return order
		}
	}
	return cmp.Compare(placeBits(a.Conversation), placeBits(b.Conversation))
}

// placeBits are what tells conversations of one millisecond apart.
func placeBits(id parley.ConversationID) int {
	return int(id[6]&0xf)<<16 | int(id[7])<<8 | int(id[9])
}

// view reads, which must succeed.
func view(t *testing.T, s *store.Store, fn func(parley.Tx) error) {
	t.Helper()
	if err := s.View(t.Context(), fn); err != nil {
		t.Fatalf("View: %v", err)
	}
}

func newConversation(t *testing.T, s *store.Store, tenant parley.TenantID) parley.ConversationID {
	t.Helper()
	step := storetest.Start("")
	step.Conversation.Tenant = tenant
	storetest.MustCommit(t, s, step)
	return step.Conversation.ID
}

// Ids whose 12 bits and millisecond are the same get numbers of their own, each once and for good; what cannot be kept, or
// belongs to nobody or another tenant, is refused.
func TestInsightsHaveNumbersOfTheirOwn(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := open(t)
		seen := map[parley.Number]bool{}
		for i := range 3 {
			step := storetest.Start("")
			step.Conversation.ID = parley.ConversationID{0, 1, 2, 3, 4, 5, 0x7a, 0xbc, 0x80, 1, 15: byte(i)}
			step.Messages[0].Conversation = step.Conversation.ID
			storetest.MustCommit(t, s, step)
			in := parley.Insight{Conversation: step.Conversation.ID, Tenant: parley.DefaultTenant, Type: "meeting", Started: groupStart, Ended: groupStart}
			update(t, s, func(tx parley.Tx) error { return tx.PutInsight(t.Context(), &in) })
			if want := parley.Number(0x000102030405)<<12 + 0xabc + parley.Number(i); in.Number != want {
				t.Errorf("number %d = %d, want %d", i, in.Number, want)
			}
			seen[in.Number] = true
			view(t, s, func(tx parley.Tx) error {
				found, err := tx.FindInsight(t.Context(), parley.DefaultTenant, in.Number)
				if diff := gocmp.Diff(in, found); err != nil || diff != "" {
					t.Errorf("FindInsight(%d) = %v (-put +found):\n%s", in.Number, err, diff)
				}
				if found, err = tx.InsightOf(t.Context(), parley.DefaultTenant, in.Conversation); err != nil || found.Number != in.Number {
					t.Errorf("InsightOf = %+v, %v", found, err)
				}
				return nil
			})
		}
		if len(seen) != 3 {
			t.Errorf("three conversations have the numbers %v", seen)
		}
		other := newTenant(t, s)
		conversation := newConversation(t, s, parley.DefaultTenant)
		good := parley.Insight{Conversation: conversation, Tenant: parley.DefaultTenant, Started: groupStart, Ended: groupStart}
		for want, change := range map[string]func(*parley.Insight){
			"conversation not found":     func(in *parley.Insight) { in.Tenant = other },
			"conversation starts":        func(in *parley.Insight) { in.Started = time.Time{} },
			"ends before it starts":      func(in *parley.Insight) { in.Ended = groupStart.Add(-1) },
			"is not UTF-8":               func(in *parley.Insight) { in.Metadata = map[string]string{"a": "\x00"} },
			"not UTF-8 without the char": func(in *parley.Insight) { in.Labels = []string{"\xff"} },
		} {
			in := good
			change(&in)
			err := s.Update(t.Context(), func(tx parley.Tx) error { return tx.PutInsight(t.Context(), &in) })
			if k := parley.KindOf(err); k != parley.Invalid && k != parley.NotFound || !strings.Contains(err.Error(), want) {
				t.Errorf("PutInsight = %v, want %q", err, want)
			}
		}
		for number := range seen {
			for _, err := range []error{
				s.View(t.Context(), func(tx parley.Tx) error { _, err := tx.FindInsight(t.Context(), other, number); return err }),
				s.Update(t.Context(), func(tx parley.Tx) error { return tx.DeleteInsight(t.Context(), other, number) }),
			} {
				if parley.KindOf(err) != parley.NotFound {
					t.Errorf("number %d of another tenant = %v, want NotFound", number, err)
				}
			}
		}
	})
}

// Conversations of before there were words are found by them: by labels, names and types, too.
func TestWordsOfOldConversations(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := open(t)
		if err := s.FillInsights(t.Context(), 4500); err != nil { // more than two transactions
			t.Fatal(err)
		}
		named := parley.Insight{Conversation: newConversation(t, s, parley.DefaultTenant), Tenant: parley.DefaultTenant, Name: "Visit", Type: "call", Started: groupStart, Ended: groupStart,
			Labels: []string{"refund now", "second"}}
		update(t, s, func(tx parley.Tx) error { return tx.PutInsight(t.Context(), &named) })
		counts := func() (counts []int) {
			for _, text := range []string{"conversation.metadata.campaign==sp*", "conversation.label==refund*", "conversation.name==V*", "conversation.type==call", "conversation.label!=second",
				"conversation.metadata.amount>=0", "conversation.metadata.amount==*",
				"conversation.name<Visitor;conversation.name>Vis", "conversation.label>refund;conversation.label<refunds", "conversation.id<1", "conversation.endTime<2026-02-04", "conversation.name==2*"} {
				counts = append(counts, countFitting(t, s, text))
			}
			return counts
		}
		want := []int{450, 1, 1, 1, 4500, 4500, 4500, 1, 1, 0, 1, 0}
		if diff := gocmp.Diff(want, counts()); diff != "" {
			t.Errorf("conversations are found (-want +got):\n%s", diff)
		}
		s.WriteWordsAnew(t)
		if diff := gocmp.Diff(want, counts()); diff != "" {
			t.Errorf("conversations are found after their words were written anew (-want +got):\n%s", diff)
		}
	})
}

// The first page of a large group is read to its end on both ways that PostgreSQL has, and a wildcard with more values than
// are looked at still finds all.
func TestLargeGroups(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := open(t)
		const n = 12_000
		if err := s.FillInsights(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		everything := parley.InsightQuery{Tenant: parley.DefaultTenant, Limit: n}
		var all []parley.Insight
		view(t, s, func(tx parley.Tx) (err error) {
			all, err = tx.ListInsights(t.Context(), everything)
			return err
		})
		if len(all) != n {
			t.Fatalf("%d conversations are listed, want %d", len(all), n)
		}
		byID := map[parley.ConversationID]parley.Insight{}
		for _, in := range all {
			byID[in.Conversation] = in
		}
		for _, text := range []string{
			"conversation.metadata.region==north;conversation.metadata.tier==gold",
			"conversation.metadata.era==new;conversation.metadata.region==north",
			"conversation.metadata.region==north;conversation.metadata.desk==south",
			"conversation.metadata.customerId==customer-1*;conversation.metadata.region!=north",
			"conversation.metadata.agentId==*7,conversation.metadata.era==new",
			"conversation.metadata.customerId!=customer-1*;conversation.metadata.tier!=gold",
			"conversation.metadata.era==new;conversation.metadata.tier!=gold", // more than are sampled, behind what is walked
			"conversation.metadata.agentId==*-1*;conversation.metadata.era==new",
			"conversation.metadata.customerId==customer-1*5;conversation.metadata.era==new",
			"conversation.metadata.customerId!=customer-1*5;conversation.metadata.era==new",
			"conversation.metadata.amount==*5*;conversation.metadata.size==large", // more values than are looked at
			"conversation.metadata.amount!=4*5;conversation.metadata.size==large",
			"conversation.metadata.amount<2500;conversation.metadata.size==large", // none
			"conversation.metadata.amount<1234.56;conversation.metadata.amount>1233.21;conversation.metadata.era!=old",
			"conversation.metadata.amount>=2499.5;conversation.metadata.amount<2512.25;conversation.metadata.tier!=gold",
			"conversation.metadata.customerId>customer-19;conversation.metadata.customerId<customer-3;conversation.metadata.era==new",
			"conversation.startTime>=2026-01-01;conversation.startTime<2100-01-01;conversation.metadata.region==north",
			"conversation.startTime<2026-01-01;conversation.metadata.region==north", // none
		} {
			c, err := criteria.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			for i, limit := range []int{20, math.MaxUint16, 20} {
				q := parley.InsightQuery{Tenant: parley.DefaultTenant, Condition: &c, Offset: 7, Limit: limit, Descending: i == 2}
				view(t, s, func(tx parley.Tx) error {
					got, err := tx.ListInsights(t.Context(), q)
					if diff := gocmp.Diff(listed(q, byID), got); err != nil || diff != "" {
						t.Errorf("%s, limit %d = %v (-match +database):\n%.2000s", text, limit, err, diff)
					}
					return nil
				})
			}
		}
	})
}

// countFitting is how many of the default tenant's conversations fit criteria, of at most 5,000.
func countFitting(t *testing.T, s *store.Store, text string) (n int) {
	t.Helper()
	c, err := criteria.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	view(t, s, func(tx parley.Tx) error {
		found, err := tx.ListInsights(t.Context(), parley.InsightQuery{Tenant: parley.DefaultTenant, Condition: &c, Limit: 5000})
		n = len(found)
		return err
	})
	return n
}

// Of several labels one is enough for a bound, and another one for the other bound, whatever the rest are.
func TestOneOfSeveralLabelsIsEnough(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := open(t)
		for _, labels := range [][]string{{"2", "188.97"}, {"refund", "refunds"}, {"2"}, {"refund"}} {
			in := parley.Insight{Conversation: newConversation(t, s, parley.DefaultTenant), Tenant: parley.DefaultTenant, Type: "meeting", Started: groupStart, Ended: groupStart, Labels: labels}
			update(t, s, func(tx parley.Tx) error { return tx.PutInsight(t.Context(), &in) })
		}
		for text, want := range map[string]int{
			"conversation.label>2;conversation.label<a":                1, // 188.97
			"conversation.label>refund":                                1,
			"conversation.label<3;conversation.label>100":              1, // 2 and 188.97
			"conversation.label<refund":                                2,
			"conversation.label>=refund;conversation.label<=refund":    2,
			"conversation.label<=refund;conversation.label>refund":     1, // one of them each
			"conversation.label!=refund;conversation.label>=1":         2,
			"conversation.label==*und*;conversation.label!=refunds":    1,
			"conversation.label==*und*":                                2,
			"conversation.label>refunds,conversation.label==*8.9*":     1,
			"conversation.name>x,conversation.label=out=(2,refund)":    0,
			"conversation.name<x;conversation.label=in=(188.97,other)": 1,
		} {
			if got := countFitting(t, s, text); got != want {
				t.Errorf("%s finds %d, want %d", text, got, want)
			}
		}
	})
}
