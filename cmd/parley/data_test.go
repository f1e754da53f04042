package main

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What docs/data.md shows is what happens: its commands run one after the other against a hub, and each answers as printed after it.
func TestDataDocumentIsTrue(t *testing.T) {
	t.Parallel()
	hub := startProcess(t, nil, "--listen", "127.0.0.1:0", "--data", t.TempDir(), "--bootstrap-client", "ops:secret-of-ops")
	script, last := "", ""
	for _, s := range snippets(t, "../../docs/data.md") {
		switch s.language {
		case "sh":
			text := strings.ReplaceAll(s.text, "http://127.0.0.1:8080", hub.url)
			if command, ok := strings.CutPrefix(text, "parley export "); ok {
				text = "cd " + t.TempDir() + "; " + hub.cmd.Path + " export --url " + hub.url + " " + command
			}
			out, err := exec.CommandContext(t.Context(), "bash", "-euc", script+text).CombinedOutput()
			if err != nil {
				t.Fatalf("%s: %v: %s", text, err, out)
			}
			if strings.HasPrefix(s.text, "token=") {
				script += text
			}
			last = string(out)
		case "json":
			var want, got any
			if err := json.Unmarshal([]byte(s.text), &want); err != nil {
				t.Fatalf("%s: %v", s.text, err)
			}
			if err := json.Unmarshal([]byte(last), &got); err != nil {
				t.Fatalf("%s: %v", last, err)
			}
			if diff := cmp.Diff(want, likeness(want, got)); diff != "" {
				t.Errorf("docs/data.md says %s, the hub %s (-document +hub)\n%s", s.text, last, diff)
			}
		}
	}
}

// likeness is what was got with "…" wherever that is in what is wanted: what is another one each time.
func likeness(want, got any) any {
	switch w := want.(type) {
	case string:
		if w == "…" && got != nil && got != "" {
			return w
		}
	case map[string]any:
		if g, ok := got.(map[string]any); ok {
			for name := range w {
				if _, ok := g[name]; ok {
					g[name] = likeness(w[name], g[name])
				}
			}
		}
	case []any:
		if g, ok := got.([]any); ok && len(g) == len(w) {
			for i := range w {
				g[i] = likeness(w[i], g[i])
			}
		}
	}
	return got
}
