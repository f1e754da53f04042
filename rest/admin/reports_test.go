package admin_test

import (
	"encoding/csv"
	"log/slog"
	"os"
	"strings"
	"testing"

	"parley/insight/figures"
)

// count counts everything that happened, until there is nothing more to do.
func (s *stage) count() {
	s.t.Helper()
	c := figures.NewCounter(figures.Config{Record: s.store, Logger: slog.New(slog.DiscardHandler)})
	for more := true; more; {
		var err error
		if more, err = c.Round(s.t.Context()); err != nil {
			s.t.Fatal(err)
		}
	}
}

// Reports tell of a past that was imported, and what was counted can be counted anew.
func TestReports(t *testing.T) {
	text, err := os.ReadFile("testdata/counted/reports.txt")
	if err != nil {
		t.Fatal(err)
	}
	s := newStage(t)
	vars := s.vars()
	for part := range strings.SplitSeq(string(text), "\n# Once it is counted:\n") {
		s.Play(part, vars)
		s.count()
	}
	table := func(path string) [][]string {
		t.Helper()
		res, body := s.Do("GET", path+"&format=csv&environmentId="+vars["$other"], "", "Authorization", "Bearer "+vars["$all"])
		rows, err := csv.NewReader(strings.NewReader(body)).ReadAll()
		if err != nil || res.StatusCode != 200 || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/csv") {
			t.Fatalf("%s answered %d %s %q, %v", path, res.StatusCode, res.Header.Get("Content-Type"), body, err)
		}
		return rows
	}
	rows := table("/reports/figures?from=2026-03-28&until=2026-03-30")
	if len(rows) != 4 || rows[0][2] != "conversations" || rows[1][2] != "1" || rows[2][2] != "2" || rows[3][2] != "3" || rows[1][0] != "2026-03-28T00:00:00.000Z" || rows[1][18] != "0" {
		t.Errorf("figures as a table: %q", rows)
	}
	if rows := table("/reports/hours?from=2026-03-28&until=2026-03-30"); len(rows) != 1+7*24 {
		t.Errorf("hours as a table have %d rows", len(rows))
	}
	if rows := table("/reports/steps?from=2026-03-28&until=2026-03-30"); len(rows) != 3 || rows[2][0] != "'=cmd" { // no formula
		t.Errorf("steps as a table: %q", rows)
	}
	if rows := table("/reports/health?from=2026-03-28&until=2026-03-30"); len(rows) != 2 || rows[1][0] != vars["$counted"] {
		t.Errorf("health as a table: %q", rows)
	}
}
