package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/coder/websocket"
)

// A server is a process under test.
type server struct {
	cmd  *exec.Cmd
	url  string
	data string
	log  bytes.Buffer
}

// startServer starts this binary with other arguments and waits until it says where it listens.
func startServer(ctx context.Context, args ...string) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s := &server{cmd: exec.CommandContext(ctx, self, args...)}
	s.cmd.Cancel = func() error { return s.cmd.Process.Signal(syscall.SIGTERM) }
	s.cmd.WaitDelay = 30 * time.Second
	s.cmd.Stderr = &s.log
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	scan := bufio.NewScanner(out)
	for scan.Scan() {
		if url, ok := strings.CutPrefix(scan.Text(), "listening: "); ok {
			s.url = url
			return s, nil
		}
	}
	_ = s.cmd.Wait()
	return nil, fmt.Errorf("%s did not start: %s", args[0], s.log.String())
}

func (s *server) stop() error {
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // it is gone if that fails
	err := s.cmd.Wait()
	if s.data != "" {
		err = errors.Join(err, os.RemoveAll(s.data))
	}
	return err
}

// credentials of the API client that the benchmark's hub is started with.
const clientID, clientSecret = "bench", "bench-only-secret"

// Target says which hub is measured.
type Target struct {
	Database string // empty = SQLite
	Redis    string // empty = auto
}

// Name is what tables call the target.
func (t Target) Name() string {
	if t.Database == "" {
		return "SQLite + private Redis"
	}
	return "PostgreSQL + Redis"
}

// startHub starts a hub with an empty record and limits that the load does not meet.
func startHub(ctx context.Context, t Target) (*server, *api, error) {
	data, err := os.MkdirTemp("", "parley-bench-")
	if err != nil {
		return nil, nil, err
	}
	args := []string{"serve", "--listen", "127.0.0.1:0", "--data", data, "--bootstrap-client", clientID + ":" + clientSecret,
		"--callback-allow", "127.0.0.0/8", "--session-rate", "1e9", "--session-burst", "1000000000", "--session-in-flight", "100000", "--log-level", "warn"}
	if t.Database != "" {
		args = append(args, "--database", t.Database)
	}
	if t.Redis != "" {
		args = append(args, "--redis", t.Redis)
	}
	s, err := startServer(ctx, args...)
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(data))
	}
	s.data = data
	a := &api{base: s.url}
	if err := a.login(ctx); err != nil {
		return nil, nil, errors.Join(err, s.stop())
	}
	return s, a, nil
}

// An api calls the hub's REST.
type api struct{ base, token string }

func (a *api) login(ctx context.Context) error {
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {clientID}, "client_secret": {clientSecret}}
	var out struct {
		Token string `json:"access_token"`
	}
	if err := a.do(ctx, "/oauth2/token", "application/x-www-form-urlencoded", strings.NewReader(form.Encode()), &out); err != nil {
		return err
	}
	a.token = out.Token
	return nil
}

// clientTimeout bounds one call.
const clientTimeout = 30 * time.Second

var client = &http.Client{Timeout: clientTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}

func (a *api) do(ctx context.Context, path, kind string, body io.Reader, out any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.base+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", kind)
	if a.token != "" {
		req.Header.Set("Authorization", "Bearer "+a.token)
	}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return fmt.Errorf("%s = %d %s", path, res.StatusCode, text)
	}
	return json.Unmarshal(text, out)
}

type object = map[string]any

const conversationmgr = "/conversation/conversationmgr/v3"

// create makes a configuration object and returns its id.
func (a *api) create(ctx context.Context, kind string, in object) (string, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return "", err
	}
	var out struct{ ID string }
	err = a.do(ctx, conversationmgr+"/"+kind, "application/json", bytes.NewReader(body), &out)
	return out.ID, err
}

// Ids of what every tenant has from the start; see the root package.
const (
	consoleApplication = "00000000-0000-7000-8000-000000000011"
	webChatChannel     = "00000000-0000-7000-8000-000000000020"
)

// makeAccount makes a web chat account whose conversations go to the console, or, with callback, to a bot behind it.
func (a *api) makeAccount(ctx context.Context, address, callback string) error {
	applications := object{"agentConfiguration": object{"agents": []object{{"id": consoleApplication}}}}
	if callback != "" {
		app, err := a.create(ctx, "clientapplications", object{"name": address, "roles": []object{{"name": "custom_bot", "version": "v3",
			"callback": callback, "notificationEmail": "bench@example.org"}}})
		if err != nil {
			return err
		}
		participant, err := a.create(ctx, "participants", object{"name": address, "type": "custom_bot", "application": object{"id": app}})
		if err != nil {
			return err
		}
		applications["botConfiguration"] = object{"bots": []object{{"id": app, "participant": object{"id": participant}}}}
	}
	orchestration, err := a.create(ctx, "orchestrations", object{"name": address, "applications": applications})
	if err != nil {
		return err
	}
	_, err = a.create(ctx, "accounts", object{"name": address, "address": address, "channel": object{"id": webChatChannel},
		"options":            []object{{"name": "anonymous", "value": "true"}},
		"chatConfigurations": object{"orchestration": object{"id": orchestration}, "timeout": 43200}})
	return err
}

// agentToken makes an API client that speaks as the console's agents, and its token.
func (a *api) agentToken(ctx context.Context) (string, error) {
	body, err := json.Marshal(object{"name": "bench agents", "scopes": []string{"app.conversation.conversationmgr.interaction.manage"},
		"applicationId": consoleApplication, "roles": []string{"custom_agent"}})
	if err != nil {
		return "", err
	}
	var made struct{ ID, Secret string }
	if err := a.do(ctx, "/admin/v1/clients", "application/json", bytes.NewReader(body), &made); err != nil {
		return "", err
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {made.ID}, "client_secret": {made.Secret}}
	var out struct {
		Token string `json:"access_token"`
	}
	anonymous := &api{base: a.base}
	err = anonymous.do(ctx, "/oauth2/token", "application/x-www-form-urlencoded", strings.NewReader(form.Encode()), &out)
	return out.Token, err
}

// customerToken makes a visitor of an account.
func (a *api) customerToken(ctx context.Context, address string) (string, error) {
	body, err := json.Marshal(object{"account": object{"channel": object{"type": "web_chat"}, "address": address}})
	if err != nil {
		return "", err
	}
	var out struct{ Token string }
	anonymous := &api{base: a.base}
	err = anonymous.do(ctx, "/widget/v1/sessions", "application/json", bytes.NewReader(body), &out)
	return out.Token, err
}

// A session is a connected client of the hub.
type session struct {
	conn *websocket.Conn
	n    int
}

func (a *api) connect(ctx context.Context, token string) (*session, error) {
	conn, _, err := websocket.Dial(ctx, a.base+"/ws/v1", &websocket.DialOptions{Subprotocols: []string{"parley.v1.json"}})
	if err != nil {
		return nil, err
	}
	conn.SetReadLimit(1 << 20)
	s := &session{conn: conn}
	_, err = s.ask(ctx, "connect", object{"token": token})
	return s, err
}

// ask sends a request and waits for its reply; nothing else may be on its way.
func (s *session) ask(ctx context.Context, op string, in any) (json.RawMessage, error) {
	s.n++
	id := fmt.Sprint("q", s.n)
	body, err := json.Marshal(object{"id": id, op: in})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, clientTimeout)
	defer cancel()
	if err := s.conn.Write(ctx, websocket.MessageText, body); err != nil {
		return nil, err
	}
	for {
		_, frame, err := s.conn.Read(ctx)
		if err != nil {
			return nil, err
		}
		for line := range bytes.SplitSeq(frame, []byte("\n")) {
			var o struct {
				ID        string
				OK, Error json.RawMessage
			}
			if err := json.Unmarshal(line, &o); err != nil {
				return nil, err
			}
			if o.ID == id && o.Error != nil {
				return nil, fmt.Errorf("%s: %s", op, o.Error)
			}
			if o.ID == id {
				return o.OK, nil
			}
		}
	}
}
