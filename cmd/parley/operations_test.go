package main

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"parley/configs"
)

// inProcess starts a node on embedded parts, in this process, and serves it over real HTTP until the test ends.
func inProcess(t *testing.T, change func(*configs.Serve)) (*node, string) {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	c := &configs.Serve{Roles: []string{configs.RoleAPI, configs.RoleWS, configs.RoleDispatch}, Redis: "auto", PublicURL: "http://" + server.Listener.Addr().String(),
		BootstrapClient: bootstrap, CallbackAllow: []string{"127.0.0.0/8"}, SessionRate: 50, SessionBurst: 200, SessionInFlight: 64, SessionFrame: 1 << 18}
	c.Data = t.TempDir()
	if change != nil {
		change(c)
	}
	n, err := start(t.Context(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = n.handler
	server.Start()
	n.ready.Store(true)
	t.Cleanup(func() {
		server.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := n.stop(ctx); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return n, server.URL
}

// get makes a request without following redirects.
func get(t *testing.T, method, url string) (res *http.Response, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if res, err = http.DefaultTransport.RoundTrip(req); err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(text)
}

// Operators learn how each part is. A node without live state is slower, one without its record is not ready; neither says
// where the part would be.
func TestReadiness(t *testing.T) {
	n, url := inProcess(t, nil)
	type part struct{ Kind, State string }
	ready := func() (status int, word string, parts map[string]part) {
		res, body := get(t, http.MethodGet, url+"/readyz")
		var state struct {
			Status  string
			Version string
			Roles   []string
			Parts   map[string]part
		}
		if err := json.Unmarshal([]byte(body), &state); err != nil || state.Version == "" || len(state.Roles) != 3 || res.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("/readyz = %s, %v", body, err)
		}
		if strings.Contains(body, "127.0.0.1") || strings.Contains(body, "/") {
			t.Errorf("/readyz tells where parts are: %s", body)
		}
		return res.StatusCode, state.Status, state.Parts
	}
	redis := n.live.Kind
	if redis != "child" && redis != "miniredis" {
		t.Errorf("redis is %q", redis)
	}
	if status, word, parts := ready(); status != 200 || word != "ready" || parts["database"] != (part{"sqlite", "ok"}) || parts["redis"] != (part{redis, "ok"}) || parts["clock"].State != "ok" {
		t.Errorf("all well: %d %s %v", status, word, parts)
	}
	n.ready.Store(false)
	if status, word, _ := ready(); status != 503 || word != "stopping or starting" {
		t.Errorf("while stopping: %d %s", status, word)
	}
	n.ready.Store(true)
	n.live.Close()
	if status, word, parts := ready(); status != 200 || word != "ready" || parts["redis"] != (part{redis, "unreachable"}) {
		t.Errorf("without live state: %d %s %v", status, word, parts)
	}
	n.store.Close()
	if status, word, parts := ready(); status != 503 || word != "the database is unreachable" || parts["database"] != (part{"sqlite", "unreachable"}) {
		t.Errorf("without the record: %d %s %v", status, word, parts)
	}
	if res, body := get(t, http.MethodGet, url+"/healthz"); res.StatusCode != 200 || body != `{"status":"ok"}`+"\n" {
		t.Errorf("/healthz = %d %s: the process is alive", res.StatusCode, body)
	}
	n.closers = nil // closed above
}

// Profiles are served on their own address alone.
func TestProfilesAreApart(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free.Close()
	_, url := inProcess(t, func(c *configs.Serve) { c.Pprof = free.Addr().String() })
	if res, body := get(t, http.MethodGet, url+"/debug/pprof/"); res.StatusCode != 404 {
		t.Errorf("the public address answers %d %s", res.StatusCode, body)
	}
	if res, body := get(t, http.MethodGet, "http://"+free.Addr().String()+"/debug/pprof/"); res.StatusCode != 200 || !strings.Contains(body, "goroutine") {
		t.Errorf("the private address answers %d %s", res.StatusCode, body)
	}
}

// Whatever is asked for that is not there, on any surface, is answered with an error body: never bare text, nor a page.
func TestUnknownIsToldAsJSON(t *testing.T) {
	_, url := inProcess(t, nil)
	for request, want := range map[string]string{
		"GET /nothing": "404-101", "GET /oauth2": "404-101", "GET /oauth2/nothing": "404-101", "GET /.well-known/nothing": "404-101",
		"GET /conversation/conversationmgr/v3": "404-101", "GET /conversation/conversationmgr/v3/nothing": "404-101", "GET /conversation/conversationmgr/v2/accounts": "404-101",
		"GET /admin/v1/nothing": "404-101", "GET /docs/nothing": "404-101", "GET /widget/v1/nothing": "404-101", "GET /widget/v1/assets/": "404-101",
		"GET /widget/v1/assets": "404-101", "GET /widget/v1/../../etc/passwd": "404-101", "GET /console/nothing.js": "404-101", "GET /console/assets/": "404-101", "GET /ws/v2": "404-101",
		"DELETE /oauth2/token": "405-100", "GET /oauth2/token": "405-100", "POST /.well-known/jwks.json": "405-100", "PATCH /conversation/conversationmgr/v3/accounts": "405-100",
		"PUT /admin/v1/clients": "405-100", "POST /docs": "405-100", "PUT /widget/v1/sessions": "405-100", "POST /console/": "405-100", "POST /ws/v1": "405-100",
		"POST /healthz": "405-100", "DELETE /readyz": "405-100", "POST /metrics": "405-100", "BREW /metrics": "405-100",
	} {
		method, path, _ := strings.Cut(request, " ")
		res, body := get(t, method, url+path)
		var e struct{ Code, DeveloperMessage string }
		if err := json.Unmarshal([]byte(body), &e); err != nil || e.Code != want || e.DeveloperMessage == "" || res.Header.Get("Content-Type") != "application/json" || want[:3] != res.Status[:3] {
			t.Errorf("%s = %s %s (%s), want %s", request, res.Status, body, res.Header.Get("Content-Type"), want)
		}
	}
	for _, page := range []string{"/widget/v1/", "/console/", "/docs", "/docs/conversationmgr", "/docs/admin", "/docs/manage", "/docs/broker", "/docs/agents", "/docs/widget"} {
		if res, body := get(t, http.MethodGet, url+page); res.StatusCode != 200 || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") || !strings.Contains(body, "<title>") {
			t.Errorf("%s = %d (%s)", page, res.StatusCode, res.Header.Get("Content-Type"))
		}
	}
	if res, body := get(t, http.MethodGet, url+"/metrics"); res.StatusCode != 200 || !strings.Contains(body, `parley_http_request_seconds_count{method="GET",route="/docs/admin",status="200"} 1`) ||
		!strings.Contains(body, "parley_messages_repeated_total 0") || strings.Contains(body, "passwd") {
		t.Errorf("/metrics = %d %s", res.StatusCode, body)
	}
}

// Settings about callbacks reach the rules of client applications.
func TestSettingsOfCallbacks(t *testing.T) {
	file := filepath.Join(t.TempDir(), "applications.yaml")
	const id = "0190f3c8-7e2a-7c31-8f00-000000000001"
	app := func(name string) object {
		return object{"id": id, "name": name, "roles": []object{{"name": "custom_agent", "version": "v3", "callback": "http://desk.example/", "notificationEmail": "ops@desk.example"}}}
	}
	text, err := json.Marshal([]object{app("desk")})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, plain := range []bool{true, false} {
		_, url := inProcess(t, func(c *configs.Serve) {
			if c.CallbackHTTP = plain; plain {
				c.Seed = file
			}
		})
		c, err := login(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		want := map[bool]int{true: http.StatusCreated, false: http.StatusBadRequest}[plain]
		if err := c.call(t.Context(), http.MethodPost, conversationmgrBase+"/clientapplications", app("other"), want, nil); err != nil {
			t.Errorf("callback-http %v: %v", plain, err)
		}
		want = map[bool]int{true: http.StatusOK, false: http.StatusNotFound}[plain]
		if err := c.call(t.Context(), http.MethodGet, conversationmgrBase+"/clientapplications/"+id, nil, want, nil); err != nil {
			t.Errorf("seed %v: %v", plain, err)
		}
	}
}

// A private address can be a callback only if --callback-allow has it; --demo has loopback.
func TestSettingsOfCallbackAddresses(t *testing.T) {
	for name, test := range map[string]struct {
		allow []string
		demo  bool
		want  int
	}{"none": {nil, false, http.StatusBadRequest}, "another": {[]string{"10.0.0.0/8"}, false, http.StatusBadRequest},
		"allowed": {[]string{"10.0.0.0/8", "127.0.0.1"}, false, http.StatusCreated}, "demo": {nil, true, http.StatusCreated}} {
		_, url := inProcess(t, func(c *configs.Serve) { c.CallbackAllow, c.Demo = test.allow, test.demo })
		c, err := login(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		app := object{"name": "x", "roles": []object{{"name": "custom_agent", "version": "v3", "callback": "http://127.0.0.1:9/", "notificationEmail": "ops@desk.example"}}}
		if err := c.call(t.Context(), http.MethodPost, conversationmgrBase+"/clientapplications", app, test.want, nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Callbacks go through the proxy of --callback-proxy, which is asked for the address.
func TestCallbacksGoThroughTheProxy(t *testing.T) {
	asked := make(chan string, 100)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Method + " " + r.Host
		w.WriteHeader(http.StatusForbidden)
	}))
	t.Cleanup(proxy.Close)
	_, url := inProcess(t, func(c *configs.Serve) { c.CallbackProxy, c.CallbackHTTP = proxy.URL, true })
	c, err := login(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	s := c.setUp(t, "http://127.0.0.3:4321", "proxied")
	if _, _, err := c.post(t.Context(), s.begin("m-1", "hello", "anna@example.org")); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-asked:
		if got != "CONNECT 127.0.0.3:4321" {
			t.Errorf("the proxy was asked for %s", got)
		}
	case <-time.After(20 * time.Second):
		t.Error("the proxy was not asked")
	}
}

// Bodies that no surface can read are answered in the surface's own words.
func TestBadBodiesAreToldAsJSON(t *testing.T) {
	_, url := inProcess(t, nil)
	c, err := login(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/oauth2/token", "/oauth2/v2.0/token", "/admin/v1/organisations", "/admin/v1/clients", "/widget/v1/sessions",
		conversationmgrBase + "/accounts", conversationmgrBase + "/assets", conversationmgrBase + "/conversations/messages"} {
		for what, bad := range map[string][2]string{
			"oversized":  {"application/json", `{"name":"` + strings.Repeat("x", 1<<20) + `"}`},
			"malformed":  {"application/json", `{"name":`},
			"no JSON":    {"application/json", "name=x"},
			"other type": {"text/plain", `{"name":"x"}`},
			"garbled":    {"/", `{"name":"x"}`},
			"empty":      {"application/json", ""},
			"a list":     {"application/json", "[]"},
			"binary":     {"application/json", "\x00\xff"},
		} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+path, strings.NewReader(bad[1]))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", bad[0])
			if !strings.HasPrefix(path, "/oauth2") {
				req.Header.Set("Authorization", "Bearer "+c.token)
			}
			res, err := http.DefaultTransport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(res.Body)
			res.Body.Close()
			if err != nil {
				t.Fatal(err)
			}
			var e struct{ Code, DeveloperMessage, Error string }
			if err := json.Unmarshal(text, &e); err != nil || res.StatusCode != 400 || res.Header.Get("Content-Type") != "application/json" {
				t.Errorf("%s %s = %d %s (%s)", path, what, res.StatusCode, text, res.Header.Get("Content-Type"))
			}
			if oauth := strings.HasPrefix(path, "/oauth2"); oauth && e.Error != "invalid_request" || !oauth && e.Code != "400-152" && e.Code != "400-264" {
				t.Errorf("%s %s = %s, want the surface's own error", path, what, text)
			}
		}
	}
}
