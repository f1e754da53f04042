package store_test

import (
	"log/slog"
	"strings"
	"testing"

	"parley"
	"parley/ident"
	"parley/insight/figures"
	"parley/store"
	"parley/store/storetest"
)

// A page of an export is read along an index, from its place on: nothing is sorted, and nothing before it is looked at.
func TestExportsReadAlongAnIndex(t *testing.T) {
	t.Parallel()
	s, bot := storetest.Open(t), ident.New[parley.ClientApplication]()
	visits := parley.VisitQuery{After: parley.VisitPlace{Changed: 1, Conversation: 1}, Limit: 10}
	selected := visits
	selected.Bot, selected.Channel, selected.From, selected.Until = bot, "web", noon, noon.AddDate(0, 0, 1)
	for name, plan := range map[string]string{
		"visits": s.PlanOfVisits(t, visits), "selected visits": s.PlanOfVisits(t, selected),
	} {
		if !strings.HasPrefix(plan, "CO-ROUTINE v; SEARCH v USING INDEX visits_changed (generation=? AND tenant=? AND (changed,conversation,part)>(?,?,?)") ||
			strings.Count(plan, "SCAN") != 1 || !strings.Contains(plan, "; SCAN v; ") || strings.Contains(plan, "B-TREE") { // of what the page has
			t.Errorf("%s: %s", name, plan)
		}
	}
	in := parley.EventQuery{Tenant: parley.DefaultTenant, From: noon, Until: noon.AddDate(0, 0, 1), Limit: 10}
	ofBot, named := in, in
	ofBot.Bot, named.Bot, named.Names = bot, bot, []string{"order"}
	for index, plan := range map[string]string{"(tenant=? AND key>? AND key<?)": s.PlanOfEvents(t, in), "key>? AND key<?)": s.PlanOfEvents(t, ofBot),
		"tracked_events_name (tenant=? AND bot=? AND name=? AND key>? AND key<?)": s.PlanOfEvents(t, named)} {
		if !strings.Contains(plan, "SEARCH e USING INDEX tracked_events_") || !strings.Contains(plan, index) || strings.Contains(plan, "B-TREE") {
			t.Errorf("not along %s: %s", index, plan)
		}
	}
}

// A visit that was counted by a hub of before there were exports, while one of now ran beside it, is found once everything was counted anew.
func TestVisitsOfOlderHubsAreFound(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) {
		s := open(t)
		count := func() {
			c := figures.NewCounter(figures.Config{Record: s, Logger: slog.New(slog.DiscardHandler)})
			for more := true; more; {
				var err error
				if more, err = c.Round(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
		var at parley.VisitPlace
		came := func() (n int) {
			view(t, s, func(tx parley.Tx) error {
				page, err := tx.ExportedVisits(t.Context(), parley.VisitQuery{Tenant: parley.DefaultTenant, After: at, Limit: 10})
				if n = len(page); n > 0 {
					at = page[n-1].Place
				}
				return err
			})
			return n
		}
		storetest.MustCommit(t, s, storetest.Start(""), storetest.Start(""))
		count()
		s.Exec(t, "UPDATE visits SET tenant = 0, changed = 0 WHERE conversation = (SELECT MAX(conversation) FROM visits)")
		if n := came(); n != 1 {
			t.Errorf("%d visits came, want the one of the hub of now", n)
		}
		if _, err := figures.Rebuild(t.Context(), s, noon); err != nil {
			t.Fatal(err)
		}
		count()
		if n := came(); n != 1 {
			t.Errorf("%d visits came after counting anew, want the other one", n)
		}
	})
}

// Whatever a stranger sends as a cursor is none, or the one of that tenant and kind that was given out.
func FuzzCursor(f *testing.F) {
	s := storetest.Open(f)
	other := ident.New[parley.Tenant]()
	mine, err := s.Cursor(parley.DefaultTenant, parley.VisitCursor, 1, 2, 3)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{"", "x", "AAAA", mine, mine + "A", mine[1:], mine + "=", strings.ToUpper(mine)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, cursor string) {
		place := [3]int64{7, 7, 7}
		err := s.ParseCursor(parley.DefaultTenant, parley.VisitCursor, cursor, &place[0], &place[1], &place[2])
		switch { // the same one may be written with line breaks
		case err == nil && place == [3]int64{1, 2, 3}:
		case cursor == mine || parley.KindOf(err) != parley.Invalid || place != [3]int64{7, 7, 7}:
			t.Errorf("ParseCursor(%q) = %v, %v, want Invalid, or the place that it is", cursor, place, err)
		}
		for _, wrong := range []error{
			s.ParseCursor(other, parley.VisitCursor, cursor, &place[0], &place[1], &place[2]),
			s.ParseCursor(parley.DefaultTenant, parley.ConversationCursor, cursor, &place[0], &place[1], &place[2]),
			s.ParseCursor(parley.DefaultTenant, parley.VisitCursor, cursor, &place[0]),
		} {
			if parley.KindOf(wrong) != parley.Invalid {
				t.Errorf("ParseCursor(%q) as another = %v, want Invalid", cursor, wrong)
			}
		}
	})
}
