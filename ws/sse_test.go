package ws_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"parley"
	"parley/hub"
	"parley/ws"
)

// A readerFunc is a body that does something when it is read.
type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// A hub that begins to drain while the first frame is on its way says so, and does not end a stream that never began.
func TestStreamThatComesWhileDraining(t *testing.T) {
	s, _ := sseSite(t, nil)
	frame := strings.NewReader(`{"id":"1","connect":{"token":"anna"}}`)
	answer := httptest.NewRecorder()
	s.server.ServeEvents(answer, httptest.NewRequest(http.MethodPost, "/sse", readerFunc(func(p []byte) (int, error) {
		s.server.Drain(t.Context())
		return frame.Read(p)
	})))
	if answer.Code != http.StatusServiceUnavailable || answer.Header().Get("Retry-After") == "" || !strings.Contains(answer.Body.String(), "503-001") {
		t.Errorf("a stream that comes while the hub drains = %d %s, want 503 and when to come back", answer.Code, answer.Body)
	}
}

// A stream is a raw client of the second transport.
type stream struct {
	t    *testing.T
	base string
	post string
	body io.ReadCloser
	scan *bufio.Scanner
}

func sseSite(t *testing.T, change func(*ws.Config)) (*site, string) {
	t.Helper()
	s := newSite(t, change)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /sse", s.server.ServeEvents)
	mux.HandleFunc("POST /sse/{key}", func(w http.ResponseWriter, r *http.Request) { s.server.ServePosted(w, r, r.PathValue("key")) })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return s, server.URL
}

func postFrame(t *testing.T, url, frame string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(frame))
	if err != nil {
		t.Fatal(err)
	}
	res, err := (&http.Client{}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func openStream(t *testing.T, base, frame string) *stream {
	t.Helper()
	res := postFrame(t, base+"/sse", frame)
	if got := res.Header.Get("Content-Type"); got != "text/event-stream" || res.StatusCode != http.StatusOK {
		t.Fatalf("the stream begins with %d, %s", res.StatusCode, got)
	}
	s := &stream{t: t, base: base, body: res.Body, scan: bufio.NewScanner(res.Body)}
	t.Cleanup(func() { res.Body.Close() })
	name, data := s.event()
	var first struct{ Post string }
	if name != "session" || json.Unmarshal([]byte(data), &first) != nil || !strings.HasPrefix(first.Post, "/sse/") {
		t.Fatalf("the first event is %s %s", name, data)
	}
	s.post = first.Post
	return s
}

// event is the next one; "" at the end.
func (s *stream) event() (name, data string) {
	var lines []string
	for s.scan.Scan() {
		field, value, _ := strings.Cut(s.scan.Text(), ": ")
		switch field {
		case "event":
			name = value
		case "data":
			lines = append(lines, value)
		case "":
			return name, strings.Join(lines, "\n")
		}
	}
	return "", ""
}

func (s *stream) send(frame string) int {
	s.t.Helper()
	res := postFrame(s.t, s.base+s.post, frame)
	defer res.Body.Close()
	return res.StatusCode
}

// object is the next one that has the member.
func (s *stream) object(member string) map[string]json.RawMessage {
	s.t.Helper()
	for {
		name, data := s.event()
		if name != "message" {
			s.t.Fatalf("waiting for %s the stream has %q %s", member, name, data)
		}
		for line := range strings.SplitSeq(data, "\n") {
			var o map[string]json.RawMessage
			if err := json.Unmarshal([]byte(line), &o); err != nil {
				s.t.Fatalf("%q: %v", line, err)
			}
			if o[member] != nil {
				return o
			}
		}
	}
}

// The second transport carries the same objects: replies, messages of others, resume, and why it ends.
func TestEventsCarryTheSameObjects(t *testing.T) {
	s, base := sseSite(t, nil)
	anna := openStream(t, base, `{"id":"1","connect":{"token":"anna"}}`+"\n"+`{"id":"2","open":{"message":{"messageId":"m1","type":{"value":"text"},"content":{"text":"hello"}}}}`)
	if o := anna.object("ok"); string(o["id"]) != `"1"` {
		t.Fatalf("first reply = %s", o["id"])
	}
	var opened struct{ Conversation string }
	if err := json.Unmarshal(anna.object("ok")["ok"], &opened); err != nil {
		t.Fatal(err)
	}
	agent, _ := s.connect("dana") // over WebSocket: both kinds of sessions are in one conversation
	agent.ask("subscribe", map[string]any{"conversation": opened.Conversation, "after": 1})
	agent.ask("post", in(opened.Conversation, text("with a\nline break")))
	if m := string(anna.object("message")["message"]); !strings.Contains(m, `with a\nline break`) || !strings.Contains(m, `"seq":2`) {
		t.Errorf("the stream shows %s", m)
	}
	if got := anna.send(`{"id":"3","post":{"messageId":"m3","type":{"value":"text"},"content":{"text":"thanks"},"conversation":{"id":"` + opened.Conversation + `"}}}`); got != http.StatusAccepted {
		t.Errorf("post = %d", got)
	}
	anna.object("ok")
	if m := agent.message(); m.Message.Content.Text != "thanks" {
		t.Errorf("agent sees %+v", m)
	}
	anna.body.Close()
	agent.ask("post", in(opened.Conversation, text("missed")))
	back := openStream(t, base, `{"id":"1","connect":{"token":"anna","resume":[{"conversation":"`+opened.Conversation+`","after":3}]}}`)
	if m := string(back.object("message")["message"]); !strings.Contains(m, `"missed"`) || !strings.Contains(m, `"seq":4`) {
		t.Errorf("after resume the stream shows %s", m)
	}
	if back.send("no object"); true {
		for name, data := back.event(); ; name, data = back.event() {
			if name == "close" && strings.Contains(data, `"code":4400`) {
				break
			}
			if name == "" {
				t.Fatal("a bad frame ended the stream without a code")
			}
		}
	}
}

func TestPostsToNoSessionAreRefused(t *testing.T) {
	s, base := sseSite(t, func(c *ws.Config) { c.MaxFrame = 1000 })
	anna := openStream(t, base, `{"id":"1","connect":{"token":"anna"}}`)
	anna.object("ok")
	node, _, _ := strings.Cut(strings.TrimPrefix(anna.post, "/sse/"), ".")
	for _, test := range []struct {
		what, path, frame string
		want              int
	}{
		{"an unknown session of this node", "/sse/" + node + ".guess", "{}", http.StatusNotFound},
		{"a session of another node, of which there is none", "/sse/elsewhere.guess", "{}", http.StatusNotFound},
		{"a frame that is too large", anna.post, strings.Repeat(" ", 1001), http.StatusRequestEntityTooLarge},
		{"a first frame that is too large", "/sse", strings.Repeat(" ", 1001), http.StatusRequestEntityTooLarge},
	} {
		res := postFrame(t, base+test.path, test.frame)
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != test.want || test.want >= 400 && !bytes.Contains(body, []byte(`"code"`)) {
			t.Errorf("%s = %d %s, %v; want %d", test.what, res.StatusCode, body, err, test.want)
		}
	}
	s.server.Drain(t.Context())
	for name, data := anna.event(); ; name, data = anna.event() {
		if name == "close" {
			if !strings.Contains(data, `"code":1012`) {
				t.Errorf("drain ends with %s", data)
			}
			break
		}
		if name == "" {
			t.Fatal("drain ended the stream without a code")
		}
	}
	res := postFrame(t, base+"/sse", "{}")
	defer res.Body.Close()
	if res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a new session while draining = %d", res.StatusCode)
	}
}

// deaf is live state to which nothing gets through: its hub does not run, and sends no hints.
type deaf struct{ parley.Live }

// Frames for other nodes that nobody takes are refused before they pile up.
func TestPostsForOtherNodesAreBounded(t *testing.T) {
	server := ws.New(ws.Config{Hub: hub.New(hub.Config{Live: deaf{}})})
	status := http.StatusAccepted
	for n := 0; status == http.StatusAccepted && n < 10_000; n++ {
		answer := httptest.NewRecorder()
		server.ServePosted(answer, httptest.NewRequest(http.MethodPost, "/sse/n.s", strings.NewReader("{}")), "n.s")
		status = answer.Code
	}
	if status != http.StatusTooManyRequests {
		t.Errorf("in the end a post is answered %d, want 429", status)
	}
}
