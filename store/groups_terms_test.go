package store

import (
	"testing"

	"parley"
	"parley/insight/criteria"
)

// Comparisons by order become words if the key has few values; else rows are decided one by one.
func TestOrderBecomesWords(t *testing.T) {
	s := openFile(t, t.TempDir())
	if err := s.FillInsights(t.Context(), 5000); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]int{ // how many words; 0 = everybody, of whom rows are decided
		"conversation.metadata.tier<none":         2,
		"conversation.metadata.tier<=none":        3,
		"conversation.metadata.tier>zinc":         1, // that of nobody
		"conversation.metadata.agentId>=agent-99": 1,
		"conversation.metadata.customerId<x":      0,
		"conversation.name<x":                     0,
		"conversation.startTime<2026-01-01":       0,
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
		if got := len(set.of); got != want || set.more != (want == 0) || (set.kind == everybody) != (want == 0) {
			t.Errorf("%s is of %d words (%+v), want %d", text, got, set, want)
		}
	}
}
