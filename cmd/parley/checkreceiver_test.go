package main

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// startReceiver starts a model receiver and returns its URL.
func startReceiver(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "RECEIVER_SECRET="+listenSecret, "RECEIVER_PASSWORD=")
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		scan := bufio.NewScanner(stdout)
		if scan.Scan() {
			lines <- scan.Text()
		}
		for scan.Scan() { // it must not wait for us
		}
		_ = cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
	})
	select {
	case line := <-lines:
		url, ok := strings.CutPrefix(line, "listening: ")
		if !ok {
			t.Fatalf("%s printed %q", name, line)
		}
		return url
	case <-ended:
		t.Fatalf("%s ended", name)
	case <-time.After(60 * time.Second):
		t.Fatalf("%s does not start", name)
	}
	return ""
}

// pass runs the commands of examples/README.md against a receiver that passes everything there is to see.
func pass(t *testing.T, url string) {
	t.Helper()
	var command string
	for _, s := range snippets(t, "../../examples/README.md") {
		if strings.Contains(s.text, "check-receiver") {
			command = strings.NewReplacer("http://127.0.0.1:9091", url, "\n", "").Replace(s.text)
		}
	}
	args, ok := strings.CutPrefix(command, "go run ./cmd/parley ")
	if !ok {
		t.Fatalf("examples/README.md runs %q", command)
	}
	var out, log safeBuffer
	if code := run(t.Context(), strings.Fields(args), &out, &log); code != 0 || !strings.HasSuffix(out.String(), "12 passed, 0 failed, 1 skipped\n") ||
		!strings.Contains(out.String(), "skipped  says-when-to-come-back") {
		t.Errorf("%s = %d %s\n%s", command, code, &log, &out)
	}
}

// The model receivers pass, by the commands that are documented.
func TestModelReceiversPass(t *testing.T) {
	t.Run("Go", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "receiver")
		if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "../../examples/receiver").CombinedOutput(); err != nil {
			t.Fatalf("go build: %v: %s", err, out)
		}
		pass(t, startReceiver(t, path, "-listen", "127.0.0.1:0"))
	})
	t.Run("TypeScript", func(t *testing.T) {
		web := os.Getenv("PARLEY_TEST_WEB") // a web/ that is installed, if it is not this one
		if web == "" {
			web = "../../web"
		}
		tsc := filepath.Join(web, "node_modules/typescript/bin/tsc")
		node, err := exec.LookPath("node")
		if err != nil {
			t.Skip("Node.js is not installed; scripts/services install does that")
		}
		if _, err := os.Stat(tsc); err != nil {
			t.Skip("TypeScript is not installed; make web/node_modules does that")
		}
		// Compiled, although newer Node.js runs it as it is: so its types are checked too.
		dir := t.TempDir()
		if out, err := exec.CommandContext(t.Context(), node, tsc, "--strict", "--noUncheckedIndexedAccess", "--target", "es2022", "--module", "nodenext", "--skipLibCheck",
			"--erasableSyntaxOnly", "--typeRoots", filepath.Join(web, "node_modules/@types"), "--types", "node", "--outDir", dir,
			"../../examples/receiver-node/receiver.ts").CombinedOutput(); err != nil {
			t.Fatalf("tsc: %v: %s", err, out)
		}
		pass(t, startReceiver(t, node, filepath.Join(dir, "receiver.js"), "127.0.0.1:0"))
	})
}

// A receiver that fails is told so, for people and for programs, and the exit status says it.
func TestCheckReceiverTellsFailure(t *testing.T) {
	open := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})) // takes everything
	defer open.Close()
	var out, log safeBuffer
	if code := run(t.Context(), []string{"check-receiver", open.URL, "--secret", listenSecret}, &out, &log); code != 1 || !strings.Contains(log.String(), "5 checks failed") ||
		!strings.Contains(out.String(), "fail     refuses-bad-signature") || !strings.Contains(out.String(), "anybody who knows the URL") {
		t.Errorf("check-receiver = %d %s\n%s", code, &log, &out)
	}
	out = safeBuffer{}
	code := run(t.Context(), []string{"check-receiver", open.URL, "--secret", listenSecret, "--json"}, &out, &log)
	var report struct {
		Passed, Failed, Skipped int
		Checks                  []struct{ Check, Verdict, Why, Says string }
	}
	if err := json.Unmarshal([]byte(out.String()), &report); err != nil || code != 1 || report.Failed != 5 || len(report.Checks) != 13 {
		t.Errorf("--json = %d %v\n%s", code, err, &out)
	}
	for _, wrong := range [][]string{{"ftp://x"}, {open.URL, "--secret", "planted!"}, {open.URL, "--timeout", "0s"}, {open.URL, "--header", "planted"},
		{open.URL, "--secret", "whsec_"}, {open.URL, "--header", "X Key: planted"}, {open.URL, "--header", "X-Key: planted\nX-Other: y"}} {
		log = safeBuffer{}
		out = safeBuffer{}
		if code := run(t.Context(), append([]string{"check-receiver"}, wrong...), &out, &log); code != 1 || strings.Contains(log.String(), "planted") || out.String() != "" {
			t.Errorf("%q = %d %s%s, want a refusal before anything is tried", wrong, code, &log, &out)
		}
	}
}
