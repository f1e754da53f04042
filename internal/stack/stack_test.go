package stack_test

import (
	"testing"

	"parley/internal/stack"
)

// What is done aside answers the caller, or panics there.
func TestAside(t *testing.T) {
	if got := stack.Aside(func() int { return 7 }); got != 7 {
		t.Errorf("Aside = %d, want 7", got)
	}
	defer func() {
		if p := recover(); p != "planted" {
			t.Errorf("recovered %v, want what was planted", p)
		}
	}()
	stack.Aside(func() int { panic("planted") })
}
