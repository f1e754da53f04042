package main

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
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

// A receiver that knows nothing but the secret that was shown verifies what the hub sends, before and after a new secret.
func TestShownSecretVerifies(t *testing.T) {
	var mu sync.Mutex
	secret, verdict := "", errors.New("nothing came")
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		if verdict = err; err != nil {
			return
		}
		hook, err := standardwebhooks.NewWebhook(secret)
		if verdict = err; err == nil {
			verdict = hook.Verify(body, r.Header)
		}
	}))
	t.Cleanup(receiver.Close)
	_, url := inProcess(t, nil)
	c, err := login(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	app := c.create(t, "clientapplications", object{"name": "signed", "roles": []object{{"name": "custom_bot", "version": "v3", "callback": receiver.URL,
		"notificationEmail": "x@example.org"}}})
	role := "/admin/v1/clientapplications/" + app + "/roles/custom_bot/secret"
	var shown struct{ Secret string }
	try := func(method string, status int) {
		t.Helper()
		if err := c.call(t.Context(), method, role, nil, status, &shown); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		secret = shown.Secret
		mu.Unlock()
		if err := c.call(t.Context(), http.MethodPost, "/admin/v1/clientapplications/"+app+"/test", object{"role": "custom_bot"}, http.StatusOK, nil); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		defer mu.Unlock()
		if verdict != nil {
			t.Errorf("verifying with the secret of %s: %v", method, verdict)
		}
	}
	try(http.MethodGet, http.StatusOK)
	first := secret
	try(http.MethodPost, http.StatusCreated)
	if first == secret {
		t.Error("the new secret is the old one")
	}
}
