package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const demoDialogs = "../../examples/flows/demo.dialogs.yaml"

func TestDemoDialogs(t *testing.T) {
	if status, out, errs := command(t, "bot", "test", demoDialogs); status != 0 {
		t.Errorf("bot test = %d\n%s%s", status, out, errs)
	}
}

func TestBotCommands(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const good = "name: x\nlanguages: [en]\nfallback: a\nsteps:\n- {id: a, answers: [{text: sorry}]}\n"
	fine, broken := write("f.yaml", good), write("b.yaml", good+"colour: red\n")
	if status, out, _ := command(t, "bot", "validate", fine); status != 0 || !strings.Contains(out, "f.yaml:1: warning: ") {
		t.Errorf("validate = %d %s, want a warning and status 0", status, out)
	}
	if status, out, _ := command(t, "bot", "validate", fine, broken); status != 1 || !strings.Contains(out, `b.yaml:6: unknown key "colour"`) {
		t.Errorf("validate = %d %s, want line 6 and status 1", status, out)
	}
	d := write("d.yaml", "flow: f.yaml\ndialogs:\n- {name: one, turns: [{text: hi, answers: [hello], step: a, end: true}]}\n")
	status, out, _ := command(t, "bot", "test", "-v", d)
	for _, want := range []string{"> hi", "< sorry", "- hello", "+ sorry", "end:", "1 dialogs, 1 failed"} {
		if status != 1 || !strings.Contains(out, want) {
			t.Errorf("test = %d %s, want %q", status, out, want)
		}
	}
	if status, _, errs := command(t, "bot", "test", write("e.yaml", "flow: f.yaml\nturns: []\n")); status != 1 || !strings.Contains(errs, "turns") {
		t.Errorf("test of an unknown key = %d %s", status, errs)
	}
}
