package main

import (
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

// The commands of docs/callbacks.md work as they are written: each answers with success, and what it says is not empty.
func TestCallbacksPageIsTrue(t *testing.T) {
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnprocessableEntity) }))
	t.Cleanup(receiver.Close)
	_, url := inProcess(t, nil)
	c, err := login(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	s := c.setUp(t, receiver.URL, "page")
	conversation, _, err := c.post(t.Context(), s.begin("m-1", "Where is my parcel?", "anna@example.org"))
	if err != nil {
		t.Fatal(err)
	}
	var receivers struct {
		Receiver []struct {
			ApplicationID, Role string
			Health              struct{ Dead int }
		}
	}
	application := ""
	for deadline := time.After(20 * time.Second); application == ""; {
		if err := c.call(t.Context(), http.MethodGet, "/admin/v1/receivers", nil, http.StatusOK, &receivers); err != nil {
			t.Fatal(err)
		}
		for _, r := range receivers.Receiver {
			if r.Role == "custom_bot" && r.Health.Dead > 0 {
				application = r.ApplicationID
			}
		}
		select {
		case <-deadline:
			t.Fatalf("nothing was given up: %+v", receivers)
		case <-time.After(20 * time.Millisecond):
		}
	}
	id, secret, _ := strings.Cut(bootstrap, ":")
	env := append(os.Environ(), "HUB="+url, "TOKEN="+c.token, "APPLICATION="+application, "CONVERSATION="+conversation, "PARLEY_REPLAY_CLIENT="+id,
		"PARLEY_REPLAY_SECRET="+secret, "PATH="+filepath.Dir(path)+":"+os.Getenv("PATH"))
	ran := 0
	for _, block := range snippets(t, "../../docs/callbacks.md") {
		for _, line := range strings.Split(strings.ReplaceAll(strings.TrimSpace(block.text), "\\\n", ""), "\n") {
			call := strings.Replace(line, "curl -s", "curl -sS --fail-with-body", 1)
			cmd := exec.CommandContext(t.Context(), "bash", "-euc", call)
			cmd.Env = env
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("%s: %v: %s", line, err, out)
			}
			ran++
			switch {
			case strings.Contains(line, "PATCH"):
			case len(out) == 0:
				t.Errorf("%s says nothing", line)
			case strings.HasPrefix(line, "curl") && !strings.Contains(line, "export") && !json.Valid(out):
				t.Errorf("%s answers %s", line, out)
			case strings.HasPrefix(line, "parley") && strings.HasPrefix(string(out), "0 ") && !strings.Contains(line, "skip"):
				t.Errorf("%s found nothing: %s", line, out)
			}
		}
	}
	if ran != 12 {
		t.Errorf("%d commands ran", ran)
	}
}
