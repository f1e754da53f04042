package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/expfmt"

	"parley"
	"parley/store"
	"parley/store/storetest"
)

// Statements that take many rows, as those of a commit do, count like any other.
func TestFailedCommitsAreCounted(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		meter := prometheus.NewRegistry()
		s := open(t, func(c *store.Config) { c.Meter = meter })
		s.Exec(t, "ALTER TABLE messages RENAME TO elsewhere")
		if _, errs := storetest.Commit(t, s, storetest.Start("m1")); errs[0] == nil {
			t.Fatal("a message was stored nowhere")
		}
		text, err := testutil.CollectAndFormat(meter, expfmt.TypeTextPlain, "parley_store_errors_total")
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), `{kind="failed",pool="write"} 0`) {
			t.Errorf("the failure is not shown:\n%s", text)
		}
	})
}

// Statements that take many rows count for the pool that they run on: those of a View neither as writing nor as failed writes.
func TestBulksOfViewsAreReads(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		meter := prometheus.NewRegistry()
		s := open(t, func(c *store.Config) { c.Meter = meter })
		metrics := func() string {
			text, err := testutil.CollectAndFormat(meter, expfmt.TypeTextPlain, "parley_write_statements_total", "parley_store_errors_total")
			if err != nil {
				t.Fatal(err)
			}
			return string(text)
		}
		read := func() error {
			return s.View(t.Context(), func(tx parley.Tx) error {
				_, err := tx.CellsOn(t.Context(), []parley.CellName{{Dimension: 1}})
				return err
			})
		}
		before := metrics()
		if err := read(); err != nil {
			t.Fatal(err)
		}
		if after := metrics(); after != before {
			t.Errorf("a View counted as\n%s\nafter\n%s", after, before)
		}
		s.Exec(t, "ALTER TABLE visit_hours RENAME TO elsewhere")
		if err := read(); err == nil {
			t.Fatal("figures were read from nowhere")
		}
		if text := metrics(); !strings.Contains(text, `{kind="failed",pool="read"} 1`) || !strings.Contains(text, `{kind="failed",pool="write"} 0`) {
			t.Errorf("the failed read is counted as\n%s", text)
		}
	})
}

// Operators see what the database did not carry out. What is an answer does not look like a failure.
func TestDatabaseErrorsAreCounted(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		meter := prometheus.NewRegistry()
		s := open(t, func(c *store.Config) { c.Meter = meter })
		check := func(when string, read, write int) {
			t.Helper()
			text, err := testutil.CollectAndFormat(meter, expfmt.TypeTextPlain, "parley_store_errors_total")
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{`{kind="conflict",pool="read"} 0`, `{kind="conflict",pool="write"} 0`,
				fmt.Sprintf(`{kind="failed",pool="read"} %d`, read), fmt.Sprintf(`{kind="failed",pool="write"} %d`, write)} {
				if !strings.Contains(string(text), "parley_store_errors_total"+want+"\n") {
					t.Errorf("%s: want %s in\n%s", when, want, text)
				}
			}
		}
		start := storetest.Start("m1")
		storetest.MustCommit(t, s, start)
		if _, errs := storetest.Commit(t, s, storetest.Start("m1")); errs[0] == nil {
			t.Error("a repeat was stored")
		}
		err := s.View(t.Context(), func(tx parley.Tx) error {
			_, err := tx.Conversation(t.Context(), parley.TenantID{1}, start.Conversation.ID)
			return err
		})
		if parley.KindOf(err) != parley.NotFound {
			t.Errorf("nobody's conversation = %v", err)
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.Backlog(gone); !errors.Is(err, context.Canceled) {
			t.Errorf("Backlog for one who went away = %v", err)
		}
		check("all well", 0, 0)
		s.Close()
		if _, err := s.Backlog(t.Context()); err == nil {
			t.Error("a closed store answers")
		}
		if err := s.Disable(t.Context(), 1, ""); err == nil {
			t.Error("a closed store writes")
		}
		check("a read and a write that failed", 1, 1)
	})
}
