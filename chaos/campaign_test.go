package chaos

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// binary builds the program once for all tests.
var built struct {
	once sync.Once
	path string
	err  error
}

func binary(t *testing.T, dir string) string {
	t.Helper()
	built.once.Do(func() { built.path, built.err = Build(context.Background(), "..", dir) })
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.path
}

// Guarantees G1 to G5 under crashes and faults, the short form of the campaign (make chaos, docs/crashes.md): hubs, Redis
// and PostgreSQL are killed, the disk is full, connections hang, everything comes twice; afterwards the record, what
// clients were told and saw, and what receivers got are held against each other.
func TestCrashesLoseNothing(t *testing.T) {
	path := binary(t, t.TempDir())
	// Most of a case's time is spent waiting, so three run side by side, each with servers of its own.
	const stages = 3
	var groups [stages][]Case
	servers := 0
	for _, c := range Cases() {
		switch {
		case c.Short == 0:
		case !c.Setup.Postgres:
			groups[0] = append(groups[0], c)
		default:
			groups[1+servers%(stages-1)] = append(groups[1+servers%(stages-1)], c)
			servers++
		}
	}
	t.Run("all", func(t *testing.T) { // ends when the groups have, before the binary is removed
		for n, group := range groups {
			t.Run([]string{"SQLite", "servers", "more servers"}[n], func(t *testing.T) {
				t.Parallel()
				runShort(t, path, group)
			})
		}
	})
}

func runShort(t *testing.T, binary string, group []Case) {
	t.Helper()
	stage, err := NewStage(binary)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := stage.Close(); err != nil {
			t.Error(err)
		}
	}()
	for _, c := range group {
		t.Run(c.Name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
			defer cancel()
			r, err := Run(ctx, stage, c, true)
			if errors.Is(err, ErrMissing) {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			late := len(r.Late) > 0 && !strings.Contains(os.Getenv("PARLEY_TEST_BUILD"), "-race") // that is several times as slow
			if r.Broken() || late || r.Acked < 50 {
				r.Explain(t.Output())
				t.Errorf("%d messages acknowledged, %d violations, late: %v", r.Acked, r.Violations(), r.Late)
			}
		})
	}
}
