package store

import (
	"strings"
	"testing"

	"parley"
	"parley/insight/criteria"
)

// Comparisons by order, and wildcards, become a few words and prefixes, however many values the key has. What is not an exact bound of them
// is decided row by row, among the conversations with the values that begin like the bound.
func TestRangesAndWildcardsBecomeWords(t *testing.T) {
	s := openFile(t, t.TempDir())
	if err := s.FillInsights(t.Context(), 5000); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]struct {
		words int // 0 = everybody, of whom rows are decided
		more  bool
	}{
		"conversation.metadata.tier<none":                                                          {2, false},
		"conversation.metadata.tier<=none":                                                         {3, false},
		"conversation.metadata.tier>zinc":                                                          {1, false}, // that of nobody
		"conversation.metadata.agentId>=agent-99":                                                  {1, false},
		"conversation.metadata.agentId>agent-99":                                                   {1, false},
		"conversation.metadata.customerId<x":                                                       {1, false},
		"conversation.metadata.customerId>=customer-3;conversation.metadata.customerId<customer-6": {3, false},
		"conversation.metadata.customerId<customer-50005000":                                       {9, true}, // the rest of longer bounds
		"conversation.metadata.amount>=0":                                                          {3, false},
		"conversation.metadata.amount<0":                                                           {1, false},
		"conversation.metadata.amount<256":                                                         {8, false},
		"conversation.metadata.amount<1234.56":                                                     {20, false},
		"conversation.metadata.amount==*":                                                          {2, false}, // with numbers and without
		"conversation.metadata.agentId==*-1*":                                                      {1, false},
		"conversation.metadata.customerId==*-1*":                                                   {1, false},
		"conversation.metadata.customerId==*-7":                                                    {1, false},
		"conversation.metadata.amount==*5*":                                                        {2, true},  // more values than are looked at
		"conversation.name<x":                                                                      {2, false}, // with one and without, whose ids do
		"conversation.name>x":                                                                      {1, false},
		"conversation.name==*x":                                                                    {2, true}, // more values than are looked at
		"conversation.label<x":                                                                     {1, false},
		"conversation.type<x":                                                                      {0, true}, // there is but one
		"conversation.id<1":                                                                        {1, false},
		"conversation.id>x":                                                                        {1, false},
		"conversation.startTime<2026-01-01":                                                        {0, true},
	} {
		c, err := criteria.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		var set termSet
		if err := s.View(t.Context(), func(in parley.Tx) error {
			tx := in.(*tx)
			tenant, err := s.tenantKey(t.Context(), tx.db, parley.DefaultTenant)
			if err == nil {
				set, err = tx.termSet(t.Context(), tenant, c)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if set.kind == intersection && len(set.of) == 1 {
			set.of = set.of[0].of
		}
		if got := len(set.of); got != want.words || set.more != want.more || (set.kind == everybody) != (want.words == 0) {
			t.Errorf("%s is of %d words (%+v), more: %v, want %+v", text, got, set, set.more, want)
		}
	}
}

// What must be true of starts bounds the places that are looked at, in whatever index.
func TestStartsBoundPlaces(t *testing.T) {
	for text, want := range map[string]int{ // how many bounds
		"conversation.startTime>=2026-01-01;conversation.startTime<2026-02-01": 2,
		"conversation.metadata.a==1;conversation.startDate==2026-01-01":        2,
		"conversation.startTime!=2026-01-01;conversation.metadata.a==1":        0,
		"conversation.startTime<2026-01-01,conversation.metadata.a==1":         0,
		"conversation.endTime<2026-01-01":                                      1,
		"conversation.endTime>2026-01-01":                                      0,
	} {
		c, err := criteria.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		var w where
		(&listing{all: c}).bounds(&w, "f.place")
		if got := strings.Count(w.String(), "f.place"); got != want {
			t.Errorf("%s bounds places by %q, want %d bounds", text, w.String(), want)
		}
	}
}
