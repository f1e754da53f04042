package store_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"parley"
	"parley/ident"
	"parley/store"
	"parley/store/storetest"
)

// inside runs fn in one transaction that must succeed.
func inside(t *testing.T, s *store.Store, fn func(parley.Tx) error) {
	t.Helper()
	if err := s.Update(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

func track(t *testing.T, s *store.Store, e parley.TrackedEvent) (parley.TrackedEvent, bool) {
	t.Helper()
	var added bool
	inside(t, s, func(tx parley.Tx) (err error) {
		added, err = tx.TrackEvent(t.Context(), &e)
		return err
	})
	return e, added
}

func anEvent(bot parley.ApplicationID, id, name, user string) parley.TrackedEvent {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	return parley.TrackedEvent{Tenant: parley.DefaultTenant, Bot: bot, ID: id, Version: parley.VersionLive, Name: name, User: user, At: at, Received: at, Attributes: json.RawMessage(`{}`)}
}

func eventsOf(t *testing.T, s *store.Store, q parley.EventQuery) (all []parley.TrackedEvent) {
	t.Helper()
	q.Tenant = parley.DefaultTenant
	if q.Limit == 0 {
		q.Limit = 1000
	}
	if err := s.View(t.Context(), func(tx parley.Tx) (err error) {
		all, err = tx.TrackedEvents(t.Context(), q)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

// However events come, again and again and while pages are read: each is kept once, as it was first told, and a walk over the pages of any
// filter shows each event that was there when it began exactly once.
func TestEventsArePagedOnceEach(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) {
		s := open(t)
		rapid.Check(t, func(r *rapid.T) {
			bots := []parley.ApplicationID{ident.New[parley.ClientApplication](), ident.New[parley.ClientApplication]()}
			kept := map[string]parley.TrackedEvent{} // by bot and id
			one := func() {
				bot := rapid.SampledFrom(bots).Draw(r, "bot")
				e := anEvent(bot, fmt.Sprint("e", rapid.IntRange(0, 30).Draw(r, "id")), rapid.SampledFrom([]string{"open", "order"}).Draw(r, "name"), rapid.SampledFrom([]string{"", "anna", "ben"}).Draw(r, "user"))
				e.Campaign.ID = rapid.SampledFrom([]string{"", "spring"}).Draw(r, "campaign")
				got, added := track(t, s, e)
				before, known := kept[bot.String()+e.ID]
				if added == known {
					r.Fatalf("TrackEvent %s: added is %t, it was there: %t", e.ID, added, known)
				}
				if known {
					if diff := cmp.Diff(before, got); diff != "" {
						r.Fatalf("a repeat changed the event (-was +is)\n%s", diff)
					}
					return
				}
				kept[bot.String()+e.ID] = got
			}
			for range rapid.IntRange(0, 25).Draw(r, "events") {
				one()
			}
			q := parley.EventQuery{Bot: bots[0], Limit: rapid.IntRange(1, 7).Draw(r, "page")}
			if rapid.Bool().Draw(r, "by user") {
				q.User = "anna"
			}
			if rapid.Bool().Draw(r, "by name") {
				q.Names = []string{"order"}
			}
			if rapid.Bool().Draw(r, "by campaign") {
				q.Campaign = "spring"
			}
			var want, got []string
			for _, e := range kept {
				if e.Bot == q.Bot && (q.User == "" || e.User == q.User) && (len(q.Names) == 0 || e.Name == "order") && (q.Campaign == "" || e.Campaign.ID == q.Campaign) {
					want = append(want, e.ID)
				}
			}
			for {
				page := eventsOf(t, s, q)
				if len(page) == 0 {
					break
				}
				for _, e := range page {
					got = append(got, e.ID)
				}
				q.Before = page[len(page)-1].Key
				one()
			}
			slices.Sort(want)
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" {
				r.Fatalf("the pages have other events than there were (-want +got)\n%s", diff)
			}
		})
	})
}

// The two of one id are one event, also when they come at the same time.
func TestAnEventThatIsToldTwiceAtOnceIsOne(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) {
		s, bot := open(t), ident.New[parley.ClientApplication]()
		added := make(chan bool)
		for range 8 {
			go func() {
				e, is := anEvent(bot, "same", "open", "anna"), false
				err := s.Update(t.Context(), func(tx parley.Tx) (err error) {
					is, err = tx.TrackEvent(t.Context(), &e)
					return err
				})
				if err != nil {
					t.Errorf("TrackEvent = %v", err)
				}
				added <- is
			}()
		}
		n := 0
		for range 8 {
			if <-added {
				n++
			}
		}
		if all := eventsOf(t, s, parley.EventQuery{Bot: bot}); n != 1 || len(all) != 1 {
			t.Errorf("%d were added, %d are there", n, len(all))
		}
	})
}

// A forgotten conversation's events, and those of a forgotten user, keep neither user nor attributes, in no table, nor do events that are
// told of it later; what others did stays, and so do the ids: nothing is told again.
func TestEventsAreForgotten(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) {
		s, bot := open(t), ident.New[parley.ClientApplication]()
		begun, erased := storetest.Start("m1"), storetest.Start("m2")
		storetest.MustCommit(t, s, begun, erased)
		tell := func(id, user string, conversation parley.ConversationID) {
			e := anEvent(bot, id, "order", user)
			e.Conversation, e.Called, e.Campaign.ID = conversation, conversation.String(), "spring"
			e.Attributes = json.RawMessage(`{"size":"XL of ` + user + `","n":4}`)
			track(t, s, e)
		}
		tell("in", "anna", begun.Conversation.ID)
		tell("removed", "dora", erased.Conversation.ID)
		tell("by", "ben", parley.ConversationID{})
		tell("other", "carl", ident.New[parley.Conversation]())
		inside(t, s, func(tx parley.Tx) error {
			if _, err := tx.Forget(t.Context(), parley.DefaultTenant, begun.Conversation.ID); err != nil {
				return err
			}
			if _, err := tx.ErasePerson(t.Context(), parley.DefaultTenant, erased.Conversation.ID); err != nil {
				return err
			}
			n, err := tx.ForgetEventsOf(t.Context(), parley.DefaultTenant, "ben")
			if n != 1 {
				t.Errorf("ForgetEventsOf = %d, want 1", n)
			}
			return err
		})
		tell("late", "anna", begun.Conversation.ID)
		tell("later", "dora", erased.Conversation.ID)
		tell("by", "ben", parley.ConversationID{}) // again
		var seen []string
		for _, e := range eventsOf(t, s, parley.EventQuery{Bot: bot}) {
			seen = append(seen, fmt.Sprint(e.ID, " ", e.User, " ", string(e.Attributes), " ", e.Campaign.ID))
		}
		want := []string{"later  {} spring", "late  {} spring", `other carl {"size":"XL of carl","n":4} spring`, "by  {} ", "removed  {} ", "in  {} "}
		if diff := cmp.Diff(want, seen); diff != "" {
			t.Errorf("events (-want +is)\n%s", diff)
		}
		inside(t, s, func(tx parley.Tx) error {
			values, err := tx.EventValues(t.Context(), parley.DefaultTenant, bot, "size", "", 10)
			if len(values) != 1 || values[0] != "XL of carl" {
				t.Errorf("values that are left: %q", values)
			}
			return err
		})
	})
}

// Values are found by any part of them, in any case and with signs that databases give a meaning, in the same order everywhere; numbers
// and booleans are values, too.
func TestEventValuesAreFound(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) {
		s, bot := open(t), ident.New[parley.ClientApplication]()
		for i, v := range []string{`"Größe"`, `"100%"`, `"100"`, `"a_b"`, `"axb"`, `7.50`, `true`, `"GRÖSSE"`, `"a\\b"`, `"Größe"`} {
			e := anEvent(bot, fmt.Sprint(i), "order", "")
			e.Attributes = json.RawMessage(`{"v":` + v + `,"w":"x"}`)
			track(t, s, e)
		}
		for has, want := range map[string]string{"": `100|100%|7.5|GRÖSSE|Größe|a\b|a_b|axb|true`, "grö": "GRÖSSE|Größe", "0%": "100%", "A_": "a_b", `\`: `a\b`, "TRU": "true", "nothing": ""} {
			var got []string
			inside(t, s, func(tx parley.Tx) (err error) {
				got, err = tx.EventValues(t.Context(), parley.DefaultTenant, bot, "v", has, 100)
				return err
			})
			if strings.Join(got, "|") != want {
				t.Errorf("values with %q: %q, want %s", has, got, want)
			}
		}
	})
}

// Each name that was seen is among the definitions until somebody defines it; there are so many names and no more.
func TestEventNamesAreDefined(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) {
		s := open(t)
		bots := []parley.ApplicationID{ident.New[parley.ClientApplication](), ident.New[parley.ClientApplication]()}
		for i, name := range []string{"order", "Zoom", "open", "order"} {
			track(t, s, anEvent(bots[0], fmt.Sprint(i), name, ""))
		}
		at := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
		define := func(bot parley.ApplicationID, name string) (d parley.EventDefinition, err error) {
			d = parley.EventDefinition{Tenant: parley.DefaultTenant, Bot: bot, Name: name, Description: "of " + name, Modified: at}
			err = s.Update(t.Context(), func(tx parley.Tx) error { return tx.DefineEvent(t.Context(), &d) })
			return d, err
		}
		if d, err := define(bots[0], "order"); err != nil || !d.Created.Before(at) {
			t.Errorf("DefineEvent of a name that was seen = %v, %v", d, err)
		}
		if _, err := define(bots[1], "order"); err != nil {
			t.Error(err)
		}
		list := func(bot parley.ApplicationID) (all []string) {
			for after := (parley.NamePlace{}); ; {
				var page []parley.EventDefinition
				inside(t, s, func(tx parley.Tx) (err error) {
					page, err = tx.EventDefinitions(t.Context(), parley.DefaultTenant, bot, after, 1)
					return err
				})
				if len(page) == 0 {
					return all
				}
				after = parley.NamePlace{Name: page[0].Name, Bot: page[0].Bot}
				all = append(all, fmt.Sprintf("%d %s %t %s", slices.Index(bots, page[0].Bot), page[0].Name, page[0].Defined, page[0].Description))
			}
		}
		if diff := cmp.Diff([]string{"0 Zoom false ", "0 open false ", "0 order true of order"}, list(bots[0])); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{"0 Zoom false ", "0 open false ", "0 order true of order", "1 order true of order"}, list(parley.ApplicationID{})); diff != "" {
			t.Error(diff)
		}
		inside(t, s, func(tx parley.Tx) error {
			for i := range parley.MaxEventNames - 1 {
				d := parley.EventDefinition{Tenant: parley.DefaultTenant, Bot: bots[1], Name: fmt.Sprint("n", i), Modified: at}
				if err := tx.DefineEvent(t.Context(), &d); err != nil {
					return err
				}
			}
			return nil
		})
		if _, err := define(bots[1], "one too many"); parley.KindOf(err) != parley.Invalid {
			t.Errorf("one name too many: %v", err)
		}
		if _, err := define(bots[1], "n5"); err != nil {
			t.Errorf("a name that is there: %v", err)
		}
	})
}
