package store_test

import (
	"strings"
	"testing"

	"parley/store/storetest"
)

// Writers make plans that read whole tables dear, and PostgreSQL compiles what is dear: that takes a processor for longer than the statement.
func TestWritersCompileNothing(t *testing.T) {
	s := storetest.OpenPostgres(t)
	const noIndex = "UPDATE figure_progress SET progress = progress WHERE version = 0"
	if plan := s.WritersPlan(t, noIndex); !strings.Contains(plan, "Seq Scan") || strings.Contains(plan, "JIT") {
		t.Errorf("a statement without an index is run as\n%s\nwant it to read the table, and not to be compiled", plan)
	}
}
