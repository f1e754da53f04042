package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"parley/configs"
)

// command runs a command line in this process.
func command(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status = run(t.Context(), args, &out, &errs)
	return status, out.String(), errs.String()
}

// field is the value of a line "name: value".
func field(text, name string) string {
	_, after, _ := strings.Cut(text, name+": ")
	value, _, _ := strings.Cut(after, "\n")
	return value
}

// A client made on the command line is one for REST, until it is revoked there.
func TestClientCommands(t *testing.T) {
	data := t.TempDir()
	if status, out, errs := command(t, "migrate", "--data", data); status != 0 || !strings.Contains(out, "up to date") {
		t.Fatalf("migrate = %d %s %s", status, out, errs)
	}
	status, out, errs := command(t, "client", "create", "CRM", "--data", data, "--scopes", "app.conversation.conversationmgr.read")
	id, secret := field(out, "id"), field(out, "secret")
	if status != 0 || id == "" || secret == "" {
		t.Fatalf("create = %d %s %s", status, out, errs)
	}
	if status, out, _ := command(t, "client", "list", "--data", data); status != 0 || !strings.Contains(out, id) || !strings.Contains(out, "CRM") || strings.Contains(out, secret) {
		t.Errorf("list = %d %s; want the client without its secret", status, out)
	}
	for want, args := range map[string][]string{
		"--scopes":      {"client", "create", "x", "--data", data, "--scopes", "root"},
		"--roles":       {"client", "create", "x", "--data", data, "--roles", "king"},
		"--application": {"client", "create", "x", "--data", data, "--application", "5"},
		"--tenant":      {"client", "list", "--data", data, "--tenant", "5"},
		"not found":     {"client", "revoke", "nobody", "--data", data},
	} {
		if status, _, errs := command(t, args...); status != 1 || !strings.Contains(errs, want) {
			t.Errorf("%v = %d %s, want it to name %s", args, status, errs, want)
		}
	}
	_, url := inProcess(t, func(c *configs.Serve) { c.Data = data })
	c, err := loginAs(t.Context(), url, id, secret)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.call(t.Context(), http.MethodGet, conversationmgrBase+"/accounts", nil, http.StatusOK, nil); err != nil {
		t.Error(err)
	}
	if status, _, errs := command(t, "client", "revoke", id, "--data", data); status != 0 {
		t.Errorf("revoke = %d %s", status, errs)
	}
	if _, err := loginAs(t.Context(), url, id, secret); err == nil || !strings.Contains(err.Error(), "invalid_client") {
		t.Errorf("after revocation: %v, want invalid_client", err)
	}
	if status, out, errs := command(t, "doctor", "--url", url); status != 0 || !strings.Contains(out, `"status": "ready"`) {
		t.Errorf("doctor = %d %s %s", status, out, errs)
	}
	if status, out, errs := command(t, "doctor", "--url", url, "--health"); status != 0 || out != "" {
		t.Errorf("doctor --health = %d %q %s", status, out, errs)
	}
	if status, _, errs := command(t, "doctor", "--url", "http://127.0.0.1:1"); status != 1 || !strings.Contains(errs, "is it running") {
		t.Errorf("doctor of nothing = %d %s", status, errs)
	}
}

// A hub whose clock is wrong takes messages, and is not well.
func TestDoctorOfAWrongClock(t *testing.T) {
	for _, test := range []struct {
		clock  string
		status int
		says   string
	}{
		{`{"aheadOfDatabase":"-20.003s","state":"apart"}`, 1, "ahead of the database's by -20.003s"},
		{`{"aheadOfDatabase":"3ms","state":"ok"}`, 0, ""},
		{`{"state":"unknown"}`, 0, ""},
	} {
		hub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"status":"ready","parts":{"clock":%s}}`, test.clock)
		}))
		if status, _, errs := command(t, "doctor", "--url", hub.URL); status != test.status || !strings.Contains(errs, test.says) {
			t.Errorf("doctor of the clock %s = %d %q, want %d and %q", test.clock, status, errs, test.status, test.says)
		}
		hub.Close()
	}
}

// What cannot be understood is said at once, with status 2, and nothing is started.
func TestCommandLinesThatAreRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "parley.yaml")
	if err := os.WriteFile(file, []byte("liste: 127.0.0.1:1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"unexpected argument": {"cook"},
		"unknown flag":        {"serve", "--planted"},
		"liste":               {"serve", "--config", file},
		"no such file":        {"serve", "--config=" + file + ".not"},
	} {
		if status, _, errs := command(t, args...); status != 2 || !strings.Contains(errs, want) {
			t.Errorf("%v = %d %s, want 2 and %q", args, status, errs, want)
		}
	}
	if status, _, errs := command(t, "serve", "--listen", "nowhere", "--bootstrap-client", "a:planted"); status != 2 || !strings.Contains(errs, "--listen") || !strings.Contains(errs, "--bootstrap-client") || strings.Contains(errs, "planted") {
		t.Errorf("serve = %d %s, want every problem and no secret", status, errs)
	}
	if status, out, _ := command(t, "--help"); status != 0 || !strings.Contains(out, "serve") {
		t.Errorf("--help = %d %s", status, out)
	}
	if status, out, _ := command(t, "version"); status != 0 || !strings.HasPrefix(out, "parley ") {
		t.Errorf("version = %d %s", status, out)
	}
}
