package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// slow says that the program is built with the race detector.
var slow = strings.Contains(os.Getenv("PARLEY_TEST_BUILD"), "-race")

// binary builds the program once for all tests.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "parley-test-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "parley")
	out, err := exec.Command("go", append([]string{"build", "-o", path}, append(strings.Fields(os.Getenv("PARLEY_TEST_BUILD")), ".")...)...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w: %s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	status := m.Run()
	if path, err := binary(); err == nil {
		os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(status)
}

// A process is a running hub, as a stranger would start it.
type process struct {
	t      testing.TB
	cmd    *exec.Cmd
	url    string
	lines  map[string]string // "customer page" → URL, as printed
	log    safeBuffer
	exited chan struct{}
}

// startProcess starts the binary and waits until it says where it listens. Extra arguments and environment may be given.
func startProcess(t testing.TB, env []string, args ...string) *process {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: exec.Command(path, append([]string{"serve"}, args...)...), lines: map[string]string{}, exited: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.Stderr = &p.log
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	ready := make(chan struct{})
	go func() {
		defer close(p.exited)
		scan := bufio.NewScanner(stdout)
		said := false
		for scan.Scan() {
			name, value, ok := strings.Cut(scan.Text(), ": ")
			if !ok {
				continue
			}
			p.lines[name] = value
			if !said && (name == "listening" || name == "agent page") {
				said = true
				close(ready)
			}
		}
		_ = p.cmd.Wait()
	}()
	select {
	case <-ready:
	case <-p.exited:
		t.Fatalf("the hub ended: %s", p.log.String())
	case <-time.After(60 * time.Second):
		p.kill()
		t.Fatalf("the hub does not start: %s", p.log.String())
	}
	p.url = p.lines["listening"]
	if p.url == "" {
		u, err := url.Parse(p.lines["agent page"])
		if err != nil {
			t.Fatal(err)
		}
		p.url = u.Scheme + "://" + u.Host
	}
	return p
}

// kill ends the process at once, as a crash does.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // an error means that it is gone
	<-p.exited
}

// terminate asks the process to end and returns whether it did so well.
func (p *process) terminate() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.exited:
	case <-time.After(30 * time.Second):
		p.kill()
		return fmt.Errorf("did not end after SIGTERM: %s", p.log.String())
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("ended with %d: %s", code, p.log.String())
	}
	return nil
}

// A caller calls the hub's REST with a token.
type caller struct {
	base    string
	token   string
	headers map[string]string // sent besides
}

const bootstrap = "tests:a-secret-for-tests-only"

// login fetches a token for the bootstrap client.
func login(ctx context.Context, base string) (*caller, error) {
	id, secret, _ := strings.Cut(bootstrap, ":")
	return loginAs(ctx, base, id, secret)
}

// loginAs fetches a token for a client.
func loginAs(ctx context.Context, base, id, secret string) (*caller, error) {
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {secret}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/oauth2/token", strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	var answer struct {
		Token string `json:"access_token"`
		Error string `json:"error"`
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return nil, err
	}
	if answer.Token == "" {
		return nil, fmt.Errorf("token: %s", answer.Error)
	}
	return &caller{base: base, token: answer.Token}, nil
}

const conversationmgrBase = "/conversation/conversationmgr/v3"

// call makes a request and decodes the answer into out, if that is not nil. A status other than the wanted is an error.
func (c *caller) call(ctx context.Context, method, path string, in any, want int, out any) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer  "+c.token) // two blanks, as real clients send
	req.Header.Set("Content-Type", "application/json")
	for name, value := range c.headers {
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != want {
		return &wrongStatus{method + " " + path, res.StatusCode, string(text)}
	}
	if out != nil {
		return json.Unmarshal(text, out)
	}
	return nil
}

type wrongStatus struct {
	what   string
	status int
	body   string
}

func (w *wrongStatus) Error() string { return fmt.Sprintf("%s = %d %s", w.what, w.status, w.body) }

// create makes a configuration object and returns its id.
func (c *caller) create(t testing.TB, kind string, in map[string]any) string {
	t.Helper()
	var made struct{ ID string }
	if err := c.call(t.Context(), http.MethodPost, conversationmgrBase+"/"+kind, in, http.StatusCreated, &made); err != nil {
		t.Fatal(err)
	}
	return made.ID
}

type object = map[string]any

// A shop is what the set-up order of the API makes.
type shop struct {
	channel, address, orchestration, account string
	bot, agent, customer, participant        string
}

// setUp makes a shop in the documented order: authentication, client applications, participant, channel, orchestration,
// account. All callbacks go to one URL, with the role as its path.
func (c *caller) setUp(t testing.TB, callbacks, name string) shop {
	t.Helper()
	auth := c.create(t, "authentications", object{"name": name, "type": "basic", "basicAuth": object{"username": "hub", "password": "planted-password"}})
	app := func(role string) string {
		return c.create(t, "clientapplications", object{"name": name + " " + role, "roles": []object{{"name": role, "version": "v3",
			"callback": callbacks + "/" + role, "notificationEmail": "ops@example.org", "authentication": object{"id": auth}}}})
	}
	s := shop{channel: "custom." + name, address: name, bot: app("custom_bot"), agent: app("custom_agent"), customer: app("customer")}
	s.participant = c.create(t, "participants", object{"name": name + " Rex", "type": "custom_bot", "application": object{"id": s.bot}})
	channel := c.create(t, "channels", object{"type": s.channel, "displayName": name, "icon": "aWNvbg=="})
	s.orchestration = c.create(t, "orchestrations", object{"name": name, "applications": object{
		"botConfiguration":      object{"bots": []object{{"id": s.bot, "participant": object{"id": s.participant}, "onEscalation": object{"agent": object{"id": s.agent}}}}},
		"agentConfiguration":    object{"agents": []object{{"id": s.agent}}},
		"customerConfiguration": object{"customer": object{"id": s.customer}}}})
	s.account = c.create(t, "accounts", object{"name": name, "address": s.address, "channel": object{"id": channel},
		"chatConfigurations": object{"orchestration": object{"id": s.orchestration}, "entryPoint": object{"id": "1001"}}})
	return s
}

// begin is the message that starts a conversation in a shop.
func (s shop) begin(messageID, text, contact string) object {
	return object{"messageId": messageID, "type": object{"value": "text"}, "content": object{"text": text}, "sender": object{"type": "customer"},
		"conversation": object{"account": object{"address": s.address, "channel": object{"type": s.channel}}, "lookupContact": "email",
			"customer": object{"name": "Anna", "contacts": object{"contact": []object{{"type": "email", "address": contact}}}}}}
}

// say is a further message.
func say(conversation, messageID, sender, kind string, content object) object {
	m := object{"messageId": messageID, "type": object{"value": kind}, "conversation": object{"id": conversation}, "sender": object{"type": sender}}
	if content != nil {
		m["content"] = content
	}
	return m
}

// post sends one message and returns where it is.
func (c *caller) post(ctx context.Context, message object) (conversation, id string, err error) {
	var answer struct {
		Messages struct {
			Message []struct {
				ID           string
				Conversation struct{ ID string }
			}
		}
	}
	err = c.call(ctx, http.MethodPost, conversationmgrBase+"/conversations/messages", object{"messages": object{"message": []object{message}}},
		http.StatusAccepted, &answer)
	if err != nil || len(answer.Messages.Message) != 1 {
		return "", "", err
	}
	return answer.Messages.Message[0].Conversation.ID, answer.Messages.Message[0].ID, nil
}
