package main

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The client's table is the server's.
func TestTypeScriptIsFresh(t *testing.T) {
	var text strings.Builder
	if err := write(&text); err != nil {
		t.Fatal(err)
	}
	committed, err := os.ReadFile("../../web/client/src/codes.ts")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(committed), text.String()); diff != "" {
		t.Errorf("codes.ts is not fresh, run make generate (-committed +now):\n%s", diff)
	}
}
