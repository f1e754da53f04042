package stack_test

import (
	"strings"
	"testing"

	"parley/internal/stack"
)

// What is done aside answers the caller, or panics there.
func TestAside(t *testing.T) {
	if got := stack.Aside(func() int { return 7 }); got != 7 {
		t.Errorf("Aside = %d, want 7", got)
	}
	defer func() {
		if p, _ := recover().(string); !strings.HasPrefix(p, "planted\n") || !strings.Contains(p, "stack_test.TestAside") {
			t.Errorf("recovered %q, want what was planted and where", p)
		}
	}()
	stack.Aside(func() int { panic("planted") })
}
