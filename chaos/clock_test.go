package chaos

import "testing"

// The standard library of the Go that is here takes the lines that let a clock be set. That hubs obey it is what the campaign's case waits for.
func TestClockFitsTheStandardLibrary(t *testing.T) {
	_, overlay, err := overlayClock(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := goCommand(t.Context(), "", "build", "-overlay", overlay, "time"); err != nil {
		t.Error(err)
	}
}
