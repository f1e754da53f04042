package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Queries whose intent nobody could tell miss every goal of the classifier, and the command fails and says which.
func TestMissedGoalsFail(t *testing.T) {
	folder := t.TempDir()
	var rows strings.Builder
	rows.WriteString("text,category\n")
	for i := range 40 {
		for _, intent := range []string{"card", "transfer", "account"} {
			fmt.Fprintf(&rows, "please help me with matter number %d,%s\n", i, intent)
		}
	}
	if err := os.WriteFile(filepath.Join(folder, "train.csv"), []byte(rows.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	err := run(io.Discard, folder, 0)
	for _, want := range []string{"goals are missed", "10 examples: accuracy of the classifier 3", "want 75.0 %", "30 examples: accuracy", "want 82.0 %", "times that of the plain rule, want 1.500"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("run = %v, want %q in it", err, want)
		}
	}
}
