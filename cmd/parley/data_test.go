package main

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// What these documents show is what happens: their commands run one after the other against a hub, and each answers as printed after it.
func TestDocumentsAreTrue(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"data", "analytics"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hub := startProcess(t, nil, "--listen", "127.0.0.1:0", "--data", t.TempDir(), "--bootstrap-client", "ops:secret-of-ops")
			script, command, answer := "", "", ""
			for _, s := range snippets(t, "../../docs/"+name+".md") {
				switch s.language {
				case "sh":
					command = strings.ReplaceAll(s.text, "http://127.0.0.1:8080", hub.url)
					if rest, ok := strings.CutPrefix(command, "parley export "); ok {
						command = "cd " + t.TempDir() + "; " + hub.cmd.Path + " export --url " + hub.url + " " + rest
					}
					if strings.HasPrefix(s.text, "token=") {
						script += command
					} else {
						answer = shell(t, script+command)
					}
				case "json":
					// What follows from the record shows up within seconds.
					again, late := time.NewTicker(200*time.Millisecond), time.After(30*time.Second)
					diff := differs(t, s.text, answer)
					for (name == "analytics" || strings.Contains(command, "/export/visits")) && diff != "" {
						select {
						case <-again.C:
							answer = shell(t, script+command)
							diff = differs(t, s.text, answer)
							continue
						case <-late:
						}
						break
					}
					again.Stop()
					if diff != "" {
						t.Errorf("docs/%s.md says %s, the hub %s (-document +hub)\n%s", name, s.text, answer, diff)
					}
				}
			}
		})
	}
}

func shell(t *testing.T, script string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "bash", "-euc", script).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", script, err, out)
	}
	return string(out)
}

// differs compares what a command answers with what is printed.
func differs(t *testing.T, printed, answer string) string {
	t.Helper()
	var want, got any
	if err := json.Unmarshal([]byte(printed), &want); err != nil {
		t.Fatalf("%s: %v", printed, err)
	}
	if err := json.Unmarshal([]byte(answer), &got); err != nil {
		return err.Error()
	}
	return cmp.Diff(want, likeness(want, got))
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
