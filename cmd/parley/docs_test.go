package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A snippet is a fenced block of a document.
type snippet struct{ language, text string }

var fence = regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```$")

func snippets(t *testing.T, path string) []snippet {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all []snippet
	for _, m := range fence.FindAllStringSubmatch(string(text), -1) {
		all = append(all, snippet{m[1], m[2]})
	}
	return all
}

// The front page's commands do what it says: the first starts a hub, the second too, with a client for REST, and the calls
// answer as printed. Ports and folders are the test's own.
func TestFrontPageIsTrue(t *testing.T) {
	var commands []string
	var answer string
	for _, s := range snippets(t, "../../README.md") {
		switch s.language {
		case "sh":
			commands = append(commands, strings.TrimSpace(s.text))
		case "json":
			answer = strings.TrimSpace(s.text)
		}
	}
	if len(commands) != 6 || answer == "" {
		t.Fatalf("the front page has %d commands, want two starts, a call with its answer, and three for further APIs", len(commands))
	}
	var hub *process
	for _, start := range commands[:2] {
		args, ok := strings.CutPrefix(start, "go run ./cmd/parley serve ")
		if !ok {
			t.Fatalf("%q does not start a hub", start)
		}
		hub = startProcess(t, nil, append(strings.Fields(args), "--listen", "127.0.0.1:0", "--data", t.TempDir())...)
		if hub.lines["customer page"] == "" || hub.lines["agent page"] == "" {
			t.Errorf("%q printed %v, want where to click", start, hub.lines)
		}
	}
	run := func(commands ...string) string {
		t.Helper()
		call := strings.ReplaceAll(strings.Join(commands, "\n"), "http://127.0.0.1:8080", hub.url)
		out, err := exec.CommandContext(t.Context(), "bash", "-euc", call).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v: %s", call, err, out)
		}
		return string(out)
	}
	var ids []string
	for range 2 {
		out := run(commands[2])
		ids = append(ids, out)
		if diff := cmp.Diff(shape(t, answer), shape(t, out)); diff != "" {
			t.Errorf("the call answers %s (-front page +seen):\n%s", out, diff)
		}
	}
	for i, want := range []string{`"title":"Shoes"`, "From Monday to Friday, 9 am to 6 pm."} {
		token, _, _ := strings.Cut(commands[2], "\ncurl") // what the others need of it
		if out := run(token, commands[3], commands[4+i]); !strings.Contains(out, want) {
			t.Errorf("%s answers %s, want %s", commands[4+i], out, want)
		}
		if text, err := os.ReadFile("../../README.md"); err != nil || !strings.Contains(string(text), "`"+want+"`") {
			t.Errorf("the front page does not say that it answers %s (%v)", want, err)
		}
	}
	if ids[0] != ids[1] {
		t.Errorf("called twice: %s and %s", ids[0], ids[1])
	}
}

// shape is a JSON text with every id replaced.
func shape(t *testing.T, text string) any {
	t.Helper()
	var tree any
	if err := json.Unmarshal([]byte(text), &tree); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	var blank func(any) any
	blank = func(v any) any {
		switch v := v.(type) {
		case map[string]any:
			for k := range v {
				if k == "id" {
					v[k] = "…"
				} else {
					v[k] = blank(v[k])
				}
			}
		case []any:
			for i := range v {
				v[i] = blank(v[i])
			}
		}
		return v
	}
	return blank(tree)
}

// Documents name what there is: every test of docs/guarantees.md, every metric of docs/metrics.md, every link.
func TestDocumentsNameWhatThereIs(t *testing.T) {
	code := sources(t)
	text, err := os.ReadFile("../../docs/guarantees.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range regexp.MustCompile(`\bTest\w+`).FindAllString(string(text), -1) {
		if !strings.Contains(code, "func "+name+"(") {
			t.Errorf("docs/guarantees.md names %s, which does not exist", name)
		}
	}
	text, err = os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	metric := regexp.MustCompile(`parley_[a-z_]+`)
	documented := map[string]bool{}
	for _, name := range metric.FindAllString(string(text), -1) {
		documented[name] = true
		if !strings.Contains(code, `"`+name+`"`) {
			t.Errorf("docs/metrics.md names %s, which does not exist", name)
		}
	}
	for _, m := range regexp.MustCompile(`Opts\{Name: "(parley_[a-z_]+)"`).FindAllStringSubmatch(code, -1) {
		if !documented[m[1]] {
			t.Errorf("docs/metrics.md does not name %s", m[1])
		}
	}
	for _, page := range []string{"README.md", "CONTRIBUTING.md", "docs/architecture.md", "docs/guarantees.md", "docs/crashes.md", "docs/callbacks.md", "docs/detection.md", "docs/performance.md", "docs/metrics.md", "docs/runbooks.md", "docs/groups.md", "docs/understanding.md", "docs/bots.md", "docs/broker.md", "docs/agents.md", "docs/events.md"} {
		text, err := os.ReadFile("../../" + page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\]\(([^)#:]+)\)`).FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(filepath.Join("../..", filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s links to %s: %v", page, m[1], err)
			}
		}
	}
}

// sources is the Go code of the project in one text.
func sources(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir("../..", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".git") {
			return filepath.SkipDir
		}
		if strings.HasSuffix(path, ".go") {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			all.Write(text)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}
